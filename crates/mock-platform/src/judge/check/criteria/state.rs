//! Where calls stand in the end, with the model as the oracle.

use std::collections::{BTreeMap, BTreeSet};

use piopiy_events::{CallState, Calls, Phase, Webhook};

use super::super::case::Expected;
use super::super::{CaseEvidence, Discrepancy, DiscrepancyKind, Evidence, Findings, Seen};
use super::effects::Known;
use crate::judge::Effect;

/// After its last effect each call stands where the model says, whatever the order was in which its webhooks came. Which of
/// the states before the end a receiver tells apart is its own affair: there it only must say nothing that is wrong.
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
            Seen::Records(_) if !evidence.terms.shows.state => {
                let text = "neither `?capabilities` nor any record has `state`";
                findings.not_observed(&case.case.name, text);
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
        let word = last.state.as_deref();
        let Some(stands) = word.and_then(|word| Phase::ALL.into_iter().find(|it| it.as_str() == word)) else {
            findings.not_observed(name, "the effects carry no `state` of the protocol's words");
            return;
        };
        if let Some(text) = wrong(&call, stands) {
            // Where it stood there before, something old was written over something new.
            let is_stale = call.before.contains(&stands);
            let kind = if is_stale { DiscrepancyKind::StaleOverwrite } else { DiscrepancyKind::Corrupted };
            let quoted = |phase: Phase| format!("\"{phase}\"");
            let discrepancy = Discrepancy::new(kind, &call.key);
            let discrepancy = discrepancy.at("/state", quoted(call.phase), quoted(stands));
            findings.differs(name, discrepancy, &text);
        }
    }
}

/// A call as the model has it.
struct Call {
    key: String,
    legs: BTreeSet<String>,
    phase: Phase,
    /// Where it stood with less known of it: by each of its webhooks alone, and as they came.
    before: BTreeSet<Phase>,
    /// Whether all of its webhooks were acknowledged.
    is_whole: bool,
    /// Whether the receiver shows effects of all that was sent.
    is_shown: bool,
    has_leg_a: bool,
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
    let is_shown = taken.len() == case.case.expected.len();
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
                before: before(&own),
                legs: own.iter().map(|expected| expected.payload.cmiuuid.clone()).collect(),
                is_shown,
                has_leg_a: own.iter().any(|expected| !expected.payload.is_leg_b()),
                is_whole: own.iter().all(|expected| case.is_acknowledged(expected.payload.id)),
                phase: state.phase(),
                key,
            }
        })
        .collect()
}

/// What is wrong with where a call is said to stand.
fn wrong(call: &Call, stands: Phase) -> Option<String> {
    let key = &call.key;
    let is_over = |phase| matches!(phase, Phase::EndedAnswered | Phase::EndedMissed);
    if is_over(call.phase) {
        return (stands != call.phase)
            .then(|| format!("the call ends as `{stands}`, expected `{}` ({key})", call.phase));
    }
    let is_answered = !matches!(call.phase, Phase::Offered | Phase::Ringing);
    let what = match stands {
        // Who sees nothing of leg a cannot know.
        _ if is_over(stands) => call.has_leg_a.then_some("nothing has ended it"),
        // Of webhooks that it does not show nobody knows whether they are in its state.
        _ if !call.is_shown => None,
        Phase::Offered | Phase::Ringing => is_answered.then_some("it was answered"),
        _ if !is_answered => Some("nobody has answered it"),
        Phase::Streaming if call.phase == Phase::Active => Some("its stream is over"),
        _ => None,
    };
    what.map(|what| format!("the call stands at `{stands}`, and {what} ({key})"))
}

/// The phases of a call on its way, and those that single webhooks of it make.
fn before(own: &[&Expected]) -> BTreeSet<Phase> {
    let webhooks: Vec<Webhook> = own.iter().filter_map(|expected| expected.payload.webhook()).collect();
    let mut phases = BTreeSet::new();
    let mut so_far = CallState::default();
    for webhook in &webhooks {
        let mut alone = CallState::default();
        alone.apply(webhook);
        so_far.apply(webhook);
        phases.extend([alone.phase(), so_far.phase()]);
    }
    phases
}
