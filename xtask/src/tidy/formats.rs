//! Documents that the programs write say their kind and version, and `docs/formats.md` lists each.

use super::{Breach, File};
use crate::workspace;

/// The page.
const PAGE: &str = "docs/formats.md";

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    if !file.is_rust() || !file.path.starts_with("crates/") {
        return Vec::new();
    }
    let named: Vec<_> =
        file.product_lines().filter_map(|(number, line)| Some((number, schema(line)?))).collect();
    if named.is_empty() {
        return Vec::new();
    }
    let page = std::fs::read_to_string(workspace::root().join(PAGE)).unwrap_or_default();
    let missing = named.into_iter().filter(|(_, schema)| !page.contains(&format!("`{schema}`")));
    missing.map(|(number, schema)| file.breach(number, format!("`{schema}` is not in {PAGE}"))).collect()
}

/// The name of a document's kind and version, where a line gives it.
fn schema(line: &str) -> Option<&str> {
    let (_, value) = line.split_once("SCHEMA: &str = \"")?;
    value.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::{File, breaches};

    fn check(path: &str, text: &str, expected: usize) {
        let file = File { path: path.to_owned(), text: text.to_owned() };
        assert_eq!(breaches(&file).len(), expected, "{path}: {text}");
    }

    #[test]
    fn a_format_is_listed() {
        check("crates/events/src/lib.rs", "pub const SCHEMA: &str = \"piopiy-mock.plan/v1\";", 0);
        check("crates/events/src/lib.rs", "const SCHEMA: &str = \"piopiy-mock.plan/v2\";", 1);
        check("xtask/src/main.rs", "const SCHEMA: &str = \"piopiy-mock.plan/v2\";", 0);
    }
}
