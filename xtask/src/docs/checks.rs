//! A page for each check, and one that lists them.

use std::fmt::Write as _;

use piopiy_events::Profile;
use piopiy_gallery::flaws;
use piopiy_mock_platform::judge::check::{Check, Group, Severity, Sources, Tag, all};
use piopiy_mock_platform::plan::{Nonce, Seed};

use super::markdown::{block, cell};

/// The folder of the pages.
const FOLDER: &str = "docs/checks";
/// Cases whose bytes a page shows; the others are named.
const SHOWN_CASES: usize = 2;
/// Lines of a case that a page shows.
const SHOWN_LINES: usize = 24;
/// Names of cases that a page tells before it is only their number.
const NAMED_CASES: usize = 24;

const HEAD: &str = "\
# Every check

Written by `cargo xtask docs`; do not edit. `piopiy-mock checks` lists the same, `piopiy-mock explain ID` tells one with all of its bytes.

A **must** is about webhooks that are lost, doubled or changed, or a receiver that breaks; a **should** about one that works worse than it could; a
**may** never fails. *Seen by* says what has to be looked at: `H` the answers alone, `H*` the answers show the gross failure and the effects the quiet
one, `P` the effects (see [how a receiver is observed](../observing.md)). What each check finds, and what it was seen to find, is in
[the gallery](../gallery.md).
";

pub(super) fn pages() -> Vec<(String, String)> {
    let checks = all();
    let mut pages = vec![(format!("{FOLDER}/README.md"), index(&checks))];
    for (at, check) in checks.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| checks[at]);
        let text = page(check, before, checks.get(at + 1).copied());
        pages.push((format!("{FOLDER}/{}.md", check.id), text));
    }
    pages
}

fn index(checks: &[&Check]) -> String {
    let mut text = HEAD.to_owned();
    let count = |severity| checks.iter().filter(|check| check.severity == severity).count();
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        text,
        "\n{} checks: {} must, {} should, {} may.",
        checks.len(),
        count(Severity::Must),
        count(Severity::Should),
        count(Severity::May)
    );
    for group in Group::ALL {
        let _ = writeln!(
            text,
            "\n## {group}: {}\n\n| check | severity | seen by | what is sent |\n|---|---|---|---|",
            group.title()
        );
        for check in checks.iter().filter(|check| check.group() == group) {
            let Check { id, severity, observability, title, .. } = check;
            let _ = writeln!(text, "| [{id}]({id}.md) | {severity} | {observability} | {} |", cell(title));
        }
    }
    text
}

fn page(check: &Check, before: Option<&Check>, after: Option<&Check>) -> String {
    let Check { id, title, why, source, .. } = check;
    let mut text = format!("# {id}: {title}\n\nWritten by `cargo xtask docs`; do not edit.\n\n");
    let _ = writeln!(
        text,
        "| group | severity | seen by | when |\n|---|---|---|---|\n| {}: {} | {} | {} | {} |\n",
        check.group(),
        check.group().title(),
        check.severity,
        match check.observability.as_str() {
            "H" => "its answers",
            "H*" => "its answers, and better by its effects",
            _ => "its effects",
        },
        when(check.tags),
    );
    let _ = writeln!(text, "**Why.** {why}\n\n**Source.** {source}");
    if !check.needs.is_empty() {
        text.push_str("\n## What it needs\n\n");
        for need in check.needs {
            let convention = need.convention().map(|told| format!(": {told}")).unwrap_or_default();
            let _ = writeln!(text, "- `{}`{convention}", need.unlock());
        }
    }
    text.push_str("\n## How to pass it\n\n");
    let fixes = [("axum", check.fixes.axum), ("Express", check.fixes.express), ("Flask", check.fixes.flask)];
    if fixes.iter().all(|(_, fix)| *fix == check.fixes.axum) {
        let _ = writeln!(text, "{}", check.fixes.axum);
    } else {
        for (framework, fix) in fixes {
            let _ = writeln!(text, "- **{framework}**: {fix}");
        }
    }
    text.push_str(&stimulus(check));
    let killed: Vec<_> = flaws().filter(|flaw| flaw.kills.contains(id)).collect();
    if !killed.is_empty() {
        text.push_str("\n## Seen to fail\n\nA receiver of [the gallery](../gallery.md) that\n\n");
        for flaw in killed {
            let _ = writeln!(text, "- {} (`piopiy-gallery --flaw {}`)", flaw.defect, flaw.name);
        }
    }
    let _ = writeln!(
        text,
        "\n## Try it\n\n```sh\npiopiy-mock explain {id}\npiopiy-mock check http://127.0.0.1:5000/webhook/cdr --observe-url http://127.0.0.1:5000/__observe --only {id}\n```"
    );
    let near = |check: Option<&Check>, word: &str| {
        check.map(|Check { id, .. }| format!("{word} [{id}]({id}.md)")).unwrap_or_default()
    };
    let ways = [near(before, "before:"), "all: [every check](README.md)".to_owned(), near(after, "after:")];
    let ways: Vec<String> = ways.into_iter().filter(|way| !way.is_empty()).collect();
    let _ = writeln!(text, "\n{}", ways.join(", "));
    text
}

