use std::collections::BTreeSet;

use super::{CaseEvidence, Findings, Seen, Verdict};

/// The cases that a check fails with by themselves; all of them where it compares cases, or fails with none alone.
///
/// Whether it compares is tried: judged alone, no case may be found anything that it is not found among the others, neither
/// as it was, nor if the receiver had taken all or refused all. A receiver that is right shall not fail for want of the
/// cases that were left out.
pub(crate) fn minimal(
    cases: Vec<CaseEvidence>,
    judge: impl Fn(&[CaseEvidence]) -> Findings,
    fails: impl Fn(&[CaseEvidence]) -> bool,
) -> Vec<CaseEvidence> {
    let separable = is_separable(&cases, &judge)
        && [200, 400, 422].into_iter().all(|status| is_separable(&answered(&cases, status), &judge));
    if !separable {
        return cases;
    }
    let is_failing: Vec<bool> = cases.iter().map(|case| fails(std::slice::from_ref(case))).collect();
    if !is_failing.contains(&true) {
        return cases;
    }
    // A race that is lost in one try is lost in another one next time: all tries stay.
    let is_race =
        cases.iter().zip(&is_failing).any(|(case, is_failing)| *is_failing && is_side_by_side(case));
    let kept = cases.into_iter().zip(is_failing);
    let kept = kept.filter(|(case, is_failing)| *is_failing || (is_race && is_side_by_side(case)));
    kept.map(|(case, _)| case).collect()
}

fn is_side_by_side(case: &CaseEvidence) -> bool {
    case.case.steps.iter().any(|step| step.scripts().len() > 1)
}

fn is_separable(cases: &[CaseEvidence], judge: &impl Fn(&[CaseEvidence]) -> Findings) -> bool {
    let all = judge(cases);
    let known: BTreeSet<(&str, Verdict, &str)> = all.all().collect();
    cases.iter().all(|case| judge(std::slice::from_ref(case)).all().all(|finding| known.contains(&finding)))
}

/// The same, if every request had been answered with this status.
fn answered(cases: &[CaseEvidence], status: u16) -> Vec<CaseEvidence> {
    let mut cases = cases.to_vec();
    for case in &mut cases {
        for answer in case.steps.iter_mut().flatten().flat_map(|transcript| &mut transcript.answers) {
            answer.status = status;
        }
        if let (Seen::Records(records), true) = (&mut case.seen, status >= 400) {
            records.clear();
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::{Case, Transcript};

    fn check(names: &[&str], judge: fn(&[&str]) -> Vec<&'static str>, expected: &[&str]) {
        let cases = names.iter().map(|name| CaseEvidence {
            case: Case::new(*name),
            steps: Vec::new(),
            canary: Transcript::default(),
            bystander: None,
            seen: Seen::Nothing,
            looks: Vec::new(),
            usage: Vec::new(),
            log: Vec::new(),
            starts: Vec::new(),
            flows: Vec::new(),
            printed: Vec::new(),
            error: None,
        });
        let judge = |cases: &[CaseEvidence]| {
            let names: Vec<&str> = cases.iter().map(|case| case.case.name.as_str()).collect();
            let mut findings = Findings::default();
            for finding in judge(&names) {
                findings.fail("", finding);
            }
            findings
        };
        let left = minimal(cases.collect(), judge, |cases| judge(cases).all().next().is_some());
        let left: Vec<&str> = left.iter().map(|case| case.case.name.as_str()).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn what_fails_by_itself_is_kept_and_nothing_else() {
        let is_bad = |names: &[&str]| if names.contains(&"bad") { vec!["bad"] } else { Vec::new() };
        check(&["a", "bad", "b", "bad"], is_bad, &["bad", "bad"]);
        check(&["a", "b"], is_bad, &["a", "b"]);
    }

    #[test]
    fn cases_that_are_compared_stay_together() {
        let differ = |names: &[&str]| {
            if names.contains(&"one") && names.contains(&"other") { vec!["they differ"] } else { Vec::new() }
        };
        check(&["a", "one", "other"], differ, &["a", "one", "other"]);
        let needs_more = |names: &[&str]| match names {
            [_] => vec!["not enough"],
            _ => vec!["bad"],
        };
        check(&["a", "bad", "b"], needs_more, &["a", "bad", "b"]);
    }
}
