//! What the body is said to be.

use crate::judge::check::{
    Case, CaseEvidence, Check, Composer, Count, Discrepancy, DiscrepancyKind, Evidence, Findings, Fixes,
    Malformed, Observability, Seen, Severity, criteria,
};

const ANY_TYPE: Fixes = Fixes {
    axum: "Extract `Bytes` and call `serde_json::from_slice`: `Json` asks for the header, and answers 415, which is right too.",
    express: "`type: () => true` of `express.raw()` or `express.json()`: by default another type leaves `req.body` undefined, and the handler says 200 to nothing.",
    flask: "`request.get_json(force=True)`, or leave the 415 that Flask answers by itself.",
};

pub(super) const JSN_001: Check = Check {
    id: "JSN-001",
    title: "application/json with parameters, in upper case, quoted",
    source: "RFC 9110 §8.3.1: types and parameter names are case-insensitive, values may be quoted",
    why: "Libraries add `charset=utf-8` as they like, and a proxy may spell the header in another way.",
    fixes: Fixes {
        axum: "`Json` does it right; in code of your own compare `mime::Mime::essence_str`, not the header.",
        express: "`type: 'application/json'` of `express.raw()` or `express.json()` does it right; do not compare `req.headers['content-type']` by hand.",
        flask: "`request.is_json` does it right; do not compare `request.content_type` by hand.",
    },
    stimulus: |composer| {
        let types = [
            "application/json; charset=utf-8",
            "application/json;charset=\"utf-8\"",
            "APPLICATION/JSON",
            "Application/Json; Charset=UTF-8",
            "application/json; charset=utf-8; version=1",
        ];
        types.map(|content_type| typed(composer, content_type, Count::Once)).into()
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const JSN_002: Check = Check {
    id: "JSN-002",
    title: "no Content-Type",
    observability: Observability::Effects,
    source: "RFC 9110 §8.3: without Content-Type a recipient may assume or examine",
    why: "No page says which type the platform sends. A 200 for a body that was not read loses the webhook for good.",
    fixes: ANY_TYPE,
    stimulus: |composer| {
        let cdr = composer.cdr();
        let request = composer.post(&cdr).without("Content-Type");
        vec![Case::new("").send(&request).expect(&cdr, Count::AtMostOnce).anonymous()]
    },
    judge: taken_kept_or_refused,
    ..Check::BASE
};

pub(super) const JSN_003: Check = Check {
    id: "JSN-003",
    title: "JSON that is said to be text, a form, or text/json",
    severity: Severity::Should,
    observability: Observability::Effects,
    source: "RFC 9110 §15.5.16: 415 where the type is not supported",
    why: "A 200 for a body that was not read loses the webhook for good; a 415 shows the mistake.",
    fixes: ANY_TYPE,
    stimulus: |composer| {
        let types = ["text/plain", "application/x-www-form-urlencoded", "text/json"];
        types.map(|content_type| typed(composer, content_type, Count::AtMostOnce).anonymous()).into()
    },
    judge: taken_kept_or_refused,
    ..Check::BASE
};

pub(super) const JSN_004: Check = Check {
    id: "JSN-004",
    title: "a form and XML that are said to be JSON",
    observability: Observability::Partly,
    source: "RFC 8259 §2; RFC 9110 §15.5.1",
    why: "A reader that guesses the notation takes in what nobody has checked.",
    fixes: Fixes {
        axum: "Read with `Json` or `serde_json::from_slice` alone.",
        express: "Register one parser alone, `express.raw()` or `express.json()`; leave out `express.urlencoded()` and parsers that guess.",
        flask: "Read with `request.get_json()`; do not fall back to `request.form`.",
    },
    stimulus: |composer| {
        let bodies = [
            ("a form", "cmiuuid={cmiuuid}&leg=a&status=missed&duration=0&direction=inbound"),
            ("XML", "<?xml version=\"1.0\"?><cdr><cmiuuid>{cmiuuid}</cmiuuid><status>missed</status></cdr>"),
        ];
        let cases = bodies.map(|(name, body)| {
            let payload = composer.raw(body.as_bytes());
            Case::new(name).send(&composer.post(&payload)).expect(&payload, Count::Never).anonymous()
        });
        cases.into()
    },
    judge: criteria::refused_or_quarantined,
    ..Check::BASE
};

fn typed(composer: &mut Composer, content_type: &str, count: Count) -> Case {
    let cdr = composer.cdr();
    let request = composer.post(&cdr).set_header("Content-Type", content_type);
    Case::new(content_type).send(&request).expect(&cdr, count)
}

/// What is acknowledged has an effect or is kept aside: anything but nothing.
fn taken_kept_or_refused(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::taken_or_refused(evidence);
    for case in evidence.cases {
        let is_acknowledged =
            case.case.expected.iter().any(|expected| case.is_acknowledged(expected.payload.id));
        if !is_acknowledged {
            continue;
        }
        let name = &case.case.name;
        match &case.seen {
            Seen::Records(records) if records.is_empty() => {
                findings.differs(name, lost(case), "acknowledged, with no effect and nothing kept aside");
            }
            // What is kept aside is not counted.
            Seen::Count(0) if evidence.terms.malformed == Malformed::Reject => {
                findings.differs(name, lost(case), "acknowledged, and the count of effects did not rise");
            }
            Seen::Count(0) => {
                findings
                    .warn(name, "acknowledged, and the count of effects did not rise: lost, or kept aside");
            }
            _ => {}
        }
    }
    findings
}

fn lost(case: &CaseEvidence) -> Discrepancy {
    let webhook = case.case.expected.first().map(|expected| criteria::name_of(&expected.payload));
    Discrepancy::new(DiscrepancyKind::Lost, webhook.unwrap_or_default())
}
