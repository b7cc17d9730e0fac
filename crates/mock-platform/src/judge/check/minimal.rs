use super::{CaseEvidence, Findings};

/// The cases that a check fails with by themselves; or, where it compares cases, as few as it fails with. What is left
/// has no finding that was not there before.
///
/// `fails` judges some of the cases: what it finds where the verdict is the same, and `None` where it is another.
pub(crate) fn minimal(
    mut cases: Vec<CaseEvidence>,
    fails: impl Fn(&[CaseEvidence]) -> Option<Findings>,
) -> Vec<CaseEvidence> {
    let Some(all) = fails(&cases) else { return cases };
    let known = all.worst();
    let stays =
        |cases: &[CaseEvidence]| fails(cases).is_some_and(|findings| findings.worst().is_subset(&known));
    let alone: Vec<bool> = cases.iter().map(|case| stays(std::slice::from_ref(case))).collect();
    if alone.contains(&true) {
        let mut is_alone = alone.into_iter();
        let (failing, others): (Vec<_>, Vec<_>) =
            cases.into_iter().partition(|_| is_alone.next().unwrap_or(true));
        if stays(&failing) {
            return failing;
        }
        cases = failing;
        cases.extend(others);
    }
    // The last first, so that the case that was named first stays.
    let mut at = cases.len();
    while at > 0 && cases.len() > 1 {
        at -= 1;
        let left_out = cases.remove(at);
        if !stays(&cases) {
            cases.insert(at, left_out);
        }
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::check::{Case, Seen, Transcript};

    fn check(names: &[&str], judge: fn(&[&str]) -> &'static [&'static str], expected: &[&str]) {
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
        let fails = |cases: &[CaseEvidence]| {
            let names: Vec<&str> = cases.iter().map(|case| case.case.name.as_str()).collect();
            let mut findings = Findings::default();
            for finding in judge(&names) {
                findings.fail("", *finding);
            }
            (!findings.worst().is_empty()).then_some(findings)
        };
        let left = minimal(cases.collect(), fails);
        let left: Vec<&str> = left.iter().map(|case| case.case.name.as_str()).collect();
        assert_eq!(left, expected);
    }

    #[test]
    fn what_fails_by_itself_is_kept_and_nothing_else() {
        let is_bad = |names: &[&str]| -> &'static [&'static str] {
            if names.contains(&"bad") { &["bad"] } else { &[] }
        };
        check(&["a", "bad", "b", "bad"], is_bad, &["bad", "bad"]);
    }

    #[test]
    fn cases_that_are_compared_stay_together() {
        let differ = |names: &[&str]| -> &'static [&'static str] {
            if names.contains(&"one") && names.contains(&"other") { &["they differ"] } else { &[] }
        };
        check(&["a", "one", "b", "other", "c"], differ, &["one", "other"]);
    }

    #[test]
    fn what_fails_only_for_want_of_the_others_is_no_failure() {
        let needs_all = |names: &[&str]| -> &'static [&'static str] {
            match names {
                [_] => &["not enough"],
                names if names.contains(&"bad") => &["bad"],
                _ => &[],
            }
        };
        check(&["a", "bad", "b"], needs_all, &["a", "bad"]);
    }
}
