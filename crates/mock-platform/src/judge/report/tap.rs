use std::fmt::Write;

use super::account::{account, explored, one_line, reproducers, word};
use super::{CheckReport, CheckResult, Reporter};
use crate::judge::check::Verdict;

/// TAP 14: a test point for each check, with a YAML block where there is more to say.
pub(super) struct Tap;

/// Bytes of evidence in one block.
const MOST: usize = 16 * 1024;

impl Reporter for Tap {
    fn render(&self, report: &CheckReport) -> String {
        let mut text = String::from("TAP version 14\n");
        let explored = explored(report);
        let ran = report.checks.len() + explored.len();
        let total = ran + report.not_run.len();
        // Writing to a String cannot fail.
        let _ =
            if total == 0 { writeln!(text, "1..0 # SKIP nothing ran") } else { writeln!(text, "1..{total}") };
        for line in [
            format!(
                "piopiy-mock {}, profile {}, seed {}",
                report.version,
                report.profile.as_str(),
                report.seed
            ),
            format!("rerun: {}", report.rerun),
        ] {
            let _ = writeln!(text, "# {}", one_line(&line));
        }
        for (n, check) in report.checks.iter().chain(&explored).enumerate() {
            point(&mut text, n + 1, check);
        }
        for (n, id) in report.not_run.iter().enumerate() {
            let n = ran + n + 1;
            let _ = writeln!(text, "ok {n} - {} # SKIP not run", described(id));
        }
        if let Some(error) = &report.error {
            let _ = writeln!(text, "Bail out! {}", one_line(error));
        } else if report.interrupted {
            text.push_str("Bail out! The run was stopped before its end\n");
        }
        text
    }
}

fn point(text: &mut String, n: usize, check: &CheckResult) {
    let verdict = check.outcome.verdict;
    let is_ok = match verdict {
        Verdict::Pass => !check.is_stale_known_failure,
        Verdict::Warn | Verdict::NotObserved | Verdict::NotApplicable => true,
        Verdict::Fail | Verdict::Error | Verdict::Inconclusive | Verdict::KnownFailure => false,
    };
    let directive = match verdict {
        Verdict::NotObserved | Verdict::NotApplicable => {
            format!(" # SKIP {}: {}", word(verdict), described(&check.outcome.detail))
        }
        Verdict::KnownFailure => format!(" # TODO known: {}", described(&check.outcome.detail)),
        _ => String::new(),
    };
    let name = described(&format!("{} {}", check.id, check.title));
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{} {n} - {name}{directive}", if is_ok { "ok" } else { "not ok" });
    if is_ok && verdict != Verdict::Warn {
        return;
    }
    text.push_str("  ---\n");
    let said = [
        ("message", check.outcome.detail.as_str()),
        ("severity", check.severity.as_str()),
        ("verdict", verdict.as_str()),
    ];
    for (key, value) in said.into_iter().chain(reproducers(check)) {
        let _ = writeln!(text, "  {key}: {}", quoted(value));
    }
    let _ = writeln!(text, "  took_ms: {}", check.took_ms);
    let _ = writeln!(text, "  evidence: {}", quoted(&account(check, MOST)));
    text.push_str("  ...\n");
}

/// As a description: in one line, and without what begins a directive.
fn described(text: &str) -> String {
    one_line(text).replace('\\', "\\\\").replace('#', "\\#")
}

/// As a YAML scalar in double quotes, which are those of JSON; whatever YAML calls not printable is escaped.
fn quoted(text: &str) -> String {
    let json = serde_json::Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for char in json.chars() {
        match char {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted
}
