//! JUDGE: what a ledger says about a receiver. Pure: no clock, no socket, no runtime.
//!
//! A [`Judge`] reads ledger records one by one, as they are written or from a file, and sums them up. What was
//! planned, what was acknowledged and what was seen to have an effect are three different things:
//!
//! * *lost*: acknowledged, and no effect seen;
//! * *duplicated*: more than one effect seen;
//! * *phantom*: an effect of something that was never sent.
//!
//! Without a look at the receiver's effects the three are unknown, which is not the same as none.

pub mod check;
pub(crate) mod day;
mod effect;
mod expected;
pub(crate) mod explore;
pub mod learn;
mod repeated;
pub mod report;
pub(crate) mod reproducer;
mod summary;
mod table;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use effect::Clues;
pub use effect::Effect;
pub use repeated::repeated;
pub use summary::{Latency, Observed, Summary};

use crate::deliver::ledger::{
    AttemptEntry, AttemptOutcome, Cause, DeliveryOutcome, Entry, OutcomeEntry, PlanEntry, Record,
};
use expected::Expected;
use piopiy_events::Evidence;

/// Reads a ledger and sums it up.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::judge::Judge;
///
/// let mut judge = Judge::new();
/// for record in piopiy_mock_platform::deliver::Ledger::builder().in_memory().open()?.records() {
///     judge.read(&record);
/// }
/// let summary = judge.summary();
/// assert_eq!((summary.planned, summary.lost()), (0, None));
/// # Ok::<(), piopiy_mock_platform::deliver::ledger::LedgerError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Judge {
    summary: Summary,
    /// What may have an effect; kept only where effects will be looked at.
    expected: Option<Expected>,
    latencies: Buckets,
    lateness: Buckets,
    records: BTreeMap<String, u64>,
    calls: Calls,
}

impl Judge {
    /// A judge that will not see any effects. It needs no more memory for a longer run.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A judge that will see effects. It keeps the identity of every webhook.
    #[must_use]
    pub fn observing() -> Self {
        Self { expected: Some(Expected::default()), ..Self::default() }
    }

    /// Reads the next record.
    pub fn read(&mut self, record: &Record) {
        *self.records.entry(record.entry.kind().to_owned()).or_default() += 1;
        match &record.entry {
            Entry::Plan(plan) => self.plan(plan),
            Entry::Attempt(attempt) => self.attempt(attempt),
            Entry::Fault(fault) => {
                *self.summary.faults.entry(fault.fault.name().to_owned()).or_default() += 1;
            }
            Entry::Outcome(outcome) => self.outcome(outcome),
            Entry::Observe(observe) => {
                let expected = self.expected.get_or_insert_default();
                match &observe.effect {
                    Some(effect) => expected.observe(effect),
                    None => expected.looked(),
                }
            }
            Entry::Run(_) | Entry::Call(_) | Entry::Message(_) | Entry::Over(_) | Entry::Summary(_) => {}
        }
    }

    /// The sum of what was read so far.
    pub fn summary(&self) -> Summary {
        let mut summary = self.summary.clone();
        summary.calls = self.calls.count;
        let over =
            summary.acknowledged + summary.unacknowledged + summary.injected_losses + summary.interrupted;
        // A ledger that ends early leaves deliveries open.
        summary.interrupted += summary.planned.saturating_sub(over);
        summary.latency = self.latencies.latency();
        summary.lateness = self.lateness.latency();
        summary.observed = self.expected.as_ref().and_then(Expected::observed);
        summary
    }

    /// How many records of each kind were read.
    #[must_use]
    pub fn records(&self) -> &BTreeMap<String, u64> {
        &self.records
    }

    fn plan(&mut self, plan: &PlanEntry) {
        self.summary.planned += 1;
        self.summary.guesses += u64::from(plan.evidence == Evidence::Guess);
        self.calls.saw(plan.call);
        if let Some(expected) = &mut self.expected {
            expected.plan(plan);
        }
    }

    fn attempt(&mut self, attempt: &AttemptEntry) {
        let summary = &mut self.summary;
        summary.attempts += 1;
        *summary.attempts_by_outcome.entry(attempt.outcome.as_str().to_owned()).or_default() += 1;
        match attempt.cause {
            Cause::First => {}
            Cause::Redelivery => summary.redeliveries += 1,
            Cause::Duplicate => summary.copies += 1,
        }
        self.lateness.record(attempt.late_ns);
        if attempt.status.is_some() {
            self.latencies.record(attempt.latency_ns);
        }
        if let Some(expected) = &mut self.expected {
            let acknowledged = attempt.outcome == AttemptOutcome::Acknowledged;
            expected.attempt(
                attempt.call,
                attempt.webhook,
                acknowledged,
                attempt.outcome != AttemptOutcome::ConnectError,
            );
        }
    }

    fn outcome(&mut self, outcome: &OutcomeEntry) {
        let summary = &mut self.summary;
        match outcome.outcome {
            DeliveryOutcome::Acknowledged => summary.acknowledged += 1,
            DeliveryOutcome::Unacknowledged => summary.unacknowledged += 1,
            DeliveryOutcome::InjectedLoss => summary.injected_losses += 1,
            DeliveryOutcome::Interrupted => summary.interrupted += 1,
        }
        summary.ambiguous += u64::from(outcome.ambiguous);
    }
}

/// Counts calls; where they come in order, without keeping them.
#[derive(Debug, Clone, Default)]
struct Calls {
    count: u64,
    /// Every call below is counted.
    all_below: u64,
    beyond: BTreeSet<u64>,
}

impl Calls {
    fn saw(&mut self, call: u64) {
        if call < self.all_below || !self.beyond.insert(call) {
            return;
        }
        self.count += 1;
        while self.beyond.remove(&self.all_below) {
            self.all_below += 1;
        }
        // A call without a webhook never comes: do not wait for it for ever.
        if self.beyond.len() > 65_536
            && let Some(first) = self.beyond.first()
        {
            self.all_below = *first;
        }
    }
}

/// A histogram with a relative error of at most 1/32.
#[derive(Debug, Clone, Default)]
struct Buckets {
    counts: BTreeMap<u64, u64>,
    total: u64,
    max_ns: u64,
}

impl Buckets {
    fn record(&mut self, ns: u64) {
        let shift = (64 - ns.leading_zeros()).saturating_sub(5);
        let bucket = (ns >> shift) << shift;
        *self.counts.entry(bucket).or_default() += 1;
        self.total += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    /// The smallest bucket with at least `per_mille` of the values in it or below.
    fn quantile(&self, per_mille: u64) -> u64 {
        let rank = (self.total * per_mille).div_ceil(1000).max(1);
        let mut seen = 0;
        for (bucket, count) in &self.counts {
            seen += count;
            if seen >= rank {
                return *bucket;
            }
        }
        self.max_ns
    }

    fn latency(&self) -> Option<Latency> {
        (self.total > 0).then(|| Latency {
            p50_ns: self.quantile(500),
            p95_ns: self.quantile(950),
            p99_ns: self.quantile(990),
            max_ns: self.max_ns,
        })
    }
}
