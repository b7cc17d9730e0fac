//! Criteria that many checks share. Each looks at every case.

use piopiy_events::{Raw, Webhook};

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
        for effect in case.effects_of(expected).unwrap_or_default() {
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
    for case in evidence.cases {
        match &case.seen {
            Seen::Nothing => {}
            Seen::Count(count) => counted(case, *count, &mut findings),
            Seen::Records(records) => {
                recorded(case, &mut findings);
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
        findings.fail(&case.case.name, format!("the count of effects rose by {count}, expected {wanted}"));
    }
}

fn recorded(case: &CaseEvidence, findings: &mut Findings) {
    for expected in &case.case.expected {
        let Some(effects) = case.effects_of(expected) else { continue };
        let count = effects.iter().filter(|effect| !effect.quarantined).count();
        let (least, most) = expected.count.range(case.is_acknowledged(expected.payload.id));
        let name = &case.case.name;
        let id = &expected.payload.cmiuuid;
        if count < least && count == 0 {
            findings.fail(name, format!("lost: acknowledged, and no effect ({id})"));
        } else if count > most && expected.count == Count::Never {
            findings.fail(name, format!("{}, expected none ({id})", many(count)));
        } else if count > most {
            findings.fail(name, format!("duplicated: {}, expected one ({id})", many(count)));
        }
    }
}

fn many(effects: usize) -> String {
    if effects == 1 { "1 effect".to_owned() } else { format!("{effects} effects") }
}
