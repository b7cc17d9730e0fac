//! Words that no file of the project may have.

use super::{Breach, File};

/// Each word in two halves, so that this file does not have it.
const IN_RUST: [([&str; 2], &str); 5] = [
    (["#[", "ignore"], "a test runs or does not exist"),
    (["#[", "allow("], "`#[expect]` with a reason says when it is no longer needed"),
    (["#![", "allow("], "`#![expect]` with a reason says when it is no longer needed"),
    (["todo", "!("], "no stubs"),
    (["unimplemented", "!("], "no stubs"),
];

const ANYWHERE: [([&str; 2], &str); 7] = [
    (["/wo", "rk/"], "a path of one machine"),
    (["/ro", "ot/"], "a path of one machine"),
    (["/ho", "me/"], "a path of one machine"),
    (["registry.n", "pmjs.org"], "whoever installs chooses the registry"),
    (["pypi", ".org"], "whoever installs chooses the registry"),
    (["files.python", "hosted.org"], "whoever installs chooses the registry"),
    (["static.crates", ".io"], "whoever installs chooses the registry"),
];

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    let mut found = Vec::new();
    for (number, line) in file.lines() {
        for ([first, second], why) in rules(file) {
            if line.split(first).skip(1).any(|rest| rest.starts_with(second)) {
                found.push(file.breach(number, format!("`{first}{second}`: {why}")));
            }
        }
        if file.path.ends_with("package-lock.json") && line.trim_start().starts_with("\"resolved\"") {
            found.push(file.breach(number, "a lock file holds no download address"));
        }
    }
    found
}

fn rules(file: &File) -> impl Iterator<Item = &'static ([&'static str; 2], &'static str)> {
    let in_rust: &[_] = if file.is_rust() { &IN_RUST } else { &[] };
    ANYWHERE.iter().chain(in_rust)
}

#[cfg(test)]
mod tests {
    use super::{ANYWHERE, File, IN_RUST, breaches};

    fn check(path: &str, text: &str, expected: usize) {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(breaches(&file).len(), expected, "{path}: {text}");
    }

    #[test]
    fn each_word_is_found_where_it_matters() {
        for (halves, _) in ANYWHERE {
            check("docs/wire.md", &format!("see {} there", halves.concat()), 1);
        }
        for (halves, _) in IN_RUST {
            check("crates/events/src/lib.rs", &halves.concat(), 1);
            check("docs/wire.md", &halves.concat(), 0);
        }
        check("fixtures/package-lock.json", "  \"resolved\": \"somewhere\",", 1);
        check("docs/wire.md", "`framework/` and `root/`", 0);
    }
}
