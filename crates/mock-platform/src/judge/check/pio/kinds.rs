//! Which webhooks there are, and how they are told apart.

use crate::judge::check::{
    Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Payload, criteria,
};

const BY_SHAPE: Fixes = Fixes {
    axum: "`type` where there is one, else a CDR where there is a `duration`, `start_time` or `end_time`, else a live event.",
    express: "`const kind = body.type ?? ('duration' in body ? 'cdr' : 'event')`.",
    flask: "`kind = data.get('type') or ('cdr' if 'duration' in data else 'event')`.",
};
const EACH: Fixes = Fixes {
    axum: "A unique index on (cmiuuid, leg, kind, status, and the time of a live event), not on cmiuuid alone.",
    express: "A unique index on (cmiuuid, leg, kind, status, and the time of a live event), not on cmiuuid alone.",
    flask: "A unique index on (cmiuuid, leg, kind, status, and the time of a live event), not on cmiuuid alone.",
};
const ANY_STATUS: Fixes = Fixes {
    axum: "A `String` for the status, and no `unwrap` on members that only some events have.",
    express: "No `switch` whose default throws, and `?.` on members that only some events have.",
    flask: "`data.get(key)` for members that only some events have, and no match without a default.",
};

pub(super) const PIO_004: Check = Check {
    id: "PIO-004",
    title: "CDR and live event, with a type and without",
    observability: Observability::Effects,
    source: "piopiy docs: the revision of 2022 and India have type, that of 2024 has none",
    why: "Where nothing says what it is, the shape has to; a live event that is filed as a CDR is a call on the bill.",
    fixes: BY_SHAPE,
    stimulus: |composer| {
        let typed = |payload: Payload, kind: &str| payload.with("type", &format!("\"{kind}\""));
        let cases = [
            ("CDR without a type", composer.cdr().without("type")),
            ("CDR without a type and a rate", composer.cdr().without("type").without("call_rate")),
            (
                "CDR of an answered call without a type",
                composer.payload("cdr.inbound.answered").without("type"),
            ),
            ("CDR, type cdr", typed(composer.cdr(), "cdr")),
            ("live event without a type", composer.live().without("type")),
            ("stream event without a type", composer.payload("live.stream_connected").without("type")),
            ("live event, type event", typed(composer.live(), "event")),
        ];
        let mut cases: Vec<Case> = cases
            .map(|(name, payload)| {
                Case::new(name).send(&composer.post(&payload)).expect(&payload, Count::Once)
            })
            .into();
        // The word is a CDR's, too; not every profile has it for a live event.
        let answered = typed(composer.live().with("status", "\"answered\""), "event");
        let case = Case::new("live event, type event, status answered").send(&composer.post(&answered));
        cases.push(case.expect(&answered, Count::AtMostOnce));
        cases
    },
    judge: |evidence| {
        let mut findings = criteria::taken_for_what_it_is(evidence);
        for case in evidence.cases {
            let effects = case.case.expected.iter().flat_map(|own| case.effects_of(own).unwrap_or_default());
            if effects.into_iter().any(|effect| !effect.quarantined && effect.kind.is_none()) {
                findings.not_observed(&case.case.name, "its effect does not say its `kind`");
            }
        }
        findings
    },
    ..Check::BASE
};

pub(super) const PIO_008: Check = Check {
    id: "PIO-008",
    title: "the CDRs of the legs of one conversation",
    observability: Observability::Effects,
    source: "piopiy docs: inbound-webhooks-missed, whose legs a and b seem to share their cmiuuid",
    why: "Whoever takes the second leg for a repeat of the first loses the half of the call that was paid for.",
    fixes: EACH,
    stimulus: |composer| {
        let mut cases = Vec::new();
        for (name, first, is_shared) in
            [("one cmiuuid", "a", true), ("two cmiuuids", "a", false), ("two legs b", "b", false)]
        {
            let leg = |composer: &mut Composer, leg: &str| {
                composer.payload_of("cdr.inbound.missed", None, None).with("leg", &format!("\"{leg}\""))
            };
            let a = leg(composer, first);
            let b = leg(composer, "b").with("conversation_uuid", &format!("\"{}\"", a.cmiuuid));
            let a = a.clone().with("conversation_uuid", &format!("\"{}\"", a.cmiuuid));
            let b = if is_shared { b.with_cmiuuid(&a.cmiuuid) } else { b };
            let case = Case::new(name).send(&composer.post(&a)).send(&composer.post(&b));
            cases.push(case.expect(&a, Count::Once).expect(&b, Count::Once));
        }
        cases
    },
    judge: |evidence| criteria::stored_as_sent(evidence, &["conversation_uuid"]),
    ..Check::BASE
};

