use std::fmt::Write;

use super::{CheckReport, CheckResult, CheckSummary, Reporter};
use crate::judge::check::{Group, Verdict};

/// Text for people: a table by group, a line for each check that did not pass, and a sum.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "it has no options")]
pub struct Human;

impl Reporter for Human {
    fn render(&self, report: &CheckReport) -> String {
        let mut text = String::new();
        for group in Group::ALL {
            let checks: Vec<&CheckResult> =
                report.checks.iter().filter(|check| check.group == group).collect();
            if checks.is_empty() {
                continue;
            }
            let passed = checks.iter().filter(|check| check.outcome.verdict == Verdict::Pass).count();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{group}  {}: {passed} of {} passed", group.title(), checks.len());
            for check in checks.iter().filter(|check| check.outcome.verdict != Verdict::Pass) {
                let verdict = check.outcome.verdict.as_str();
                let _ =
                    writeln!(text, "  {:<8} {verdict:<14} {:<6} {}", check.id, check.severity, check.title);
                let _ = writeln!(text, "           {}", check.outcome.detail);
                if check.outcome.verdict == Verdict::Fail {
                    let _ = writeln!(text, "           again: {}", check.reproducer.command);
                }
            }
        }
        let _ = writeln!(text, "{}", sum(&report.summary, &report.observation));
        text
    }
}

fn sum(summary: &CheckSummary, observation: &str) -> String {
    let mut parts = vec![format!("{} passed", summary.passed)];
    if summary.passed_by_answers_alone > 0 {
        parts[0].push_str(&format!(" ({} by their answers alone)", summary.passed_by_answers_alone));
    }
    parts.push(format!("{} failed", summary.failed));
    for (count, word) in [
        (summary.warned, "warned"),
        (summary.known_failures, "known failures"),
        (summary.inconclusive, "inconclusive"),
        (summary.errors, "errors"),
        (summary.not_applicable, "not applicable"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {word}"));
        }
    }
    if summary.not_observed > 0 {
        let unlock = if observation == "none" { " (add --observe-url)" } else { "" };
        parts.push(format!("{} not observed{unlock}", summary.not_observed));
    }
    parts.join(", ")
}
