//! Requests that two readers read in two ways.

use std::time::Duration;

use super::super::{
    Action, Case, Check, Composer, Count, Evidence, Findings, Fixes, Framing, Request, Script, Severity,
    criteria,
};
use super::content::{holds, no_5xx_but_not_implemented};

const MARKER: &str = "marker-of-the-suite";

pub(super) const ECHO: Check = Check {
    id: "SEC-019",
    title: "TRACE, CONNECT, a target in absolute form, OPTIONS *",
    severity: Severity::Should,
    source: "RFC 9110 §9.3.6 to §9.3.8; RFC 9112 §3.2",
    why: "TRACE sends back headers that scripts must not see, and CONNECT makes a proxy of a receiver.",
    fixes: Fixes::all("Route only POST; refuse TRACE and CONNECT in the proxy in front (405)."),
    stimulus: |composer| {
        let cdr = composer.cdr();
        let bare = composer.post(&cdr).bodyless().header("X-Marker", MARKER);
        let cdr = composer.cdr();
        let absolute = format!("http://{}{}", composer.sources.host, composer.sources.target);
        let absolute = composer.post(&cdr).target(&absolute).header("X-Marker", MARKER);
        let requests = [
            ("TRACE", bare.clone().method("TRACE")),
            ("CONNECT", bare.clone().method("CONNECT").target("127.0.0.1:9")),
            ("absolute form", absolute),
            ("OPTIONS *", bare.method("OPTIONS").target("*")),
        ];
        requests.map(|(name, request)| Case::new(name).send(&request).may_overload()).into()
    },
    judge: |evidence| {
        let mut findings = Findings::default();
        for case in evidence.cases {
            let name = &case.case.name;
            no_5xx_but_not_implemented(case, &mut findings);
            for answer in case.transcripts().flat_map(|transcript| &transcript.answers) {
                if answer.is_2xx() && holds(answer, MARKER) {
                    findings
                        .fail(name, format!("the {} answer sends the request's headers back", answer.status));
                } else if answer.is_2xx() && name == "CONNECT" {
                    findings.warn(name, format!("answered {}, which promises a tunnel", answer.status));
                }
            }
        }
        findings
    },
    ..Check::BASE
};

pub(super) const DESYNC: Check = Check {
    id: "SEC-020",
    title: "a request inside the body of one whose length is told twice",
    source: "RFC 9112 §6.1, §11.2",
    why: "Behind a proxy that reads the length in the other way, the hidden request is taken for the next client's, and its answer for theirs.",
    fixes: Fixes {
        axum: "Keep hyper up to date, and parse no HTTP by hand.",
        express: "Keep Node up to date; never `insecureHTTPParser: true`.",
        flask: "Keep gunicorn at 22 or later, or put nginx in front; never the development server.",
    },
    stimulus: desync,
    judge: |evidence| {
        let mut findings = criteria::effects(evidence);
        for case in evidence.cases {
            no_5xx_but_not_implemented(case, &mut findings);
            let answers = case.transcripts().flat_map(|transcript| &transcript.answers);
            let hidden = answers.skip(1).find(|answer| answer.is_2xx());
            if let Some(answer) = hidden {
                let said = format!(
                    "what stands inside the body was answered as a request of its own ({})",
                    answer.status
                );
                findings.fail(&case.case.name, said);
            }
        }
        findings
    },
    ..Check::BASE
};

/// Behind what ends the body as chunks, and inside what is its Content-Length, there is a webhook. Right are a refusal,
/// the chunks and a close, or the length alone.
fn desync(composer: &mut Composer) -> Vec<Case> {
    let codings = [
        ("CL.TE", "Transfer-Encoding: chunked"),
        ("TE in upper case", "TRANSFER-ENCODING: CHUNKED"),
        ("TE with a tab", "Transfer-Encoding:\tchunked"),
        ("TE with a space before the colon", "Transfer-Encoding : chunked"),
        ("TE with an x", "Transfer-Encoding: xchunked"),
        ("TE that is not last", "Transfer-Encoding: chunked, identity"),
        ("TE in quotes", "Transfer-Encoding: \"chunked\""),
    ];
    let cases = codings.map(|(name, line)| {
        let (outer, hidden) = (composer.cdr(), composer.cdr());
        let mut body = composer.post(&outer).framing(Framing::chunked(usize::MAX)).framed_body();
        body.extend_from_slice(&composer.post(&hidden).bytes());
        let request = composer.post(&outer).line(line).body(body);
        // The second answer, if any, comes right behind the first.
        let wait = Action::AwaitClose(Duration::from_millis(300));
        let script = Script::default().request(&request).answered().act(wait);
        let case = Case::new(name).script(script).expect(&outer, Count::AtMostOnce);
        case.expect(&hidden, Count::Never).may_be_silent().may_overload()
    });
    cases.into()
}

const IN_NAME: &str = "NUL in the name";

pub(super) const CONTROLS: Check = Check {
    id: "SEC-021",
    title: "a bare CR and a NUL in a header",
    severity: Severity::Should,
    source: "RFC 9110 §5.5; RFC 9112 §2.2",
    why: "Where one reader sees the end of a line and the next one does not, headers can be smuggled past the first.",
    fixes: Fixes::all(
        "Keep the HTTP server up to date, and read no headers by hand; put nginx in front of a development server.",
    ),
    stimulus: |composer| {
        let lines: [(&str, &[u8]); 3] =
            [("CR", b"X-A: a\rX-B: b"), ("NUL", b"X-A: a\0b"), (IN_NAME, b"X-A\0: a")];
        let cases = lines.map(|(name, line)| {
            let cdr = composer.cdr();
            let request: Request = composer.post(&cdr).line(line);
            Case::new(name).send(&request)
        });
        cases.into()
    },
    judge: controls,
    ..Check::BASE
};

/// Any refusal will do, and so will a close. In a value each of them may be replaced by a space as well, which an answer
/// does not show.
fn controls(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        let name = &case.case.name;
        for answer in case.transcripts().flat_map(|transcript| &transcript.answers) {
            if answer.is_2xx() && name == IN_NAME {
                findings.fail(name, format!("answered {}, expected 400 or a close", answer.status));
            } else if answer.is_2xx() {
                let said =
                    format!("answered {}, which is right only if it was read as a space", answer.status);
                findings.warn(name, said);
            }
        }
    }
    findings
}
