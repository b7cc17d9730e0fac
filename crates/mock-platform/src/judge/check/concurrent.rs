//! CON: concurrency and load.

mod after;
mod soak;

use std::time::Duration;

use super::{
    Action, Case, CaseEvidence, Check, Composer, Count, Evidence, Findings, Fixes, Observability, Script,
    Severity, Step, Tag, criteria, lat,
};

const FIXES: Fixes = Fixes {
    axum: "A bounded queue to one writer that commits in batches; `503` with `Retry-After` when it is full. Raise `ulimit -n`.",
    express: "A pool of connections to the store with a bound, and `503` with `Retry-After` beyond; listen with a backlog of 1,024.",
    flask: "gunicorn with threads and `--backlog 1024`, a pool of connections to the store, `503` with `Retry-After` beyond.",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CON-001",
        title: "1 to 512 connections at once, each with a call of its own",
        observability: Observability::Partly,
        tags: &[Tag::Load],
        source: "RFC 9110 §15.6.4; RFC 6585 §4",
        why: "A receiver that is asked too much may say so; what it has acknowledged it must keep, and still know when the crowd is over.",
        fixes: FIXES,
        stimulus: |composer| {
            let mut cases: Vec<Case> = [1, 8, 64].map(|count| at_once(composer, count)).into();
            cases.push(between_repeats(composer, 512));
            cases
        },
        judge: |evidence| {
            let mut findings = nothing_lost(evidence);
            // A variable that they share holds whatever came last.
            for case in evidence.cases {
                criteria::uncorrupted(case, &mut findings);
            }
            findings
        },
        ..Check::BASE
    },
    Check {
        id: "CON-002",
        title: "50 webhooks a second for a minute, whatever the answers do",
        severity: Severity::Should,
        observability: Observability::Partly,
        tags: &[Tag::Soak, Tag::Load],
        source: "good practice: arrivals wait for nobody",
        why: "Calls end when they end. A receiver that is a little too slow falls behind more with every second.",
        fixes: FIXES,
        stimulus: |composer| {
            let seconds = composer.sources.slow_limit;
            vec![arrivals(composer, 50, seconds)]
        },
        judge: |evidence| {
            let mut findings = criteria::acknowledged(evidence);
            findings.extend(lat::within(evidence, evidence.terms.ack_limit, |_| true));
            generator_kept_up(evidence, &mut findings);
            findings
        },
        ..Check::BASE
    },
    Check {
        id: "CON-003",
        title: "100, 200, 400, 800 webhooks a second, until it is too much",
        severity: Severity::May,
        observability: Observability::Partly,
        tags: &[Tag::Load],
        source: "RFC 9110 §15.6.4; RFC 6585 §4",
        why: "Every receiver has an end; beyond it there should be 503 or 429, and nothing lost.",
        fixes: FIXES,
        stimulus: |composer| vec![step(composer, RATES[0])],
        then: Some(|composer, evidence| {
            let next = RATES.get(evidence.cases.len()).filter(|_| evidence.cases.iter().all(is_borne));
            next.map(|rate| step(composer, *rate)).into_iter().collect()
        }),
        judge: |evidence| {
            let mut findings = nothing_lost(evidence);
            findings.note(safe_capacity(evidence));
            findings
        },
        ..Check::BASE
    },
    after::BURST,
    Check {
        id: "CON-005",
        title: "two webhooks of one call at the same instant",
        observability: Observability::Effects,
        source: "piopiy docs: each leg and each change of a call is a webhook of its own",
        why: "Read, change and write back, done twice at once, loses one of the changes.",
        fixes: Fixes::all(
            "Insert a row for each webhook, and derive the call from them; or update under a lock or in a transaction that is tried again.",
        ),
        stimulus: |composer| {
            // Each kind once by itself: a receiver that keeps it then has to keep it beside the other, too.
            let mut cases: Vec<Case> = Vec::new();
            for n in 0..2 {
                let (_, payloads) = composer.call("inbound-answered");
                let alone = payloads.into_iter().nth(n);
                cases.extend(alone.map(|alone| {
                    let case = Case::new(format!("number {} alone", n + 1));
                    case.send(&composer.post(&alone)).expect(&alone, Count::AtMostOnce)
                }));
            }
            cases.extend((1..=5).map(|attempt| {
                let (_, payloads) = composer.call("inbound-answered");
                let pair: Vec<_> = payloads.into_iter().take(2).collect();
                let scripts = pair.iter().map(|payload| {
                    let request = composer.post(payload);
                    let last = request.bytes().len() - 1;
                    Script::default().request_around(&request, last, Action::Barrier).answered()
                });
                Case::new(format!("try {attempt}")).scripts(scripts.collect()).expect_call(&pair)
            }));
            cases
        },
        judge: criteria::acknowledged_and_settled,
        ..Check::BASE
    },
    soak::SOAK,
    after::OUTAGE,
];

/// Webhooks a second.
const RATES: [u32; 4] = [100, 200, 400, 800];

