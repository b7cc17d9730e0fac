//! How many effects there are of each webhook, three-way: planned, acknowledged, observed.

use std::collections::{BTreeMap, BTreeSet};

use piopiy_events::{Identity, Kind};

use super::super::case::Expected;
use super::super::{
    CaseEvidence, Count, Discrepancy, DiscrepancyKind, Evidence, Findings, Payload, PayloadId, Seen,
};
use crate::judge::Effect;

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
    // What is sent besides, and of which nothing is said, may have its effect.
    let sent = case.transcripts().flat_map(|transcript| &transcript.requests).filter_map(|sent| sent.of);
    let is_unsaid = |id: &PayloadId| case.case.expected.iter().all(|expected| expected.payload.id != *id);
    most += sent.filter(is_unsaid).collect::<BTreeSet<_>>().len();
    let count_fits = usize::try_from(count).is_ok_and(|count| (least..=most).contains(&count));
    if !count_fits {
        let wanted = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let is_more = usize::try_from(count).is_ok_and(|count| count > most);
        let kind = if is_more { DiscrepancyKind::Duplicated } else { DiscrepancyKind::Lost };
        let webhook = case.case.expected.first().map(|expected| name_of(&expected.payload));
        let webhook = webhook.filter(|_| case.case.expected.len() == 1).unwrap_or_default();
        let text = format!("the count of effects rose by {count}, expected {wanted}");
        findings.differs(&case.case.name, Discrepancy::new(kind, webhook), &text);
    }
}

fn recorded(case: &CaseEvidence, known: &Known, findings: &mut Findings) {
    let name = &case.case.name;
    let is_kept = |effect: &&&Effect| !effect.quarantined;
    let mut misfits = misfits(case);
    for expected in &case.case.expected {
        let Some(effects) = case.effects_of(expected) else { continue };
        let Some(only) = case.effects_only_of(expected) else { continue };
        let count = effects.iter().filter(is_kept).count();
        let certain = only.iter().filter(is_kept).count();
        let (least, most) = known.range(case, expected);
        let webhook = name_of(&expected.payload);
        let id = &expected.payload.cmiuuid;
        let differs = |kind| Discrepancy::new(kind, &webhook);
        if count == 0
            && most > 0
            && let Some((effect, wrong)) = misread(expected, &misfits)
        {
            misfits.retain(|other| !std::ptr::eq(*other, effect));
            told_otherwise(name, expected, wrong, findings);
        } else if count < least && count == 0 {
            let text = format!("acknowledged, and no effect ({id})");
            findings.differs(name, differs(DiscrepancyKind::Lost), &text);
        } else if certain > most && expected.count == Count::Never {
            let text = format!("{}, expected none ({id})", many(certain));
            findings.differs(name, differs(DiscrepancyKind::Phantom), &text);
        } else if certain > most {
            let text = format!("{}, expected one ({id})", many(certain));
            findings.differs(name, differs(DiscrepancyKind::Duplicated), &text);
        } else if most > 0 && case.is_unanswered(expected.payload.id) {
            findings.differs(name, differs(DiscrepancyKind::Ambiguous), "sent and not answered");
        }
    }
    together(case, known, &misfits, findings);
}

/// The effects that name a webhook of the case by its id, and are of another kind, leg or status than all of that id.
fn misfits(case: &CaseEvidence) -> Vec<&Effect> {
    let Seen::Records(records) = &case.seen else { return Vec::new() };
    let is_of = |effect: &&Effect| {
        let mut same = case.case.expected.iter().filter(|expected| names(effect, expected)).peekable();
        same.peek().is_none() || same.any(|expected| wrong(effect, expected).is_empty())
    };
    records.iter().filter(|effect| !effect.quarantined && !is_of(effect)).collect()
}

/// An effect that is this webhook's but for what was stored wrongly, and that.
fn misread<'a>(expected: &Expected, misfits: &[&'a Effect]) -> Option<(&'a Effect, Vec<Wrong>)> {
    let same = misfits.iter().copied().filter(|effect| names(effect, expected));
    same.map(|effect| (effect, wrong(effect, expected))).min_by_key(|(_, wrong)| wrong.len())
}