/// When a check is run, in words.
fn when(tags: &[Tag]) -> String {
    let word = |tag: &Tag| match tag {
        Tag::Slow => "with `--all`; waits for about a minute",
        Tag::Waits => "always; waits for some seconds",
        Tag::Soak => "with `--soak`; takes many minutes",
        Tag::Load => "alone, under load",
        Tag::Latency => "alone, for it measures",
        Tag::Time => "with `--real-time` or `--hook-clock`",
        Tag::Destructive => "alone, for it may break the receiver",
        _ => tag.as_str(),
    };
    if tags.is_empty() { "always".to_owned() } else { tags.iter().map(word).collect::<Vec<_>>().join("; ") }
}

fn stimulus(check: &Check) -> String {
    let sources = Sources::new(Profile::Global, Seed(0), Nonce(0), "127.0.0.1:5000", "/webhook/cdr");
    let cases = check.describe(&sources);
    let mut text = format!("\n## What is sent\n\nCases: {}", cases.len());
    let names: Vec<&str> =
        cases.iter().map(|(name, _)| name.as_str()).filter(|name| !name.is_empty()).collect();
    if !names.is_empty() {
        let told: Vec<String> = names.iter().take(NAMED_CASES).map(|name| cell(name)).collect();
        let _ = write!(text, " ({}", told.join("; "));
        if names.len() > NAMED_CASES {
            let _ = write!(text, "; and {} more", names.len() - NAMED_CASES);
        }
        text.push(')');
    }
    text.push_str(".\n");
    for (name, stimulus) in cases.iter().take(SHOWN_CASES) {
        let lines: Vec<&str> = stimulus.lines().map(str::trim_end).collect();
        let mut shown = lines[..lines.len().min(SHOWN_LINES)].join("\n");
        if lines.len() > SHOWN_LINES {
            let _ = write!(shown, "\n… {} more lines", lines.len() - SHOWN_LINES);
        }
        let title = if name.is_empty() { check.title } else { name };
        let _ = write!(text, "\n*{}*:\n\n{}", cell(title), block(&shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_page_that_tells_it_whole() {
        let pages = pages();
        assert_eq!(pages.len(), all().len() + 1);
        let text = |id: &str| {
            let path = format!("{FOLDER}/{id}.md");
            pages.iter().find(|(there, _)| *there == path).map(|(_, text)| text.as_str()).unwrap()
        };
        for check in all() {
            let (page, index) = (text(check.id), text("README"));
            for part in [check.why, check.source, check.fixes.axum, check.fixes.express, check.fixes.flask] {
                assert!(page.contains(part), "{} says nothing of {part:?}", check.id);
            }
            assert!(page.contains("## Seen to fail"), "no receiver was seen to fail {}", check.id);
            assert!(index.contains(&format!("[{0}]({0}.md)", check.id)), "{} is not listed", check.id);
        }
    }

    #[test]
    fn when_a_check_is_run_is_said_in_words() {
        assert_eq!(when(&[]), "always");
        for tag in Tag::ALL {
            assert_ne!(when(&[tag]), tag.as_str(), "a word of the code");
        }
    }
}
