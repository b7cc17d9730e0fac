//! Code that a page quotes: it begins with `// path`, and has to be in that file.

use super::{Breach, File};
use crate::workspace;

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    if file.extension() != "md" {
        return Vec::new();
    }
    let mut found = Vec::new();
    for Quote { line, path, code } in quotes(file) {
        match std::fs::read_to_string(workspace::root().join(path)) {
            Ok(text) if has(&text, &code) => {}
            Ok(_) => found.push(file.breach(line, format!("quotes what is not in `{path}`"))),
            Err(error) => found.push(file.breach(line, format!("quotes `{path}`: {error}"))),
        }
    }
    found
}

struct Quote<'a> {
    line: usize,
    path: &'a str,
    code: Vec<&'a str>,
}

/// The blocks of Rust that say where they are from.
fn quotes(file: &File) -> Vec<Quote<'_>> {
    let mut quotes = Vec::new();
    let mut lines = file.lines();
    while let Some((line, text)) = lines.next() {
        if text != "```rust" {
            continue;
        }
        let block: Vec<&str> =
            lines.by_ref().map(|(_, text)| text).take_while(|text| *text != "```").collect();
        if let Some((first, code)) = block.split_first()
            && let Some(path) = first.strip_prefix("// ").filter(|path| path.ends_with(".rs"))
        {
            quotes.push(Quote { line, path, code: code.to_vec() });
        }
    }
    quotes
}

/// Whether a text has these lines together.
fn has(text: &str, code: &[&str]) -> bool {
    let lines: Vec<&str> = text.lines().collect();
    !code.is_empty() && lines.windows(code.len()).any(|window| window == code)
}

#[cfg(test)]
mod tests {
    use super::{File, breaches};

    fn check(code: &str, expected: usize) {
        let text = format!("As in\n```rust\n{code}\n```\nand so on.\n");
        let file = File { path: "docs/wire.md".to_owned(), text };
        assert_eq!(breaches(&file).len(), expected, "{code}");
    }

    #[test]
    fn what_is_quoted_is_there() {
        check("// xtask/src/tidy/quotes.rs\nstruct Quote<'a> {\n    line: usize,", 0);
        check("// xtask/src/tidy/quotes.rs\nstruct Quote<'a> {\n    column: usize,", 1);
        check("// xtask/src/tidy/nowhere.rs\nstruct Quote;", 1);
        check("let unquoted = 1;", 0);
    }
}
