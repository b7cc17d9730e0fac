//! Who may post, and what.

use super::super::{
    Answer, Case, Check, Composer, Count, Findings, Fixes, Need, Observability, Payload, Request, Severity,
    criteria,
};

pub(super) const SECRET: Check = Check {
    id: "SEC-015",
    title: "without the secret, with a wrong one, and with one that is cut",
    observability: Observability::Partly,
    needs: &[Need::Capability("secret")],
    source: "RFC 9110 §11.6.1, §15.5.2",
    why: "The platform signs nothing: the secret is all that tells its webhooks from anybody's.",
    fixes: Fixes {
        axum: "A `tower` layer before the route that compares in constant time (`subtle`), and answers 401.",
        express: "A middleware before the route: `crypto.timingSafeEqual` on hashes of equal length, else `res.sendStatus(401)`.",
        flask: "`@app.before_request` with `hmac.compare_digest`, else `abort(401)`.",
    },
    stimulus: |composer| {
        let changes: [(&str, Change); 4] = [
            ("missing", |_| None),
            ("wrong", |secret| Some(secret.chars().rev().chain(secret.chars().take(1)).collect())),
            ("cut", |secret| Some(secret.chars().take(secret.chars().count() / 2).collect())),
            ("longer", |secret| Some(format!("{secret}x"))),
        ];
        let cases = changes.map(|(name, change)| {
            let cdr = composer.cdr();
            let request = changed(composer, composer.post(&cdr), change);
            Case::new(name).send(&request).expect(&cdr, Count::Never)
        });
        cases.into()
    },
    judge: |evidence| {
        let mut findings = criteria::effects(evidence);
        for case in evidence.cases {
            let is_refusal = |answer: &Answer| answer.is_4xx();
            criteria::every_answer(case, &mut findings, "401, 403 or 404", is_refusal);
            let answers = case.transcripts().flat_map(|transcript| &transcript.answers);
            for status in answers.filter(|answer| answer.is_4xx()).map(|answer| answer.status) {
                if !matches!(status, 401 | 403 | 404) {
                    findings.warn(
                        &case.case.name,
                        format!("answered {status}; 401, 403 or 404 says what is wrong"),
                    );
                }
            }
        }
        findings
    },
    ..Check::BASE
};

/// What becomes of a secret; `None` leaves it out.
type Change = fn(&str) -> Option<String>;

/// The request with its secret changed: in its headers, where some were given; else after `=` of the query; else in the
/// last segment of the path.
fn changed(composer: &Composer, mut request: Request, change: Change) -> Request {
    let sources = &composer.sources;
    for (name, value) in &sources.headers {
        request = match change(value) {
            Some(value) => request.set_header(name, &value),
            None => request.without(name),
        };
    }
    if !sources.headers.is_empty() {
        return request;
    }
    let mark = if sources.target.contains('?') { '=' } else { '/' };
    let (rest, secret) = sources.target.rsplit_once(mark).unwrap_or(("", &sources.target));
    let secret = change(secret).map_or_else(String::new, |secret| format!("{mark}{secret}"));
    let target = format!("{rest}{secret}");
    request.target(if target.is_empty() { "/" } else { &target })
}

pub(super) const OTHER_APP: Check = Check {
    id: "SEC-016",
    title: "a webhook of another appid",
    severity: Severity::Should,
    observability: Observability::Partly,
    needs: &[Need::Capability("appid")],
    source: "piopiy docs: every webhook names the app that it is of",
    why: "Whoever learns the URL can post calls that never were; the appid is the first thing that they have to guess.",
    fixes: Fixes::all("Compare `appid` (and `app_id`) with your own before anything else, and answer 403."),
    stimulus: |composer| {
        [("a CDR", composer.cdr()), ("a live event", composer.live())]
            .map(|(name, own)| {
                let foreign = own.with("appid", "9999999");
                Case::new(name).send(&composer.post(&foreign)).expect(&foreign, Count::Never)
            })
            .into()
    },
    judge: |evidence| {
        let mut findings = criteria::effects(evidence);
        let mut all_refused = true;
        for case in evidence.cases {
            let is_fine = |answer: &Answer| answer.is_2xx() || answer.is_4xx();
            criteria::every_answer(case, &mut findings, "4xx, or 2xx and kept aside", is_fine);
            all_refused &= !case.transcripts().flat_map(|transcript| &transcript.answers).any(Answer::is_2xx);
        }
        if all_refused {
            findings.decided_by_answers();
        }
        findings
    },
    ..Check::BASE
};

pub(super) const OLD_REPLAY: Check = Check {
    id: "SEC-017",
    title: "a webhook of a week ago, and again",
    severity: Severity::May,
    observability: Observability::Effects,
    source: "CWE-294",
    why: "Who has once seen a webhook can send it again when everybody has forgotten it, the dedupe too.",
    fixes: Fixes::all("Keep the unique index for good, or refuse what is older than the index remembers."),
    stimulus: |composer| {
        let cdr = a_week_old(composer);
        let request = composer.post(&cdr);
        let once = Case::new("").send(&request);
        vec![once.send_after_glance(&request).expect(&cdr, Count::AtMostOnce)]
    },
    judge: |evidence| {
        let mut findings: Findings = criteria::effects(evidence);
        for case in evidence.cases {
            let is_fine = |answer: &Answer| answer.is_2xx() || answer.is_4xx();
            criteria::every_answer(case, &mut findings, "2xx or 4xx", is_fine);
        }
        findings
    },
    ..Check::BASE
};

/// With every time in it a week earlier.
fn a_week_old(composer: &mut Composer) -> Payload {
    const WEEK_S: i64 = 7 * 86_400;
    let mut cdr = composer.cdr();
    let Some(webhook) = cdr.webhook() else { return cdr };
    for key in ["time", "start_time", "answer_time", "end_time"] {
        let Some(time) = webhook.text(key).and_then(|time| time.parse::<i64>().ok()).filter(|time| *time > 0)
        else {
            continue;
        };
        // Some are in milliseconds.
        let week = if time > 100_000_000_000 { WEEK_S * 1_000 } else { WEEK_S };
        cdr = cdr.with(key, &(time - week).to_string());
    }
    cdr
}
