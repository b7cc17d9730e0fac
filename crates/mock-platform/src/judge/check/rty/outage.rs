//! A receiver whose store is away for a while.

use std::time::Duration;

use super::super::{
    Answer, Case, CaseEvidence, Check, Composer, Count, Discrepancy, DiscrepancyKind, Evidence, Findings,
    Hook, Need, Observability, Seen, Severity, Step, Turn, criteria,
};
use super::{RTY, last_acknowledged};

pub(super) const STORE_AWAY: Check = Check {
    id: "RTY-003",
    title: "the store is away, comes back, and the webhook comes again",
    observability: Observability::Effects,
    needs: &[Need::Hook(Hook::Down), Need::Hook(Hook::Up)],
    why: "200 without having stored it is the end of it: it never comes again.",
    stimulus: |composer| vec![outage(composer, Hook::Down)],
    judge: no_store,
    ..RTY
};

pub(super) const RETRY_AFTER: Check = Check {
    id: "RTY-004",
    title: "Retry-After with 503 and 429",
    severity: Severity::Should,
    needs: &[Need::Hook(Hook::Down), Need::Hook(Hook::Up)],
    source: "RFC 9110 §10.2.3, §15.6.4; RFC 6585 §4",
    why: "Who is told when to come again does not come at once, with all the others.",
    stimulus: |composer| vec![outage(composer, Hook::Down)],
    judge: retry_after,
    ..RTY
};

/// Sent while the store is away, looked at, and sent twice more when it is back: it may need a moment.
pub(in super::super) fn outage(composer: &mut Composer, hook: Hook) -> Case {
    let cdr = composer.cdr();
    let request = composer.post(&cdr);
    let case = Case::new("").step(Step::Hook(hook, Turn::On)).send(&request).step(Step::Look);
    let case = case.step(Step::Hook(hook, Turn::Off));
    let case = case.step(Step::Pause(Duration::from_millis(500))).send(&request);
    let case = case.step(Step::Pause(Duration::from_secs(2))).send(&request);
    case.expect(&cdr, Count::Once).may_overload().may_be_silent()
}

/// Whatever was taken away: nothing is acknowledged meanwhile, and what is sent again is, once it is back.
pub(in super::super) fn no_store(evidence: &Evidence<'_>) -> Findings {
    let mut findings = last_acknowledged(evidence);
    for case in evidence.cases {
        let name = &case.case.name;
        let (Some(first), Some(expected)) = (case.transcripts().next(), case.case.expected.first()) else {
            continue;
        };
        let Some(answer) = first.answer(0) else { continue };
        let text = format!("answered {} while the store was away, expected 503", answer.status);
        let is_kept = case.looks.first().is_some_and(|effects| !effects.is_empty());
        match &case.seen {
            Seen::Records(_) if answer.is_2xx() && is_kept => {
                let hook = case.case.steps.iter().find_map(|step| match step {
                    Step::Hook(hook, Turn::On) => Some(hook.option()),
                    _ => None,
                });
                let hook = hook.unwrap_or("the hook");
                let text = format!("{hook} took nothing away: the webhook had its effect meanwhile");
                findings.inconclusive(name, text);
            }
            Seen::Records(_) if answer.is_2xx() => {
                let webhook = criteria::name_of(&expected.payload);
                let premature = Discrepancy::new(DiscrepancyKind::PrematureAck, webhook);
                findings.differs(name, premature, &text);
            }
            Seen::Count(_) if answer.is_2xx() => {
                let text = format!("{text}, unless it had its effect then: a count does not say");
                findings.not_observed(name, text);
            }
            _ if answer.is_4xx() && answer.status != 429 => findings.fail(name, text),
            _ => {}
        }
    }
    findings
}

fn retry_after(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let mut answers = evidence.cases.iter().flat_map(CaseEvidence::transcripts).flat_map(|it| &it.answers);
    let is_refusal = |answer: &&Answer| matches!(answer.status, 429 | 503);
    let Some(refusal) = answers.find(is_refusal) else {
        findings.not_applicable("", "neither 503 nor 429 was answered");
        return findings;
    };
    match refusal.header("Retry-After").map(String::from_utf8_lossy) {
        None => findings.fail("", format!("answered {} without Retry-After", refusal.status)),
        // A date is as good as a number of seconds.
        Some(value) if !value.trim().starts_with(|first: char| first.is_ascii_alphanumeric()) => {
            findings.fail("", format!("Retry-After is {value:?}, expected seconds or a date"));
        }
        Some(_) => {}
    }
    findings
}
