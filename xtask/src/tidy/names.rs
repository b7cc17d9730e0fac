//! Names and sizes of files.

use super::{Breach, File};

/// A file longer than this has more than one reason to change.
const MOST_LINES: usize = 800;
/// A file longer than this deserves a look.
const MANY_LINES: usize = 400;
/// Names that say nothing of what is inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "manager", "common", "misc", "mod"];

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    let mut found = Vec::new();
    for part in file.path.split('/') {
        if is_device(part) {
            found.push(file.breach(0, format!("Windows takes no file named `{part}`")));
        }
    }
    if !file.is_rust() {
        return found;
    }
    for part in file.path.trim_end_matches(".rs").split('/') {
        if EMPTY_NAMES.contains(&part) {
            found.push(file.breach(0, format!("`{part}` says nothing of what is inside")));
        }
    }
    let lines = file.text.lines().count();
    if lines > MOST_LINES {
        found.push(
            file.breach(
                lines,
                format!("{lines} lines, of at most {MOST_LINES}: split it by reason to change"),
            ),
        );
    }
    found
}

/// Whether Windows has it for a device, whatever comes behind a point: with one of them the whole project cannot be checked out there.
fn is_device(part: &str) -> bool {
    let name = part.split('.').next().unwrap_or_default().to_lowercase();
    let port = name.strip_prefix("com").or_else(|| name.strip_prefix("lpt"));
    let is_numbered = port.is_some_and(|number| number.len() == 1 && number.as_bytes()[0].is_ascii_digit());
    is_numbered || ["con", "prn", "aux", "nul"].contains(&name.as_str())
}

/// How many Rust files are longer than they should be.
pub(super) fn long_files(files: &[File]) -> usize {
    let long = files.iter().filter(|file| file.is_rust() && file.text.lines().count() > MANY_LINES);
    long.inspect(|file| println!("  note: {}: more than {MANY_LINES} lines", file.path)).count()
}

#[cfg(test)]
mod tests {
    use super::{File, breaches};

    fn check(path: &str, lines: usize, expected: usize) {
        let file = File { path: path.to_owned(), text: "\n".repeat(lines) };
        assert_eq!(breaches(&file).len(), expected, "{path} of {lines} lines");
    }

    #[test]
    fn files_have_names_and_an_end() {
        check("crates/events/src/field.rs", 800, 0);
        check("crates/events/src/field.rs", 801, 1);
        check("crates/events/src/field/mod.rs", 1, 1);
        check("crates/events/src/utils/text.rs", 1, 1);
        check("docs/utils.md", 1000, 0);
        check("docs/checks/CON-001.md", 1, 0);
        check("crates/events/src/con.rs", 1, 1);
        check("docs/Aux.md", 1, 1);
        check("fixtures/con/a.json", 1, 1);
        check("fixtures/com3.json", 1, 1);
        check("fixtures/com/a.json", 1, 0);
    }
}
