//! Criteria that many checks share. Each looks at every case.

use std::collections::{BTreeMap, BTreeSet};

use piopiy_events::{Calls, Identity, Kind, Phase, Raw, Webhook};

use super::case::Expected;
use super::value::{is_same, is_same_instant};
use super::{Answer, CaseEvidence, Count, Evidence, Findings, Malformed, Seen, Transcript};
use crate::judge::Effect;

/// Every request is acknowledged, and the effects are those expected.
pub(crate) fn acknowledged(evidence: &Evidence<'_>) -> Findings {
    let mut findings = effects(evidence);
    for case in evidence.cases {
        every_answer(case, &mut findings, "2xx", Answer::is_2xx);
    }
    findings
}

/// Every request is acknowledged, the effects are those expected, and each call stands in the end where the model says.
pub(crate) fn acknowledged_and_settled(evidence: &Evidence<'_>) -> Findings {
    let mut findings = acknowledged(evidence);
    findings.extend(final_state(evidence));
    findings
}

/// Every body is refused with 4xx, or acknowledged with nothing but a quarantined record, as `--malformed` says.
pub(crate) fn refused_or_quarantined(evidence: &Evidence<'_>) -> Findings {
    let mut findings = effects(evidence);
    let malformed = evidence.terms.malformed;
    let mut all_refused = true;
    for case in evidence.cases {
        match malformed {
            Malformed::Either => {
                every_answer(case, &mut findings, "4xx, or 2xx and kept aside", |answer| {
                    answer.is_4xx() || answer.is_2xx()
                });
            }
            Malformed::Reject => {
                every_answer(case, &mut findings, "4xx (--malformed reject)", Answer::is_4xx);
            }
            Malformed::Quarantine => {
                every_answer(case, &mut findings, "2xx (--malformed quarantine)", Answer::is_2xx);
            }
        }
        let mut answers = case.transcripts().flat_map(|transcript| &transcript.answers);
        all_refused &= !answers.any(Answer::is_2xx);
    }
    if all_refused {
        findings.decided_by_answers();
    }
    findings
}

/// Every request is acknowledged, the effects are those expected, and have these members as they were sent.
pub(crate) fn stored_as_sent(evidence: &Evidence<'_>, keys: &[&str]) -> Findings {
    let mut findings = acknowledged(evidence);
    for case in evidence.cases {
        unchanged(case, keys, &mut findings);
    }
    findings
}

/// Every body is refused with 4xx, or acknowledged, and what is stored of it has these members as they were sent.
pub(crate) fn refused_or_stored_as_sent(evidence: &Evidence<'_>, keys: &[&str]) -> Findings {
    let mut findings = taken_or_refused(evidence);
    for case in evidence.cases {
        unchanged(case, keys, &mut findings);
    }
    findings
}

/// Every body is acknowledged or refused with 4xx, and the effects are those expected.
pub(crate) fn taken_or_refused(evidence: &Evidence<'_>) -> Findings {
    let mut findings = effects(evidence);
    for case in evidence.cases {
        every_answer(case, &mut findings, "2xx or 4xx", |answer| answer.is_2xx() || answer.is_4xx());
    }
    let mut answers =
        evidence.cases.iter().flat_map(CaseEvidence::transcripts).flat_map(|sent| &sent.answers);
    if !answers.any(Answer::is_2xx) {
        findings.decided_by_answers();
    }
    findings
}

/// The stored members with these keys say what was sent: numbers by exact decimal value, texts by their text. Members
/// that hold a time may hold the same instant in another notation.
pub(crate) fn unchanged(case: &CaseEvidence, keys: &[&str], findings: &mut Findings) {
    compare(case, keys, findings, |key, sent, stored| {
        is_same(sent, stored) || (TIMES.contains(&key) && is_same_instant(sent, stored))
    });
}

/// Members that hold a time.
const TIMES: [&str; 4] = ["time", "start_time", "end_time", "answer_time"];

/// Compares the stored members with these keys to those sent. What is not stored cannot be seen.
pub(crate) fn compare(
    case: &CaseEvidence,
    keys: &[&str],
    findings: &mut Findings,
    is_fine: impl Fn(&str, &Raw, &Raw) -> bool,
) {
    let name = &case.case.name;
    for expected in &case.case.expected {
        let Some(sent) = expected.payload.webhook() else { continue };
        // What may be another payload's says nothing about this one.
        for effect in case.effects_only_of(expected).unwrap_or_default() {
            if effect.quarantined {
                continue;
            }
            let stored = effect.fields.as_ref();
            let stored = stored.and_then(|fields| Webhook::parse(fields.as_json().as_bytes()).ok());
            let Some(stored) = stored else {
                findings.not_observed(name, "its effect has no `fields`");
                continue;
            };
            for key in keys {
                match (sent.get(key), stored.get(key)) {
                    (Some(sent), Some(stored)) if !is_fine(key, sent, stored) => {
                        let text = format!(
                            "corrupted: {key} was sent as {}, stored as {}",
                            brief(sent),
                            brief(stored)
                        );
                        findings.fail(name, text);
                    }
                    (Some(sent), None) if !is_nothing(sent) => {
                        findings.not_observed(name, format!("the `fields` of its effect have no {key}"));
                    }
                    _ => {}
                }
            }
        }
    }
}

