//! TRN: transport and the semantics of HTTP.

use std::time::Duration;

use super::{
    Answer, Case, Check, Composer, Count, Evidence, Findings, Fixes, Framing, Observability, Script,
    Severity, criteria,
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "TRN-001",
        title: "a documented CDR by POST",
        source: "RFC 9110 §9.3.3; piopiy docs: CDR webhook",
        why: "This is what the platform sends all day. What is not acknowledged is sent again, and given up after 30 minutes.",
        fixes: Fixes {
            axum: "Route `post(handler)` on the very path, and answer 200 with a short text.",
            express: "Register `app.post(path, …)` behind `express.json()`, and end with `res.sendStatus(200)`.",
            flask: "Register the path with `methods=['POST']`, and return a text with 200.",
        },
        stimulus: |composer| {
            let cdr = composer.cdr();
            vec![Case::new("").send(&composer.post(&cdr)).expect(&cdr, Count::Once)]
        },
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "TRN-003",
        title: "GET, PUT and DELETE where webhooks are posted",
        severity: Severity::Should,
        observability: Observability::Partly,
        source: "RFC 9110 §15.5.6",
        why: "A crawler, a health check or a mistyped link must not be taken for a webhook, nor be told that all is well.",
        fixes: Fixes {
            axum: "Use `post(handler)`, not `any(handler)`: axum then answers 405 by itself.",
            express: "Use `app.post`, and add `app.all(path, (req, res) => res.set('Allow', 'POST').sendStatus(405))`.",
            flask: "List only `methods=['POST']`: Flask then answers 405 by itself.",
        },
        stimulus: other_methods,
        judge: only_post,
        ..Check::BASE
    },
    Check {
        id: "TRN-008",
        title: "a body by Transfer-Encoding: chunked, in one chunk",
        source: "RFC 9112 §7.1",
        why: "Proxies and HTTP libraries change the framing as they like; a body without Content-Length is a body all the same.",
        fixes: Fixes {
            axum: "Read the body with an extractor (`Bytes`, `Json`); do not look at Content-Length.",
            express: "Leave the reading to `express.json()`; do not look at Content-Length.",
            flask: "Run it behind gunicorn or waitress, and read `request.get_data()`, not `request.stream` up to `content_length`.",
        },
        stimulus: |composer| {
            let cdr = composer.cdr();
            let request = composer.post(&cdr).framing(Framing::chunked(usize::MAX));
            vec![Case::new("").send(&request).expect(&cdr, Count::Once)]
        },
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "TRN-018",
        title: "a request split at every byte",
        source: "RFC 9293 §3.8: TCP is a stream of bytes and keeps no borders",
        why: "Segments arrive as the network likes; whoever takes one read for one request loses webhooks under load.",
        fixes: Fixes::all(
            "Let the HTTP server of the framework read the request; never parse what one `recv` returned.",
        ),
        stimulus: split_everywhere,
        judge: criteria::acknowledged,
        ..Check::BASE
    },
];

fn other_methods(composer: &mut Composer) -> Vec<Case> {
    let with_body = ["PUT", "DELETE"].map(|method| {
        let cdr = composer.cdr();
        Case::new(method).send(&composer.post(&cdr).method(method)).expect(&cdr, Count::Never)
    });
    let cdr = composer.cdr();
    let get = composer.post(&cdr).method("GET").bodyless();
    std::iter::once(Case::new("GET").send(&get)).chain(with_body).collect()
}

/// A page that says hello to GET is a common courtesy, and only 2xx *with an effect* is forbidden; it warns.
fn only_post(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        let name = &case.case.name;
        let has_body = name != "GET";
        for answer in case.transcripts().flat_map(|transcript| &transcript.answers) {
            match answer.status {
                405 | 501 => {}
                404 => findings.warn(name, "answered 404; 405 says that the path is right"),
                _ if answer.is_2xx() && has_body => {
                    findings.fail(name, format!("answered {}, expected 405", answer.status));
                }
                status if !answer.is_5xx() => findings.warn(name, format!("answered {status}, expected 405")),
                _ => {}
            }
        }
        if case.transcripts().all(|transcript| transcript.answers.is_empty() && !transcript.timed_out) {
            criteria::every_answer(case, &mut findings, "405", |answer: &Answer| answer.status == 405);
        }
    }
    findings
}

/// Connections that are open at the same time.
const SIDE_BY_SIDE: usize = 32;

fn split_everywhere(composer: &mut Composer) -> Vec<Case> {
    let cdr = composer.cdr();
    let pieces = Script::default().request_in_pieces(&composer.post(&cdr), 1, Duration::ZERO).answered();
    let every_byte = Case::new("each byte by itself").script(pieces).expect(&cdr, Count::Once);

    let length = composer.post(&cdr).bytes().len();
    let mut in_two = Case::new("in two, at each byte");
    let boundaries: Vec<usize> = (1..length).collect();
    for some in boundaries.chunks(SIDE_BY_SIDE) {
        let mut scripts = Vec::new();
        for &at in some {
            let cdr = composer.cdr();
            let between = super::Action::Pause(Duration::ZERO);
            scripts.push(Script::default().request_around(&composer.post(&cdr), at, between).answered());
            in_two = in_two.expect(&cdr, Count::Once);
        }
        in_two = in_two.scripts(scripts);
    }
    vec![every_byte, in_two]
}
