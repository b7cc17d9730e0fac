//! A page for each command of the two programs: what `--help` says, which comes from their definition alone.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use super::markdown::{block, cell};
use crate::workspace;

/// The folder of the pages.
const FOLDER: &str = "docs/cli";

/// The programs: package and name.
const PROGRAMS: [(&str, &str); 2] =
    [("piopiy-mock-platform", "piopiy-mock"), ("piopiy-receiver", "piopiy-receiver")];

const HEAD: &str = "\
# Every command

Written by `cargo xtask docs` from what `--help` says; do not edit. `piopiy-mock man` and `piopiy-receiver man` print manual pages, `completions` a script for a shell.
";

/// A command, such as `piopiy-mock load compare`.
#[derive(Debug)]
struct Command {
    words: Vec<String>,
    help: String,
}

/// The pages, by their paths.
///
/// # Errors
/// Where a program cannot be built or run.
pub(super) fn pages() -> anyhow::Result<Vec<(String, String)>> {
    let mut index = HEAD.to_owned();
    let mut pages = Vec::new();
    for (package, program) in PROGRAMS {
        let binary = workspace::build(package, program, workspace::Profile::Dev)?;
        // Writing to a String cannot fail.
        let _ = writeln!(index, "\n## `{program}`\n\n| command | what it does |\n|---|---|");
        for command in commands(&binary, program)? {
            let _ = writeln!(
                index,
                "| [`{}`]({}) | {} |",
                command.name(),
                command.file(),
                cell(&command.about())
            );
            pages.push((format!("{FOLDER}/{}", command.file()), command.page()));
        }
    }
    pages.push((format!("{FOLDER}/README.md"), index));
    Ok(pages)
}

/// The program and all commands below it, in the order in which it tells them.
fn commands(binary: &Path, program: &str) -> anyhow::Result<Vec<Command>> {
    let mut found = Vec::new();
    let mut waiting = vec![vec![program.to_owned()]];
    while let Some(words) = waiting.pop() {
        let help = help(binary, &words[1..]).with_context(|| words.join(" "))?;
        let below = subcommands(&help).map(|name| [words.as_slice(), &[name.to_owned()]].concat());
        // What is told first is taken first.
        waiting.extend(below.collect::<Vec<_>>().into_iter().rev());
        found.push(Command { words, help });
    }
    Ok(found)
}

fn help(binary: &Path, words: &[String]) -> anyhow::Result<String> {
    let mut command = workspace::command(binary);
    command.args(words).arg("--help");
    for (name, _) in std::env::vars_os() {
        // The values that these have here are no part of the page.
        if name.to_str().is_some_and(|name| name.starts_with("PIOPIY_")) {
            command.env_remove(name);
        }
    }
    let output = command.env_remove("COLUMNS").env("NO_COLOR", "1").output()?;
    ensure!(output.status.success(), "--help ended with {}", output.status);
    let text = String::from_utf8(output.stdout).context("--help is not UTF-8")?;
    Ok(text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"))
}

/// The names below `Commands:`.
fn subcommands(help: &str) -> impl Iterator<Item = &str> {
    let list =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = list.filter_map(|line| {
        let told = line.strip_prefix("  ")?;
        // What is further in goes on with the line before.
        if told.starts_with(' ') { None } else { told.split_whitespace().next() }
    });
    names.filter(|name| *name != "help")
}

impl Command {
    fn name(&self) -> String {
        self.words.join(" ")
    }

    fn file(&self) -> String {
        format!("{}.md", self.words.join("-"))
    }

    /// The first paragraph, which says what it does.
    fn about(&self) -> String {
        let lines: Vec<&str> = self.help.lines().take_while(|line| !line.is_empty()).collect();
        lines.join(" ")
    }

    fn page(&self) -> String {
        let name = self.name();
        let mut text =
            format!("# `{name}`\n\nWritten by `cargo xtask docs`; do not edit.\n\n{}", block(&self.help));
        let below: Vec<String> = subcommands(&self.help)
            .map(|below| format!("[`{name} {below}`]({}-{below}.md)", self.words.join("-")))
            .collect();
        if !below.is_empty() {
            let _ = writeln!(text, "\nBelow it: {}", below.join(", "));
        }
        text.push_str("\nAll: [every command](README.md)\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Measures\n\nUsage: p load <COMMAND>\n\nCommands:\n  compare  Says what is worse, which\n           goes on here\n  merge    Joins\n  help     Print this\n\nOptions:\n  -h, --help  Print help\n";

    #[test]
    fn commands_are_what_the_help_lists() {
        assert_eq!(subcommands(HELP).collect::<Vec<_>>(), ["compare", "merge"]);
        assert_eq!(subcommands("Usage: p\n\nOptions:\n  -h\n").count(), 0);
    }

    #[test]
    fn a_page_has_the_help_and_the_way_on() {
        let command = Command { words: vec!["p".to_owned(), "load".to_owned()], help: HELP.to_owned() };
        assert_eq!((command.file().as_str(), command.about().as_str()), ("p-load.md", "Measures"));
        let page = command.page();
        assert!(page.contains("-h, --help  Print help"), "{page}");
        assert!(page.contains("[`p load merge`](p-load-merge.md)"), "{page}");
    }
}
