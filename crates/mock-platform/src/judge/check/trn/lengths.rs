//! Requests that say two things about their length.

use super::{closed, until_closed};
use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Framing, Payload, Request, criteria,
};

const FIXES: Fixes = Fixes {
    axum: "hyper does this; keep any proxy or parser in front of it as strict.",
    express: "Node does this unless started with `--insecure-http-parser` or `insecureHTTPParser: true`.",
    flask: "Run it behind a current gunicorn or waitress, without `--permit-unsafe-…` options.",
};

pub(super) const TRN_013: Check = Check {
    id: "TRN-013",
    title: "two different Content-Length",
    source: "RFC 9112 §6.3: an unrecoverable error, to be answered 400 and closed",
    why: "Where two readers take two lengths, one of them reads a request that the other never saw: smuggling.",
    fixes: FIXES,
    stimulus: two_lengths,
    judge: refused_and_closed,
    ..Check::BASE
};

pub(super) const TRN_014: Check = Check {
    id: "TRN-014",
    title: "Content-Length and Transfer-Encoding together",
    source: "RFC 9112 §6.1: refused, or read by Transfer-Encoding alone, and closed either way",
    why: "A proxy that goes by the one and a server that goes by the other disagree on where the next request begins.",
    fixes: FIXES,
    stimulus: length_and_coding,
    judge: by_coding_or_refused,
    ..Check::BASE
};

/// None of the lengths is beyond what is sent, so that nobody waits for more.
fn two_lengths(composer: &mut Composer) -> Vec<Case> {
    let mut case = |name: &str, is_first: bool| {
        let cdr = composer.cdr();
        let (right, wrong) = (cdr.bytes.len(), cdr.bytes.len() - 10);
        let lengths = if is_first { [right, wrong] } else { [wrong, right] };
        let mut request = composer.post(&cdr).framing(Framing::Untold);
        for length in lengths {
            request = request.header("Content-Length", &length.to_string());
        }
        Case::new(name).script(until_closed(&request)).may_be_silent().expect(&cdr, Count::Never)
    };
    vec![case("the right one first", true), case("the right one last", false)]
}

fn refused_and_closed(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        closed(case, &mut findings);
        for transcript in case.transcripts() {
            match transcript.answer(0) {
                Some(answer) if answer.is_2xx() => {
                    findings.fail(&case.case.name, format!("answered {}, expected 400", answer.status));
                }
                Some(answer) if answer.status != 400 && !answer.is_5xx() => {
                    findings.warn(&case.case.name, format!("answered {}, expected 400", answer.status));
                }
                // Closed without a word is as safe as 400; `closed` finds what is neither.
                Some(_) | None => {}
            }
        }
    }
    findings
}

fn length_and_coding(composer: &mut Composer) -> Vec<Case> {
    let mut case = |name: &str, is_length_first: bool| {
        let cdr = composer.cdr();
        let request = both(composer, &cdr, is_length_first);
        Case::new(name).script(until_closed(&request)).may_be_silent().expect(&cdr, Count::Once)
    };
    vec![case("Content-Length first", true), case("Transfer-Encoding first", false)]
}

/// The length covers the framed body, so that whoever goes by it waits for nothing either.
fn both(composer: &Composer, cdr: &Payload, is_length_first: bool) -> Request {
    let framed = composer.post(cdr).framing(Framing::chunked(usize::MAX)).framed_body();
    let length = framed.len().to_string();
    let coding = ("Transfer-Encoding", "chunked");
    let length = ("Content-Length", length.as_str());
    let lines = if is_length_first { [length, coding] } else { [coding, length] };
    let request = composer.post(&cdr.clone().of_bytes(framed)).framing(Framing::Untold);
    lines.into_iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn by_coding_or_refused(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        closed(case, &mut findings);
        let answers = case.transcripts().filter_map(|transcript| transcript.answer(0));
        for answer in answers.filter(|answer| !answer.is_2xx() && !answer.is_4xx() && !answer.is_5xx()) {
            findings.fail(&case.case.name, format!("answered {}, expected 400 or 2xx", answer.status));
        }
    }
    findings
}
