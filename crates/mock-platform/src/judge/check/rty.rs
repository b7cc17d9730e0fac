//! RTY: redelivery and acknowledgement.

mod outage;
mod process;
mod reconcile;

use std::time::Duration;

use super::{
    Action, Answer, Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Observability,
    Request, Script, Seen, criteria,
};

pub(super) use outage::{no_store, outage};

const FIXES: Fixes = Fixes {
    axum: "Commit to a durable store under a unique key first, then answer 200; answer 503 where that fails. Nothing that matters in memory alone.",
    express: "`await` the INSERT under a unique key, then `res.sendStatus(200)`; in the catch `res.set('Retry-After', '30').sendStatus(503)`.",
    flask: "Commit the INSERT under a unique key, then return 200; where it raises return 503 with `Retry-After`.",
};

const SOURCE: &str =
    "piopiy docs: what is not answered with 2xx is sent again after 5, 15 and 30 minutes, and then never";

const RTY: Check = Check { source: SOURCE, fixes: FIXES, ..Check::BASE };

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "RTY-001",
        title: "the answer gets lost, and the webhook comes again",
        observability: Observability::Partly,
        why: "The platform cannot know that the first one was taken; the second has to end well all the same.",
        stimulus: lost_answers,
        judge: last_acknowledged,
        ..RTY
    },
    Check {
        id: "RTY-002",
        title: "the platform gives up while the receiver still works, and sends again",
        observability: Observability::Effects,
        why: "Whoever works before answering is still at it when the copy comes, and does it twice.",
        stimulus: given_up,
        judge: last_acknowledged,
        ..RTY
    },
    outage::STORE_AWAY,
    outage::RETRY_AFTER,
    process::KILLED_AFTER_ACK,
    process::KILLED_BEFORE_ACK,
    process::TERMINATED,
    Check {
        id: "RTY-008",
        title: "a webhook that cannot be understood, four times, among good ones",
        why: "One bad record must neither stop the good ones behind it nor end in a 500 that brings it back for ever.",
        stimulus: poison,
        judge: good_ones_pass,
        ..RTY
    },
    reconcile::GAP,
];

/// A connection whose answer nobody reads, reset so long after the request.
fn unread(request: &Request, after: Duration) -> Script {
    Script::default().request(request).act(Action::Pause(after)).act(Action::Reset).deaf()
}

fn lost_answers(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for after in [20, 100].map(Duration::from_millis) {
        for (name, payload) in composer.kinds() {
            let request = composer.post(&payload);
            let case = Case::new(format!("{name}, reset after {after:?}")).script(unread(&request, after));
            cases.push(case.send(&request).expect_call([&payload]));
        }
    }
    let cdr = composer.cdr();
    let request = composer.post(&cdr);
    let lost = unread(&request, Duration::from_millis(100));
    let case = Case::new("a CDR, looked at in between").script(lost);
    cases.push(case.send_after_glance(&request).expect(&cdr, Count::Once));
    cases
}

fn given_up(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for after in [0, 1, 2, 5].map(Duration::from_millis) {
        for (name, payload) in [("a CDR", composer.cdr()), ("a live event", composer.live())] {
            let request = composer.post(&payload);
            let case = Case::new(format!("{name}, closed after {after:?}")).script(unread(&request, after));
            cases.push(case.send(&request).expect_call([&payload]));
        }
        let cdr = composer.cdr();
        let request = composer.post(&cdr);
        let left = Script::default().request(&request).act(Action::Pause(Duration::from_millis(300))).deaf();
        let retry = Script::default().act(Action::Pause(after)).request(&request).answered();
        let case = Case::new(format!("left open, again after {after:?}")).scripts(vec![left, retry]);
        cases.push(case.expect(&cdr, Count::Once));
    }
    let cdr = composer.cdr();
    let request = composer.post(&cdr);
    let case = Case::new("a CDR, closed at once, and twice more").script(unread(&request, Duration::ZERO));
    cases.push(case.send(&request).send_after_glance(&request).expect(&cdr, Count::Once));
    cases
}

/// The last request of every case is acknowledged, whatever became of those before it.
fn last_acknowledged(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        last_answer(case, &mut findings);
    }
    findings
}

fn last_answer(case: &CaseEvidence, findings: &mut Findings) {
    let Some(last) = case.transcripts().last() else { return };
    match last.answer(0) {
        Some(answer) if answer.is_2xx() => {}
        // Standing oracles have their own words for these.
        Some(answer) if answer.is_5xx() && !case.case.may_overload => {}
        None if last.timed_out && !case.case.may_be_silent => {}
        _ => findings.fail(&case.case.name, format!("sent again: {}, expected 2xx", last.outcome())),
    }
}

const POISON: &str = "poison";

type Shape = fn(&mut Composer) -> super::Payload;

fn poison(composer: &mut Composer) -> Vec<Case> {
    let shapes: [(&str, Shape); 3] = [
        ("an object for a status", |composer| composer.cdr().with("status", "{\"is\":[null]}")),
        ("half a document", |composer| {
            let cdr = composer.cdr();
            let half = cdr.bytes[..cdr.bytes.len() / 2].to_vec();
            cdr.of_bytes(half)
        }),
        ("a list", |composer| composer.cdr().of_bytes("[1,2,3]")),
    ];
    let mut cases = Vec::new();
    for (name, shape) in shapes {
        let bad = shape(composer);
        let mut case = Case::new(name).straying();
        for _ in 0..4 {
            let good = composer.cdr();
            let bad = Script::default().request(&composer.post(&bad).method("POST")).answered();
            let good_one = Script::default().request(&composer.post(&good)).answered();
            // One after the other, and then side by side.
            let after = composer.cdr();
            case = case.script(bad.clone()).send(&composer.post(&after)).scripts(vec![bad, good_one]);
            case = case.expect(&good, Count::Once).expect(&after, Count::Once);
        }
        cases.push(case);
    }
    cases
}

/// What is not expected to have an effect is the poison.
fn good_ones_pass(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    if matches!(evidence.cases.first().map(|case| &case.seen), Some(Seen::Records(_))) {
        findings.extend(criteria::effects(evidence));
    }
    for case in evidence.cases {
        for transcript in case.transcripts() {
            let is_good = |id| case.case.expected.iter().any(|expected| Some(expected.payload.id) == id);
            let is_good = transcript.requests.iter().any(|sent| is_good(sent.of));
            let what = if is_good { "a good webhook" } else { POISON };
            match transcript.answer(0) {
                // A standing oracle has its own word for these.
                Some(answer) if answer.is_5xx() => {}
                None if transcript.timed_out => {}
                Some(answer) if answer.is_2xx() || (answer.is_4xx() && !is_good) => {}
                _ => findings.fail(&case.case.name, format!("{what}: {}", transcript.outcome())),
            }
        }
    }
    findings
}
