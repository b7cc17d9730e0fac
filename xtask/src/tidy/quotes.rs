//! Code that a page quotes: it begins with `// path`, and has to be in that file. A README's is in a `readme.rs` of the tests.

use super::{Breach, File};
use crate::workspace;

pub(super) fn breaches(file: &File) -> Vec<Breach> {
    if file.extension() != "md" {
        return Vec::new();
    }
    let is_readme = file.path == "README.md" || file.path.ends_with("/README.md");
    let mut found = Vec::new();
    for (line, block) in blocks(file) {
        let source = block.first().and_then(|first| first.strip_prefix("// "));
        match source.filter(|path| path.ends_with(".rs")) {
            Some(path) => match std::fs::read_to_string(workspace::root().join(path)) {
                Ok(text) if has(&text, &block[1..]) => {}
                Ok(_) => found.push(file.breach(line, format!("quotes what is not in `{path}`"))),
                Err(error) => found.push(file.breach(line, format!("quotes `{path}`: {error}"))),
            },
            None if is_readme && !READMES_CODE.iter().any(|code| has_paragraphs(code, &block)) => {
                found.push(file.breach(line, "no test `readme.rs` has this code"));
            }
            None => {}
        }
    }
    found
}

/// What runs the code of READMEs.
const READMES_CODE: [&str; 3] = [
    include_str!("../../../crates/events/tests/it/readme.rs"),
    include_str!("../../../crates/mock-platform/tests/it/live/readme.rs"),
    include_str!("../../../crates/receiver/tests/it/readme.rs"),
];

/// The blocks of Rust, and in which line each begins.
fn blocks(file: &File) -> Vec<(usize, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut lines = file.lines();
    while let Some((line, text)) = lines.next() {
        if text == "```rust" {
            blocks.push((
                line,
                lines.by_ref().map(|(_, text)| text).take_while(|text| *text != "```").collect(),
            ));
        }
    }
    blocks
}

/// Whether a text has these lines, in this order, however far they are indented, and other lines between paragraphs.
fn has_paragraphs(text: &str, block: &[&str]) -> bool {
    let trimmed: Vec<&str> = text.lines().map(str::trim).collect();
    let mut rest = &trimmed[..];
    let mut paragraphs = block.split(|line| line.trim().is_empty()).filter(|lines| !lines.is_empty());
    paragraphs.all(|lines| {
        let lines: Vec<&str> = lines.iter().map(|line| line.trim()).collect();
        let found = rest.windows(lines.len()).position(|window| window == lines);
        rest = &rest[found.map_or(0, |at| at + lines.len())..];
        found.is_some()
    })
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
        check_in("docs/wire.md", code, expected);
    }

    fn check_in(path: &str, code: &str, expected: usize) {
        let text = format!("As in\n```rust\n{code}\n```\nand so on.\n");
        let file = File { path: path.to_owned(), text };
        assert_eq!(breaches(&file).len(), expected, "{code}");
    }

    #[test]
    fn what_is_quoted_is_there() {
        check("// xtask/src/tidy/quotes.rs\nuse super::{Breach, File};\nuse crate::workspace;", 0);
        check("// xtask/src/tidy/quotes.rs\nuse super::{Breach, File};\nuse crate::process;", 1);
        check("// xtask/src/tidy/nowhere.rs\nuse super::File;", 1);
        check("let unquoted = 1;", 0);
    }

    #[test]
    fn a_readmes_code_is_run() {
        check_in(
            "README.md",
            "let platform = MockPlatform::builder().to(receiver.url()).start().await.unwrap();",
            0,
        );
        check_in(
            "crates/events/README.md",
            "let webhook = Webhook::parse(body)?;\n\nuse std::error::Error;",
            1,
        );
        check_in("crates/receiver/README.md", "let unquoted = 1;", 1);
    }
}
