//! Other methods than POST.

use crate::judge::check::{
    Answer, Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Severity, criteria,
};

pub(super) const TRN_003: Check = Check {
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
};

pub(super) const TRN_004: Check = Check {
    id: "TRN-004",
    title: "405 says which methods are allowed",
    severity: Severity::Should,
    source: "RFC 9110 §15.5.6: the server MUST generate Allow",
    why: "Allow tells whoever set the webhook to the wrong method what would have been right.",
    fixes: Fixes {
        axum: "Use `post(handler)`: axum sends Allow with its 405; a `method_not_allowed_fallback` has to set it itself.",
        express: "`app.all(path, (req, res) => res.set('Allow', 'POST').sendStatus(405))`, behind `app.post`.",
        flask: "List `methods=['POST']`: Flask sends Allow with its 405; an `errorhandler(405)` has to keep the headers.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let bodyless = |method| composer.post(&cdr).method(method).bodyless();
        ["GET", "PUT", "DELETE"].map(|method| Case::new(method).send(&bodyless(method))).into()
    },
    judge: allow,
    ..Check::BASE
};

pub(super) const TRN_005: Check = Check {
    id: "TRN-005",
    title: "HEAD, OPTIONS and the handshake of CloudEvents",
    severity: Severity::May,
    source: "RFC 9110 §9.3.2, §9.3.7; CloudEvents webhook specification §4",
    why: "Monitors ask by HEAD, browsers and other platforms by OPTIONS; what hangs or breaks there is found by strangers first.",
    fixes: Fixes {
        axum: "`post(handler)` answers 405 to both by itself; write no handler that reads a body for them.",
        express: "Express answers OPTIONS by itself; end every other request with a status.",
        flask: "Flask answers OPTIONS by itself; do not list HEAD among the methods of the handler.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let bodyless = |method| composer.post(&cdr).method(method).bodyless();
        let handshake = bodyless("OPTIONS").header("WebHook-Request-Origin", "piopiy-mock.example");
        vec![
            Case::new("HEAD").send(&bodyless("HEAD")),
            Case::new("OPTIONS").send(&bodyless("OPTIONS")),
            Case::new("OPTIONS as CloudEvents asks").send(&handshake),
        ]
    },
    judge: answered_somehow,
    ..Check::BASE
};

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

fn allow(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let mut refusals = 0;
    for case in evidence.cases {
        let answers = case.transcripts().flat_map(|transcript| &transcript.answers);
        for answer in answers.filter(|answer| answer.status == 405) {
            refusals += 1;
            match answer.header("allow") {
                None => findings.fail(&case.case.name, "405 without Allow"),
                Some(methods) if !lists(methods, "POST") => {
                    let methods = String::from_utf8_lossy(methods);
                    findings.warn(&case.case.name, format!("Allow is {methods:?}, without POST"));
                }
                Some(_) => {}
            }
        }
    }
    if refusals == 0 {
        findings.not_applicable("", "no method was answered 405: see TRN-003");
    }
    findings
}

fn lists(methods: &[u8], wanted: &str) -> bool {
    String::from_utf8_lossy(methods).split(',').any(|method| method.trim().eq_ignore_ascii_case(wanted))
}

fn answered_somehow(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        criteria::every_answer(case, &mut findings, "an answer", |_| true);
    }
    findings
}
