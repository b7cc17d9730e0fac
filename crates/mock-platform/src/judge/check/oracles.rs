//! What holds for every case, whatever it is about.

use std::time::Duration;

use super::{Answer, CaseEvidence, Evidence, Findings, Terms, Transcript};

/// Text that a receiver gives away about its inside.
const LEAKS: [&str; 23] = [
    "Traceback (most recent call last)",
    "Werkzeug Debugger",
    "site-packages/",
    "node_modules/",
    "<anonymous>",
    "panicked at ",
    ".cargo/registry",
    "goroutine 1 [",
    "Exception in thread",
    "vendor/laravel",
    "django/core",
    "System.NullReferenceException",
    "node:internal/",
    "java.base/",
    ".py\", line ",
    "Stack trace:\n#0 ",
    "net/http.(*conn)",
    "/gems/",
    ".pl line ",
    ".php on line ",
    ".java:",
    ".cs:line ",
    ":in `",
];

/// Applies all of them but [`leaks`].
pub(crate) fn standing(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        if let Some(error) = &case.error {
            findings.error(&case.case.name, error.clone());
            continue;
        }
        no_5xx(case, &mut findings);
        no_hang(case, evidence.terms, &mut findings);
        if !case.case.may_start_late {
            canary(case, evidence.terms, &mut findings);
        }
        isolation(case, evidence.terms, &mut findings);
    }
    findings
}

/// What answers give away about the receiver's inside: apart, for where SEC-011 says it, once is enough.
pub(crate) fn leaks(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        no_leak(case, &mut findings);
    }
    findings
}

fn no_5xx(case: &CaseEvidence, findings: &mut Findings) {
    if case.case.may_overload {
        return;
    }
    let answers = case.transcripts().flat_map(|transcript| &transcript.answers);
    if let Some(answer) = answers.into_iter().find(|answer| answer.is_5xx()) {
        findings.fail(&case.case.name, format!("answered {}", answer.status));
    }
}

fn no_hang(case: &CaseEvidence, terms: &Terms, findings: &mut Findings) {
    if case.case.may_be_silent {
        return;
    }
    if case.transcripts().any(|transcript| transcript.timed_out) {
        findings
            .too_slow(&case.case.name, format!("neither answered nor closed within {:?}", terms.ack_limit));
    }
}

fn no_leak(case: &CaseEvidence, findings: &mut Findings) {
    let answers = case.transcripts().flat_map(|transcript| &transcript.answers);
    if let Some((status, leak)) =
        answers.into_iter().find_map(|answer| Some((answer.status, leak_in(answer)?)))
    {
        findings.warn(&case.case.name, format!("the {status} answer gives away its inside ({leak:?})"));
    }
}

/// What an answer gives away, if anything.
pub(crate) fn leak_in(answer: &Answer) -> Option<&'static str> {
    let body = String::from_utf8_lossy(&answer.body);
    LEAKS.into_iter().find(|leak| body.contains(leak))
}

fn canary(case: &CaseEvidence, terms: &Terms, findings: &mut Findings) {
    let name = format!("{}, plain webhook after it", case.case.name);
    plain(&name, &case.canary, terms.canary_limit(), findings);
}

fn isolation(case: &CaseEvidence, terms: &Terms, findings: &mut Findings) {
    if let Some(bystander) = &case.bystander {
        let name = format!("{}, plain webhook beside it", case.case.name);
        plain(&name, bystander, terms.canary_limit(), findings);
    }
}

fn plain(name: &str, transcript: &Transcript, limit: Duration, findings: &mut Findings) {
    match (transcript.answer(0), transcript.latency(0)) {
        (Some(answer), _) if !answer.is_2xx() => findings.fail(name, format!("answered {}", answer.status)),
        (Some(_), Some(latency)) if latency > limit => {
            findings.late(name, format!("took {latency:.1?}, limit {limit:.1?}"));
        }
        (Some(_), _) => {}
        (None, _) if transcript.timed_out => findings.too_slow(name, "no answer".to_owned()),
        (None, _) => findings.fail(name, transcript.outcome()),
    }
}
