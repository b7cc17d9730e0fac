//! What becomes of webhooks when the receiver's process ends in the middle.

use std::time::Duration;

use super::super::{
    Action, Case, CaseEvidence, Check, Composer, Count, Discrepancy, DiscrepancyKind, End, Evidence,
    Findings, Need, Observability, Payload, Script, Seen, Severity, Signal, Step, criteria,
};
use super::RTY;
use crate::judge::Effect;

pub(in super::super) const KILLED_AFTER_ACK: Check = Check {
    id: "RTY-005",
    title: "SIGKILL right after the acknowledgement",
    observability: Observability::Effects,
    needs: &[Need::Process],
    why: "200 means: it is safe, never send it again. What was still in memory is gone with the process.",
    stimulus: killed_after_ack,
    judge: kept,
    ..RTY
};

pub(in super::super) const KILLED_BEFORE_ACK: Check = Check {
    id: "RTY-006",
    title: "SIGKILL after the effect and before the acknowledgement",
    observability: Observability::Effects,
    needs: &[Need::Process],
    why: "The webhook comes again, for nobody answered; if the effect is there and the memory of it is not, it is done twice.",
    stimulus: |composer| kills(composer, 0),
    then: Some(|composer, evidence| {
        let tries = evidence.cases.len() / KILLS;
        let goes_on = evidence.terms.is_observed && tries < MOMENTS.len() && hits(evidence) == 0;
        if goes_on { kills(composer, tries) } else { Vec::new() }
    }),
    judge: once_in_spite_of_the_kill,
    ..RTY
};

pub(in super::super) const TERMINATED: Check = Check {
    id: "RTY-007",
    title: "SIGTERM while requests are in flight",
    severity: Severity::Should,
    observability: Observability::Partly,
    needs: &[Need::Process],
    why: "Every deployment sends SIGTERM; requests that are cut off come again minutes later, or never.",
    stimulus: terminated,
    judge: drained,
    ..RTY
};

/// Webhooks that are acknowledged just before the kill.
const BURST: usize = 20;
/// Kills in one try, each at another moment.
const KILLS: usize = 8;
/// The first of those moments and how far they are apart, in microseconds. Where none was right, others are tried: how long
/// an answer takes depends on the machine.
const MOMENTS: [(u64, u64); 3] = [(500, 700), (850, 1_200), (200, 250)];

fn killed_after_ack(composer: &mut Composer) -> Vec<Case> {
    let mut cases = Vec::new();
    let (cdrs, events) = (burst(composer, true), burst(composer, false));
    let bursts = [("a burst of CDRs", cdrs), ("a burst of live events", events)];
    // Alone, the time between the answer and the kill is shorter.
    let [_, alone @ .., _] = composer.kinds();
    let alone = alone.map(|(name, payload)| (name, vec![payload]));
    for (name, burst) in bursts.into_iter().chain(alone) {
        // One of each kind: it shows that the receiver keeps any of them, and that it does so over the kill.
        let of_cdrs = burst.iter().all(Payload::is_cdr);
        let witnesses = composer.kinds().map(|(_, payload)| payload);
        let witnesses: Vec<_> = witnesses.into_iter().filter(|it| it.is_cdr() == of_cdrs).collect();
        let send = |case: Case| witnesses.iter().fold(case, |case, it| case.send(&composer.post(it)));
        let case = send(Case::new(name));
        // Who writes now and then, and not before the answer, has the witnesses by then.
        let case = case.step(Step::Pause(Duration::from_millis(1_500))).step(Step::Look);
        let scripts = burst.iter().map(|it| Script::default().request(&composer.post(it)).answered());
        let case = case.scripts(scripts.collect()).step(Step::Stop(Signal::Kill)).step(Step::Start);
        // The witnesses come again: who forgot them takes them for new.
        let case = send(case.step(Step::Look));
        cases.push(case.expect_call(witnesses.iter().chain(&burst)));
    }
    cases
}

/// Whether effects that were seen before the kill are there after it; `None` where that was not looked at. Where there were
/// none nothing is taken back: the receiver may have no use for such webhooks, or is behind with its work.
fn lasts(case: &CaseEvidence) -> Option<bool> {
    let [before, after] = case.looks.as_slice() else { return None };
    let is_there = |first: &Effect| after.iter().any(|effect| effect.cmiuuid == first.cmiuuid);
    Some(before.first().is_none_or(is_there))
}

fn kept(evidence: &Evidence<'_>) -> Findings {
    if evidence.cases.iter().all(|case| !matches!(case.seen, Seen::Records(_)) || lasts(case) == Some(true)) {
        let mut findings = criteria::acknowledged(evidence);
        findings.rename(DiscrepancyKind::Lost, DiscrepancyKind::PrematureAck);
        return findings;
    }
    let mut findings = Findings::default();
    for case in evidence.cases {
        let name = &case.case.name;
        let Some(witness) = case.case.expected.first() else { continue };
        let effects = case.effects_of(witness).unwrap_or_default();
        let differs = |kind| Discrepancy::new(kind, criteria::name_of(&witness.payload));
        match effects.iter().filter(|effect| !effect.quarantined).count() {
            0 => {
                let lost = differs(DiscrepancyKind::Lost);
                findings.differs(name, lost, "acknowledged, and no effect before the kill nor after it");
            }
            1 => findings.not_observed(name, "the effects are not shown any more after a restart"),
            _ => {
                let forgotten = differs(DiscrepancyKind::Duplicated);
                findings.differs(name, forgotten, "it had its effect before the kill, and again after it");
            }
        }
    }
    findings
}

