//! ORD: order of webhooks. What is right follows from the set of webhooks, as the model has it.

mod orders;

use std::time::Duration;

use piopiy_events::StatusKind;

use super::{
    Case, Check, Composer, Count, Fixes, Observability, Payload, Severity, Step, Tag, Time, criteria,
};

const FIXES: Fixes = Fixes {
    axum: "Keep every webhook as a row, and derive the state of a call from all its rows (`piopiy_events::CallState`); never store \"the last status\".",
    express: "Keep every webhook as a row, and derive the state of a call from all its rows when it is asked for: a CDR of leg a ends it, whatever comes later.",
    flask: "Keep every webhook as a row, and derive the state of a call from all its rows when it is asked for: a CDR of leg a ends it, whatever comes later.",
};

const SOURCE: &str = "piopiy docs: live events and CDRs are requests of their own, sent again up to 30 minutes later; no page promises an order";

const ORD: Check = Check {
    observability: Observability::Effects,
    source: SOURCE,
    fixes: FIXES,
    judge: criteria::acknowledged_and_settled,
    ..Check::BASE
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "ORD-001",
        title: "whole calls, in the order in which things happen, and some that are not over",
        why: "Where even the plain order ends in another state, every report on answered and missed calls is wrong.",
        stimulus: |composer| {
            let names = ["inbound-answered", "inbound-missed", "inbound-bridged", "outbound-streamed"];
            let whole = names.map(|name| in_order(composer, name, name, |_| {}));
            whole.into_iter().chain(open_calls(composer)).collect()
        },
        ..ORD
    },
    Check {
        id: "ORD-002",
        title: "the CDR before the last live event",
        why: "A late live event that opens the call again leaves it open for ever: nothing comes after it.",
        stimulus: |composer| {
            let early = |payloads: &mut Vec<Payload>| {
                let last = payloads.len() - 1;
                payloads.swap(last - 1, last);
            };
            vec![
                in_order(composer, "inbound-answered", "the CDR before the hang-up", early),
                in_order(composer, "inbound-answered", "the CDR before the answer", |all| all.rotate_left(1)),
                in_order(composer, "inbound-streamed", "the CDR first", |all| all.rotate_right(1)),
                in_order(composer, "inbound-streamed", "the begin of the stream last", |all| {
                    all.sort_by_key(|it| has_status(it, &StatusKind::StreamConnected));
                }),
                in_order(
                    composer,
                    "inbound-streamed",
                    "the begin of the stream last, and no end of it",
                    |all| {
                        all.retain(|it| !has_status(it, &StatusKind::StreamDisconnected));
                        all.sort_by_key(|it| has_status(it, &StatusKind::StreamConnected));
                    },
                ),
                hung_up_after_the_cdr(composer),
                in_order(composer, "inbound-missed", "the CDRs before the start", |all| all.rotate_left(1)),
            ]
        },
        ..ORD
    },
    Check {
        id: "ORD-003",
        title: "hang-up before answered, answered before started",
        observability: Observability::Partly,
        why: "Requests overtake one another; a state machine that knows one order refuses the others, and they are sent in vain.",
        stimulus: |composer| {
            vec![
                in_order(composer, "inbound-answered", "hang-up, answered, CDR", |all| all.swap(0, 1)),
                in_order(composer, "inbound-answered", "hang-up, answered, and no CDR", |all| {
                    all.swap(0, 1);
                    all.truncate(2);
                }),
                in_order(composer, "outbound-answered", "answered, started", |all| all.swap(0, 1)),
                in_order(composer, "inbound-streamed", "goes on: the end of the stream, its begin", |all| {
                    all.retain(|it| !ends_it(it));
                    all.sort_by_key(|it| has_status(it, &StatusKind::StreamConnected));
                }),
            ]
        },
        ..ORD
    },
    Check {
        id: "ORD-004",
        title: "five webhooks of a call in all 120 orders",
        why: "The same webhooks have to say the same about a call; what depends on the order is wrong in some of them.",
        stimulus: orders::permutations,
        ..ORD
    },
    Check {
        id: "ORD-005",
        title: "leg b before leg a",
        severity: Severity::Should,
        why: "Both legs are one call: a leg that nobody picked up must not make an answered call a missed one.",
        stimulus: leg_b_first,
        ..ORD
    },
    Check {
        id: "ORD-006",
        title: "live events of a call that was never seen",
        observability: Observability::Partly,
        why: "The start may be lost, or come later; who answers 404 or 500 gets the same event again and again.",
        stimulus: orphans,
        judge: criteria::acknowledged,
        ..ORD
    },
    Check {
        id: "ORD-007",
        title: "only the CDR, or with the hang-up, and no other live event",
        severity: Severity::Should,
        why: "Live events are not sent where they are not asked for, and get lost; the CDR says all that is billed.",
        stimulus: |composer| {
            // Leg b's alone would leave open where the call stands.
            let only = |payloads: &mut Vec<Payload>| payloads.retain(|it| it.is_cdr() && !it.is_leg_b());
            let mut cases: Vec<Case> = ["inbound-answered", "inbound-missed", "outbound-answered"]
                .map(|name| in_order(composer, name, name, only))
                .into();
            cases.push(in_order(composer, "inbound-answered", "the hang-up and the CDR", |all| {
                drop(all.drain(..all.len() - 2));
            }));
            cases.push(in_order(composer, "inbound-answered", "answered, and of no second", |all| {
                drop(all.drain(..all.len() - 1));
                for cdr in all {
                    *cdr = cdr.clone().with("duration", "0");
                }
            }));
            cases
        },
        ..ORD
    },
    Check {
        id: "ORD-008",
        title: "100 calls interleaved, each in its order",
        why: "A \"current call\" in a variable is the call of whichever request came last.",
        stimulus: orders::interleaved,
        ..ORD
    },
    Check {
        id: "ORD-009",
        title: "100 calls interleaved, each out of order within 30 seconds",
        why: "Under load many requests are on their way at the same time, and arrive as the network likes.",
        stimulus: orders::interleaved_out_of_order,
        ..ORD
    },
    Check {
        id: "ORD-010",
        title: "different webhooks with one and the same time, ten times",
        severity: Severity::Should,
        why: "Sorting by time leaves ties to chance: the same call is answered in one report and open in the next.",
        stimulus: orders::equal_times,
        ..ORD
    },
    Check {
        id: "ORD-011",
        title: "a live event 31 minutes and 24 hours behind the others",
        severity: Severity::Should,
        why: "After an outage old webhooks arrive last. Refused, they come again; believed, they open calls that are over.",
        tags: &[Tag::Time],
        stimulus: late,
        ..ORD
    },
];