fn names(effect: &Effect, expected: &Expected) -> bool {
    effect.cmiuuid.as_deref() == Some(&expected.payload.cmiuuid)
}

/// Each effect that can be of no other webhook says the kind, leg and status that were sent, as far as it says them.
pub(crate) fn identity_as_sent(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases {
        for expected in &case.case.expected {
            let effects = case.effects_only_of(expected).unwrap_or_default();
            for effect in effects.into_iter().filter(|effect| !effect.quarantined) {
                told_otherwise(&case.case.name, expected, wrong(effect, expected), &mut findings);
            }
        }
    }
    findings
}

fn told_otherwise(case: &str, expected: &Expected, wrong: Vec<Wrong>, findings: &mut Findings) {
    for (pointer, sent, stored) in wrong {
        let id = &expected.payload.cmiuuid;
        let text = format!("{} was sent as {sent}, stored as {stored} ({id})", &pointer[1..]);
        let discrepancy = Discrepancy::new(DiscrepancyKind::Corrupted, name_of(&expected.payload));
        findings.differs(case, discrepancy.at(pointer, sent, stored), &text);
    }
}

/// A part of an identity that an effect says otherwise: pointer, sent, stored.
type Wrong = (&'static str, String, String);

fn wrong(effect: &Effect, expected: &Expected) -> Vec<Wrong> {
    let Some(identity) = expected.payload.identity() else { return Vec::new() };
    let clues = effect.clues();
    let parts = [
        ("/kind", Some(identity.kind().as_str()), clues.kind.map(Kind::as_str)),
        ("/leg", identity.leg(), clues.leg.as_deref()),
        ("/status", Some(identity.status()), clues.status.as_deref()),
    ];
    let differing = parts.into_iter().filter_map(|(pointer, sent, stored)| Some((pointer, sent?, stored?)));
    let differing = differing.filter(|(_, sent, stored)| sent != stored);
    differing.map(|(pointer, sent, stored)| (pointer, sent.to_owned(), stored.to_owned())).collect()
}

/// What effects do not say apart, by their ids: whether there are as many as of all payloads of an id together.
fn together(case: &CaseEvidence, known: &Known, misfits: &[&Effect], findings: &mut Findings) {
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
            let text = format!("{} for {least} acknowledged webhooks of {id}", many(count));
            findings.differs(name, Discrepancy::new(DiscrepancyKind::Lost, id), &text);
        } else if count > most {
            let strange = misfits.iter().find(|effect| effect.cmiuuid.as_deref() == Some(id));
            let kind = if strange.is_some() { DiscrepancyKind::Phantom } else { DiscrepancyKind::Duplicated };
            let mut text = format!("{} for {most} webhooks of {id}", many(count));
            if let Some(status) = strange.and_then(|effect| effect.status.as_deref()) {
                text.push_str(&format!(", one of them with the status {status}, which was not sent"));
            }
            findings.differs(name, Discrepancy::new(kind, id), &text);
        }
    }
}

/// Which webhook it is, for people and for reports.
pub(crate) fn name_of(payload: &Payload) -> String {
    payload.identity().map_or_else(|| payload.cmiuuid.clone(), |identity| identity.to_string())
}

/// The statuses of live events that the receiver has shown an effect for.
pub(crate) fn shown(evidence: &Evidence<'_>) -> BTreeSet<String> {
    Known::of(evidence).0
}

/// The statuses of live events that the receiver has shown an effect for: it may ignore the others.
pub(super) struct Known(BTreeSet<String>);

impl Known {
    pub(super) fn of(evidence: &Evidence<'_>) -> Self {
        let mut known = BTreeSet::new();
        for case in evidence.cases {
            for expected in &case.case.expected {
                let shown = case.effects_only_of(expected).is_some_and(|effects| !effects.is_empty());
                // Some revisions have the same words for CDRs.
                if shown
                    && let Some(identity) = expected.payload.identity()
                    && identity.kind() == Kind::LiveEvent
                {
                    known.insert(identity.status().to_owned());
                }
            }
        }
        Self(known)
    }

    pub(super) fn has(&self, identity: &Identity) -> bool {
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

fn many(effects: usize) -> String {
    if effects == 1 { "1 effect".to_owned() } else { format!("{effects} effects") }
}
