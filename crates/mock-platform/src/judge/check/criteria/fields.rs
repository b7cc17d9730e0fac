//! What was stored, member by member.

use piopiy_events::{Raw, Webhook};

use super::super::value::{is_same, is_same_instant};
use super::super::{CaseEvidence, Discrepancy, DiscrepancyKind, Findings};
use super::name_of;

/// The stored members with these keys say what was sent: numbers by exact decimal value, texts by their text. Members
/// that hold a time may hold the same instant in another notation.
pub(crate) fn unchanged(case: &CaseEvidence, keys: &[&str], findings: &mut Findings) {
    compare(case, keys, findings, is_as_sent);
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
                findings.not_observed(name, NO_FIELDS);
                continue;
            };
            for key in keys {
                match (sent.get(key), stored.get(key)) {
                    (Some(sent), Some(stored)) if !is_fine(key, sent, stored) => {
                        corrupted(name, &name_of(&expected.payload), key, (sent, stored), findings);
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

/// Every stored member that was sent says what was sent. What is not stored is no finding.
pub(crate) fn uncorrupted(case: &CaseEvidence, findings: &mut Findings) {
    let name = &case.case.name;
    for expected in &case.case.expected {
        let Some(sent) = expected.payload.webhook() else { continue };
        for effect in case.effects_only_of(expected).unwrap_or_default() {
            let stored = effect.fields.as_ref().filter(|_| !effect.quarantined);
            let stored = stored.and_then(|fields| Webhook::parse(fields.as_json().as_bytes()).ok());
            for (key, sent) in &sent.members() {
                let Some(stored) = stored.as_ref().and_then(|stored| stored.get(key)) else { continue };
                if !is_as_sent(key, sent, stored) {
                    corrupted(name, &name_of(&expected.payload), key, (sent, stored), findings);
                }
            }
        }
    }
}

/// Whether a member says what was sent.
pub(crate) fn is_as_sent(key: &str, sent: &Raw, stored: &Raw) -> bool {
    is_same(sent, stored) || (TIMES.contains(&key) && is_same_instant(sent, stored))
}

/// A member that was stored with another value than it was sent with.
fn corrupted(case: &str, webhook: &str, key: &str, (sent, stored): (&Raw, &Raw), findings: &mut Findings) {
    let (sent, stored) = (brief(sent), brief(stored));
    let text = format!("{key} was sent as {sent}, stored as {stored}");
    let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    let discrepancy = Discrepancy::new(DiscrepancyKind::Corrupted, webhook).at(pointer, sent, stored);
    findings.differs(case, discrepancy, &text);
}

/// A text that was stored as another: sent, stored.
pub(crate) fn another_text(
    case: &str,
    webhook: &str,
    key: &str,
    (sent, stored): (&str, &str),
    findings: &mut Findings,
) {
    corrupted(case, webhook, key, (&Raw::string(sent), &Raw::string(stored)), findings);
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
