//! Webhooks that are signed.

use super::super::{
    Answer, Case, Check, Count, Evidence, Findings, Fixes, Form, Need, Observability, Payload, Request,
    SigningKey, criteria,
};

pub(super) const SIGNATURES: Check = Check {
    id: "SEC-018",
    title: "signatures: missing, malformed, of another key, old, of another body, two, of bytes that no writer would write",
    observability: Observability::Partly,
    needs: &[Need::Capability("signature")],
    source: "Standard Webhooks, \"Verifying webhook authenticity\"; CWE-347, CWE-294",
    why: "A signature that is not looked at in one of its parts is none: whoever finds the gap posts calls that never were.",
    fixes: Fixes {
        axum: "Take `Bytes`, compute HMAC-SHA-256 over `id.timestamp.body`, compare with each `v1,…` by `hmac::Mac::verify_slice`, and only then parse.",
        express: "`express.raw({ type: '*/*' })` on this route and `new Webhook(secret).verify(req.body, req.headers)` of `standardwebhooks`; never `JSON.stringify(req.body)`.",
        flask: "`Webhook(secret).verify(request.get_data(), request.headers)` of `standardwebhooks`, before `get_json`.",
    },
    stimulus: |composer| {
        let mut cases = Vec::new();
        for (name, change) in REFUSED {
            let cdr = composer.cdr();
            let request = change(composer.signed(&cdr), &cdr);
            cases.push(Case::new(*name).send(&request).expect(&cdr, Count::Never));
        }
        for (name, write, form) in ACCEPTED {
            let cdr = composer.cdr();
            let cdr = cdr.clone().of_bytes(write(&cdr));
            let request = composer.signed(&cdr).signature(|signature| signature.form = form);
            cases.push(Case::new(name).send(&request).expect(&cdr, Count::Once));
        }
        cases
    },
    judge,
    ..Check::BASE
};

/// What a receiver remembers its own clock by is off by minutes at most.
const HOUR_S: u64 = 3_600;

type Change = fn(Request, &Payload) -> Request;

const REFUSED: &[(&str, Change)] = &[
    ("missing", |request, _| request.unsigned()),
    ("malformed", |request, _| request.signature(|signature| signature.form = Form::Malformed)),
    ("of another key", |request, _| request.signature(|signature| signature.key = SigningKey::stray())),
    ("an hour old", |request, _| request.signature(|signature| signature.time_s -= HOUR_S)),
    ("an hour ahead", |request, _| request.signature(|signature| signature.time_s += HOUR_S)),
    ("of another body", |request, cdr| {
        let other = cdr.clone().with("from", "12025550199").bytes;
        request.signature(|signature| signature.form = Form::Of(other))
    }),
];

type Write = fn(&Payload) -> Vec<u8>;

const ACCEPTED: [(&str, Write, Form); 3] = [
    ("right", |cdr| cdr.bytes.clone(), Form::One),
    ("right, behind one of another key", |cdr| cdr.bytes.clone(), Form::BehindAnother),
    ("right, of JSON as nobody writes it", spaced, Form::One),
];

/// The same JSON, with white space where no writer puts it.
fn spaced(cdr: &Payload) -> Vec<u8> {
    let text = cdr.text();
    let inside = text.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or_default();
    format!("{{ \n\t{inside}  \n}}\n").into_bytes()
}

fn judge(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        if REFUSED.iter().any(|(name, _)| *name == case.case.name) {
            criteria::every_answer(case, &mut findings, "400, 401 or 403", Answer::is_4xx);
        } else {
            criteria::every_answer(case, &mut findings, "2xx", Answer::is_2xx);
        }
    }
    findings
}
