//! What GitHub Actions is told: workflow commands, and lines of its files.

use std::fmt::Write;

use super::account::{explored, reproducers, word};
use super::{CheckReport, CheckResult};
use crate::judge::check::{Severity, Verdict};

/// GitHub shows ten annotations of a kind for a step: the worst, and how many more there are.
const SHOWN: usize = 9;

/// The workflow commands that annotate a run: what is wrong as errors, the worst first, the rest as warnings.
#[must_use]
pub fn annotations(report: &CheckReport) -> String {
    let mut text = String::new();
    if let Some(error) = &report.error {
        text.push_str(&command("error", "piopiy-mock check", error));
    }
    let is_error = |check: &&CheckResult| {
        let verdict = check.outcome.verdict;
        (verdict == Verdict::Fail && check.severity == Severity::Must)
            || verdict == Verdict::Error
            || check.is_stale_known_failure
    };
    let is_warning = |check: &&CheckResult| {
        matches!(check.outcome.verdict, Verdict::Fail | Verdict::Warn | Verdict::Inconclusive)
            && !is_error(check)
    };
    let explored = explored(report);
    let all = || report.checks.iter().chain(&explored);
    text.push_str(&some("error", all().filter(is_error).collect()));
    text.push_str(&some("warning", all().filter(is_warning).collect()));
    text
}

/// The command that keeps a secret out of the log.
#[must_use]
pub fn mask(secret: &str) -> String {
    format!("::add-mask::{}\n", data(secret))
}

/// The lines of `$GITHUB_OUTPUT`: `result`, `failed`, `seed`, `report-dir`.
#[must_use]
pub fn outputs(report: &CheckReport, result: &str, report_dir: &str) -> String {
    let explored = explored(report);
    let failed: Vec<&str> = report
        .checks
        .iter()
        .chain(&explored)
        .filter(|check| check.outcome.verdict == Verdict::Fail)
        .map(|check| check.id.as_ref())
        .collect();
    let values = [
        ("result", result),
        ("failed", &failed.join(",")),
        ("seed", &report.seed),
        ("report-dir", report_dir),
    ];
    lines(&values)
}

/// Lines of `$GITHUB_OUTPUT`.
pub(crate) fn lines(values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in values {
        // Writing to a String cannot fail. A line break would begin another output.
        let _ = writeln!(text, "{name}={}", value.replace(['\r', '\n'], " "));
    }
    text
}

fn some(kind: &str, mut checks: Vec<&CheckResult>) -> String {
    checks.sort_by_key(|check| (check.outcome.verdict != Verdict::Fail, check.severity));
    let mut text = String::new();
    for check in checks.iter().take(SHOWN) {
        let title = format!("{} {} ({})", check.id, check.title, check.severity);
        let mut message = format!("{}: {}", word(check.outcome.verdict), check.outcome.detail);
        for (name, command) in reproducers(check) {
            let _ = write!(message, "\n{name}: {command}");
        }
        text.push_str(&command(kind, &title, &message));
    }
    if checks.len() > SHOWN {
        let more = checks.len() - SHOWN;
        text.push_str(&command(kind, "piopiy-mock check", &format!("and {more} more: see the summary")));
    }
    text
}

pub(crate) fn command(kind: &str, title: &str, message: &str) -> String {
    format!("::{kind} title={}::{}\n", property(title), data(message))
}

/// As the message of a command.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// As the value of a property of a command.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
