//! A receiver that is started again, has no room left, or another clock.

use super::super::{
    Answer, Case, Check, Composer, Count, Evidence, Findings, Fixes, Hook, Need, Observability, Script,
    Severity, Signal, Step, criteria, rty,
};

pub(super) const RESTART: Check = Check {
    id: "AVL-003",
    title: "from the start of the process to the first acknowledgement",
    severity: Severity::Should,
    needs: &[Need::Process],
    source: "piopiy docs: what is not acknowledged is sent again after 5 minutes, and three times at most",
    why: "A receiver that takes minutes to start is away for a round of the schedule at each deployment.",
    fixes: Fixes::all(
        "Listen first, and answer 503 until the store is open; run migrations and load caches beside, or before the old process is ended.",
    ),
    stimulus: |composer| {
        let (away, back) = (plain(composer), plain(composer));
        let case = Case::new("the first webhook").step(Step::Stop(Signal::Terminate)).script(away);
        let case = case.step(Step::Start).script(back);
        vec![case.may_start_late().may_be_silent().may_overload()]
    },
    then: Some(|composer, evidence| {
        let tries = evidence.terms.start_limit.as_millis() / pause(composer).as_millis().max(1);
        if is_ready(evidence) || evidence.cases.len() as u128 > tries {
            return Vec::new();
        }
        let pause = Step::Pause(pause(composer));
        let case = Case::new(format!("try {}", evidence.cases.len() + 1)).step(pause);
        vec![case.script(plain(composer)).may_start_late().may_be_silent().may_overload()]
    }),
    judge: ready_in_time,
    ..Check::BASE
};

fn plain(composer: &mut Composer) -> Script {
    let cdr = composer.cdr();
    Script::default().request(&composer.post(&cdr)).answered()
}

/// Half a second of the half minute.
fn pause(composer: &Composer) -> std::time::Duration {
    composer.sources.start_limit / 60
}

fn is_ready(evidence: &Evidence<'_>) -> bool {
    let last = evidence.cases.last().and_then(|case| case.transcripts().last());
    last.and_then(|transcript| transcript.answer(0)).is_some_and(Answer::is_2xx)
}

fn ready_in_time(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let Some(first) = evidence.cases.first() else { return findings };
    let away = first.transcripts().next();
    if away.and_then(|transcript| transcript.answer(0)).is_some_and(Answer::is_2xx) {
        findings
            .inconclusive("", "its process has ended, and webhooks are acknowledged: something else listens");
        return findings;
    }
    let limit = evidence.terms.start_limit;
    match first.starts.first() {
        Some(took) if *took > limit => {
            findings.fail("", format!("it listened {took:.1?} after its start, limit {limit:.1?}"));
        }
        _ if first.error.is_some() => {}
        _ if !is_ready(evidence) => {
            let last = evidence.cases.last().and_then(|case| case.transcripts().last());
            let outcome = last.map(super::super::Transcript::outcome).unwrap_or_default();
            findings.fail("", format!("{limit:.1?} after its start no webhook is acknowledged: {outcome}"));
        }
        Some(took) => findings.note(format!("it listened {took:.1?} after its start")),
        None => {}
    }
    findings
}

pub(super) const DISK_FULL: Check = Check {
    id: "AVL-005",
    title: "a webhook while there is no room left in the store",
    severity: Severity::Should,
    observability: Observability::Effects,
    needs: &[Need::Hook(Hook::DiskFull)],
    source: "piopiy docs: what is not answered with 2xx is sent again; RFC 9110 §15.6.4",
    why: "A full disk is found out in the morning; what was answered 200 until then never comes again.",
    fixes: Fixes::all(
        "Answer 503 with `Retry-After` where the commit fails; never 200 from a catch-all. Watch the free space.",
    ),
    stimulus: |composer| vec![rty::outage(composer, Hook::DiskFull)],
    judge: rty::no_store,
    ..Check::BASE
};

pub(super) const CLOCK: Check = Check {
    id: "AVL-006",
    title: "duplicates and order while the clock jumps by an hour, there and back",
    severity: Severity::May,
    observability: Observability::Effects,
    needs: &[Need::Hook(Hook::Clock)],
    source: "good practice: what has happened does not depend on what time it is",
    why: "Clocks are put right, and hosts wake from sleep: what was remembered until then must not be forgotten, nor later webhooks be taken for old.",
    fixes: Fixes::all(
        "Know duplicates by their identity and not by when they came; order a call by the times in its webhooks; measure time to live with a monotonic clock.",
    ),
    stimulus: |composer| {
        [("an hour ahead", 3_600), ("an hour behind", -3_600)]
            .map(|(name, offset)| jump(composer, name, offset))
            .into()
    },
    judge: criteria::acknowledged_and_settled,
    ..Check::BASE
};

/// One call over both jumps, and a webhook before them and one between, each sent again at every time of day.
fn jump(composer: &mut Composer, name: &str, offset: i64) -> Case {
    let (_, call) = composer.call("inbound-answered");
    let (before, meanwhile) = (composer.cdr(), composer.cdr());
    let third = call.len().div_ceil(3);
    let mut parts = call.chunks(third).map(<[_]>::to_vec);
    let mut sent = vec![before.clone()];
    let mut case = Case::new(name);
    for (clock, fresh) in [(None, None), (Some(offset), Some(&meanwhile)), (Some(0), None)] {
        if let Some(clock) = clock {
            case = case.step(Step::Look).step(Step::Clock(clock));
        }
        sent.extend(fresh.cloned());
        sent.extend(parts.next().unwrap_or_default());
        for payload in &sent {
            case = case.send(&composer.post(payload));
        }
    }
    case.expect(&before, Count::Once).expect(&meanwhile, Count::Once).expect_call(&call)
}
