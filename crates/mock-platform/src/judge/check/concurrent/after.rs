//! What is left of a peak when it is over.

use std::time::Duration;

use super::super::{
    Action, Case, Check, Composer, Count, Evidence, Findings, Observability, Script, Severity, Step, Tag, lat,
};
use super::{FIXES, arrivals, nothing_lost};

pub(super) const BURST: Check = Check {
    id: "CON-004",
    title: "plain webhooks after 5 seconds of 200 a second, ten times the usual",
    severity: Severity::Should,
    tags: &[Tag::Load, Tag::Latency],
    source: "good practice: what is over leaves nothing behind",
    why: "Queues that do not drain, and pools that do not refill, make one bad minute a bad day: within 10 seconds answers should be as quick as before.",
    fixes: FIXES,
    stimulus: |composer| {
        let burst = arrivals(composer, 200, Duration::from_secs(5)).may_overload();
        vec![Case { name: "the burst".to_owned(), ..burst }]
    },
    then: Some(|composer, evidence| {
        // The first one at once, each other about a second later.
        let looks = evidence.cases.len() - 1;
        let is_over = evidence.cases.last().is_some_and(|last| looks > 0 && is_quick(evidence, last));
        if is_over || looks == LOOKS { Vec::new() } else { vec![look(composer, looks + 1)] }
    }),
    judge: |evidence| {
        let mut findings = Findings::default();
        let looks = &evidence.cases[1..];
        let Some(last) = looks.last() else { return findings };
        if is_quick(evidence, last) {
            findings.note(format!("as quick as before at look {} of {LOOKS}", looks.len()));
        } else if let Some(took) = lat::p99_of_last_step(last) {
            let limit = limit(evidence);
            findings.too_slow("", format!("p99 10 seconds after the burst is {took:.1?}, limit {limit:.1?}"));
        }
        findings
    },
    ..Check::BASE
};

const LOOKS: usize = 11;

fn limit(evidence: &Evidence<'_>) -> Duration {
    (2 * evidence.terms.baseline).max(Duration::from_millis(100))
}

fn is_quick(evidence: &Evidence<'_>, case: &super::CaseEvidence) -> bool {
    lat::p99_of_last_step(case).is_none_or(|took| took <= limit(evidence))
}

fn look(composer: &mut Composer, nth: usize) -> Case {
    const WEBHOOKS: u32 = 30;
    let pause = if nth > 1 { composer.sources.slow_limit * 85 / 6_000 } else { Duration::ZERO };
    let after = (0..WEBHOOKS).map(|n| {
        let cdr = composer.cdr();
        let script = Script::default().request(&composer.post(&cdr)).answered();
        script.arriving_after(Duration::from_millis(5) * n)
    });
    let scripts = after.collect();
    Case::new(format!("look {nth}")).step(Step::Pause(pause)).scripts(scripts).may_overload()
}

pub(super) const OUTAGE: Check = Check {
    id: "CON-007",
    title: "100 webhooks whose answers got lost in an outage of 10 seconds, all again at once",
    severity: Severity::Should,
    observability: Observability::Partly,
    tags: &[Tag::Waits],
    source: "piopiy docs: a CDR is sent up to four times in 30 minutes",
    why: "After an outage everything comes again together: that is when a receiver must neither fall nor count twice.",
    fixes: FIXES,
    // It waits beside other checks, which a hundred connections at once must not hinder.
    stimulus: |composer| {
        let mut case = Case::new("");
        let (mut lost, mut again) = (Vec::new(), Vec::new());
        for n in 0..100 {
            let cdr = composer.cdr();
            let request = composer.post(&cdr);
            // A reset takes away what the receiver has not read yet. Every other webhook has time to be taken, so that
            // what comes again was there before.
            let unread = Action::Pause(Duration::from_millis(if n % 2 == 0 { 1 } else { 1_000 }));
            lost.push(Script {
                actions: vec![
                    Action::Send { bytes: request.bytes(), split: None, ends_request: false },
                    unread,
                    Action::Reset,
                ],
                ..Script::default()
            });
            let last = request.bytes().len() - 1;
            again.push(Script::default().request_around(&request, last, Action::Barrier).answered());
            case = case.expect(&cdr, Count::Once);
        }
        let outage = Step::Pause(composer.sources.slow_limit / 6);
        vec![case.scripts(lost).step(outage).step(Step::Glance).scripts(again).may_overload()]
    },
    judge: nothing_lost,
    ..Check::BASE
};