/// Whether every webhook was acknowledged within a second.
fn is_borne(case: &CaseEvidence) -> bool {
    case.transcripts().all(|transcript| {
        transcript.answer(0).is_some_and(super::Answer::is_2xx)
            && transcript.latency(0).is_some_and(|took| took < Duration::from_secs(1))
    })
}

/// The highest rate at which every webhook was acknowledged within a second.
fn safe_capacity(evidence: &Evidence<'_>) -> String {
    let borne = evidence.cases.iter().take_while(|case| is_borne(case)).count();
    match borne.checked_sub(1).and_then(|last| RATES.get(last)) {
        Some(rate) if borne == RATES.len() => format!("safe capacity: at least {rate} requests/s"),
        Some(rate) => format!("safe capacity: {rate} requests/s"),
        None => format!("safe capacity: less than {} requests/s", RATES[0]),
    }
}

fn at_once(composer: &mut Composer, count: usize) -> Case {
    let mut case = Case::new(format!("{count} at once")).may_overload();
    let mut scripts = Vec::with_capacity(count);
    for _ in 0..count {
        let cdr = composer.cdr();
        let request = composer.post(&cdr);
        let last = request.bytes().len() - 1;
        scripts.push(Script::default().request_around(&request, last, Action::Barrier).answered());
        case = case.expect(&cdr, Count::Once);
    }
    case.scripts(scripts)
}

/// With a webhook before them that comes again behind them: it must not have been crowded out of what is remembered.
fn between_repeats(composer: &mut Composer, count: usize) -> Case {
    let crowd = at_once(composer, count);
    let cdr = composer.cdr();
    let script = Script::default().request(&composer.post(&cdr)).answered();
    let mut case = Case::new(crowd.name).may_overload().script(script.clone());
    case.steps.extend(crowd.steps);
    case.expected = crowd.expected;
    case.step(Step::Glance).script(script).expect(&cdr, Count::Once)
}

fn step(composer: &mut Composer, rate: u32) -> Case {
    arrivals(composer, rate, Duration::from_millis(500)).may_overload()
}

/// Arrivals of a Poisson process, `rate` a second, each on a connection of its own.
fn arrivals(composer: &mut Composer, rate: u32, span: Duration) -> Case {
    let mut case = Case::new(format!("{rate} a second"));
    let mut scripts = Vec::new();
    let mut at = Duration::ZERO;
    let mut state = composer.key() | 1;
    loop {
        // xorshift64 (Marsaglia 2003); the gaps are exponential.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let uniform = ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        at += Duration::from_secs_f64(-uniform.ln() / f64::from(rate));
        if at > span {
            return case.scripts(scripts);
        }
        let cdr = composer.cdr();
        scripts.push(Script::default().request(&composer.post(&cdr)).answered().arriving_after(at));
        case = case.expect(&cdr, Count::Once);
    }
}

/// Every webhook is acknowledged, or put off with 503 or 429; what is acknowledged is there once.
fn nothing_lost(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        let name = &case.case.name;
        for transcript in case.transcripts().filter(|transcript| !transcript.requests.is_empty()) {
            match transcript.answer(0) {
                Some(answer) if answer.is_2xx() => {}
                Some(answer) if matches!(answer.status, 429 | 503) => {
                    if answer.header("Retry-After").is_none() {
                        findings.warn(name, format!("the {} answer has no Retry-After", answer.status));
                    }
                }
                Some(answer) => {
                    findings.fail(name, format!("answered {}, expected 2xx, or 503", answer.status));
                }
                None if transcript.timed_out => {}
                None if is_own_limit(transcript.connect_error.as_deref()) => {
                    findings.inconclusive(name, "this side may not open so many files (ulimit -n)");
                }
                // A backlog that was full for a moment, on a machine that has other things to do.
                None => {
                    findings
                        .fail_if_repeated(name, format!("{}, expected 2xx, or 503", transcript.outcome()));
                }
            }
        }
    }
    findings
}

fn is_own_limit(error: Option<&str>) -> bool {
    error.is_some_and(|error| {
        error.contains("Too many open files") || error.contains("Cannot assign requested")
    })
}

/// What this side sends late says nothing about the receiver.
fn generator_kept_up(evidence: &Evidence<'_>, findings: &mut Findings) {
    const LATE: Duration = Duration::from_millis(500);
    for case in evidence.cases {
        let scripts = case.case.steps.iter().filter_map(|step| match step {
            Step::Connections(scripts) => Some(scripts),
            _ => None,
        });
        let planned = scripts.flatten().filter_map(|script| script.arrives_after);
        let late = planned.zip(case.transcripts()).filter(|(planned, transcript)| {
            let sent = transcript.sent_at.first();
            transcript.connect_error.is_none() && sent.is_some_and(|sent| *sent > *planned + LATE)
        });
        let late = late.count();
        if late > 0 {
            findings
                .inconclusive(&case.case.name, format!("{late} webhooks were sent more than {LATE:?} late"));
        }
    }
}