fn is_nothing(sent: &Raw) -> bool {
    sent.is_null() || sent.plain().trim().is_empty()
}

/// The value, cut where it is long.
fn brief(value: &Raw) -> String {
    const SHOWN: usize = 60;
    let text = value.as_json();
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

/// Finds every request whose answer is not as `wanted` says, or that has none.
pub(crate) fn every_answer(
    case: &CaseEvidence,
    findings: &mut Findings,
    wanted: &str,
    is_fine: fn(&Answer) -> bool,
) {
    for transcript in case.transcripts() {
        for n in 0..transcript.requests.len() {
            match transcript.answer(n) {
                Some(answer) if is_fine(answer) => {}
                // A standing oracle has its own word for these.
                Some(answer) if answer.is_5xx() && !case.case.may_overload => {}
                None if transcript.timed_out && !case.case.may_be_silent => {}
                Some(answer) => {
                    findings.fail(&case.case.name, format!("answered {}, expected {wanted}", answer.status));
                }
                None => findings
                    .fail(&case.case.name, format!("{}, expected {wanted}", unanswered(transcript, n))),
            }
        }
    }
}

fn unanswered(transcript: &Transcript, n: usize) -> String {
    if transcript.requests.len() == 1 {
        transcript.outcome()
    } else {
        format!("request {} of {}: {}", n + 1, transcript.requests.len(), transcript.outcome())
    }
}

/// The effects are those expected, as far as they were seen.
pub(crate) fn effects(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let known = Known::of(evidence);
    for case in evidence.cases {
        match &case.seen {
            Seen::Nothing => {}
            Seen::Count(count) => counted(case, *count, &mut findings),
            Seen::Records(records) => {
                recorded(case, &known, &mut findings);
                if case.case.is_anonymous {
                    // Those with an id are counted by it.
                    let is_stray = |effect: &&Effect| {
                        !effect.quarantined && effect.cmiuuid.as_deref().is_none_or(str::is_empty)
                    };
                    let stray = records.iter().filter(is_stray).count();
                    if stray > 0 {
                        findings.fail(
                            &case.case.name,
                            format!("{}, expected none but a quarantined one", many(stray)),
                        );
                    }
                }
            }
        }
    }
    findings
}

fn counted(case: &CaseEvidence, count: i64, findings: &mut Findings) {
    let (mut least, mut most) = (0, 0);
    for expected in &case.case.expected {
        let range = expected.count.range(case.is_acknowledged(expected.payload.id));
        least += range.0;
        most += range.1;
    }
    let count_fits = usize::try_from(count).is_ok_and(|count| (least..=most).contains(&count));
    if !count_fits {
        let wanted = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let word = if usize::try_from(count).is_ok_and(|count| count > most) { "duplicated" } else { "lost" };
        findings.fail(
            &case.case.name,
            format!("{word}: the count of effects rose by {count}, expected {wanted}"),
        );
    }
}

fn recorded(case: &CaseEvidence, known: &Known, findings: &mut Findings) {
    let name = &case.case.name;
    let is_kept = |effect: &&&Effect| !effect.quarantined;
    for expected in &case.case.expected {
        let Some(effects) = case.effects_of(expected) else { continue };
        let Some(only) = case.effects_only_of(expected) else { continue };
        let count = effects.iter().filter(is_kept).count();
        let certain = only.iter().filter(is_kept).count();
        let (least, most) = known.range(case, expected);
        let id = &expected.payload.cmiuuid;
        if count < least && count == 0 {
            findings.fail(name, format!("lost: acknowledged, and no effect ({id})"));
        } else if certain > most && expected.count == Count::Never {
            findings.fail(name, format!("{}, expected none ({id})", many(certain)));
        } else if certain > most {
            findings.fail(name, format!("duplicated: {}, expected one ({id})", many(certain)));
        }
    }
    together(case, known, findings);
}

/// What effects do not say apart, by their ids: whether there are as many as of all payloads of an id together.
fn together(case: &CaseEvidence, known: &Known, findings: &mut Findings) {
    let Seen::Records(records) = &case.seen else { return };
    let mut ranges: BTreeMap<&str, (usize, usize, usize)> = BTreeMap::new();
    for expected in &case.case.expected {
        let (least, most) = known.range(case, expected);
        let range = ranges.entry(&expected.payload.cmiuuid).or_default();
        *range = (range.0 + 1, range.1 + least, range.2 + most);
    }
    for (id, (payloads, least, most)) in ranges {
        if payloads < 2 {
            continue;
        }
        let own = case.gone().chain(records).filter(|effect| effect.cmiuuid.as_deref() == Some(id));
        let count = own.filter(|effect| !effect.quarantined).count();
        let name = &case.case.name;
        if count < least {
            findings.fail(name, format!("lost: {} for {least} acknowledged webhooks of {id}", many(count)));
        } else if count > most {
            findings.fail(name, format!("duplicated: {} for {most} webhooks of {id}", many(count)));
        }
    }
}

/// The statuses of live events that the receiver has shown an effect for.
pub(crate) fn shown(evidence: &Evidence<'_>) -> BTreeSet<String> {
    Known::of(evidence).0
}

/// The statuses of live events that the receiver has shown an effect for: it may ignore the others.
struct Known(BTreeSet<String>);

impl Known {
    fn of(evidence: &Evidence<'_>) -> Self {
        let mut known = BTreeSet::new();
        for case in evidence.cases {
            for expected in &case.case.expected {
                let shown = case.effects_only_of(expected).is_some_and(|effects| !effects.is_empty());
                if shown && let Some(identity) = expected.payload.identity() {
                    known.insert(identity.status().to_owned());
                }
            }
        }
        Self(known)
    }

    fn has(&self, identity: &Identity) -> bool {
        identity.kind() == Kind::Cdr || self.0.contains(identity.status())
    }

    fn range(&self, case: &CaseEvidence, expected: &Expected) -> (usize, usize) {
        let is_known = expected.payload.identity().is_some_and(|identity| self.has(&identity));
        let count = match expected.count {
            Count::OnceIfKnown if is_known => Count::Once,
            count => count,
        };
        count.range(case.is_acknowledged(expected.payload.id))
    }
}

/// After its last effect each call stands where the model says, whatever the order was in which its webhooks came.
pub(crate) fn final_state(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    let known = Known::of(evidence);
    for case in evidence.cases {
        match &case.seen {
            Seen::Nothing => {}
            Seen::Count(_) => {
                findings
                    .not_observed(&case.case.name, "a count says nothing about `state`: add --observe-url");
            }
            Seen::Records(records) => states(case, records, &known, &mut findings),
        }
    }
    findings
}

fn states(case: &CaseEvidence, records: &[Effect], known: &Known, findings: &mut Findings) {
    let name = &case.case.name;
    for call in calls(case, known) {
        let last = records.iter().rfind(|effect| {
            !effect.quarantined && effect.cmiuuid.as_ref().is_some_and(|id| call.legs.contains(id))
        });
        // That there is none is another finding's.
        let Some(last) = last.filter(|_| call.is_whole) else { continue };
        let Some(state) = last.state.as_deref().filter(|word| PHASES.iter().any(|it| it.as_str() == *word))
        else {
            findings.not_observed(name, "the effects carry no `state` of the protocol's words");
            return;
        };
        if state != call.phase.as_str() {
            findings.fail(
                name,
                format!("stale: the call ends as `{state}`, expected `{}` ({})", call.phase, call.key),
            );
        }
    }
}

const PHASES: [Phase; 7] = [
    Phase::Offered,
    Phase::Ringing,
    Phase::Active,
    Phase::Streaming,
    Phase::Bridged,
    Phase::EndedAnswered,
    Phase::EndedMissed,
];

/// A call as the model has it.
struct Call {
    key: String,
    legs: BTreeSet<String>,
    phase: Phase,
    /// Whether all of its webhooks were acknowledged.
    is_whole: bool,
}

fn calls(case: &CaseEvidence, known: &Known) -> Vec<Call> {
    let mut model = Calls::default();
    let taken: Vec<(&Expected, Webhook)> = case
        .case
        .expected
        .iter()
        .filter(|expected| expected.payload.identity().is_some_and(|identity| known.has(&identity)))
        .filter_map(|expected| Some((expected, expected.payload.webhook()?)))
        .collect();
    for (_, webhook) in &taken {
        model.apply(webhook);
    }
    let mut own: BTreeMap<String, Vec<&Expected>> = BTreeMap::new();
    for (expected, webhook) in &taken {
        if let Some(key) = model.call_of(webhook) {
            own.entry(key).or_default().push(expected);
        }
    }
    let states = model.states().into_iter();
    states
        .map(|(key, state)| {
            let own = own.remove(&key).unwrap_or_default();
            Call {
                legs: own.iter().map(|expected| expected.payload.cmiuuid.clone()).collect(),
                is_whole: own.iter().all(|expected| case.is_acknowledged(expected.payload.id)),
                phase: state.phase(),
                key,
            }
        })
        .collect()
}

fn many(effects: usize) -> String {
    if effects == 1 { "1 effect".to_owned() } else { format!("{effects} effects") }
}
