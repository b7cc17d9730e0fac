//! The largest rate that a receiver takes safely: trials, each a load of its own.

mod search;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::search::{Search, Step};
use super::{LoadError, LoadOptions, LoadReport, Progress, Rate, run_load};
use crate::deliver::Target;
use crate::plan::{Nonce, Simulator};

/// What a receiver has to keep to, and how long is looked.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct CapacityOptions {
    /// 99 in 100 webhooks are answered within it.
    pub p99: Duration,
    /// How long webhooks are sent in each trial.
    pub trial: Duration,
    /// How often the largest rate has to do.
    pub repeats: u32,
}

impl CapacityOptions {
    /// Trials of five seconds, the last of them three times.
    #[must_use]
    pub fn new(p99: Duration) -> Self {
        Self { p99, trial: Duration::from_secs(5), repeats: 3 }
    }
}

/// The largest rate that a receiver took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Capacity {
    /// What is counted: `webhooks` or `calls`.
    pub unit: String,
    /// The largest rate per second that did in every repeat; `null` where none did.
    pub per_second: Option<f64>,
    /// The lowest rate above it that did not in most of its trials: the capacity is between the two. `null` where there was none.
    pub fails_at: Option<f64>,
    /// Trials at the largest rate, all of which did.
    pub passed: u32,
    /// Trials at the rate above it, and those of them that did not.
    pub tried_above: u32,
    /// See `tried_above`.
    pub failed_above: u32,
    /// What gave way first, at the lowest rate that did not do.
    pub gave_way: Option<String>,
    /// Whether effects were seen: without, nothing is known of what was lost or doubled.
    pub is_observed: bool,
    /// Every trial, in order.
    pub trials: Vec<Trial>,
}

/// One trial.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Trial {
    /// The rate per second.
    pub per_second: f64,
    /// Why the receiver did not do; `null` where it did.
    pub gave_way: Option<String>,
    /// Why the trial says nothing; `null` where it does.
    pub inconclusive: Option<String>,
    /// The latency of 99 in 100 webhooks, in microseconds.
    pub p99_us: u64,
}

/// Between two trials, for a receiver to come to rest.
const REST: Duration = Duration::from_millis(300);

/// Searches for the largest rate with nothing lost, doubled or refused, and with the latency within its bound; from the rate
/// of the options on, in its unit. The report is that of the last trial at the largest rate.
///
/// # Errors
/// As [`run_load`].
pub fn find_capacity(
    simulator: &Simulator,
    target: &Target,
    options: &LoadOptions,
    capacity: &CapacityOptions,
    progress: &Arc<Progress>,
    tell: &mut dyn FnMut(&Trial),
) -> Result<LoadReport, LoadError> {
    let (unit, first) = match options.rate {
        Rate::Calls(rate) => ("calls", rate),
        Rate::Webhooks(rate) => ("webhooks", rate),
        Rate::Erlangs(_) | Rate::Max => return Err(super::LoadOptionsError::Capacity.into()),
    };
    let with_rate = |per_second: f64| {
        if unit == "calls" { Rate::Calls(per_second) } else { Rate::Webhooks(per_second) }
    };
    let mut search = Search::new(first, capacity.repeats);
    let mut found =
        Capacity { unit: unit.to_owned(), is_observed: options.observation.is_some(), ..Capacity::default() };
    let mut best: Option<LoadReport> = None;
    let mut rested_us = None;
    let mut saturation = None;
    let nonce = simulator.options().nonce;
    let last = loop {
        let per_second = match search.next() {
            Step::Try(per_second) => per_second,
            Step::Done => break None,
        };
        let mut trial_options =
            LoadOptions { rate: with_rate(per_second), duration: Some(capacity.trial), ..options.clone() };
        trial_options.calls = None;
        let mut plan = simulator.options().clone();
        // Ids of its own: what was seen in another trial would be repeats.
        plan.nonce = Nonce(nonce.0.wrapping_add(found.trials.len() as u64));
        let report = run_load(&simulator.with_options(plan), target, &trial_options, progress)?;
        let rested = *rested_us.get_or_insert(report.summary.latency_us.p50);
        let trial = Trial {
            per_second,
            gave_way: gave_way(&report, capacity, rested),
            inconclusive: report.saturation.clone(),
            p99_us: report.summary.latency_us.p99,
        };
        tell(&trial);
        if progress.is_stopped() {
            saturation = Some("it was stopped".to_owned());
            break Some(report);
        }
        if trial.inconclusive.is_some() {
            saturation.clone_from(&trial.inconclusive);
            search.inconclusive(per_second);
        } else {
            search.tried(per_second, trial.gave_way.is_none());
        }
        let passed = trial.gave_way.is_none() && trial.inconclusive.is_none();
        found.trials.push(trial);
        if passed || best.is_none() {
            best = Some(report);
        }
        std::thread::sleep(REST);
    };
    let outcome = search.outcome();
    (found.per_second, found.passed) = (outcome.passes, outcome.passed);
    (found.fails_at, found.failed_above, found.tried_above) = (outcome.fails, outcome.failed, outcome.tried);
    let at_its_limit = found.trials.iter().filter(|trial| Some(trial.per_second) == found.fails_at);
    found.gave_way = at_its_limit.filter_map(|trial| trial.gave_way.clone()).next_back();
    let mut report = last.or(best).unwrap_or_default();
    // Where a rate was found that does not do, the receiver was the bottleneck, whatever happened on the way.
    report.saturation = saturation.filter(|_| found.fails_at.is_none());
    report.capacity = Some(found);
    Ok(report)
}