/// Calls that nothing has ended.
fn open_calls(composer: &mut Composer) -> Vec<Case> {
    type Keep = fn(&Payload) -> bool;
    let calls: [(&str, &str, Keep); 5] = [
        ("outbound-answered", "it has begun", |it| has_status(it, &StatusKind::Started)),
        ("outbound-answered", "it is answered", |it| !ends_it(it)),
        ("inbound-bridged", "leg b is over", |it| !ends_it(it)),
        ("inbound-streamed", "the stream is over", |it| !ends_it(it)),
        ("inbound-streamed", "a stream is open", |it| {
            !ends_it(it) && !has_status(it, &StatusKind::StreamDisconnected)
        }),
    ];
    let case = |(scenario, what, keep): (&str, &str, Keep)| {
        in_order(composer, scenario, &format!("goes on: {what}"), |all| all.retain(keep))
    };
    calls.map(case).into()
}

/// Leg a's end is that of the call.
fn ends_it(payload: &Payload) -> bool {
    !payload.is_leg_b() && (payload.is_cdr() || has_status(payload, &StatusKind::Hangup))
}

fn has_status(payload: &Payload, status: &StatusKind<'_>) -> bool {
    payload.identity().is_some_and(|identity| StatusKind::of(identity.status()) == *status)
}

/// A call that nobody answered: that it was hung up, told late, makes it no answered one.
fn hung_up_after_the_cdr(composer: &mut Composer) -> Case {
    let cdr = composer.cdr();
    let id = format!("\"{}\"", cdr.cmiuuid);
    let cdr = cdr.with("conversation_uuid", &id);
    let name = if composer.has("live.in_hangup") { "live.in_hangup" } else { "live.hangup" };
    let hang_up = composer.payload_of(name, Some("a"), None).with_cmiuuid(&cdr.cmiuuid);
    let hang_up = hang_up.with("conversation_uuid", &id);
    one_by_one(composer, "the hang-up of a missed call after its CDR", &[cdr, hang_up])
}

/// One call of a scenario, one webhook after another, each on a connection of its own.
fn in_order(
    composer: &mut Composer,
    scenario: &str,
    name: &str,
    arrange: impl FnOnce(&mut Vec<Payload>),
) -> Case {
    let (_, mut payloads) = composer.call(scenario);
    arrange(&mut payloads);
    one_by_one(composer, name, &payloads)
}

fn one_by_one(composer: &Composer, name: &str, payloads: &[Payload]) -> Case {
    let case = Case::new(name).expect_call(payloads);
    payloads.iter().fold(case, |case, payload| case.send(&composer.post(payload)))
}

