//! Webhooks as the platform sends them.

use std::collections::BTreeSet;

use piopiy_events::{Evidence as Support, Form};

use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Severity, criteria,
};

pub(super) const TRN_001: Check = Check {
    id: "TRN-001",
    title: "a documented CDR by POST",
    source: "RFC 9110 §9.3.3; piopiy docs: CDR webhook",
    why: "This is what the platform sends all day. What is not acknowledged is sent again, and given up after 30 minutes.",
    fixes: Fixes {
        axum: "Route `post(handler)` on the very path, and answer 200 with a short text.",
        express: "Register `app.post(path, …)` behind `express.raw()` or `express.json()`, and end with `res.sendStatus(200)`.",
        flask: "Register the path with `methods=['POST']`, and return a text with 200.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        vec![Case::new("").send(&composer.post(&cdr)).expect(&cdr, Count::Once)]
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const TRN_002: Check = Check {
    id: "TRN-002",
    title: "each documented event once",
    observability: Observability::Partly,
    source: "piopiy docs: webhooks, live events and CDRs of both directions",
    why: "One URL gets them all. A receiver written after one sample refuses the others, and they are never seen again.",
    fixes: Fixes {
        axum: "Extract `Json<serde_json::Value>` or a struct of optional fields, and tell the kinds apart by what is there.",
        express: "Tell the kinds apart by the fields that are there, and answer 200 to those you do not need.",
        flask: "Use `data.get('field')`, not `data['field']`, and answer 200 to the kinds you do not need.",
    },
    stimulus: documented,
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const TRN_006: Check = Check {
    id: "TRN-006",
    title: "a query string behind the path",
    severity: Severity::Should,
    source: "RFC 9110 §4.2.5; RFC 3986 §3.4",
    why: "People put a token or the name of a tenant behind the question mark of the webhook URL.",
    fixes: Fixes {
        axum: "Match the path alone; do not compare `uri.to_string()`, nor deny unknown fields of a `Query`.",
        express: "Match the path (`req.path`), never `req.url`.",
        flask: "Match the path (`request.path`), never `request.full_path`.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        let target = &composer.sources.target;
        let separator = if target.contains('?') { '&' } else { '?' };
        let request = composer.post(&cdr).target(&format!("{target}{separator}x=1"));
        vec![Case::new("").send(&request).expect(&cdr, Count::Once)]
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const TRN_007: Check = Check {
    id: "TRN-007",
    title: "the URL as it was given, without a redirect",
    source: "RFC 9110 §15.4: whether a redirect is followed is up to the client, and POST may become GET",
    why: "The platform counts a redirect as a failure, or follows it by GET and loses the body.",
    fixes: Fixes {
        axum: "Give the platform the final URL; drop `NormalizePath` redirects and HTTPS redirects on this path.",
        express: "Give the platform the final URL; no `res.redirect` on this path (mind the slash at the end, and http → https).",
        flask: "Register the very path with `strict_slashes=False`: Flask redirects `/x` to `/x/` by itself.",
    },
    stimulus: |composer| {
        let cdr = composer.cdr();
        vec![Case::new("").send(&composer.post(&cdr)).expect(&cdr, Count::Once)]
    },
    judge: no_redirect,
    ..Check::BASE
};

/// What is only guessed at is no documented event.
fn documented(composer: &mut Composer) -> Vec<Case> {
    let mut seen = BTreeSet::new();
    let mut cases = Vec::new();
    for form in Form::all(composer.sources.profile) {
        let name = format!("{} of an {} call", form.name, form.call.as_str());
        if form.evidence == Support::Guess || !seen.insert(name.clone()) {
            continue;
        }
        let payload = composer.payload_of(form.name, None, Some(form.call));
        cases.push(Case::new(name).send(&composer.post(&payload)).expect(&payload, Count::Once));
    }
    cases
}

fn no_redirect(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        criteria::every_answer(case, &mut findings, "no redirect", |answer| {
            !(300..400).contains(&answer.status)
        });
    }
    findings
}
