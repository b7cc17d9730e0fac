//! JSN: content types and the decoding of JSON.

use super::{Case, Check, Composer, Count, Fixes, Observability, Severity, criteria};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "JSN-006",
        title: "JSON that is no webhook: {} [] null true 0 \"x\"",
        severity: Severity::Should,
        observability: Observability::Partly,
        source: "RFC 8259 §3; piopiy docs: every webhook is an object with cmiuuid",
        why: "What is acknowledged is never sent again: whoever says 200 to nothing cannot say what was lost.",
        fixes: Fixes {
            axum: "Extract a struct whose `cmiuuid` is not optional, or check it, and answer 422.",
            express: "`if (typeof req.body?.cmiuuid !== 'string') return res.sendStatus(422)`.",
            flask: "`data = request.get_json(); if not isinstance(data, dict) or 'cmiuuid' not in data: return '', 422`.",
        },
        stimulus: no_webhooks,
        judge: criteria::refused_or_quarantined,
        ..Check::BASE
    },
    Check {
        id: "JSN-012",
        title: "bytes that are no UTF-8",
        observability: Observability::Effects,
        source: "RFC 8259 §8.1; RFC 3629 §3",
        why: "A reader that puts U+FFFD for what it cannot read stores another name than the caller's, and nobody is told.",
        fixes: Fixes {
            axum: "Parse the bytes (`serde_json::from_slice`), never `String::from_utf8_lossy` of them.",
            express: "`express.raw({type: '*/*'})`, then `new TextDecoder('utf-8', {fatal: true}).decode(req.body)` before `JSON.parse`.",
            flask: "`json.loads(request.get_data().decode('utf-8'))`, with the error answered by 400.",
        },
        stimulus: no_utf8,
        judge: criteria::refused_or_quarantined,
        ..Check::BASE
    },
];

fn no_webhooks(composer: &mut Composer) -> Vec<Case> {
    let bodies = ["{}", "[]", "null", "true", "0", "\"x\""];
    let cases = bodies.map(|body| {
        let payload = composer.raw(body.as_bytes());
        Case::new(body).send(&composer.post(&payload)).expect(&payload, Count::Never).anonymous()
    });
    cases.into()
}

fn no_utf8(composer: &mut Composer) -> Vec<Case> {
    let sequences: [(&str, &[u8]); 5] = [
        ("a lone continuation byte", b"\x80"),
        ("an overlong slash", b"\xc0\xaf"),
        ("a sequence that is cut", b"\xe2\x82"),
        ("a surrogate", b"\xed\xa0\x80"),
        ("beyond U+10FFFF", b"\xf4\x90\x80\x80"),
    ];
    let cases = sequences.map(|(name, bytes)| {
        let payload = composer.cdr().with("name", "\"~\"").replacing(b"~", bytes);
        Case::new(name).send(&composer.post(&payload)).expect(&payload, Count::Never)
    });
    cases.into()
}
