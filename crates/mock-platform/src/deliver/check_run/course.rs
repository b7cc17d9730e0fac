//! The course of a run: what runs beside what, when effects are waited for, and what is tried again.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::rounds::Ran;
use super::{Observation, Progress, Results, Run, millis, today};
use crate::judge::check::{
    CaseEvidence, Check, Composer, Evidence, Findings, Hook, Need, Outcome, Severity, Tag, Time, Verdict,
    conclude, oracles,
};
use crate::judge::report::{CheckResult, records};

/// How often what took too long is tried again before it is a failure.
const CONFIRMATIONS: u32 = 2;
/// The check of what answers give away.
const ERROR_PAGES: &str = "SEC-011";
/// Checks that are judged together where the run is to end with a failure.
const AT_A_TIME: usize = 16;

/// Where a run stands.
pub(super) struct Course<'a> {
    progress: &'a dyn Progress,
    results: &'a Results,
    began: Instant,
    total: usize,
    /// Checks whose stimuli are all sent.
    over: AtomicUsize,
}

/// A check that was judged once.
struct Judged {
    ran: Ran,
    outcome: Outcome,
    /// In how many tries it took too long.
    slow: u32,
}

impl Judged {
    /// Whether what took too long leaves a doubt where it does so no more: not where it was only late and not alone,
    /// nor where it informs, which one moment of a busy machine does not.
    fn counts(&self) -> bool {
        let was_held_up = self.outcome.is_late && !self.ran.is_alone;
        !was_held_up && self.ran.check.severity != Severity::May
    }
}

impl<'a> Course<'a> {
    pub(super) fn new(
        progress: &'a dyn Progress,
        results: &'a Results,
        began: Instant,
        total: usize,
    ) -> Self {
        Self { progress, results, began, total, over: AtomicUsize::new(0) }
    }

    /// Keeps what came of a check, and tells it.
    async fn keep(&self, check: &Check, mut result: CheckResult) {
        result.judged_us = u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.progress.judged(&result);
        self.results.lock().await.insert(check.id, result);
    }

    fn over(&self, check: &str) {
        let over = self.over.fetch_add(1, Ordering::Relaxed) + 1;
        self.progress.over(over, self.total, check);
    }
}

