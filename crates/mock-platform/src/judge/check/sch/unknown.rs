//! Members and values that no page lists.

use crate::judge::Effect;
use crate::judge::check::{
    Answer, Case, Check, Count, Evidence, Findings, Fixes, Observability, Payload, criteria,
};

const OPEN: Fixes = Fixes {
    axum: "No `#[serde(deny_unknown_fields)]`; in place of an enum a `String`, or an enum with `#[serde(other)]` beside the raw text.",
    express: "In a schema (zod, ajv) `.passthrough()` and `additionalProperties: true`, and `z.string()` for a status in place of `z.enum`.",
    flask: "In pydantic `extra='ignore'`, and `str` in place of `Literal` or `Enum`.",
};

/// Every limit that protects a receiver is far from here, and a webhook with some `extra_params` is near.
const LONG: usize = 4096;

pub(super) const SCH_001: Check = Check {
    id: "SCH-001",
    title: "a member that no page lists",
    source: "piopiy docs: three revisions of the webhooks differ in their members",
    why: "The platform adds members without notice; whoever refuses them loses every webhook from that day on.",
    fixes: OPEN,
    stimulus: |composer| {
        let long = format!("\"{}\"", "x".repeat(LONG));
        let values = [
            ("a text", "\"x\""),
            ("a text of 4 KiB", &long),
            ("a number", "1.5"),
            ("a boolean", "true"),
            ("null", "null"),
            ("an object", r#"{"a":{"b":[1]}}"#),
            ("an array", "[1,[],{}]"),
        ];
        let cases = values.into_iter().flat_map(|(name, value)| {
            composer.both(name, Count::Once, |webhook| webhook.with("something_new", value))
        });
        cases.collect()
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const SCH_002: Check = Check {
    id: "SCH-002",
    title: "a status that no page lists",
    observability: Observability::Effects,
    source: "piopiy docs: CDR and live events; the list of live events is incomplete",
    why: "A `busy` that is stored as `missed` is wrong for ever; a 422 makes the platform repeat it, and give up.",
    fixes: OPEN,
    stimulus: |composer| {
        let mut cases = Vec::new();
        for (name, payload, status) in [
            ("CDR", composer.cdr(), "busy"),
            ("CDR", composer.cdr(), "no_answer"),
            ("live event", composer.live(), "out_parked"),
        ] {
            let payload = payload.with("status", &format!("\"{status}\""));
            let case = Case::new(format!("{name}, status {status}"));
            cases.push(case.send(&composer.post(&payload)).expect(&payload, Count::AtMostOnce));
        }
        cases
    },
    judge: kept_as_received,
    ..Check::BASE
};

pub(super) const SCH_003: Check = Check {
    id: "SCH-003",
    title: "a direction and a leg that no page lists",
    observability: Observability::Partly,
    source: "piopiy docs: legs a and b, inbound and outbound",
    why: "A conference has more legs than two; a 422 loses the record of the third, and stored as leg a it hides the first.",
    fixes: OPEN,
    stimulus: |composer| {
        let mut cases = Vec::new();
        for (key, value) in [("direction", "internal"), ("leg", "c")] {
            let value = format!("\"{value}\"");
            let other = |webhook: Payload| webhook.with(key, &value);
            cases.extend(composer.both(format!("{key} {value}"), Count::AtMostOnce, other));
        }
        cases
    },
    judge: |evidence| {
        let mut findings = criteria::acknowledged(evidence);
        not_taken_for_a_listed_one(evidence, &mut findings);
        findings
    },
    ..Check::BASE
};

pub(super) const SCH_004: Check = Check {
    id: "SCH-004",
    title: "a type and a live event that no page lists",
    observability: Observability::Partly,
    source: "piopiy docs: webhooks overview, whose list of live events is incomplete",
    why: "What one does not know one may ignore; refused, it is repeated, and counts as a failure of the URL.",
    fixes: OPEN,
    stimulus: |composer| {
        let voicemail = composer.cdr().with("type", "\"voicemail\"");
        let event = composer.live().with("status", "\"in_voicemail_left\"");
        vec![
            Case::new("type voicemail")
                .send(&composer.post(&voicemail))
                .expect(&voicemail, Count::AtMostOnce),
            Case::new("live event in_voicemail_left")
                .send(&composer.post(&event))
                .expect(&event, Count::AtMostOnce),
        ]
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

/// What is listed of the members that are sent with another value.
const LISTED: [(&str, [&str; 2]); 2] = [("direction", ["inbound", "outbound"]), ("leg", ["a", "b"])];

/// No value is stored as one that is listed: left out or kept in other words, it is no other's.
fn not_taken_for_a_listed_one(evidence: &Evidence<'_>, findings: &mut Findings) {
    for case in evidence.cases {
        for expected in &case.case.expected {
            let Some(webhook) = expected.payload.webhook() else { continue };
            let name = criteria::name_of(&expected.payload);
            for effect in case.effects_of(expected).unwrap_or_default() {
                for (key, listed) in LISTED {
                    let Some(sent) = webhook.text(key).filter(|sent| !listed.contains(&&**sent)) else {
                        continue;
                    };
                    let stored = stored(effect, key).filter(|_| !effect.quarantined);
                    if let Some(stored) = stored.filter(|stored| listed.contains(&stored.as_str())) {
                        criteria::another_text(&case.case.name, &name, key, (&sent, &stored), findings);
                    }
                }
            }
        }
    }
}

fn stored(effect: &Effect, key: &str) -> Option<String> {
    if let ("leg", Some(leg)) = (key, &effect.leg) {
        return Some(leg.clone());
    }
    Some(effect.stored()?.text(key)?.into_owned())
}

/// None or one effect, and that with the status that was sent.
fn kept_as_received(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        criteria::every_answer(case, &mut findings, "2xx", Answer::is_2xx);
        for expected in &case.case.expected {
            let sent =
                expected.payload.webhook().and_then(|webhook| Some(webhook.text("status")?.into_owned()));
            for effect in case.effects_of(expected).unwrap_or_default() {
                if !effect.quarantined && effect.status.is_none() {
                    findings.not_observed(&case.case.name, "its effect has no `status`");
                }
                if !effect.quarantined && effect.status.is_some() && effect.status != sent {
                    let (sent, stored) =
                        (sent.as_deref().unwrap_or("?"), effect.status.as_deref().unwrap_or("?"));
                    let name = criteria::name_of(&expected.payload);
                    criteria::another_text(&case.case.name, &name, "status", (sent, stored), &mut findings);
                }
            }
        }
    }
    findings
}
