//! Criteria that many checks share. Each looks at every case.

mod effects;
mod fields;
mod state;

use super::evidence::Shows;
use super::{Answer, CaseEvidence, Evidence, Findings, Malformed, Seen, Transcript};
use crate::judge::Effect;

pub(crate) use effects::{effects, identity_as_sent, name_of, shown};
pub(crate) use fields::{
    Stored, another_text, compare, compare_if_stored, cut_to_seconds, is_as_sent, unchanged, uncorrupted,
};
pub(crate) use state::final_state;

/// Every request is acknowledged, and the effects are those expected.
pub(crate) fn acknowledged(evidence: &Evidence<'_>) -> Findings {
    let mut findings = effects(evidence);
    for case in evidence.cases {
        every_answer(case, &mut findings, "2xx", Answer::is_2xx);
    }
    findings
}

/// Every request is acknowledged, and the effects are those expected, as they were sent.
pub(crate) fn acknowledged_as_sent(evidence: &Evidence<'_>) -> Findings {
    let mut findings = acknowledged(evidence);
    for case in evidence.cases {
        uncorrupted(case, &mut findings);
    }
    findings
}

/// The same, and each call stands in the end where the model says.
pub(crate) fn acknowledged_and_settled(evidence: &Evidence<'_>) -> Findings {
    let mut findings = acknowledged_as_sent(evidence);
    findings.extend(final_state(evidence));
    findings
}

/// Every request is acknowledged, the effects are those expected, and each webhook is taken for what it is: a CDR or a live
/// event. An effect need not say which.
pub(crate) fn taken_for_what_it_is(evidence: &Evidence<'_>) -> Findings {
    let mut findings = acknowledged(evidence);
    for case in evidence.cases {
        for expected in &case.case.expected {
            let Some(identity) = expected.payload.identity() else { continue };
            let wanted = identity.kind().as_str();
            for effect in case.effects_of(expected).unwrap_or_default() {
                if let Some(kind) =
                    effect.kind.as_deref().filter(|kind| !effect.quarantined && *kind != wanted)
                {
                    findings.fail(&case.case.name, format!("taken for {kind}, and it is {wanted}"));
                }
            }
        }
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
        let is_taken = answers.any(Answer::is_2xx);
        all_refused &= !is_taken;
        let Seen::Records(records) = &case.seen else { continue };
        if is_taken {
            kept_aside(&case.case.name, records, evidence.terms.shows, &mut findings);
        }
    }
    if all_refused {
        findings.decided_by_answers();
    }
    findings
}

/// What was acknowledged and cannot be understood is kept aside, as far as records show that.
fn kept_aside(case: &str, records: &[Effect], shows: Shows, findings: &mut Findings) {
    // A record of what is kept aside need not say whose it is: any such may be this one's.
    let is_shown = shows.kept_nameless_aside || records.iter().any(|effect| effect.quarantined);
    match shows.quarantine {
        Some(true) if is_shown => {}
        Some(true) => {
            findings.fail(case, "acknowledged, and no record shows that it was kept aside: it is lost");
        }
        Some(false) => findings.fail(
            case,
            "acknowledged, and lost: `?capabilities` says `\"quarantine\": false`, so it is not kept aside",
        ),
        None => findings.not_observed(
            case,
            "acknowledged, and neither `?capabilities` nor any record shows whether it is kept aside",
        ),
    }
}

/// Every request is acknowledged, the effects are those expected, and have these members as they were sent.
pub(crate) fn stored_as_sent(evidence: &Evidence<'_>, keys: &[&str]) -> Findings {
    let mut findings = acknowledged(evidence);
    let others = Stored::of(evidence);
    for case in evidence.cases {
        unchanged(case, &others, keys, &mut findings);
    }
    findings
}

/// Every body is refused with 4xx, or acknowledged, and what is stored of it has these members as they were sent.
pub(crate) fn refused_or_stored_as_sent(evidence: &Evidence<'_>, keys: &[&str]) -> Findings {
    let mut findings = taken_or_refused(evidence);
    let others = Stored::of(evidence);
    for case in evidence.cases {
        unchanged(case, &others, keys, &mut findings);
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
