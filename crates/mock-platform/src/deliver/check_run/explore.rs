//! Random schedules: carries them out, and makes smaller what fails.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::rounds::Ran;
use super::{ExploreOptions, Progress, Run, millis};
use crate::judge::check::{CaseEvidence, Composer, Evidence, Findings, Severity, Verdict, criteria};
use crate::judge::explore::{Fault, Rate, SCHEDULE, Schedule, Schedules, Shrinker, faults, judged};
use crate::judge::report::{CaseRecord, Exploration, Find, Reproducer, records};

/// Schedules of which the effects are looked at together.
const BATCH: usize = 16;

impl Run<'_> {
    /// Tries random schedules, and makes smaller what the receiver gets wrong. What has come of it is in `exploration` all
    /// the while, so that it is not lost where the run is stopped.
    pub(super) async fn explore(
        &self,
        options: &ExploreOptions,
        progress: &dyn Progress,
        exploration: &Mutex<Option<Explored>>,
    ) {
        let explorer = Explorer {
            run: self,
            options,
            progress,
            exploration,
            began: Instant::now(),
            known: BTreeSet::new(),
            repeats: 0,
            so_far: Exploration::default(),
            finds: BTreeMap::new(),
        };
        explorer.explore().await;
    }
}

/// What has come of it.
#[derive(Debug, Default)]
pub(super) struct Explored {
    pub(super) told: Exploration,
    /// What was seen of each find the last time that it failed: all tries of then.
    pub(super) evidence: Vec<Arc<[CaseEvidence]>>,
}

struct Explorer<'a> {
    run: &'a Run<'a>,
    options: &'a ExploreOptions,
    progress: &'a dyn Progress,
    exploration: &'a Mutex<Option<Explored>>,
    began: Instant,
    /// The statuses of live events that the receiver has shown an effect for.
    known: BTreeSet<String>,
    /// Runs of what is made smaller: each has ids of its own.
    repeats: u32,
    so_far: Exploration,
    /// By kind of fault: the smallest schedule of those that failed so.
    finds: BTreeMap<String, Found>,
}

/// A schedule that failed.
struct Found {
    number: u64,
    found_as: Schedule,
    smallest: Schedule,
    /// `None` until it was carried out again.
    rate: Option<Rate>,
    is_smallest: bool,
    fault: Fault,
    evidence: Vec<CaseRecord>,
    tries: Arc<[CaseEvidence]>,
}

/// What came of a schedule.
struct CarriedOut {
    faults: Vec<Fault>,
    evidence: CaseEvidence,
    findings: Findings,
}

