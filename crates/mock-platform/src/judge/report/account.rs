//! What there is to tell of one check, as plain text: for reporters that have a place for one text.

use std::fmt::Write;

use super::{CaseRecord, CheckReport, CheckResult, Exploration, Find, Reproducer, rows};
use crate::judge::check::{Group, Observability, Outcome, Severity, Verdict};

/// What does a check again: a name and a command each.
pub(super) fn reproducers(check: &CheckResult) -> Vec<(&'static str, &str)> {
    let Reproducer { command, curl, .. } = &check.reproducer;
    let curl = curl.as_deref().map(|line| ("curl", line));
    [("piopiy-mock", command.as_str())].into_iter().chain(curl).collect()
}

/// The cases in which something was found; all where nothing was, for then the check as a whole is what it is.
pub(super) fn telling(check: &CheckResult) -> Vec<&CaseRecord> {
    let found: Vec<&CaseRecord> = check.evidence.iter().filter(|case| !case.findings.is_empty()).collect();
    if found.is_empty() { check.evidence.iter().collect() } else { found }
}

/// Why a check ended as it did, how to do it again, and what was sent and answered, in at most `most` bytes.
pub(super) fn account(check: &CheckResult, most: usize) -> String {
    let mut text = format!("{}\n", check.outcome.detail);
    for (name, command) in reproducers(check) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "\n{name}: {command}");
    }
    for case in telling(check) {
        let name = if case.case.is_empty() { "case" } else { &case.case };
        let _ = writeln!(text, "\n== {name}");
        for finding in &case.findings {
            let _ = writeln!(text, "{}: {}", finding.verdict, finding.text);
        }
        text.push_str(&rows::text(case));
        let _ = write!(text, "\n{}", case.stimulus);
    }
    cut(&text, most)
}

/// What random schedules have come to, each find as if it were a check; one for all of them where there is none.
pub(super) fn explored(report: &CheckReport) -> Vec<CheckResult> {
    let Some(exploration) = &report.exploration else { return Vec::new() };
    let mut results: Vec<CheckResult> = exploration.findings.iter().map(found).collect();
    let whole = whole(exploration);
    if results.is_empty() || whole.verdict == Verdict::Error {
        results.push(as_check("EXP", format!("{} random schedules", exploration.schedules), whole));
        if let Some(all) = results.last_mut() {
            all.took_ms = exploration.took_ms;
            all.reproducer.command.clone_from(&report.rerun);
        }
    }
    results
}

/// What random schedules have come to, but for what was found.
pub(super) fn whole(exploration: &Exploration) -> Outcome {
    match &exploration.error {
        Some(error) => Outcome::new(Verdict::Error, error.as_str()),
        None if exploration.schedules == 0 => {
            Outcome::new(Verdict::NotObserved, "the run was over before any was tried")
        }
        None => Outcome::new(Verdict::Pass, ""),
    }
}

/// A find as if it were a check.
pub(super) fn found(find: &Find) -> CheckResult {
    let outcome = Outcome::new(find.verdict, format!("{}: {}", find.schedule, find.detail));
    CheckResult {
        evidence: find.evidence.clone(),
        reproducer: find.reproducer.clone(),
        ..as_check(&find.id, find.title.clone(), outcome)
    }
}

/// As if it were a check. It has none of the catalogue's groups; the nearest.
pub(super) fn as_check(id: &str, title: String, outcome: Outcome) -> CheckResult {
    CheckResult {
        id: id.to_owned().into(),
        title: title.into(),
        group: Group::Con,
        severity: Severity::Must,
        observability: Observability::Effects,
        outcome,
        is_stale_known_failure: false,
        unlock: Vec::new(),
        judged_us: 0,
        took_ms: 0,
        evidence: Vec::new(),
        reproducer: Reproducer { command: String::new(), folder: None, curl: None },
    }
}

/// Whether the receiver got anything wrong.
pub(super) fn has_failed(report: &CheckReport) -> bool {
    let finds = report.exploration.iter().flat_map(|exploration| &exploration.findings);
    report.summary.failed > 0 || finds.into_iter().any(|find| find.verdict == Verdict::Fail)
}

/// Whether something is left open, on either side.
pub(super) fn is_undecided(report: &CheckReport) -> bool {
    let is_open = |verdict| matches!(verdict, Verdict::Error | Verdict::Inconclusive);
    let of_checks = report.summary.errors + report.summary.inconclusive > 0;
    of_checks || explored(report).iter().any(|result| is_open(result.outcome.verdict))
}

/// Not more than so many bytes, and told where it was more.
pub(super) fn cut(text: &str, most: usize) -> String {
    const TOLD: &str = "\n… (cut)\n";
    if text.len() <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(TOLD.len());
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    format!("{}{TOLD}", &text[..end])
}

/// A verdict, for people.
pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Warn => "warned",
        Verdict::NotObserved => "not observed",
        Verdict::NotApplicable => "not applicable",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Error => "error",
        Verdict::KnownFailure => "known failure",
    }
}

/// In one line: whatever breaks one, or could steer a terminal, becomes a space.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { ' ' } else { char }).collect()
}
