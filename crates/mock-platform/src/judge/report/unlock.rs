//! What would have to be added to the command line to see what could not be seen.

use std::collections::BTreeMap;

use super::{CheckReport, CheckResult};
use crate::judge::check::{Outcome, Verdict};

/// Checks that the same thing would unlock.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Locked<'a> {
    /// Whole: "54 checks need an observation: add `--observe-url URL`".
    pub(super) text: String,
    pub(super) ids: Vec<&'a str>,
}

/// What the detail of an outcome says to add.
pub(super) fn named_in(outcome: &Outcome) -> Vec<String> {
    if outcome.verdict != Verdict::NotObserved {
        return Vec::new();
    }
    let named = ["--observe-url", "-- CMD", "--second-url"].into_iter();
    named.filter(|option| outcome.detail.contains(option)).map(str::to_owned).collect()
}

/// What was not seen, by what would unlock it; the most first.
pub(super) fn locked(report: &CheckReport) -> Vec<Locked<'_>> {
    let is_locked =
        |check: &&CheckResult| matches!(check.outcome.verdict, Verdict::NotObserved | Verdict::NotApplicable);
    let mut by_unlock: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
    for check in report.checks.iter().filter(is_locked) {
        by_unlock.entry(check.unlock.as_slice()).or_default().push(&check.id);
    }
    let mut locked: Vec<Locked<'_>> =
        by_unlock.into_iter().map(|(unlock, ids)| Locked { text: text(unlock, ids.len()), ids }).collect();
    locked.sort_by_key(|locked| std::cmp::Reverse(locked.ids.len()));
    locked
}

fn text(unlock: &[String], count: usize) -> String {
    let (checks, need) = if count == 1 { ("check", "needs") } else { ("checks", "need") };
    if unlock.is_empty() {
        return format!("{count} {checks} could not be seen for another reason: `-v` tells");
    }
    let (mut wants, adds): (Vec<&str>, Vec<String>) = unlock.iter().map(|unlock| said(unlock)).unzip();
    wants.dedup();
    format!("{count} {checks} {need} {}: add {}", wants.join(" and "), adds.join(" "))
}

/// What is wanted, and what to add for it.
fn said(unlock: &str) -> (&'static str, String) {
    match unlock {
        "--observe-url" => ("an observation", "`--observe-url URL`".to_owned()),
        "-- CMD" => ("the receiver's process", "`-- CMD`".to_owned()),
        "--second-url" => ("a second instance", "`--second-url URL`".to_owned()),
        "an https:// URL" => ("TLS", "an `https://` URL".to_owned()),
        "an http:// URL" => ("a connection without TLS", "an `http://` URL".to_owned()),
        "--real-time" => ("the platform's own waits", "`--real-time`".to_owned()),
        hook if hook.starts_with("--hook-") => {
            ("commands that change its surroundings", format!("`{hook} CMD`"))
        }
        other => match other.split_once(" with ") {
            Some((option, name)) => {
                ("something to be declared", format!("`{option} FILE` with `{name}` in it"))
            }
            None => ("something more", format!("`{other}`")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unlock: &[&str], count: usize, expected: &str) {
        let unlock: Vec<String> = unlock.iter().map(|&unlock| unlock.to_owned()).collect();
        assert_eq!(text(&unlock, count), expected);
    }

    #[test]
    fn it_says_what_to_add() {
        check(&["--observe-url"], 54, "54 checks need an observation: add `--observe-url URL`");
        check(&["-- CMD"], 1, "1 check needs the receiver's process: add `-- CMD`");
        check(
            &["--hook-down", "--observe-url"],
            2,
            "2 checks need commands that change its surroundings and an observation: add `--hook-down CMD` `--observe-url URL`",
        );
        check(
            &["--capabilities with secret"],
            3,
            "3 checks need something to be declared: add `--capabilities FILE` with `secret` in it",
        );
        check(&["an https:// URL"], 1, "1 check needs TLS: add an `https://` URL");
        check(&[], 1, "1 check could not be seen for another reason: `-v` tells");
    }
}