/// Kills at moments spread over the time that an answer takes.
fn kills(composer: &mut Composer, tries: usize) -> Vec<Case> {
    let (first, apart) = MOMENTS[tries];
    let mut cases = Vec::new();
    for n in 0..KILLS as u64 {
        let burst = burst(composer, n % 4 != 3);
        let after = Duration::from_micros(first + n * apart);
        let requests: Vec<_> = burst.iter().map(|cdr| composer.post(cdr)).collect();
        let flight = requests.iter().map(|request| Script::default().request(request).answered());
        let again = requests.iter().map(|request| Script::default().request(request).answered());
        let case = Case::new(format!("killed after {after:?}"))
            .step(Step::StopDuring(Signal::Kill, after, flight.collect()))
            .step(Step::Start)
            .step(Step::Look)
            .scripts(again.collect());
        cases.push(case.expect_call(&burst));
    }
    cases
}

/// CDRs, or live events, of all kinds by turns.
fn burst(composer: &mut Composer, of_cdrs: bool) -> Vec<Payload> {
    let mut burst = Vec::new();
    while burst.len() < BURST {
        let kinds = composer.kinds().into_iter().map(|(_, payload)| payload);
        burst.extend(kinds.filter(|payload| payload.is_cdr() == of_cdrs));
    }
    burst.truncate(BURST);
    burst
}

/// Webhooks that had their effect before the kill, and no acknowledgement.
fn hits(evidence: &Evidence<'_>) -> usize {
    let of_case = |case: &CaseEvidence| {
        let flight = case.steps.first()?;
        let unanswered = flight.iter().filter(|transcript| transcript.answers.is_empty());
        let unanswered: Vec<_> = unanswered.flat_map(|it| &it.requests).filter_map(|sent| sent.of).collect();
        let look = case.looks.first()?;
        let has_effect = |id: &str| look.iter().any(|effect| effect.cmiuuid.as_deref() == Some(id));
        let of_those = case.case.expected.iter().filter(|own| unanswered.contains(&own.payload.id));
        Some(of_those.filter(|own| has_effect(&own.payload.cmiuuid)).count())
    };
    evidence.cases.iter().filter_map(of_case).sum()
}

fn once_in_spite_of_the_kill(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        let [_, .., again] = case.steps.as_slice() else { continue };
        for transcript in again {
            if !transcript.answer(0).is_some_and(super::Answer::is_2xx) && !transcript.timed_out {
                let text = format!("sent again after the restart: {}, expected 2xx", transcript.outcome());
                findings.fail(&case.case.name, text);
            }
        }
    }
    if hits(evidence) == 0 && evidence.terms.is_observed {
        let kills = evidence.cases.len();
        let text = format!("in {kills} kills none came between an effect and its acknowledgement");
        findings.inconclusive("", text);
    }
    findings
}

/// Long enough that a receiver on a busy machine has begun to read what is in flight: what it has not looked at it may close.
const SIGNAL_AFTER: Duration = Duration::from_secs(1);
/// Long after the signal, and long before the last request in flight is whole.
const NEW_AFTER: Duration = Duration::from_millis(1_400);

fn terminated(composer: &mut Composer) -> Vec<Case> {
    const IN_FLIGHT: usize = 8;
    const NEW: usize = 4;
    const REST_AFTER: Duration = Duration::from_secs(2);
    let cdrs: Vec<_> = (0..IN_FLIGHT).map(|_| composer.cdr()).collect();
    let late: Vec<_> = (0..NEW).map(|_| composer.cdr()).collect();
    let half_sent = |cdr: &Payload| {
        let request = composer.post(cdr);
        let last = request.bytes().len() - 1;
        Script::default().request_around(&request, last, Action::Pause(REST_AFTER)).answered()
    };
    let new =
        |cdr: &Payload| Script::default().request(&composer.post(cdr)).answered().arriving_after(NEW_AFTER);
    let scripts = cdrs.iter().map(half_sent).chain(late.iter().map(new)).collect();
    let case = Case::new("").step(Step::StopDuring(Signal::Terminate, SIGNAL_AFTER, scripts));
    let case = case.step(Step::Start).may_overload().may_be_silent();
    vec![cdrs.iter().chain(&late).fold(case, |case, cdr| case.expect(cdr, Count::AtMostOnce))]
}

/// Any whole answer will do: 503 says that it has to come again. A new connection may be refused, closed or reset, but is
/// not taken and left alone until the process ends.
fn drained(evidence: &Evidence<'_>) -> Findings {
    let mut findings = criteria::effects(evidence);
    for case in evidence.cases {
        for (script, transcript) in scripts(case).zip(case.transcripts()) {
            let is_new = script.arrives_after.is_some();
            let outcome = transcript.outcome();
            if transcript.garbled.is_some() {
                findings.fail("", format!("half an answer: {outcome}"));
            } else if !transcript.answers.is_empty() || transcript.connect_error.is_some() && is_new {
            } else if !is_new {
                // On a busy machine it may not have been read in a second.
                let text = format!("in flight at SIGTERM: {outcome}, expected an answer");
                findings.fail_if_repeated("", text);
            } else if is_left_alone(transcript) {
                let text = format!("a new connection after SIGTERM was taken and left alone: {outcome}");
                findings.fail_if_repeated("", text);
            }
        }
    }
    findings
}

fn scripts(case: &CaseEvidence) -> impl Iterator<Item = &Script> {
    let scripts = case.case.steps.iter().filter_map(|step| match step {
        Step::StopDuring(_, _, scripts) => Some(scripts),
        _ => None,
    });
    scripts.flatten()
}

/// For as long as a client would notice.
fn is_left_alone(transcript: &super::super::Transcript) -> bool {
    const NOTICED: Duration = Duration::from_millis(300);
    match transcript.end {
        End::Closed { at } | End::Reset { at } => at > NEW_AFTER + NOTICED,
        End::Open => transcript.timed_out,
    }
}