fn leg_b_first(composer: &mut Composer) -> Vec<Case> {
    let (_, mut payloads) = composer.call("inbound-bridged");
    // Stable: each leg stays in its order.
    payloads.sort_by_key(|payload| !payload.is_leg_b());
    let all = one_by_one(composer, "all of leg b, then all of leg a", &payloads);
    // Nobody picked leg b up, and its CDR comes last.
    let (_, payloads) = composer.call("inbound-bridged");
    let (b, a): (Vec<Payload>, Vec<Payload>) = payloads.into_iter().partition(Payload::is_leg_b);
    let started = b.first().cloned();
    let missed = b.into_iter().find(Payload::is_cdr).map(|cdr| cdr.with("status", "\"missed\""));
    let payloads: Vec<Payload> = started.into_iter().chain(a).chain(missed).collect();
    let mut cases = vec![all, one_by_one(composer, "a missed leg b around an answered leg a", &payloads)];
    // Legs of an outbound call have a cmiuuid each, and one conversation_uuid.
    cases.push(in_order(composer, "outbound-bridged", "two cmiuuids, all of leg b first", |all| {
        all.sort_by_key(|payload| !payload.is_leg_b());
    }));
    cases.push(in_order(
        composer,
        "outbound-bridged",
        "two cmiuuids, leg a's CDR before leg b is bridged",
        |all| {
            all.sort_by_key(|it| (it.is_leg_b(), !it.is_cdr()));
        },
    ));
    cases.push(in_order(composer, "outbound-bridged", "two cmiuuids, the CDRs, leg b's first", |all| {
        all.retain(Payload::is_cdr);
        all.sort_by_key(|payload| !payload.is_leg_b());
    }));
    cases.push(in_order(composer, "outbound-bridged", "two cmiuuids, the CDRs, leg a's first", |all| {
        all.retain(Payload::is_cdr);
        all.sort_by_key(Payload::is_leg_b);
    }));
    cases
}

fn orphans(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    for (scenario, from_end) in [("inbound-answered", 2), ("inbound-bridged", 4), ("inbound-streamed", 3)] {
        let (call, payloads) = composer.call(scenario);
        let at = payloads.len() - from_end;
        let name = format!("{scenario}: {} alone", call.webhooks[at].name);
        let case = Case::new(name).send(&composer.post(&payloads[at]));
        cases.push(case.expect(&payloads[at], Count::AtMostOnce));
    }
    cases
}

/// Time passes for a receiver that goes by the times in the payloads; by its own clock it passes too where that can be
/// moved, or for the shorter of the two where it is waited for.
fn late(composer: &mut Composer) -> Vec<Case> {
    const MINUTE_MS: u64 = 60_000;
    const MOST_WAITED_MS: u64 = 60 * MINUTE_MS;
    let mut cases = Vec::new();
    for (name, behind) in [("31 minutes", 31 * MINUTE_MS), ("24 hours", 24 * 60 * MINUTE_MS)] {
        let (call, mut payloads) = composer.call("inbound-answered");
        let late = payloads.remove(0);
        let ends = call.webhooks.last().map_or(0, |webhook| webhook.at_ms);
        let now = crate::plan::PlanOptions::default().epoch_ms + ends + behind;
        let other = composer.cdr().with("time", &now.to_string());
        payloads.push(other);
        let case = one_by_one(composer, name, &payloads);
        let passes = match composer.sources.time {
            Time::Stands => false,
            Time::Real => behind <= MOST_WAITED_MS,
            Time::Clock => true,
        };
        let elapse = Step::Elapse(Duration::from_millis(behind));
        let case = if passes { case.step(Step::Look).step(elapse) } else { case };
        cases.push(case.send(&composer.post(&late)).expect_call([&late]));
    }
    cases.push(long_call(composer, 40 * MINUTE_MS));
    cases
}

/// The answer of a call that took so much longer comes last.
fn long_call(composer: &mut Composer, longer_ms: u64) -> Case {
    let later = |payload: Payload, (key, by): (&str, u64)| {
        let number = payload.webhook().and_then(|webhook| webhook.get(key)?.plain().parse::<u64>().ok());
        match number {
            Some(number) => payload.with(key, &(number + by).to_string()),
            None => payload,
        }
    };
    let ended_later = |payload: &Payload| {
        let of_cdr = [("end_time", longer_ms / 1_000), ("duration", longer_ms / 1_000)];
        let moved: &[_] = if payload.is_cdr() { &of_cdr } else { &[("time", longer_ms)] };
        moved.iter().copied().fold(payload.clone(), later)
    };
    in_order(composer, "inbound-answered", "within a call of 40 minutes", |all| {
        let answered = all.remove(0);
        *all = all.iter().map(ended_later).chain([answered]).collect();
    })
}