pub(super) const PIO_010: Check = Check {
    id: "PIO-010",
    title: "a live event, then the CDR, on one URL",
    observability: Observability::Effects,
    source: "piopiy docs: get-started lets one URL be set for both",
    why: "A receiver that knows one kind only files the other wrongly, or takes it for a repeat.",
    fixes: BY_SHAPE,
    stimulus: |composer| {
        let cdr = composer.cdr();
        let event = composer.live().with("leg", "\"a\"").with_cmiuuid(&cdr.cmiuuid);
        let case = Case::new("").send(&composer.post(&event)).send(&composer.post(&cdr));
        vec![case.expect(&event, Count::Once).expect(&cdr, Count::Once)]
    },
    judge: criteria::acknowledged,
    ..Check::BASE
};

pub(super) const PIO_011: Check = Check {
    id: "PIO-011",
    title: "a stream that connects and disconnects, a disconnect alone, and an error",
    observability: Observability::Partly,
    source: "piopiy docs: live-stream-connected, live-stream-disconnected (in upper case)",
    why: "They have neither `to` nor `conversation_uuid`, and the first of them may be lost: the second must not break anything.",
    fixes: ANY_STATUS,
    stimulus: |composer| {
        let connected = composer.payload("live.stream_connected");
        let disconnected = composer.payload("live.stream_disconnected").with_cmiuuid(&connected.cmiuuid);
        let alone = composer.payload("live.stream_disconnected");
        let pair = Case::new("a pair").send(&composer.post(&connected)).send(&composer.post(&disconnected));
        let error = composer.payload("live.stream_error");
        vec![
            pair.expect(&connected, Count::Once).expect(&disconnected, Count::Once),
            Case::new("a disconnect alone").send(&composer.post(&alone)).expect(&alone, Count::Once),
            // No page has it, and a receiver may have no use for it.
            Case::new("an error").send(&composer.post(&error)).expect_call([&error]),
        ]
    },
    judge: |evidence| {
        let mut findings = acknowledged_by_name(evidence);
        for case in evidence.cases {
            criteria::compare_if_stored(case, &["ws_status"], &mut findings, criteria::is_as_sent);
        }
        findings
    },
    ..Check::BASE
};

pub(super) const PIO_013: Check = Check {
    id: "PIO-013",
    title: "the statuses of leg b, and every other that is documented",
    source: "piopiy docs: live-out-answered, whose leg b says out_bridged",
    why: "A list of the statuses of leg a refuses what the page shows on its second tab.",
    fixes: ANY_STATUS,
    stimulus: leg_b,
    judge: acknowledged_by_name,
    ..Check::BASE
};

fn acknowledged_by_name(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::acknowledged(evidence);
    findings.extend(criteria::identity_as_sent(evidence));
    findings
}

/// Every documented live event, on leg b, and `out_bridged` whatever the profile calls it.
fn leg_b(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for status in ["out_bridged", "out_started", "out_answered", "bridged", "hangup"] {
        let payload = composer.live().with("leg", "\"b\"").with("status", &format!("\"{status}\""));
        cases.push(Case::new(status).send(&composer.post(&payload)).expect(&payload, Count::Once));
    }
    for status in ["missed", "answered"] {
        let cdr = composer.cdr().with("leg", "\"b\"").with("status", &format!("\"{status}\""));
        let cdr = cdr.with("direction", "\"outbound\"");
        cases.push(Case::new(format!("CDR {status}")).send(&composer.post(&cdr)).expect(&cdr, Count::Once));
    }
    cases
}