/// Why a rate does not do; `rested_us` is the latency of half of the webhooks at the first rate.
fn gave_way(report: &LoadReport, capacity: &CapacityOptions, rested_us: u64) -> Option<String> {
    let summary = &report.summary;
    let count = |count: Option<u64>, what: &str| {
        count.filter(|count| *count > 0).map(|count| format!("{count} webhooks were {what}"))
    };
    let errors = || {
        let kinds: Vec<String> =
            summary.errors_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        (summary.errors > 0).then(|| format!("{} errors ({})", summary.errors, kinds.join(", ")))
    };
    let changed = || {
        let audit = report.audit.as_ref()?;
        let found = audit.corrupted + audit.stale_overwrite + audit.phantom;
        (found > 0).then(|| format!("{found} effects were wrong"))
    };
    let p99 = summary.latency_us.p99;
    let slow = || {
        let (ms, bound) = (p99 as f64 / 1e3, capacity.p99.as_secs_f64() * 1e3);
        (ms >= bound).then(|| format!("p99 was {ms:.1} ms, not below {bound} ms"))
    };
    count(summary.lost, "lost")
        .or_else(|| count(summary.duplicated, "doubled"))
        .or_else(changed)
        .or_else(errors)
        .or_else(slow)
        .or_else(|| falls_behind(report, capacity.trial, rested_us))
}

/// A queue that only grows: all wait evenly longer, up to twice as long as half of them, and so long are the last waited for.
fn falls_behind(report: &LoadReport, trial: Duration, rested_us: u64) -> Option<String> {
    let summary = &report.summary;
    let us = trial.as_micros() as f64;
    let over = |us: u64| us.saturating_sub(rested_us) as f64;
    let (half, most) = (over(summary.latency_us.p50), over(summary.latency_us.p99));
    let sent_for = summary.attempts as f64 / summary.sent_per_second.max(f64::MIN_POSITIVE);
    let drained_us = (summary.seconds - sent_for) * 1e6;
    let grows = half > 0.01 * us && most < 2.6 * half && drained_us > 0.015 * us;
    grows.then(|| {
        let kept = summary.attempts as f64 / summary.seconds.max(f64::MIN_POSITIVE);
        format!("it fell behind: it answered {kept:.1} a second")
    })
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = &self.unit;
        let found = match (self.per_second, self.fails_at) {
            (Some(rate), Some(fails)) => format!(
                "{rate:.1} {unit} per second ({} of {} trials), below {fails:.1} ({} of {} failed)",
                self.passed, self.passed, self.failed_above, self.tried_above
            ),
            (Some(rate), None) => format!("at least {rate:.1} {unit} per second"),
            (None, Some(fails)) => format!("none found; {fails:.1} {unit} per second are too many"),
            (None, None) => "none found".to_owned(),
        };
        writeln!(f, "safe capacity: {found}")?;
        if let Some(gave_way) = &self.gave_way {
            writeln!(f, "what gave way first: {gave_way}")?;
        }
        if !self.is_observed {
            writeln!(f, "nobody looked at the receiver's effects: what it lost or doubled is unknown")?;
        }
        Ok(())
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match (&self.inconclusive, &self.gave_way) {
            (Some(why), _) => format!("inconclusive: {why}"),
            (None, Some(why)) => format!("too much: {why}"),
            (None, None) => "fine".to_owned(),
        };
        write!(f, "{:.1} per second: {verdict} (p99 {:.1} ms)", self.per_second, self.p99_us as f64 / 1e3)
    }
}
