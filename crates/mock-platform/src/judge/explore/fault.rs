use super::variation::STORED;
use crate::judge::check::{CaseEvidence, Evidence, Findings, Terms, Verdict, criteria, oracles};

/// What a receiver got wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fault {
    /// What kind of fault it is: `duplicated`, `lost`, `stale_overwrite`, `corrupted`, `answered 500`. What is shrunk keeps it.
    pub(crate) word: String,
    /// What was seen and what was expected, for people.
    pub(crate) text: String,
    /// Whether something took too long, and nothing else.
    pub(crate) is_timing: bool,
}

/// What is found in schedules that were carried out: as in a check, and in each webhook's stored values.
pub(super) fn judge(evidence: &Evidence<'_>) -> Findings {
    let mut findings = Findings::default();
    for case in evidence.cases.iter().filter(|case| case.error.is_none()) {
        let one = Evidence { cases: std::slice::from_ref(case), terms: evidence.terms };
        findings.extend(criteria::acknowledged(&one));
        criteria::unchanged(case, &criteria::Stored::default(), &STORED, &mut findings);
        if !case.case.has_open_end {
            findings.extend(criteria::final_state(&one));
        }
    }
    findings
}

/// All that is found in one of them.
pub(crate) fn judged(evidence: &CaseEvidence, terms: &Terms) -> Findings {
    let one = Evidence { cases: std::slice::from_ref(evidence), terms };
    let mut findings = oracles::standing(&one);
    findings.extend(oracles::leaks(&one));
    findings.extend(judge(&one));
    findings
}

/// What a receiver got wrong: the first fault of each kind.
pub(crate) fn faults(findings: &Findings) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for (text, is_timing) in findings.of(Verdict::Fail) {
        let fault = Fault::of(text, is_timing);
        if !faults.iter().any(|known| known.word == fault.word) {
            faults.push(fault);
        }
    }
    faults
}

impl Fault {
    fn of(text: &str, is_timing: bool) -> Self {
        // The ids at the end are those of one run.
        let without_id = match text.rsplit_once(" (") {
            Some((text, id)) if id.ends_with(')') && !id.contains(' ') => text,
            _ => text,
        };
        // How long it took is another each time.
        if is_timing && text.starts_with("took ") {
            return Self { word: "slow".to_owned(), text: text.to_owned(), is_timing };
        }
        let word = text.split([':', ',', '(']).next().unwrap_or_default().trim();
        let text = without_id.strip_prefix(word).and_then(|rest| rest.strip_prefix(": "));
        Self { word: word.to_owned(), text: text.unwrap_or(without_id).to_owned(), is_timing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, word: &str, expected: &str) {
        let fault = Fault::of(text, false);
        assert_eq!((fault.word.as_str(), fault.text.as_str()), (word, expected));
    }

    #[test]
    fn a_fault_has_a_kind_and_no_ids() {
        check("duplicated: 2 effects, expected one (c4ec-1)", "duplicated", "2 effects, expected one");
        check("answered 409, expected 2xx", "answered 409", "answered 409, expected 2xx");
        check("answered 500", "answered 500", "answered 500");
        let slow = Fault::of("took 5.2s, limit 5.0s", true);
        assert_eq!((slow.word.as_str(), slow.text.as_str()), ("slow", "took 5.2s, limit 5.0s"));
        check(
            "stale_overwrite: the call ends as `active`, expected `ended_missed` (x)",
            "stale_overwrite",
            "the call ends as `active`, expected `ended_missed`",
        );
    }
}
