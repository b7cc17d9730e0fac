//! Request lines and header fields.

use std::time::Duration;

use super::{closed, until_closed};
use crate::judge::check::{
    Action, Answer, Case, Check, Composer, Count, End, Evidence, Findings, Fixes, Framing, Payload, Request,
    Script, Severity, criteria,
};

pub(super) const TRN_015: Check = Check {
    id: "TRN-015",
    title: "no Host, and two",
    severity: Severity::Should,
    source: "RFC 9112 §3.2: to be answered 400",
    why: "Host says whom a request is for; where it is missing or said twice, a proxy and a server may disagree.",
    fixes: Fixes {
        axum: "A layer that answers 400 to HTTP/1.1 unless `headers.get_all(HOST)` has exactly one; hyper does not look.",
        express: "Node answers 400 to none by itself (`requireHostHeader`); count 'host' in `req.rawHeaders` for two.",
        flask: "Run it behind nginx or gunicorn, which refuse both; the development server does not look.",
    },
    stimulus: |composer| {
        let mut case = |name: &str, change: fn(Request, &str) -> Request| {
            let cdr = composer.cdr();
            let request = change(composer.post(&cdr), &composer.sources.host);
            Case::new(name).send(&request).expect(&cdr, Count::Once)
        };
        vec![
            case("none", |request, _| request.without("Host")),
            case("two", |request, _| request.header("Host", "other.example")),
            case("the same twice", |request, host| request.header("Host", host)),
        ]
    },
    judge: one_host,
    ..Check::BASE
};

pub(super) const TRN_016: Check = Check {
    id: "TRN-016",
    title: "a POST by HTTP/1.0",
    severity: Severity::Should,
    source: "RFC 9112 §9.3; RFC 9110 §15.6.6",
    why: "Old proxies speak HTTP/1.0 to what is behind them, and know by the end of the connection that an answer is over.",
    fixes: Fixes {
        axum: "hyper answers and closes by itself; do not require `Version::HTTP_11`.",
        express: "Node answers and closes by itself; set no `Connection: keep-alive` by hand.",
        flask: "gunicorn and waitress answer and close by themselves; set no `Connection` by hand.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let script = until_closed(&composer.post(&cdr).version("HTTP/1.0"));
        let case = Case::new("").script(script).may_be_silent().may_overload();
        vec![case.expect(&cdr, Count::Once)]
    },
    judge: old_version,
    ..Check::BASE
};

pub(super) const TRN_017: Check = Check {
    id: "TRN-017",
    title: "Expect: 100-continue, and the body a second later",
    severity: Severity::Should,
    source: "RFC 9110 §10.1.1: 100 or a final status before the body is there",
    why: "curl and many libraries wait for 100 before they send a body; each webhook is late where it never comes.",
    fixes: Fixes {
        axum: "Read the body with an extractor: hyper says 100 when it is first read.",
        express: "Node says 100 by itself; a 'checkContinue' listener has to call `res.writeContinue()`.",
        flask: "Run it behind gunicorn or waitress, which say 100.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let request = composer.post(&cdr).header("Expect", "100-continue");
        let withheld = Action::Pause(Duration::from_secs(1));
        let script = Script::default().request_around(&request, request.head().len(), withheld).answered();
        vec![Case::new("").script(script).expect(&cdr, Count::Once)]
    },
    judge: continues,
    ..Check::BASE
};

pub(super) const TRN_027: Check = Check {
    id: "TRN-027",
    title: "names of headers in any case, no blank behind the colon, and a folded line",
    severity: Severity::Should,
    source: "RFC 9110 §5.1; RFC 9112 §5.2: folding is refused with 400 or read as a space",
    why: "HTTP/2 proxies write every name in lower case. A receiver that compares bytes finds no Content-Type there.",
    fixes: Fixes {
        axum: "Ask the `HeaderMap`: it ignores case.",
        express: "Ask `req.get('content-type')`, or `req.headers` by lower case; never `req.rawHeaders`.",
        flask: "Ask `request.headers`: it ignores case.",
    },
    stimulus: names,
    judge: any_case,
    ..Check::BASE
};

fn one_host(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        for transcript in case.transcripts() {
            match transcript.answer(0) {
                Some(answer) if answer.status == 400 || answer.is_5xx() => {}
                None if transcript.timed_out => {}
                _ => findings
                    .warn(&case.case.name, format!("{}, expected 400 by the RFC", transcript.outcome())),
            }
        }
    }
    findings
}