impl Run<'_> {
    /// Runs all of them, or until as many failed as are put up with.
    pub(super) async fn all(&self, checks: &[&'static Check], course: &Course<'_>) {
        let (runnable, missing): (Vec<_>, Vec<_>) =
            self.shuffled(checks).into_iter().partition(|check| self.missing(check).is_empty());
        for check in missing {
            let missing = self.missing(check);
            let mut result = CheckResult::new(check, unlocked_by(&missing), Vec::new(), self.command(check));
            result.unlock = missing.iter().map(|need| need.unlock()).collect();
            course.keep(check, result).await;
            course.over(check.id);
        }
        let counts_only = matches!(self.options.observation, Some(Observation::Command(_)));
        // A count says nothing about whose effects they are: so one after another.
        let (alone, beside): (Vec<&Check>, Vec<&Check>) = runnable
            .into_iter()
            .partition(|check| counts_only || check.is_alone() || self.moves_clock(check));
        let (mut restarting, alone): (Vec<&Check>, Vec<&Check>) =
            alone.into_iter().partition(|check| check.restarts() || self.moves_clock(check));
        // What leaves a million effects behind comes last.
        restarting.sort_by_key(|check| check.tags.contains(&Tag::Soak));

        // What does nothing for a while leaves the receiver to others meanwhile, unless those take very long.
        let leaves_it = |check: &&Check| {
            let are_short = !alone.iter().any(|other| other.tags.contains(&Tag::Soak));
            check.tags.contains(&Tag::Waits) && are_short && self.options.max_fail.is_none()
        };
        let (pausing, beside): (Vec<&Check>, Vec<&Check>) = beside.into_iter().partition(leaves_it);
        let pausing = futures_util::future::join_all(
            pausing.into_iter().map(|check| self.one(check, 0, false, course)),
        );
        let mut unjudged = Vec::new();
        let others = async {
            self.side_by_side(beside, course).await?;
            self.one_by_one(alone, &mut unjudged, course).await
        };
        let (paused, others) = tokio::join!(pausing, others);
        unjudged.extend(paused);
        self.conclude(unjudged, course).await;
        if others.is_continue() {
            for check in restarting {
                let ran = self.one(check, 0, true, course).await;
                // What is not durable is gone with the next one.
                self.conclude(vec![ran], course).await;
                self.revive().await;
                if self.is_enough(course).await {
                    return;
                }
            }
        }
    }

    async fn side_by_side(&self, checks: Vec<&'static Check>, course: &Course<'_>) -> ControlFlow<()> {
        // Those first to which all effects without an id are given: none of another check comes late then.
        let (anonymous, others): (Vec<_>, Vec<_>) =
            checks.into_iter().partition(|check| self.is_anonymous(check));
        let checks = [anonymous, others].concat();
        let at_a_time = if self.options.max_fail.is_some() { AT_A_TIME } else { checks.len().max(1) };
        for some in checks.chunks(at_a_time) {
            let ran = some.iter().map(|&check| self.one(check, 0, false, course));
            let ran = futures_util::future::join_all(ran).await;
            self.conclude(ran, course).await;
            if self.is_enough(course).await {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Checks that bear nothing beside them. Their effects are waited for once, with what is left `unjudged`; what the
    /// receiver did so far is read after each, so that what breaks it later takes nothing away.
    async fn one_by_one(
        &self,
        checks: Vec<&'static Check>,
        unjudged: &mut Vec<Ran>,
        course: &Course<'_>,
    ) -> ControlFlow<()> {
        for check in checks {
            let ran = self.one(check, 0, true, course).await;
            self.catch_up().await;
            let is_broken = !ran.is_alive_after();
            unjudged.push(ran);
            if is_broken || self.options.max_fail.is_some() {
                self.conclude(std::mem::take(unjudged), course).await;
            }
            if is_broken {
                self.revive().await;
            }
            if self.is_enough(course).await {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    async fn one(&self, check: &'static Check, attempt: u32, is_alone: bool, course: &Course<'_>) -> Ran {
        let _quiet = if is_alone { Some(self.quiet.write().await) } else { None };
        let mut ran = self.ran(check, attempt, is_alone, course.progress).await;
        ran.is_alone = is_alone;
        if attempt == 0 {
            course.over(check.id);
        }
        ran
    }

    pub(super) async fn is_enough(&self, course: &Course<'_>) -> bool {
        let Some(most) = self.options.max_fail else { return false };
        let results = course.results.lock().await;
        let counts = |result: &&CheckResult| {
            result.outcome.verdict == Verdict::Fail && result.severity <= self.options.fail_on
        };
        results.values().filter(counts).count() >= most
    }

    /// Judges what ran, together, so that effects are waited for once; what took too long is run again.
    async fn conclude(&self, ran: Vec<Ran>, course: &Course<'_>) {
        let mut judged = Vec::with_capacity(ran.len());
        let mut looked = self.look(ran).await;
        self.read_log(&mut looked).await;
        for mut ran in looked {
            let outcome = self.judge(&mut ran);
            judged.push(Judged { ran, outcome, slow: 1 });
        }
        for attempt in 1..=CONFIRMATIONS {
            self.confirm(attempt, &mut judged, course).await;
        }
        for Judged { mut ran, mut outcome, .. } in judged {
            if let Some(outcome) = ran.but_for_leaks.take() {
                self.but_for_leaks.lock().await.insert(ran.check.id, outcome);
            }
            let is_stale = self.options.known.excuse(ran.check.id, &mut outcome, &today());
            let mut result = CheckResult::new(
                ran.check,
                outcome,
                records(&ran.cases, &ran.findings, ran.check.severity, &self.secrets),
                self.command(ran.check),
            );
            result.is_stale_known_failure = is_stale;
            match self.leave(&mut ran, &result.outcome) {
                Ok(None) => {}
                Ok(Some(left)) => {
                    result.reproducer.folder = Some(left.folder);
                    result.reproducer.curl = left.curl;
                }
                Err(trouble) => self.unwritten.lock().await.push(trouble),
            }
            result.took_ms = millis(ran.took);
            course.keep(ran.check, result).await;
        }
    }

    /// Runs again, alone, what took too long every time so far. Where a check was late beside others, its first time
    /// alone is the one that counts: it was not the receiver that had them all at once.
    async fn confirm(&self, attempt: u32, judged: &mut [Judged], course: &Course<'_>) {
        let is_open =
            |judged: &&mut Judged| judged.outcome.is_timing && !judged.ran.check.tags.contains(&Tag::Slow);
        let mut open: Vec<&mut Judged> = judged.iter_mut().filter(is_open).collect();
        let mut again = Vec::with_capacity(open.len());
        for judged in &open {
            let began = Instant::now();
            let mut ran = self.one(judged.ran.check, attempt, true, course).await;
            self.catch_up().await;
            ran.took = judged.ran.took + began.elapsed();
            again.push(ran);
        }
        let mut again = self.look(again).await;
        self.read_log(&mut again).await;
        for (judged, mut again) in open.iter_mut().zip(again) {
            let next = self.judge(&mut again);
            let took = again.took;
            if next.is_timing {
                judged.slow += 1;
                judged.ran.is_alone = true;
            } else if next.verdict == Verdict::Pass && judged.counts() {
                let outcome = &mut judged.outcome;
                outcome.verdict = Verdict::Inconclusive;
                outcome.is_timing = false;
                outcome.detail = format!("{} (in {} of {} tries)", outcome.detail, judged.slow, attempt + 1);
            } else {
                (judged.ran, judged.outcome) = (again, next);
            }
            judged.ran.took = took;
        }
    }

    fn judge(&self, ran: &mut Ran) -> Outcome {
        let mut findings = self.findings(ran.check, &ran.cases);
        if let Some(error) = &ran.error {
            findings.error("", error.clone());
        }
        let mut outcome = conclude(ran.check, &findings, self.terms.is_observed);
        // A receiver that is gone cannot be asked; what its answers have shown stays.
        if let Some(unseen) = &ran.unseen
            && outcome.verdict != Verdict::Fail
        {
            findings.error("", unseen.clone());
            outcome = conclude(ran.check, &findings, self.terms.is_observed);
        }
        let leaks = oracles::leaks(&Evidence { cases: &ran.cases, terms: &self.terms });
        if !leaks.is_empty() {
            findings.extend_found(leaks);
            let with_leaks = conclude(ran.check, &findings, self.terms.is_observed);
            ran.but_for_leaks = Some(std::mem::replace(&mut outcome, with_leaks));
        }
        ran.findings = findings;
        outcome
    }

    /// What SEC-011 has failed for, no other check warns of: a stack trace on every error page is one fault.
    pub(super) async fn tell_leaks_once(&self, results: &Results) {
        let mut results = results.lock().await;
        let told = results.get(ERROR_PAGES).map(|result| result.outcome.verdict);
        if !matches!(told, Some(Verdict::Fail | Verdict::KnownFailure)) {
            return;
        }
        for (id, outcome) in std::mem::take(&mut *self.but_for_leaks.lock().await) {
            let warns = |it: &&mut CheckResult| it.outcome.verdict == Verdict::Warn && id != ERROR_PAGES;
            if let Some(result) = results.get_mut(id).filter(warns) {
                result.outcome = outcome;
            }
        }
    }

    /// What is found in some cases of a check.
    pub(super) fn findings(&self, check: &Check, cases: &[CaseEvidence]) -> Findings {
        let evidence = Evidence { cases, terms: &self.terms() };
        let mut findings = (check.judge)(&evidence);
        findings.extend(oracles::standing(&evidence));
        findings
    }

    /// Whether a check moves the receiver's clock, which all others would see.
    fn moves_clock(&self, check: &Check) -> bool {
        check.passes_time() && self.sources.time == Time::Clock
    }

    /// What a check asks for and is not there.
    fn missing(&self, check: &Check) -> Vec<Need> {
        let is_there = |need: &Need| match need {
            Need::Process => self.options.command.is_some(),
            Need::SecondUrl => self.options.second.is_some(),
            Need::Time => self.sources.time != Time::Stands,
            Need::Https => self.is_tls,
            Need::Http => !self.is_tls,
            Need::Capability("signature") => self.options.signing_key.is_some(),
            // As for time: a signature would be of another hour.
            Need::Hook(Hook::Clock) if self.options.signing_key.is_some() => false,
            Need::Hook(hook) => self.options.hooks.contains_key(hook),
            Need::Capability(name) => {
                let is_it = |declared: &String| declared.split('=').next() == Some(*name);
                self.options.capabilities.iter().any(is_it)
            }
        };
        check.needs.iter().filter(|need| !is_there(need)).copied().collect()
    }

    /// The checks in an order of the seed's.
    fn shuffled(&self, checks: &[&'static Check]) -> Vec<&'static Check> {
        let mut order = checks.to_vec();
        let key = |check: &&'static Check| {
            let nonce = Composer::new(check.id, 0, self.sources.clone()).key();
            (nonce ^ self.options.seed.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)
        };
        order.sort_by_key(key);
        order
    }
}

/// The verdict of a check that was not run for want of something.
fn unlocked_by(missing: &[Need]) -> Outcome {
    let is_undeclared =
        missing.iter().any(|need| matches!(need, Need::Capability(_) | Need::Http | Need::Https));
    let verdict = if is_undeclared { Verdict::NotApplicable } else { Verdict::NotObserved };
    let unlock: Vec<String> = missing.iter().map(|need| need.unlock()).collect();
    Outcome::new(verdict, format!("needs {}", unlock.join(" and ")))
}
