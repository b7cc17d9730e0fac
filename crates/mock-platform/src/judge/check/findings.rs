use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Check, Discrepancy, DiscrepancyKind, Observability, Severity, Verdict};

/// What a judge found, case by case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    /// Whether the answers alone say all there is to say.
    decided_by_answers: bool,
    /// What was measured, and is told where the check passes.
    notes: Vec<String>,
    /// Webhooks that were sent and not answered.
    ambiguous: Vec<Discrepancy>,
}

#[derive(Debug, Clone)]
struct Finding {
    verdict: Verdict,
    case: String,
    text: String,
    is_timing: bool,
    is_late: bool,
    discrepancy: Option<Discrepancy>,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Outcome {
    /// In one word.
    pub verdict: Verdict,
    /// Why, for people; where it passed, what was measured, if anything.
    pub detail: String,
    /// The webhooks for which planned, acknowledged and observed do not agree; the first hundred.
    #[serde(default)]
    pub discrepancies: Vec<Discrepancy>,
    /// Whether it was judged by the answers, and there are effects that nobody saw.
    pub by_answers_alone: bool,
    /// Whether it failed, or warns that it would have, only because something took too long, so that it has to be confirmed.
    #[serde(skip)]
    pub is_timing: bool,
    /// Whether all that is wrong is that answers which came took too long: beside other checks that says nothing yet.
    #[serde(skip)]
    pub is_late: bool,
}

impl Outcome {
    pub(crate) fn new(verdict: Verdict, detail: impl Into<String>) -> Self {
        Self {
            verdict,
            detail: detail.into(),
            discrepancies: Vec::new(),
            by_answers_alone: false,
            is_timing: false,
            is_late: false,
        }
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

    /// Answered, and too late: as [`too_slow`](Self::too_slow), but what was measured beside other checks is what all of
    /// them together cost the receiver, and does not count.
    pub(crate) fn late(&mut self, case: &str, text: impl Into<String>) {
        self.found.push(Finding {
            is_timing: true,
            is_late: true,
            ..Finding::new(Verdict::Fail, case.to_owned(), text.into())
        });
    }

    /// Came of the moment, maybe: a failure where it happens three times.
    pub(crate) fn fail_if_repeated(&mut self, case: &str, text: impl Into<String>) {
        self.add(Verdict::Fail, case, text, true);
    }

    /// What a receiver did differs from what was planned and acknowledged; the word goes before the text.
    pub(crate) fn differs(&mut self, case: &str, discrepancy: Discrepancy, text: &str) {
        if discrepancy.kind == DiscrepancyKind::Ambiguous {
            self.ambiguous.push(discrepancy);
            return;
        }
        let text = format!("{}: {text}", discrepancy.kind);
        self.found.push(Finding {
            discrepancy: Some(discrepancy),
            ..Finding::new(Verdict::Fail, case.to_owned(), text)
        });
    }

    /// Calls by another word what was called by the first.
    pub(crate) fn rename(&mut self, from: DiscrepancyKind, to: DiscrepancyKind) {
        for finding in &mut self.found {
            if let Some(discrepancy) = &mut finding.discrepancy
                && discrepancy.kind == from
            {
                discrepancy.kind = to;
                finding.text = finding.text.replacen(from.as_str(), to.as_str(), 1);
            }
        }
    }

    /// Tells something that was measured.
    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
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
        self.decided_by_answers |= other.decided_by_answers;
        self.extend_found(other);
    }

    /// What another judge found of some of the cases; whether the answers decide is left as it is.
    pub(crate) fn extend_found(&mut self, other: Self) {
        self.found.extend(other.found);
        self.notes.extend(other.notes);
        self.ambiguous.extend(other.ambiguous);
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

    fn add(&mut self, verdict: Verdict, case: &str, text: impl Into<String>, is_timing: bool) {
        self.found.push(Finding { is_timing, ..Finding::new(verdict, case.to_owned(), text.into()) });
    }

    /// Those that are told, whatever the verdict: a failure's first.
    fn discrepancies(&self) -> Vec<Discrepancy> {
        const MOST: usize = 100;
        let found = self.found.iter().filter_map(|found| found.discrepancy.as_ref());
        found.chain(&self.ambiguous).take(MOST).cloned().collect()
    }

    /// What is told of a check that passed.
    fn told(&self) -> String {
        let mut told = self.notes.clone();
        if !self.ambiguous.is_empty() {
            let many = self.ambiguous.len();
            told.push(format!("ambiguous: {many} sent and not answered, with an effect or without"));
        }
        told.join("; ")
    }
}

impl Finding {
    fn new(verdict: Verdict, case: String, text: String) -> Self {
        Self { verdict, case, text, is_timing: false, is_late: false, discrepancy: None }
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
            Outcome {
                by_answers_alone: unseen,
                discrepancies: findings.discrepancies(),
                ..Outcome::new(Verdict::Pass, findings.told())
            }
        };
    };
    let these: Vec<&Finding> = findings.found.iter().filter(|found| found.verdict == verdict).collect();
    let is_timing = verdict == Verdict::Fail && these.iter().all(|found| found.is_timing);
    let is_late = verdict == Verdict::Fail && these.iter().all(|found| found.is_late);
    let informs = verdict == Verdict::Fail && check.severity == Severity::May;
    Outcome {
        verdict: if informs { Verdict::Warn } else { verdict },
        detail: [detail(&these), findings.notes.join("; ")].join("; ").trim_end_matches("; ").to_owned(),
        discrepancies: findings.discrepancies(),
        by_answers_alone: unseen,
        is_timing,
        is_late,
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
    fn what_is_ambiguous_never_fails() {
        let mut findings = Findings::default();
        findings.differs("", Discrepancy::new(DiscrepancyKind::Ambiguous, "x"), "no answer");
        let outcome = conclude(&Check::BASE, &findings, true);
        assert_eq!((outcome.verdict, outcome.discrepancies.len()), (Verdict::Pass, 1));
        findings.differs("", Discrepancy::new(DiscrepancyKind::Lost, "y"), "no effect");
        findings.rename(DiscrepancyKind::Lost, DiscrepancyKind::PrematureAck);
        let outcome = conclude(&Check::BASE, &findings, true);
        assert_eq!((outcome.verdict, outcome.detail.as_str()), (Verdict::Fail, "premature_ack: no effect"));
        let kinds = outcome.discrepancies.iter().map(|one| one.kind).collect::<Vec<_>>();
        assert_eq!(kinds, [DiscrepancyKind::PrematureAck, DiscrepancyKind::Ambiguous]);
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

    #[test]
    fn what_was_answered_late_is_told_from_what_was_not_answered() {
        let mut findings = Findings::default();
        findings.late("canary", "took 2 s");
        let outcome = conclude(&Check::BASE, &findings, false);
        assert!(outcome.is_timing && outcome.is_late);
        let informs = Check { severity: Severity::May, ..Check::BASE };
        let outcome = conclude(&informs, &findings, false);
        assert_eq!((outcome.verdict, outcome.is_timing, outcome.is_late), (Verdict::Warn, true, true));
        findings.too_slow("canary", "no answer");
        let outcome = conclude(&Check::BASE, &findings, false);
        assert!(outcome.is_timing && !outcome.is_late);
    }
}