fn old_version(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        closed(case, &mut findings);
        for transcript in case.transcripts() {
            match transcript.answer(0) {
                Some(answer) if answer.is_2xx() || answer.status == 505 => {}
                Some(answer) => {
                    findings
                        .fail(&case.case.name, format!("answered {}, expected 2xx or 505", answer.status));
                }
                // `closed` has found it.
                None if transcript.end == End::Open => {}
                None => {
                    findings.fail(&case.case.name, format!("{}, expected 2xx or 505", transcript.outcome()));
                }
            }
        }
    }
    findings
}

/// The body follows a second after the head. An answer can be read just before this side notes that all is sent.
const EARLY: Duration = Duration::from_millis(250);

fn continues(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        for transcript in case.transcripts() {
            let Some(answer) = transcript.answer(0) else {
                criteria::every_answer(case, &mut findings, "100, then 2xx", |_| true);
                continue;
            };
            let is_early = transcript.sent_at.first().is_none_or(|sent| answer.at + EARLY < *sent);
            if answer.is_2xx() && is_early {
                let text = format!("answered {} before it had the body", answer.status);
                findings.fail(&case.case.name, text);
            } else if !answer.is_2xx() && !answer.is_4xx() && !answer.is_5xx() {
                let text = format!("answered {}, expected 100 and 2xx, or 4xx", answer.status);
                findings.fail(&case.case.name, text);
            } else if !is_early && answer.minor > 0 && !answer.interim.contains(&100) {
                // A server of HTTP/1.0 knows no 100. A busy one may have been given the body by then: it is confirmed.
                findings.late(&case.case.name, "neither 100 nor a final status within 1 s");
            }
        }
    }
    findings
}

fn names(composer: &mut Composer) -> Vec<Case> {
    let mut case = |name: &str, spell: fn(&str) -> String| {
        let cdr = composer.cdr();
        Case::new(name).send(&spelled(composer, &cdr, spell)).expect(&cdr, Count::Once)
    };
    let mut cases = vec![
        case("lower case", str::to_ascii_lowercase),
        case("upper case", str::to_ascii_uppercase),
        case("mixed case", |name| {
            let odd = |(at, char): (usize, char)| {
                if at % 2 == 0 { char.to_ascii_lowercase() } else { char.to_ascii_uppercase() }
            };
            name.chars().enumerate().map(odd).collect()
        }),
    ];
    let cdr = composer.cdr();
    let bare = |request: Request, name: &str, value: &str| request.line(format!("{name}:{value}"));
    cases.push(
        Case::new("no blank behind the colon").send(&written(composer, &cdr, bare)).expect(&cdr, Count::Once),
    );
    let cdr = composer.cdr();
    let folded = composer.post(&cdr).line("X-Note: one\r\n two");
    cases.push(Case::new(FOLDED).send(&folded).expect(&cdr, Count::Once));
    cases
}

const FOLDED: &str = "a folded line";

/// The request that the platform would send, with every name as `spell` has it.
fn spelled(composer: &Composer, cdr: &Payload, spell: fn(&str) -> String) -> Request {
    written(composer, cdr, |request, name, value| request.header(&spell(name), value))
}

/// The request that the platform would send, with every line of its head written by `write`.
fn written(composer: &Composer, cdr: &Payload, write: impl Fn(Request, &str, &str) -> Request) -> Request {
    let length = cdr.bytes.len().to_string();
    let known = [
        ("Host", composer.sources.host.as_str()),
        ("Content-Type", "application/json"),
        ("Content-Length", &length),
    ];
    let given = composer.sources.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let request = Request::new("POST", &composer.sources.target).framing(Framing::Untold).payload(cdr);
    let request =
        known.into_iter().chain(given).fold(request, |request, (name, value)| write(request, name, value));
    composer.sign(request, cdr)
}

fn any_case(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        if case.case.name == FOLDED {
            let is_fine = |answer: &Answer| answer.is_2xx() || answer.is_4xx();
            criteria::every_answer(case, &mut findings, "400 or 2xx", is_fine);
        } else {
            criteria::every_answer(case, &mut findings, "2xx", Answer::is_2xx);
        }
    }
    findings
}
