//! What a receiver does with a body of the same kind that nobody can read, as a measure for one that is only almost JSON.

use crate::judge::check::{Answer, Case, CaseEvidence, Composer, Count, Evidence, Findings, Payload, Seen};

/// How the name of such a case begins.
const BROKEN: &str = "broken for sure";

/// A case whose body is no JSON by any reader.
pub(super) fn broken(composer: &Composer, what: &str, payload: &Payload) -> Case {
    Case::new(format!("{BROKEN}: {what}")).send(&composer.post(payload)).expect(payload, Count::Never)
}

/// Without a look at the effects, 2xx may mean that a body was kept aside. Not so where what is broken for sure is
/// refused, and this is not: then it was read.
pub(super) fn read_after_all(evidence: &Evidence<'_>, findings: &mut Findings) {
    let answers = |case: &CaseEvidence, is: fn(&Answer) -> bool| {
        let mut answers = case.transcripts().flat_map(|transcript| &transcript.answers).peekable();
        answers.peek().is_some() && answers.all(is)
    };
    let (measure, others): (Vec<_>, Vec<_>) =
        evidence.cases.iter().partition(|case| case.case.name.starts_with(BROKEN));
    if measure.is_empty() || !measure.iter().all(|case| answers(case, Answer::is_4xx)) {
        return;
    }
    for case in others {
        let is_wrong = case.case.expected.iter().all(|expected| expected.count == Count::Never);
        if is_wrong && case.seen == Seen::Nothing && answers(case, Answer::is_2xx) {
            findings.fail(
                &case.case.name,
                "acknowledged, and what cannot be read at all is refused: it was read",
            );
        }
    }
}
