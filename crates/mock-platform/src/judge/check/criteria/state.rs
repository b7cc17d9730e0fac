//! Where calls stand in the end, with the model as the oracle.

use std::collections::{BTreeMap, BTreeSet};

use piopiy_events::{CallState, Calls, Phase, Webhook};

use super::super::case::Expected;
use super::super::{CaseEvidence, Discrepancy, DiscrepancyKind, Evidence, Findings, Seen};
use super::effects::Known;
use crate::judge::Effect;

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
        let Some(state) =
            last.state.as_deref().filter(|word| Phase::ALL.iter().any(|it| it.as_str() == *word))
        else {
            findings.not_observed(name, "the effects carry no `state` of the protocol's words");
            return;
        };
        if state != call.phase.as_str() {
            let text = format!("the call ends as `{state}`, expected `{}` ({})", call.phase, call.key);
            // Where it stood there before, something old was written over something new.
            let is_stale = call.before.iter().any(|phase| phase.as_str() == state);
            let kind = if is_stale { DiscrepancyKind::StaleOverwrite } else { DiscrepancyKind::Corrupted };
            let quoted = |word: &str| format!("\"{word}\"");
            let discrepancy = Discrepancy::new(kind, &call.key);
            let discrepancy = discrepancy.at("/state", quoted(call.phase.as_str()), quoted(state));
            findings.differs(name, discrepancy, &text);
        }
    }
}

/// No call is said to have ended after its last effect. In which of the other states each is, the words of receivers leave open.
pub(crate) fn not_over(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        let Seen::Records(records) = &case.seen else { continue };
        let last = records.iter().rfind(|effect| !effect.quarantined);
        if let Some(state) = last.and_then(|effect| effect.state.as_deref())
            && (state == Phase::EndedAnswered.as_str() || state == Phase::EndedMissed.as_str())
        {
            findings.fail(&case.case.name, format!("the call stands at `{state}`, and nothing has ended it"));
        }
    }
    findings
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
                before: before(&own),
                legs: own.iter().map(|expected| expected.payload.cmiuuid.clone()).collect(),
                is_whole: own.iter().all(|expected| case.is_acknowledged(expected.payload.id)),
                phase: state.phase(),
                key,
            }
        })
        .collect()
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
