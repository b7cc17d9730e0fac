use std::fmt::Write;

use super::account::{cut, explored, has_failed, is_undecided, one_line, reproducers, telling, word};
use super::{CheckReport, CheckResult, Comparison, Reporter, rows, unlock};
use crate::judge::check::{Group, Verdict};

/// Markdown as GitHub and GitLab read it.
pub(super) struct Markdown;

/// Bytes of evidence of one check.
const EVIDENCE: usize = 6_000;

impl Reporter for Markdown {
    fn render(&self, report: &CheckReport) -> String {
        markdown_within(report, usize::MAX)
    }

    fn compare(&self, comparison: &Comparison<'_>) -> Option<String> {
        Some(compared(comparison))
    }
}

/// A document of at most so many bytes: where it would be longer, the last failures are told by name only.
#[must_use]
pub fn markdown_within(report: &CheckReport, most: usize) -> String {
    let mut text = head(report);
    let foot = foot(report);
    let mut left_out = 0;
    for check in report.checks.iter().chain(&explored(report)).filter(|check| is_told(check)) {
        let section = section(check);
        if text.len() + section.len() + foot.len() + 200 > most {
            left_out += 1;
        } else {
            text.push_str(&section);
        }
    }
    if left_out > 0 {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n… and {left_out} more, for which there is no room here.");
    }
    text.push_str(&foot);
    cut(&text, most)
}

fn is_told(check: &CheckResult) -> bool {
    !matches!(check.outcome.verdict, Verdict::Pass | Verdict::NotObserved | Verdict::NotApplicable)
        || check.is_stale_known_failure
}

fn head(report: &CheckReport) -> String {
    let word = match () {
        () if report.error.is_some() => "could not be run",
        () if report.interrupted => "stopped before the end",
        () if has_failed(report) => "failed",
        () if is_undecided(report) => "inconclusive",
        () => "passed",
    };
    let mut text = format!("## piopiy-mock check: {word}\n\n");
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{} · profile {} · seed {} · {}\n",
        code(&report.target),
        report.profile.as_str(),
        code(&report.seed),
        code(&format!("piopiy-mock {}", report.version)),
    );
    if let Some(error) = &report.error {
        let _ = writeln!(text, "{}\n", escaped(error));
    }
    if !report.not_run.is_empty() {
        let _ = writeln!(text, "{} checks were not run.\n", report.not_run.len());
    }
    text.push_str("| group | passed | failed | warned | not seen | other |\n|---|--:|--:|--:|--:|--:|\n");
    for group in Group::ALL {
        let checks = || report.checks.iter().filter(|check| check.group == group);
        let count =
            |verdicts: &[Verdict]| checks().filter(|check| verdicts.contains(&check.outcome.verdict)).count();
        if checks().next().is_some() {
            let _ = writeln!(
                text,
                "| **{group}** {} | {} | {} | {} | {} | {} |",
                group.title(),
                count(&[Verdict::Pass]),
                count(&[Verdict::Fail]),
                count(&[Verdict::Warn]),
                count(&[Verdict::NotObserved, Verdict::NotApplicable]),
                count(&[Verdict::Inconclusive, Verdict::Error, Verdict::KnownFailure]),
            );
        }
    }
    if let Some(exploration) = &report.exploration {
        let _ = writeln!(
            text,
            "\nExploration: {} random schedules, {} deliveries, {} found.",
            exploration.schedules,
            exploration.deliveries,
            exploration.findings.len()
        );
    }
    text
}

fn section(check: &CheckResult) -> String {
    let mut text = format!(
        "\n### {} {}: {} ({})\n\n",
        escaped(&check.id),
        escaped(&check.title),
        word(check.outcome.verdict),
        check.severity
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}\n", escaped(&check.outcome.detail));
    if check.is_stale_known_failure {
        text.push_str("The list of known failures is wrong about it.\n\n");
    }
    for (name, command) in reproducers(check) {
        let _ = writeln!(text, "{name}:\n\n{}", fenced("sh", command));
    }
    let mut evidence = String::new();
    for case in telling(check) {
        let _ = writeln!(evidence, "== {}\n{}\n{}", one_line(&case.case), rows::text(case), case.stimulus);
    }
    if !evidence.is_empty() {
        let _ = writeln!(
            text,
            "<details><summary>what was sent and answered</summary>\n\n{}\n</details>",
            fenced("text", &cut(&evidence, EVIDENCE))
        );
    }
    text
}

fn foot(report: &CheckReport) -> String {
    let mut text = String::new();
    let locked = unlock::locked(report);
    if !locked.is_empty() {
        text.push_str("\n### Not seen\n\n");
    }
    for locked in locked {
        // Writing to a String cannot fail. The backticks are ours; what they enclose is of the report.
        let _ = writeln!(text, "- {}", escaped(&locked.text).replace("\\`", "`"));
    }
    let _ = writeln!(text, "\nrerun:\n\n{}", fenced("sh", &report.rerun));
    text
}

fn compared(comparison: &Comparison<'_>) -> String {
    let mut text = String::from("## piopiy-mock check: runs compared\n\n");
    let changed = comparison.changed();
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{changed} of {} verdicts changed.\n", comparison.rows.len());
    text.push_str("| check |");
    for run in &comparison.runs {
        let _ = write!(text, " {} |", escaped(run.label));
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(comparison.runs.len()));
    for row in &comparison.rows {
        let emphasis = if row.has_changed { "**" } else { "" };
        let _ = write!(text, "| {emphasis}{}{emphasis} {} |", escaped(&row.id), escaped(&row.title));
        for result in &row.results {
            let word = result.as_ref().map_or("not run", |check| word(check.outcome.verdict));
            let _ = write!(text, " {emphasis}{word}{emphasis} |");
        }
        text.push('\n');
    }
    text
}

/// In one line, and without what would be taken for markup or for the end of a cell.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in one_line(text).chars() {
        match char {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' => {
                escaped.push('\\');
                escaped.push(char);
            }
            // No mention of a person, and no link.
            '@' => escaped.push_str("&#64;"),
            char => escaped.push(char),
        }
    }
    escaped
}

/// In one line, as code.
fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    format!("{ticks} {} {ticks}", one_line(text).replace('|', "\\|"))
}

/// As a block of code, whatever is in it.
fn fenced(language: &str, text: &str) -> String {
    let ticks = "`".repeat(longest_run(text).max(2) + 1);
    let readable: String =
        text.chars().map(|char| if char.is_control() && char != '\n' { '\u{fffd}' } else { char }).collect();
    format!("{ticks}{language}\n{}\n{ticks}\n", readable.trim_end())
}

/// The longest run of backticks.
fn longest_run(text: &str) -> usize {
    text.split(|char| char != '`').map(str::len).max().unwrap_or_default()
}
