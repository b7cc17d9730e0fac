//! Requests that break off.

use std::time::Duration;

use crate::judge::check::{
    Action, Case, Check, Composer, Count, Evidence, Findings, Fixes, Framing, Malformed, Observability,
    Script, Seen, criteria,
};

pub(super) const TRN_011: Check = Check {
    id: "TRN-011",
    title: "a chunked body without its last chunk, then FIN",
    observability: Observability::Partly,
    source: "RFC 9112 §8: a chunked message without its zero-sized chunk is incomplete",
    why: "What breaks off is sent again whole. Whoever acts on the part acts twice, or on half of it.",
    fixes: Fixes {
        axum: "Take the error of the body for what it is: `Bytes` refuses an incomplete one with 400.",
        express: "Leave the reading to `express.raw()` or `express.json()`; in a handler of your own, act on 'end' only, not on 'close'.",
        flask: "Run it behind gunicorn or waitress: both tell the end of a body from the end of a connection.",
    },
    stimulus: |composer| {
        let case = |(name, cut_json)| {
            let cdr = composer.cdr();
            let framing = Framing::Chunked { size: 64, extension: "", trailer: "", ends: false };
            let mut request = composer.post(&cdr).framing(framing);
            if cut_json {
                request = request.payload(&cdr.clone().of_bytes(&cdr.bytes[..cdr.bytes.len() / 2]));
            }
            let script = Script::default().request(&request).act(Action::HalfClose).answered();
            Case::new(name).script(script).expect(&cdr, Count::Never)
        };
        [("all of the JSON", false), ("half of the JSON", true)].map(case).into()
    },
    judge: |evidence| cut_off(evidence, true),
    ..Check::BASE
};

pub(super) const TRN_012: Check = Check {
    id: "TRN-012",
    title: "a Content-Length larger or smaller than what is sent",
    observability: Observability::Partly,
    source: "RFC 9112 §6.3, §8",
    why: "A body is as long as it was declared: with less it is none, and what is more is the next request.",
    fixes: Fixes {
        axum: "Leave the framing to hyper, and answer 400 to a body that breaks off, as `Bytes` does.",
        express: "Leave the framing to Node and the reading to `express.raw()` or `express.json()`.",
        flask: "Run it behind gunicorn or waitress, and parse no more than `request.get_data()` gives.",
    },
    stimulus: wrong_lengths,
    judge: |evidence| cut_off(evidence, false),
    ..Check::BASE
};

pub(super) const TRN_025: Check = Check {
    id: "TRN-025",
    title: "RST in the middle of a body",
    observability: Observability::Partly,
    source: "RFC 9293 §3.5.3; RFC 9112 §8",
    why: "Networks and balancers cut connections at any byte: half a webhook is none, and nobody else may suffer.",
    fixes: Fixes {
        axum: "Let the error of the body end the request; never `unwrap` it.",
        express: "Handle 'aborted' and 'error' of the request; an unhandled 'error' event ends the process.",
        flask: "Catch `ClientDisconnected`, and act only when the body was read to its end.",
    },
    stimulus: resets,
    judge: criteria::effects,
    ..Check::BASE
};

fn wrong_lengths(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    let cdr = composer.cdr();
    let (length, half) = (cdr.bytes.len() as u64, cdr.bytes.len() / 2);
    let begun = cdr.clone().of_bytes(&cdr.bytes[..half]);
    let request = composer.post(&begun).framing(Framing::Declared(length));
    let script = Script::default().request(&request).act(Action::HalfClose).answered();
    cases.push(Case::new("larger, and FIN inside the JSON").script(script).expect(&cdr, Count::Never));

    let cdr = composer.cdr();
    let request = composer.post(&cdr).framing(Framing::Declared(half as u64));
    cases.push(Case::new("smaller, inside the JSON").send(&request).expect(&cdr, Count::Never));
    cases
}

/// What breaks off has no effect. `is_refused` where an answer of 2xx is wrong too, unless it was seen, or is declared,
/// that this means kept aside.
fn cut_off(evidence: &Evidence<'_>, is_refused: bool) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        let name = &case.case.name;
        // With the smaller length, what is left is the next request: its answer is none to the first.
        let first = case.transcripts().filter_map(|transcript| transcript.answer(0));
        let Some(answer) = first.into_iter().find(|answer| answer.is_2xx()) else { continue };
        let status = answer.status;
        if matches!(case.seen, Seen::Records(_)) {
            if is_refused {
                findings.warn(name, format!("answered {status} and had no effect, expected 4xx or closed"));
            }
        } else if is_refused && evidence.terms.malformed != Malformed::Quarantine {
            findings.fail(name, format!("answered {status}, expected 4xx or closed"));
        } else {
            let text =
                format!("answered {status}: whether it was kept aside has to be seen, add --observe-url");
            findings.not_observed(name, text);
        }
    }
    findings
}

/// Long enough for what was sent to be read, so that the reset meets a body that has begun.
const BEFORE_RESET: Duration = Duration::from_millis(30);

fn resets(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case = |name: &str, composer: &mut Composer, framing: Framing, end: fn(usize, usize) -> usize| {
        let cdr = composer.cdr();
        let request = composer.post(&cdr).framing(framing);
        let (head, mut bytes) = (request.head().len(), request.bytes());
        bytes.truncate(end(head, bytes.len()));
        let script = Script::default().piece(bytes).act(Action::Pause(BEFORE_RESET)).act(Action::Reset);
        cases.push(Case::new(name).script(script).expect(&cdr, Count::Never));
    };
    case("after the head", composer, Framing::Length, |head, _| head);
    case("half-way", composer, Framing::Length, |head, all| head + (all - head) / 2);
    case("before the last byte", composer, Framing::Length, |_, all| all - 1);
    let unfinished = Framing::Chunked { size: 64, extension: "", trailer: "", ends: false };
    case("before the last chunk", composer, unfinished, |_, all| all);
    cases
}
