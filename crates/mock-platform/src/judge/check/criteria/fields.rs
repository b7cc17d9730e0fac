//! What was stored, member by member.

use std::borrow::Cow;
use std::collections::BTreeSet;

use piopiy_events::{Kind, Raw, Webhook};

use super::super::case::Expected;
use super::super::value::{is_cut_to_seconds, is_same, is_same_instant};
use super::super::{CaseEvidence, Discrepancy, DiscrepancyKind, Evidence, Findings};
use super::name_of;

/// The stored members with these keys say what was sent: numbers by exact decimal value, texts by their text. Members
/// that hold a time may hold the same instant in another notation. None is left out that others of its form have.
pub(crate) fn unchanged(case: &CaseEvidence, others: &Stored, keys: &[&str], findings: &mut Findings) {
    for pair in pairs(case, findings) {
        for key in keys {
            let Some(sent) = pair.sent.get(key) else { continue };
            match pair.stored.get(key) {
                Some(stored) if is_as_sent(key, sent, stored) => {}
                Some(stored) => corrupted(case, &pair, key, (sent, stored), findings),
                None if is_nothing(sent) => {}
                None if !is_zero(sent) && others.have(&pair.sent, key) => {
                    left_out(case, &pair, key, sent, findings);
                }
                None => unseen(case, &pair, key, findings),
            }
        }
    }
}

/// Members that hold a time.
const TIMES: [&str; 4] = ["time", "start_time", "end_time", "answer_time"];

/// Neither `GET URL?capabilities` nor a record has them.
pub(crate) const NO_FIELDS: &str = "its effect has no `fields`";

/// Compares the stored members with these keys to those sent. What is not stored cannot be seen.
pub(crate) fn compare(
    case: &CaseEvidence,
    keys: &[&str],
    findings: &mut Findings,
    is_fine: impl Fn(&str, &Raw, &Raw) -> bool,
) {
    for pair in pairs(case, findings) {
        for key in keys {
            match (pair.sent.get(key), pair.stored.get(key)) {
                (Some(sent), Some(stored)) if !is_fine(key, sent, stored) => {
                    corrupted(case, &pair, key, (sent, stored), findings);
                }
                (Some(sent), None) if !is_nothing(sent) => unseen(case, &pair, key, findings),
                _ => {}
            }
        }
    }
}

/// The same, where what is not stored, or shown, is the receiver's own affair.
pub(crate) fn compare_if_stored(
    case: &CaseEvidence,
    keys: &[&str],
    findings: &mut Findings,
    is_fine: impl Fn(&str, &Raw, &Raw) -> bool,
) {
    let mut found = Findings::default();
    compare(case, keys, &mut found, is_fine);
    findings.extend_found(found);
}

/// Warns of a time that was stored to the second, where it was sent to the millisecond.
pub(crate) fn cut_to_seconds(case: &CaseEvidence, key: &str, findings: &mut Findings) {
    for pair in pairs(case, &mut Findings::default()) {
        let (Some(sent), Some(stored)) = (pair.sent.get(key), pair.stored.get(key)) else { continue };
        if is_cut_to_seconds(sent, stored) && is_as_sent(key, sent, stored) {
            let (sent, stored) = (brief(sent), brief(stored));
            let text = format!("{key} was sent as {sent}, stored as {stored}: without its milliseconds");
            findings.warn(&case.case.name, text);
        }
    }
}

/// Every stored member that was sent says what was sent. What is not stored is no finding.
pub(crate) fn uncorrupted(case: &CaseEvidence, findings: &mut Findings) {
    for pair in pairs(case, &mut Findings::default()) {
        for (key, sent) in &pair.sent.members() {
            if let Some(stored) = pair.stored.get(key).filter(|stored| !is_as_sent(key, sent, stored)) {
                corrupted(case, &pair, key, (sent, stored), findings);
            }
        }
    }
}

/// Which members are stored of the webhooks of a check, by their form: a receiver may have a table, with columns of its
/// own, for each.
#[derive(Debug, Default)]
pub(crate) struct Stored(BTreeSet<(Form, String)>);

