use super::check::Verdict;
use super::report::{CheckReport, CheckResult, CheckSummary};

/// Makes one report of several runs of the same checks: a check passes only if it passes in each, and where the runs do
/// not agree, that is what is said. `None` for no runs.
///
/// The evidence is that of the first run that did not pass. What broke on this side once is told as an error.
#[must_use]
pub fn repeated(mut runs: Vec<CheckReport>) -> Option<CheckReport> {
    let rest = if runs.is_empty() { Vec::new() } else { runs.split_off(1) };
    let mut report = runs.pop()?;
    if rest.is_empty() {
        return Some(report);
    }
    report.took_ms += rest.iter().map(|run| run.took_ms).sum::<u64>();
    report.unwritten.extend(rest.iter().flat_map(|run| run.unwritten.iter().cloned()));
    report.interrupted |= rest.iter().any(|run| run.interrupted);
    // A later run that was interrupted knows nothing of some checks; those it knows count.
    for result in &mut report.checks {
        let others = rest.iter().filter_map(|run| run.checks.iter().find(|other| other.id == result.id));
        let all: Vec<CheckResult> = std::iter::once(result.clone()).chain(others.cloned()).collect();
        *result = one_of(all);
    }
    report.summary = CheckSummary::of(&report.checks);
    Some(report)
}

/// The result that stands for those of all runs.
fn one_of(mut all: Vec<CheckResult>) -> CheckResult {
    let runs = all.len();
    let counts: Vec<(Verdict, usize)> = Verdict::ALL
        .into_iter()
        .map(|verdict| (verdict, all.iter().filter(|result| result.outcome.verdict == verdict).count()))
        .filter(|(_, count)| *count > 0)
        .collect();
    let is_stale = all.iter().any(|result| result.is_stale_known_failure);
    let by_answers_alone = all.iter().any(|result| result.outcome.by_answers_alone);
    let took_ms = all.iter().map(|result| result.took_ms).sum();
    let has = |verdict| counts.iter().any(|(counted, _)| *counted == verdict);
    let shown = [Verdict::Error, Verdict::Fail].into_iter().find(|verdict| has(*verdict));
    let is_shown = |result: &CheckResult| match shown {
        Some(verdict) => result.outcome.verdict == verdict,
        None => result.outcome.verdict != Verdict::Pass,
    };
    let at = all.iter().position(is_shown).unwrap_or(0);
    let mut result = all.swap_remove(at);
    (result.is_stale_known_failure, result.took_ms) = (is_stale, took_ms);
    result.outcome.by_answers_alone = by_answers_alone;
    if counts.len() > 1 {
        let told: Vec<String> = counts.iter().map(|(verdict, count)| format!("{verdict} {count}")).collect();
        let detail = &result.outcome.detail;
        result.outcome.detail = format!("flaky, in {runs} runs: {}; {detail}", told.join(", "));
        if !has(Verdict::Error) {
            result.outcome.verdict = Verdict::Inconclusive;
        }
    } else if result.outcome.verdict != Verdict::Pass {
        result.outcome.detail.push_str(&format!(" (in all of {runs} runs)"));
    }
    result
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::check::{Outcome, find};
    use super::*;

    fn run(verdicts: &[(&str, Verdict)]) -> CheckReport {
        let result = |(id, verdict): &(&str, Verdict)| {
            let detail = if *verdict == Verdict::Pass { "" } else { "took 2 s" };
            let outcome = Outcome::new(*verdict, detail);
            CheckResult::new(find(id).unwrap(), outcome, Vec::new(), String::new())
        };
        let checks: Vec<CheckResult> = verdicts.iter().map(result).collect();
        CheckReport {
            schema: Cow::Borrowed("test"),
            run_id: String::new(),
            version: Cow::Borrowed("0"),
            seed: String::new(),
            nonce: String::new(),
            target: String::new(),
            profile: piopiy_events::Profile::default(),
            observation: Cow::Borrowed("none"),
            baseline_us: 0,
            took_ms: 5,
            rerun: String::new(),
            interrupted: false,
            started_ms: 0,
            error: None,
            not_run: Vec::new(),
            exploration: None,
            summary: CheckSummary::of(&checks),
            unwritten: Vec::new(),
            checks,
        }
    }

    fn check(verdicts: &[Verdict], expected: (Verdict, &str)) {
        let runs = verdicts.iter().map(|verdict| run(&[("TRN-001", *verdict)])).collect();
        let report = repeated(runs).unwrap();
        let outcome = &report.checks[0].outcome;
        assert_eq!((outcome.verdict, outcome.detail.as_str()), expected, "{verdicts:?}");
        assert_eq!(report.summary, CheckSummary::of(&report.checks));
        assert_eq!(report.took_ms, 5 * verdicts.len() as u64);
    }

    #[test]
    fn a_check_passes_only_if_it_passes_each_time() {
        use Verdict::{Error, Fail, Inconclusive, NotObserved, Pass};
        check(&[Pass], (Pass, ""));
        check(&[Pass, Pass, Pass], (Pass, ""));
        check(&[Fail, Fail], (Fail, "took 2 s (in all of 2 runs)"));
        check(&[NotObserved, NotObserved], (NotObserved, "took 2 s (in all of 2 runs)"));
        check(&[Pass, Fail, Pass], (Inconclusive, "flaky, in 3 runs: pass 2, fail 1; took 2 s"));
        check(&[Fail, Error], (Error, "flaky, in 2 runs: fail 1, error 1; took 2 s"));
        check(&[Pass, Inconclusive], (Inconclusive, "flaky, in 2 runs: pass 1, inconclusive 1; took 2 s"));
    }

    #[test]
    fn a_run_that_was_stopped_says_what_it_knows() {
        let mut stopped = run(&[]);
        stopped.interrupted = true;
        let report = repeated(vec![run(&[("TRN-001", Verdict::Pass)]), stopped]).unwrap();
        assert!(report.interrupted);
        assert_eq!(report.checks[0].outcome.verdict, Verdict::Pass);
        assert!(repeated(Vec::new()).is_none());
    }
}
