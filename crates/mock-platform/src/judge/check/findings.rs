use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Observability, Severity, Verdict};

/// What a judge found, case by case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    /// Whether the answers alone say all there is to say.
    decided_by_answers: bool,
}

#[derive(Debug, Clone)]
struct Finding {
    verdict: Verdict,
    case: String,
    text: String,
    is_timing: bool,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Outcome {
    /// In one word.
    pub verdict: Verdict,
    /// Why, for people; empty where it passed.
    pub detail: String,
    /// Whether it was judged by the answers, and there are effects that nobody saw.
    pub by_answers_alone: bool,
    /// Whether it failed only because something took too long, so that it has to be confirmed.
    #[serde(skip)]
    pub is_timing: bool,
}

impl Outcome {
    pub(crate) fn new(verdict: Verdict, detail: impl Into<String>) -> Self {
        Self { verdict, detail: detail.into(), by_answers_alone: false, is_timing: false }
    }
}

impl Findings {
    pub(crate) fn fail(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::Fail, case, text, false);
    }

    /// Took too long: a failure where it does so three times.
    pub(crate) fn too_slow(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::Fail, case, text, true);
    }

    /// Came of the moment, maybe: a failure where it happens three times.
    pub(crate) fn fail_if_repeated(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::Fail, case, text, true);
    }

    pub(crate) fn warn(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::Warn, case, text, false);
    }

    pub(crate) fn inconclusive(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::Inconclusive, case, text, false);
    }

    pub(crate) fn not_observed(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::NotObserved, case, text, false);
    }

    pub(crate) fn not_applicable(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::NotApplicable, case, text, false);
    }

    pub(crate) fn error(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::Error, case, text, false);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The effects cannot change the verdict: everything was refused, say.
    pub(crate) fn decided_by_answers(&mut self) {
        self.decided_by_answers = true;
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.found.extend(other.found);
        self.decided_by_answers |= other.decided_by_answers;
    }

    /// What another judge found of some of the cases; whether the answers decide is left as it is.
    pub(crate) fn extend_found(&mut self, other: Self) {
        self.found.extend(other.found);
    }

    /// Each of them: the case that it names, the verdict, and why.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, Verdict, &str)> {
        self.found.iter().map(|found| (found.case.as_str(), found.verdict, found.text.as_str()))
    }

    /// What was found with this verdict: the text, and whether it is a matter of time.
    pub(crate) fn of(&self, verdict: Verdict) -> impl Iterator<Item = (&str, bool)> {
        let found = self.found.iter().filter(move |found| found.verdict == verdict);
        found.map(|found| (found.text.as_str(), found.is_timing))
    }

    /// What was found of the worst kind: each with its case.
    pub(crate) fn worst(&self) -> BTreeSet<(&str, &str)> {
        let is_there = |word: &Verdict| self.found.iter().any(|found| found.verdict == *word);
        let Some(worst) = ORDER.into_iter().find(is_there) else { return BTreeSet::new() };
        let these = self.found.iter().filter(|found| found.verdict == worst);
        these.map(|found| (found.case.as_str(), found.text.as_str())).collect()
    }

    fn add(&mut self, verdict: Verdict, case: &str, text: impl Into<String>, is_timing: bool) {
        self.found.push(Finding { verdict, case: case.to_owned(), text: text.into(), is_timing });
    }
}

/// The worst first. A warning hides what could not be seen, for it is something seen.
const ORDER: [Verdict; 6] = [
    Verdict::Error,
    Verdict::Fail,
    Verdict::Inconclusive,
    Verdict::Warn,
    Verdict::NotObserved,
    Verdict::NotApplicable,
];

/// Makes findings one verdict.
pub(crate) fn conclude(check: &Check, findings: &Findings, is_observed: bool) -> Outcome {
    let unseen =
        check.observability != Observability::Answers && !is_observed && !findings.decided_by_answers;
    let Some(verdict) =
        ORDER.into_iter().find(|word| findings.found.iter().any(|found| found.verdict == *word))
    else {
        return if unseen && check.observability == Observability::Effects {
            Outcome::new(Verdict::NotObserved, "its effects have to be seen: add --observe-url")
        } else {
            Outcome { by_answers_alone: unseen, ..Outcome::new(Verdict::Pass, "") }
        };
    };
    let these: Vec<&Finding> = findings.found.iter().filter(|found| found.verdict == verdict).collect();
    let is_timing = verdict == Verdict::Fail && these.iter().all(|found| found.is_timing);
    let informs = verdict == Verdict::Fail && check.severity == Severity::May;
    Outcome {
        verdict: if informs { Verdict::Warn } else { verdict },
        detail: detail(&these),
        by_answers_alone: unseen,
        is_timing: is_timing && !informs,
    }
}

/// The first few, each with its case.
fn detail(found: &[&Finding]) -> String {
    const SHOWN: usize = 3;
    let one = |found: &&Finding| match found.case.as_str() {
        "" => found.text.clone(),
        case => format!("{case}: {}", found.text),
    };
    let mut detail = found.iter().take(SHOWN).map(one).collect::<Vec<_>>().join("; ");
    if found.len() > SHOWN {
        detail.push_str(&format!("; and {} more", found.len() - SHOWN));
    }
    detail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(observability: Observability, severity: Severity, findings: &Findings, expected: Verdict) {
        let check = Check { observability, severity, ..Check::BASE };
        assert_eq!(conclude(&check, findings, false).verdict, expected);
    }

    #[test]
    fn the_worst_finding_decides() {
        let mut findings = Findings::default();
        check(Observability::Answers, Severity::Must, &findings, Verdict::Pass);
        check(Observability::Partly, Severity::Must, &findings, Verdict::Pass);
        check(Observability::Effects, Severity::Must, &findings, Verdict::NotObserved);
        findings.warn("", "odd");
        check(Observability::Effects, Severity::Must, &findings, Verdict::Warn);
        findings.fail("GET", "500");
        check(Observability::Effects, Severity::Must, &findings, Verdict::Fail);
        check(Observability::Answers, Severity::May, &findings, Verdict::Warn);
        findings.error("", "broken");
        check(Observability::Answers, Severity::May, &findings, Verdict::Error);
    }

    #[test]
    fn what_is_refused_needs_no_look() {
        let mut findings = Findings::default();
        findings.decided_by_answers();
        check(Observability::Effects, Severity::Must, &findings, Verdict::Pass);
    }

    #[test]
    fn only_time_alone_asks_for_confirmation() {
        let mut findings = Findings::default();
        findings.too_slow("canary", "took 2 s");
        let outcome = conclude(&Check::BASE, &findings, false);
        assert!(outcome.is_timing);
        findings.fail("", "500");
        let outcome = conclude(&Check::BASE, &findings, false);
        assert_eq!((outcome.is_timing, outcome.detail.as_str()), (false, "canary: took 2 s; 500"));
    }
}