/// What tells webhooks apart that have different members: kind, status, leg and direction.
type Form = (Option<Kind>, [Option<String>; 3]);

impl Stored {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let mut stored = BTreeSet::new();
        for pair in evidence.cases.iter().flat_map(|case| pairs(case, &mut Findings::default())) {
            let kept = pair.stored.members().into_iter().filter(|(_, value)| !value.is_null());
            stored.extend(kept.map(|(key, _)| (form(&pair.sent), key)));
        }
        Self(stored)
    }

    fn have(&self, sent: &Webhook, key: &str) -> bool {
        self.0.contains(&(form(sent), key.to_owned()))
    }
}

fn form(sent: &Webhook) -> Form {
    let text = |key| sent.text(key).map(Cow::into_owned);
    (sent.kind(), ["status", "leg", "direction"].map(text))
}

/// A webhook, and what was stored of it.
struct Pair<'a> {
    expected: &'a Expected,
    sent: Webhook,
    stored: Webhook,
}

/// Of each effect that is of nothing else.
fn pairs<'a>(case: &'a CaseEvidence, findings: &mut Findings) -> Vec<Pair<'a>> {
    let mut pairs = Vec::new();
    for expected in &case.case.expected {
        let Some(sent) = expected.payload.webhook() else { continue };
        // What may be another payload's says nothing about this one.
        for effect in case.effects_only_of(expected).unwrap_or_default() {
            match effect.stored() {
                _ if effect.quarantined => {}
                Some(stored) => pairs.push(Pair { expected, sent: sent.clone(), stored }),
                None => findings.not_observed(&case.case.name, NO_FIELDS),
            }
        }
    }
    pairs
}

/// What of a live event is kept is the receiver's own affair.
fn unseen(case: &CaseEvidence, pair: &Pair<'_>, key: &str, findings: &mut Findings) {
    if pair.sent.kind() != Some(Kind::LiveEvent) {
        findings.not_observed(&case.case.name, format!("the `fields` of its effect have no {key}"));
    }
}

/// Whether a member says what was sent.
pub(crate) fn is_as_sent(key: &str, sent: &Raw, stored: &Raw) -> bool {
    is_same(sent, stored) || (TIMES.contains(&key) && is_same_instant(sent, stored))
}

/// A member that was stored with another value than it was sent with.
fn corrupted(case: &CaseEvidence, pair: &Pair<'_>, key: &str, values: (&Raw, &Raw), findings: &mut Findings) {
    another(&case.case.name, &name_of(&pair.expected.payload), key, values, findings);
}

/// A member that was not stored, and is of others.
fn left_out(case: &CaseEvidence, pair: &Pair<'_>, key: &str, sent: &Raw, findings: &mut Findings) {
    let sent = brief(sent);
    let text = format!("{key} was sent as {sent}, and not stored, as it is of others");
    let discrepancy = Discrepancy::new(DiscrepancyKind::Corrupted, name_of(&pair.expected.payload));
    let discrepancy = discrepancy.left_out(pointer(key), sent);
    findings.differs(&case.case.name, discrepancy, &text);
}

fn another(case: &str, webhook: &str, key: &str, (sent, stored): (&Raw, &Raw), findings: &mut Findings) {
    let (sent, stored) = (brief(sent), brief(stored));
    let text = format!("{key} was sent as {sent}, stored as {stored}");
    let discrepancy = Discrepancy::new(DiscrepancyKind::Corrupted, webhook).at(pointer(key), sent, stored);
    findings.differs(case, discrepancy, &text);
}

fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A text that was stored as another: sent, stored.
pub(crate) fn another_text(
    case: &str,
    webhook: &str,
    key: &str,
    (sent, stored): (&str, &str),
    findings: &mut Findings,
) {
    another(case, webhook, key, (&Raw::string(sent), &Raw::string(stored)), findings);
}

fn is_nothing(sent: &Raw) -> bool {
    sent.is_null() || sent.plain().trim().is_empty()
}

/// Whether it is what some writers of JSON leave out.
fn is_zero(sent: &Raw) -> bool {
    matches!(&*sent.plain(), "0" | "false")
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
