//! DUP: duplicates.

mod horizon;
mod lasting;
mod memory;

use std::time::Duration;

use piopiy_events::CallDirection;

use super::{
    Action, Answer, Case, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Payload, Request,
    Script, Severity, criteria,
};

const FIXES: Fixes = Fixes {
    axum: "A unique index on (cmiuuid, leg, kind, status, and the time of a live event, 0 for a CDR) and `INSERT … ON CONFLICT DO NOTHING`; answer 200 either way.",
    express: "A unique index on (cmiuuid, leg, kind, status, and the time of a live event, 0 for a CDR) and `INSERT … ON CONFLICT DO NOTHING`; `res.sendStatus(200)` either way.",
    flask: "A unique index on (cmiuuid, leg, kind, status, and the time of a live event, 0 for a CDR) and `INSERT … ON CONFLICT DO NOTHING`; return 200 either way.",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "DUP-001",
        title: "the same bytes twice, one after the other",
        observability: Observability::Partly,
        source: "piopiy docs: a CDR is sent up to four times in 30 minutes",
        why: "The platform repeats what it has no answer to, and may repeat what it has: twice charged, twice called back.",
        fixes: FIXES,
        stimulus: |composer| {
            let twice = composer.forms().into_iter().map(|(name, payload)| {
                let request = composer.post(&payload);
                Case::new(name).send(&request).send_after_glance(&request).expect_call([&payload])
            });
            twice.collect()
        },
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "DUP-002",
        title: "the same bytes at the same time, 2 to 32 times",
        observability: Observability::Partly,
        source: "piopiy docs: a CDR is sent up to four times in 30 minutes",
        why: "Asking whether it is there before writing it leaves a moment in between, in which the copy asks too.",
        fixes: FIXES,
        stimulus: at_once,
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "DUP-003",
        title: "the same webhook with other white space, key order and header order",
        severity: Severity::Should,
        observability: Observability::Effects,
        source: "RFC 8259 §4: an object is unordered; RFC 9110 §5.3",
        why: "A proxy or another sender of the platform may write the same record another way; a hash of the bytes calls it new.",
        fixes: FIXES,
        stimulus: written_otherwise,
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    horizon::SCHEDULE,
    Check {
        id: "DUP-005",
        title: "two calls with the same numbers and times",
        observability: Observability::Effects,
        source: "piopiy docs: CDR webhook, cmiuuid",
        why: "One caller can call twice within a second; who tells calls apart by number and time loses one of them.",
        fixes: FIXES,
        stimulus: twins,
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "DUP-006",
        title: "different webhooks of one cmiuuid: legs, outcomes, a second stream",
        observability: Observability::Effects,
        source: "piopiy docs: CDR webhook, leg; stream events, time",
        why: "cmiuuid alone, or with leg and status, is no key: legs, outcomes and second streams share it, and one of each would be kept.",
        fixes: FIXES,
        stimulus: siblings,
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "DUP-007",
        title: "the same CDR again with a corrected balance or rate, and with a later time",
        severity: Severity::Should,
        observability: Observability::Effects,
        source: "piopiy docs: CDR webhook, balance",
        why: "A correction is the same record: counted as a second one, the call is billed twice.",
        fixes: FIXES,
        stimulus: |composer| {
            let cdrs = |composer: &mut Composer| {
                composer.kinds().into_iter().filter(|(_, payload)| payload.is_cdr()).collect::<Vec<_>>()
            };
            let (balance, rate, time) = (cdrs(composer), cdrs(composer), cdrs(composer));
            let cdr = composer.cdr().with("balance", "\"41.250000\"");
            let corrected = cdr.clone().with("balance", "\"40.750000\"");
            let case = Case::new("a balance, looked at in between").send(&composer.post(&cdr));
            let looked_at = case.send_after_glance(&composer.post(&corrected)).expect(&cdr, Count::Once);
            let balance = balance.into_iter().map(|(name, cdr)| {
                again_with(composer, (name, "a balance"), cdr, "balance", ["\"41.250000\"", "\"40.750000\""])
            });
            let time = time.into_iter().map(|(name, cdr)| {
                again_with(composer, (name, "a time"), cdr, "time", ["1767225600000", "1767225661000"])
            });
            let rate = rate.into_iter().map(|(name, cdr)| {
                again_with(composer, (name, "a rate"), cdr, "call_rate", ["\"0.450000\"", "\"0.500000\""])
            });
            balance.chain(rate).chain(time).chain([looked_at]).collect()
        },
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    lasting::RESTART,
    lasting::SECOND_INSTANCE,
    Check {
        id: "DUP-010",
        title: "the same bytes while the first are still being worked on",
        observability: Observability::Partly,
        source: "piopiy docs: a CDR is sent up to four times in 30 minutes",
        why: "What takes long is sent again meanwhile; work that began twice is done twice.",
        fixes: FIXES,
        stimulus: meanwhile,
        judge: criteria::acknowledged,
        ..Check::BASE
    },
    Check {
        id: "DUP-011",
        title: "the answer to a duplicate",
        source: "piopiy docs: whatever is not answered with 2xx is sent again",
        why: "A 409 for what is known already tells the platform that it failed, and it sends it again.",
        fixes: FIXES,
        stimulus: |composer| {
            let cdr = composer.cdr();
            let event = composer.payload("live.stream_connected");
            let thrice = |name: &str, payload: &Payload| {
                let request = composer.post(payload);
                Case::new(name).send(&request).send(&request).send(&request)
            };
            vec![thrice("a CDR", &cdr), thrice("a live event", &event)]
        },
        judge: every_one_acknowledged,
        ..Check::BASE
    },
    horizon::SEARCH,
    memory::MEMORY,
];

/// The same record twice, with one member corrected.
fn again_with(
    composer: &Composer,
    (name, what): (&str, &str),
    cdr: Payload,
    key: &str,
    [first, then]: [&str; 2],
) -> Case {
    let cdr = cdr.with(key, first);
    let corrected = cdr.clone().with(key, then);
    let case = Case::new(format!("{name}, {what}")).send(&composer.post(&cdr));
    case.send(&composer.post(&corrected)).expect(&cdr, Count::Once)
}

/// All but the last byte is sent before, so that the copies arrive within microseconds.
fn at_once(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for copies in [2, 2, 2, 4, 8, 32] {
        let cdr = composer.cdr();
        let name = format!("{copies} copies, try {}", cases.len() + 1);
        cases.push(copies_at_once(composer, name, &cdr, copies));
    }
    for (name, payload) in composer.forms() {
        cases.push(copies_at_once(composer, format!("8 copies of {name}"), &payload, 8));
    }
    let cdr = composer.cdr();
    let two = copies_at_once(composer, "2 copies, and another later".to_owned(), &cdr, 2);
    cases.push(two.send_after_glance(&composer.post(&cdr)));
    cases
}

fn copies_at_once(composer: &Composer, name: String, payload: &Payload, copies: usize) -> Case {
    let request = composer.post(payload);
    let last = request.bytes().len() - 1;
    let script = Script::default().request_around(&request, last, Action::Barrier).answered();
    Case::new(name).scripts(vec![script; copies]).expect_call([payload])
}

/// The same members, from the last to the first, one a line; and the same header lines the other way round.
fn written_otherwise(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for name in ["key order", "white space", "header order"] {
        let cdr = composer.cdr();
        cases.push(again_otherwise(composer, name.to_owned(), name, &cdr));
    }
    for (kind, payload) in composer.kinds() {
        cases.push(again_otherwise(composer, format!("all three, {kind}"), "all three", &payload));
    }
    let cdr = composer.cdr();
    let first = Case::new("all three, looked at in between").send(&composer.post(&cdr));
    let again = otherwise(composer, "all three", &cdr);
    cases.push(first.send_after_glance(&again).expect_call([&cdr]));
    cases
}

fn again_otherwise(composer: &Composer, name: String, what: &str, payload: &Payload) -> Case {
    let again = otherwise(composer, what, payload);
    Case::new(name).send(&composer.post(payload)).send(&again).expect_call([payload])
}

fn otherwise(composer: &Composer, what: &str, payload: &Payload) -> Request {
    let mut other = payload.clone();
    if let Some(webhook) = payload.webhook() {
        let mut members: Vec<String> =
            webhook.members().iter().map(|(key, value)| member(key, value.as_json())).collect();
        if matches!(what, "key order" | "all three") {
            members.reverse();
        }
        let spread = matches!(what, "white space" | "all three");
        let (open, between, close) = if spread { ("{\n  ", ",\r\n\t", "\n}\n") } else { ("{", ",", "}") };
        other = other.of_bytes(format!("{open}{}{close}", members.join(between)));
    }
    let again = composer.post(&other);
    if matches!(what, "header order" | "all three") { again.lines_reversed() } else { again }
}

fn member(key: &str, json: &str) -> String {
    format!("{}: {json}", piopiy_events::Raw::string(key).as_json())
}

fn twins(composer: &mut Composer) -> Vec<Case> {
    let cdr = composer.cdr();
    let ids = |payload: &Payload| piopiy_events::Raw::string(&payload.cmiuuid).as_json().to_owned();
    let mut twin = composer.cdr();
    let own = ids(&twin);
    let mut bytes = cdr.clone().with("cmiuuid", &own);
    if cdr.webhook().is_some_and(|webhook| webhook.get("conversation_uuid").is_some()) {
        bytes = bytes.with("conversation_uuid", &own);
    }
    twin = twin.of_bytes(bytes.bytes);
    let case = Case::new("").send(&composer.post(&cdr)).send(&composer.post(&twin));
    vec![case.expect(&cdr, Count::Once).expect(&twin, Count::Once)]
}

fn siblings(composer: &mut Composer) -> Vec<Case> {
    // Both with the same numbers and ids: only the leg, the outcome or the time differs.
    let pair = |composer: &mut Composer, name: &str, cdr: Payload, key: &str, value: &str| {
        let sibling = composer.cdr();
        let mut sibling = Payload { cmiuuid: cdr.cmiuuid.clone(), bytes: cdr.bytes.clone(), ..sibling };
        sibling = sibling.with(key, value);
        let case = Case::new(name).send(&composer.post(&cdr)).send(&composer.post(&sibling));
        case.expect_call([&cdr, &sibling])
    };
    let leg_a = composer.payload_of("cdr.inbound.missed", Some("a"), Some(CallDirection::Inbound));
    let legs = pair(composer, "leg a and leg b", leg_a, "leg", "\"b\"");
    let missed = composer.cdr();
    let outcomes = pair(composer, "missed and answered", missed, "status", "\"answered\"");
    let connected = composer.payload("live.stream_connected");
    let time = connected.webhook().and_then(|webhook| webhook.get("time")?.as_json().parse::<u64>().ok());
    let later = (time.unwrap_or(1_767_225_600_000) + 61_000).to_string();
    let streams = pair(composer, "a second stream", connected, "time", &later);
    // A column of whole seconds, which a database may have by default, makes one of these two.
    let second = (time.unwrap_or(1_767_225_600_000) / 1_000) * 1_000;
    let early = composer.payload("live.stream_connected").with("time", &(second + 100).to_string());
    let soon = (second + 400).to_string();
    let reconnected = pair(composer, "a second stream within a second", early, "time", &soon);
    let disconnected = composer.payload("live.stream_disconnected").with("time", &second.to_string());
    let ends = pair(composer, "the ends of two streams", disconnected, "time", &later);
    let start = composer.live().with("leg", "\"a\"");
    let events = pair(composer, "a live event of leg a and of leg b", start, "leg", "\"b\"");
    vec![legs, outcomes, streams, reconnected, ends, events]
}

fn meanwhile(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for after in [1, 2, 5, 20, 100].map(Duration::from_millis) {
        let cdr = composer.cdr();
        let request = composer.post(&cdr);
        let first = Script::default().request(&request).answered();
        let second = Script::default().act(Action::Pause(after)).request(&request).answered();
        let name = format!("the second {after:?} after the first");
        cases.push(Case::new(name).scripts(vec![first, second]).expect(&cdr, Count::Once));
    }
    let cdr = composer.cdr();
    let request = composer.post(&cdr);
    let script = Script::default().request(&request).answered();
    let both = Case::new("both at once, and another later").scripts(vec![script; 2]);
    cases.push(both.send_after_glance(&request).expect(&cdr, Count::Once));
    cases
}

fn every_one_acknowledged(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        criteria::every_answer(case, &mut findings, "2xx", Answer::is_2xx);
    }
    findings
}
