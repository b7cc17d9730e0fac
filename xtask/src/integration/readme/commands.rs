//! The commands of a page, and how each of the README's is run.

/// How a command is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// To its end, with this exit code.
    Whole(i32),
    /// Until it says this; then it is told to end, and does so with this exit code.
    Until(&'static str, i32),
    /// Not here, but there.
    Elsewhere(&'static str),
}

/// By how a command begins; the first that fits. What is not here fails the run and a test.
const HOW: [(&str, How); 15] = [
    ("cargo install ", How::Whole(0)),
    ("cargo xtask --help", How::Whole(0)),
    ("cargo xtask demo", How::Whole(0)),
    // Whoever runs all of this has run them: they are a job of their own, which runs nothing else.
    ("cargo xtask test", How::Elsewhere("the job `test` of ci.yml")),
    ("cargo xtask integration", How::Elsewhere("it is what is running")),
    (
        "cargo xtask bench",
        How::Elsewhere("it takes a machine of its own; docs/performance.md has its figures"),
    ),
    ("piopiy-gallery ", How::Elsewhere("the run `explore/asks-then-inserts`")),
    ("piopiy-mock replay failures/ID", How::Elsewhere("the runs `reproducers/…`")),
    ("piopiy-mock load compare ", How::Elsewhere("the run `tutorials`, with loads to compare")),
    ("piopiy-mock serve", How::Until("Point your SDK", 143)),
    ("piopiy-mock run --to URL", How::Until("rerun: ", 143)),
    ("piopiy-receiver serve", How::Until("listening on ", 0)),
    // The checks have sent it what the platform never would, and that is new.
    ("piopiy-receiver export | piopiy-mock learn ", How::Whole(1)),
    ("piopiy-mock ", How::Whole(0)),
    ("piopiy-receiver ", How::Whole(0)),
];

/// What is named in a sentence without what it needs to be run.
const NAMED: [&str; 2] = ["piopiy-mock load", "piopiy-mock stream-check"];

/// How a command of the README is run; `None` where nobody has said.
pub(super) fn how(line: &str) -> Option<How> {
    // There is no database to pause: the hooks are run, and the check says that they took nothing away.
    if line.contains("docker ") {
        return Some(How::Whole(4));
    }
    HOW.iter().find(|(begin, _)| line.starts_with(begin)).map(|(_, how)| *how)
}

/// The commands in blocks of a page, in their order: each line of `sh`, and after a `$` those of `console` and `text`. A line that
/// ends with `\` goes on in the next; comments are left out.
pub(super) fn in_blocks(page: &str) -> Vec<String> {
    blocks(page).into_iter().flat_map(|(language, text)| commands(language, &text)).collect()
}

/// Only those of `sh` blocks.
pub(super) fn in_shell_blocks(page: &str) -> Vec<String> {
    let blocks = blocks(page).into_iter().filter(|(language, _)| *language == "sh");
    blocks.flat_map(|(language, text)| commands(language, &text)).collect()
}

/// The commands in the sentences of a page, each once and in their order: what stands between backticks and begins with a program of
/// ours.
pub(super) fn in_sentences(page: &str) -> Vec<&str> {
    let outside = page.split("\n```").step_by(2);
    let spans = outside.flat_map(|text| text.split('`').skip(1).step_by(2));
    let is_command = |span: &&str| {
        let (program, rest) = span.split_once(' ').unwrap_or_default();
        let is_ours = ["cargo", "piopiy-gallery", "piopiy-mock", "piopiy-receiver"].contains(&program);
        is_ours && !rest.is_empty() && !NAMED.contains(span)
    };
    let mut found = Vec::new();
    for span in spans.filter(is_command) {
        if !found.contains(&span) {
            found.push(span);
        }
    }
    found
}

/// Language and text of each block.
fn blocks(page: &str) -> Vec<(&str, String)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    let with_language = fenced.filter_map(|block| block.split_once('\n'));
    with_language.map(|(language, text)| (language, text.replace("\\\n", " "))).collect()
}

fn commands(language: &str, text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| match language {
        "sh" => Some(line),
        "console" | "text" => line.strip_prefix("$ "),
        _ => None,
    });
    let lines = lines.map(|line| line.split_once(" #").map_or(line, |(command, _)| command).trim_end());
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::{How, blocks, how, in_blocks, in_sentences, in_shell_blocks};
    use crate::workspace;

    const PAGE: &str = "a `piopiy-mock ca` b\n```sh\ncargo xtask demo # it\npiopiy-mock events   # all\n\npiopiy-mock check \\\n  --all\n```\n\
        `piopiy-mock`, `piopiy-mock load`\n```rust\nfn f() {}\n```\n```text\n$ piopiy-mock serve\nconsole `no x`\n```\n`--all` `cargo xtask test` `piopiy-mock ca`\n";

    #[test]
    fn commands_are_found_in_blocks_and_in_sentences() {
        let shell = ["cargo xtask demo", "piopiy-mock events", "piopiy-mock check    --all"];
        assert_eq!(in_shell_blocks(PAGE), shell);
        assert_eq!(in_blocks(PAGE), [shell.as_slice(), &["piopiy-mock serve"]].concat());
        assert_eq!(in_sentences(PAGE), ["piopiy-mock ca", "cargo xtask test"]);
    }

    #[test]
    fn what_nobody_runs_is_told() {
        assert_eq!(how("piopiy-mock serve --listen x"), Some(How::Until("Point your SDK", 143)));
        assert_eq!(how("cargo xtask test"), Some(How::Elsewhere("the job `test` of ci.yml")));
        assert_eq!(how("cargo xtask gallery"), None);
        assert_eq!(how("make"), None);
    }

    #[test]
    fn every_command_of_the_readme_is_run_somewhere() {
        let page = std::fs::read_to_string(workspace::root().join("README.md")).unwrap();
        let all = in_blocks(&page);
        assert!(all.len() >= 15, "{all:?}");
        for line in all.iter().map(String::as_str).chain(in_sentences(&page)) {
            assert!(how(line).is_some(), "README.md: nobody runs `{line}`: say how in readme/commands.rs");
        }
        for (language, text) in blocks(&page) {
            let is_command =
                language != "console" || !in_blocks(&format!("\n```{language}\n{text}\n```")).is_empty();
            assert!(is_command, "README.md: a console block without a command after `$ `:\n{text}");
        }
        let ci = std::fs::read_to_string(workspace::root().join(".github/workflows/ci.yml")).unwrap();
        for task in ["cargo xtask test --require-all", "cargo xtask integration --require-all"] {
            assert!(ci.contains(task), "ci.yml runs no `{task}`");
        }
    }

    #[test]
    fn every_tutorial_but_that_of_live_calls_has_commands_that_are_run() {
        for page in workspace::files_under(&workspace::root().join("docs/tutorials")).unwrap() {
            let text = std::fs::read_to_string(&page).unwrap();
            let lines = in_shell_blocks(&text);
            for line in &lines {
                assert!(line.starts_with("piopiy-"), "{}: {line}", page.display());
            }
            let is_of_live_calls = page.ends_with("offline-developer.md");
            assert!(is_of_live_calls || !lines.is_empty(), "{}", page.display());
        }
    }
}