impl Explorer<'_> {
    async fn explore(mut self) {
        let outcome = match self.generate().await {
            Ok(()) => self.shrink().await,
            Err(error) => Err(error),
        };
        self.so_far.error = outcome.err();
        self.publish().await;
    }

    /// Tries new schedules for as long as there is time.
    async fn generate(&mut self) -> Result<(), String> {
        let schedules = Schedules::new(self.run.options.profile, self.run.options.seed);
        let most = self.options.most.unwrap_or(u64::MAX);
        let mut next = 0;
        while next < most && self.began.elapsed() < self.options.time {
            if !self.is_up().await {
                let gone = Err("the receiver cannot be reached any more".to_owned());
                // What it has got wrong before is what there is to say.
                return if self.finds.is_empty() { gone } else { Ok(()) };
            }
            let mut batch = Vec::new();
            while batch.len() < BATCH && next < most && self.began.elapsed() < self.options.time {
                let Some(schedule) = schedules.nth(next) else { break };
                let name = format!("schedule {next}");
                let run = u32::try_from(next).unwrap_or(u32::MAX);
                let composer = self.run.composer("explore", run);
                let evidence = self.send(&schedule, name, composer).await;
                batch.push((next, schedule, evidence));
                next += 1;
            }
            if batch.is_empty() {
                return Err(format!("there is no schedule {next}"));
            }
            let (numbered, evidence): (Vec<_>, Vec<_>) =
                batch.into_iter().map(|(number, schedule, evidence)| ((number, schedule), evidence)).unzip();
            let carried_out = self.seen(evidence).await?;
            for ((number, schedule), came) in numbered.into_iter().zip(carried_out) {
                let size = schedule.size();
                self.so_far.schedules += 1;
                self.so_far.webhooks += size.webhooks as u64;
                self.so_far.deliveries += size.deliveries as u64;
                self.note(number, &schedule, &came);
            }
            self.publish().await;
        }
        Ok(())
    }

    /// Keeps what failed, where it is the smallest of its kind.
    fn note(&mut self, number: u64, schedule: &Schedule, came: &CarriedOut) {
        for (text, _) in came.findings.of(Verdict::NotObserved) {
            if !self.so_far.not_observed.iter().any(|known| known == text) {
                self.so_far.not_observed.push(text.to_owned());
            }
        }
        for fault in &came.faults {
            let known = self.finds.get(&fault.word);
            if known.is_none_or(|known| schedule.size() < known.smallest.size()) {
                let found = Found {
                    number,
                    found_as: schedule.clone(),
                    smallest: schedule.clone(),
                    rate: None,
                    is_smallest: false,
                    fault: fault.clone(),
                    evidence: self.records(came),
                    tries: Arc::new([came.evidence.clone()]),
                };
                self.finds.insert(fault.word.clone(), found);
            }
        }
    }

    /// Makes smaller what was found, one after another; each gets its share of the time.
    async fn shrink(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + self.options.shrink_time;
        let words: Vec<String> = self.finds.keys().cloned().collect();
        for (number, word) in words.iter().enumerate() {
            let now = Instant::now();
            let share =
                deadline.saturating_duration_since(now) / u32::try_from(words.len() - number).unwrap_or(1);
            self.shrink_one(word, now + share).await?;
        }
        Ok(())
    }

    async fn shrink_one(&mut self, word: &str, until: Instant) -> Result<(), String> {
        let Some(found) = self.finds.get(word) else { return Ok(()) };
        let mut shrinker = Shrinker::new(found.smallest.clone(), found.fault.is_timing);
        while Instant::now() < until && self.is_up().await {
            let Some((schedule, runs)) = shrinker.next() else { break };
            let schedule = schedule.clone();
            let mut evidence = Vec::new();
            for _ in 0..runs {
                let composer = self.run.composer("shrink", self.repeats);
                self.repeats += 1;
                evidence.push(self.send(&schedule, schedule.to_string(), composer).await);
                if Instant::now() >= until {
                    break;
                }
            }
            let of = u32::try_from(evidence.len()).unwrap_or(runs);
            let carried_out = self.seen(evidence).await?;
            let fails_so = |came: &CarriedOut| came.faults.iter().find(|fault| fault.word == word).cloned();
            let failed: Vec<(Fault, &CarriedOut)> =
                carried_out.iter().filter_map(|came| Some((fails_so(came)?, came))).collect();
            shrinker.tell(Rate { fails: u32::try_from(failed.len()).unwrap_or(of), of });
            let last = failed.last().map(|(fault, came)| (fault.clone(), self.records(came)));
            if let Some(found) = self.finds.get_mut(word) {
                found.rate = Some(shrinker.rate()).filter(|rate| rate.of > 0);
                if *shrinker.best() == schedule
                    && let Some((fault, evidence)) = last
                {
                    (found.smallest, found.fault, found.evidence) = (schedule, fault, evidence);
                    found.tries = tries(carried_out);
                }
            }
            self.publish().await;
        }
        if let Some(found) = self.finds.get_mut(word) {
            found.is_smallest = shrinker.is_over();
        }
        Ok(())
    }

    /// Sends all that a schedule says, with ids of the composer's.
    async fn send(&self, schedule: &Schedule, name: String, mut composer: Composer) -> CaseEvidence {
        let case = schedule.case(name, &mut composer, &self.known);
        self.run.case(&SCHEDULE, case, &mut composer, true).await
    }

    /// Looks at the effects of what was sent, and judges each on its own.
    async fn seen(&mut self, cases: Vec<CaseEvidence>) -> Result<Vec<CarriedOut>, String> {
        let ran = Ran {
            check: &SCHEDULE,
            cases,
            took: Duration::ZERO,
            findings: Findings::default(),
            but_for_leaks: None,
            error: None,
            unseen: None,
            is_alone: true,
            bounds: Vec::new(),
        };
        let Some(ran) = self.run.look(vec![ran]).await.pop() else { return Ok(Vec::new()) };
        if let Some(error) = ran.error {
            return Err(error);
        }
        let terms = &self.run.terms();
        let mut carried_out = Vec::new();
        for evidence in ran.cases {
            let one = Evidence { cases: std::slice::from_ref(&evidence), terms };
            self.known.extend(criteria::shown(&one));
            let findings = judged(&evidence, terms);
            if let Some((error, _)) = findings.of(Verdict::Error).next() {
                return Err(error.to_owned());
            }
            carried_out.push(CarriedOut { faults: faults(&findings), evidence, findings });
        }
        // A receiver that is gone cannot be asked; what its answers have shown stays.
        match ran.unseen {
            Some(unseen) if carried_out.iter().all(|came| came.faults.is_empty()) => Err(unseen),
            _ => Ok(carried_out),
        }
    }

    /// Whether somebody listens; a receiver of the suite's that is gone is started again.
    async fn is_up(&self) -> bool {
        self.run.revive().await;
        self.run.probe.is_listening().await.is_ok()
    }

    fn records(&self, came: &CarriedOut) -> Vec<CaseRecord> {
        let cases = std::slice::from_ref(&came.evidence);
        records(cases, &came.findings, Severity::Must, &self.run.secrets)
    }

    /// Lets others see what has come of it so far.
    async fn publish(&mut self) {
        self.so_far.took_ms = millis(self.began.elapsed());
        let mut finds: Vec<&Found> = self.finds.values().collect();
        finds.sort_by_key(|found| found.number);
        let evidence = finds.iter().map(|found| Arc::clone(&found.tries)).collect();
        let told = finds.iter().enumerate().map(|(at, found)| self.told(at, found)).collect();
        self.so_far.findings = told;
        let Exploration { schedules, deliveries, findings, .. } = &self.so_far;
        let mut text = format!("{schedules} schedules, {deliveries} deliveries");
        if let Some(last) = findings.last() {
            text.push_str(&format!("; {}", last.title));
        }
        self.progress.explored(&text);
        *self.exploration.lock().await = Some(Explored { told: self.so_far.clone(), evidence });
    }

    fn told(&self, at: usize, found: &Found) -> Find {
        // Seen once, in passing, where there was no time for more.
        let rate = found.rate.unwrap_or(Rate { fails: 1, of: 1 });
        let (schedule, detail) = (found.smallest.to_string(), found.fault.text.clone());
        let options = self.run.options;
        Find {
            id: format!("EXP-{:03}", at + 1),
            verdict: if rate.fails > 0 { Verdict::Fail } else { Verdict::Inconclusive },
            kind: found.fault.word.clone(),
            title: format!("{schedule}: {detail} ({rate})"),
            schedule,
            detail,
            fails: rate.fails,
            of: rate.of,
            found_in: found.number,
            found_as: found.found_as.to_string(),
            is_smallest: found.is_smallest,
            evidence: found.evidence.clone(),
            reproducer: Reproducer {
                command: format!(
                    "{} --seed {} --explore {:?}{}",
                    options.again, options.seed, self.options.time, options.again_tail
                ),
                folder: None,
                curl: None,
            },
        }
    }
}

/// What was seen in all tries of a schedule, each by its number.
fn tries(carried_out: Vec<CarriedOut>) -> Arc<[CaseEvidence]> {
    let tries = carried_out.into_iter().enumerate().map(|(number, came)| {
        let mut evidence = came.evidence;
        evidence.case.name = format!("try {}", number + 1);
        evidence
    });
    tries.collect()
}
