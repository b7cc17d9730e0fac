//! Clients that close, in half or whole, before they have an answer.

use std::time::Duration;

use super::reuse::garbled;
use crate::judge::check::{
    Action, Case, Check, Composer, Count, Evidence, Findings, Fixes, Need, Observability, Payload, Script,
    Severity, Step, criteria,
};

pub(super) const TRN_023: Check = Check {
    id: "TRN-023",
    title: "FIN after the body, with the answer still to come",
    severity: Severity::Should,
    // By TLS its farewell goes before FIN, and is answered in kind up to TLS 1.2 (RFC 5246 §7.2.1).
    needs: &[Need::Http],
    source: "RFC 9112 §9.6; RFC 9293 §3.6: a half-closed connection can still be written to",
    why: "Some clients say by FIN that their request is whole. Dropping the answer makes them send it again.",
    fixes: Fixes {
        axum: "`hyper::server::conn::http1::Builder::half_close(true)`; `axum::serve` closes at once.",
        express: "Node answers by itself; do not end the request in `socket.on('end')`.",
        flask: "gunicorn and waitress answer by themselves.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let script = Script::default().request(&composer.post(&cdr)).act(Action::HalfClose).answered();
        vec![Case::new("").script(script).expect(&cdr, Count::Once)]
    },
    judge: still_answered,
    ..Check::BASE
};

pub(super) const TRN_024: Check = Check {
    id: "TRN-024",
    title: "a client that is gone before the answer, and sends again",
    observability: Observability::Effects,
    source: "piopiy docs: what has no answer is sent again; RFC 9110 §9.2.2: POST is not idempotent by itself",
    why: "A timeout on the way leaves the receiver with a webhook that it has, and the platform with one that it repeats.",
    fixes: Fixes::all(
        "A unique index on (cmiuuid, leg, kind, status, time) and `INSERT … ON CONFLICT DO NOTHING`, in the same transaction as the work.",
    ),
    stimulus: gone,
    judge: counted_once,
    ..Check::BASE
};

/// No answer warns: the stock servers race here.
fn still_answered(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        for transcript in case.transcripts() {
            match transcript.answer(0) {
                Some(answer) if answer.is_2xx() || answer.is_5xx() => {}
                Some(answer) => {
                    findings.fail(&case.case.name, format!("answered {}, expected 2xx", answer.status));
                }
                None if transcript.timed_out || transcript.garbled.is_some() => {}
                None => findings.warn(&case.case.name, format!("{}, expected 2xx", transcript.outcome())),
            }
            garbled(case, transcript, &mut findings);
        }
    }
    findings
}

/// Clients that are gone, of each kind.
const CLIENTS: usize = 8;
/// Long enough for what was sent to have its effect before it is repeated.
const BEFORE_AGAIN: Duration = Duration::from_millis(200);

fn gone(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    type Make = fn(&mut Composer) -> Payload;
    let kinds: [(&str, Make, Action); 4] = [
        ("closed", Composer::cdr, Action::HalfClose),
        ("reset", Composer::cdr, Action::Reset),
        ("closed, live events", Composer::live, Action::HalfClose),
        ("reset, live events", Composer::live, Action::Reset),
    ];
    for (name, make, last) in kinds {
        let mut case = Case::new(name);
        let (mut gone, mut again) = (Vec::new(), Vec::new());
        for n in 0..CLIENTS {
            let payload = make(composer);
            let request = composer.post(&payload);
            // From at once to a few milliseconds later, to meet the receiver at several points of its work.
            let pause = Action::Pause(Duration::from_millis(n as u64));
            gone.push(Script::default().request(&request).act(pause).act(last.clone()).deaf());
            again.push(Script::default().request(&request).answered());
            case = case.expect_call([&payload]);
        }
        cases.push(case.scripts(gone).step(Step::Pause(BEFORE_AGAIN)).step(Step::Glance).scripts(again));
    }
    cases
}

fn counted_once(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        for transcript in case.steps.last().into_iter().flatten() {
            match transcript.answer(0) {
                Some(answer) if answer.is_2xx() || answer.is_5xx() => {}
                None if transcript.timed_out => {}
                _ => findings.fail(
                    &case.case.name,
                    format!("{} when it is sent again, expected 2xx", transcript.outcome()),
                ),
            }
        }
    }
    findings
}
