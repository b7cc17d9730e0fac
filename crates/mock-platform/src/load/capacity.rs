//! The largest rate that a receiver takes safely: trials, each a load of its own.

mod search;
mod verdict;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::search::{Search, Step};
use self::verdict::{gave_way_late, shown};
use super::audit::Followed;
use super::call_lengths::CallLengths;
use super::saturation::out_of_sockets;
use super::shortage::is_shortage;
use super::{LoadError, LoadOptions, LoadOptionsError, LoadReport, Progress, Rate, in_words, run_after};
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

    /// Whether the largest rate can be searched for with such loads: from a level rate of webhooks or calls on, in trials that all begin at once.
    ///
    /// # Errors
    /// Where they have another course, something that only one load can have, or calls that are far longer than a trial.
    pub fn check(&self, simulator: &Simulator, options: &LoadOptions) -> Result<(), LoadOptionsError> {
        if !matches!(options.rate, Rate::Calls(_) | Rate::Webhooks(_)) {
            return Err(LoadOptionsError::Capacity);
        }
        let refused = [
            ("the stages", !options.stages.is_empty()),
            ("the arrivals that are given", options.arrivals_at.is_some()),
            ("the number of calls", options.calls.is_some()),
            ("the instant to begin at", options.start_at.is_some()),
            ("the ledger", options.ledger.is_some()),
            ("the shard", simulator.options().shard.is_some()),
        ];
        if let Some((what, _)) = refused.into_iter().find(|(_, is_given)| *is_given) {
            return Err(LoadOptionsError::Trials(what));
        }
        options.check()?;
        match options.rate {
            Rate::Calls(_) => self.check_lengths(&CallLengths::of(simulator, options.time_scale), options),
            _ => Ok(()),
        }
    }

    /// A trial is to see the webhooks of calls that began long ago, too: until these come, a rate is not what it is going to be.
    fn check_lengths(&self, lengths: &CallLengths, options: &LoadOptions) -> Result<(), LoadOptionsError> {
        let whole_seconds = |duration: Duration| Duration::from_secs_f64(duration.as_secs_f64().ceil());
        let needed = lengths.mean().saturating_mul(CALLS_ON_END);
        if needed <= self.trial {
            return Ok(());
        }
        let faster = needed.as_secs_f64() / self.trial.as_secs_f64().max(1e-3);
        Err(LoadOptionsError::ShortTrials {
            trial: self.trial,
            mean: Duration::from_millis(lengths.mean().as_millis() as u64),
            time_scale: (options.time_scale * faster).ceil(),
            needed: whole_seconds(needed),
        })
    }
}

/// A trial is so many calls long: in the mean over it nine in ten of those that are to be in progress are so.
const CALLS_ON_END: u32 = 10;

/// The largest rate that a receiver took.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Capacity {
    /// What is counted: `webhooks` or `calls`.
    pub unit: String,
    /// The largest rate per second that did, as often as was asked for unless the search is `unfinished`, and failed at most once; `null` where
    /// none did.
    pub per_second: Option<f64>,
    /// The lowest rate above it that did not in most of its trials: the capacity is between the two. `null` where there was none.
    pub fails_at: Option<f64>,
    /// Trials at the largest rate, and those of them that did.
    pub tried: u32,
    /// See `tried`.
    pub passed: u32,
    /// Trials at the rate above it, and those of them that did not.
    pub tried_above: u32,
    /// See `tried_above`.
    pub failed_above: u32,
    /// What gave way first, at the lowest rate that did not do, and what after it, as far as the seconds of the trial tell them apart. What was lost or
    /// doubled has no time, and is told in front.
    pub gave_way: Option<String>,
    /// Why the search ended before the two rates were as close as they are to be, and the largest was tried as often; `null` where it did not.
    pub unfinished: Option<String>,
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
    /// Effects of it that were seen only after it was over.
    pub late: u64,
}

/// Between two trials, for a receiver to come to rest.
const REST: Duration = Duration::from_millis(300);

/// Searches for the largest rate with nothing lost, doubled or refused, and with the latency within its bound; from the rate
/// of the options on, in its unit. Each trial is as long as [`CapacityOptions`] say, whatever the duration of the options. The
/// report is that of the last trial at the largest rate.
///
/// # Errors
/// As [`CapacityOptions::check`], before anything is sent, and as [`run_load`](super::run_load).
pub fn find_capacity(
    simulator: &Simulator,
    target: &Target,
    options: &LoadOptions,
    capacity: &CapacityOptions,
    progress: &Arc<Progress>,
    tell: &mut dyn FnMut(&Trial),
) -> Result<LoadReport, LoadError> {
    capacity.check(simulator, options)?;
    let (unit, first) = match options.rate {
        Rate::Calls(rate) => ("calls", rate),
        Rate::Webhooks(rate) => ("webhooks", rate),
        Rate::Erlangs(_) | Rate::Max => return Err(LoadOptionsError::Capacity.into()),
    };
    let with_rate = |per_second: f64| {
        if unit == "calls" { Rate::Calls(per_second) } else { Rate::Webhooks(per_second) }
    };
    let mut search = Search::new(first, capacity.repeats);
    let mut found =
        Capacity { unit: unit.to_owned(), is_observed: options.observation.is_some(), ..Capacity::default() };
    let mut reports: Vec<LoadReport> = Vec::new();
    let mut rested_us = u64::MAX;
    let (mut saturation, mut fine_at, mut audit_failed) = (None, None, None);
    // Why the generator can go on no more, where one of its trials does not say so.
    let mut cut_short = None;
    let mut followed = None;
    let nonce = simulator.options().nonce;
    while let Step::Try(per_second) = search.next() {
        let trial_options =
            LoadOptions { rate: with_rate(per_second), duration: Some(capacity.trial), ..options.clone() };
        let mut plan = simulator.options().clone();
        // Ids of its own: what was seen in another trial would be repeats.
        plan.nonce = Nonce(nonce.0.wrapping_add(found.trials.len() as u64));
        let simulator = simulator.with_options(plan);
        progress.next_trial();
        let (report, unseen) = match run_after(&simulator, target, &trial_options, progress, &mut followed) {
            Ok(ran) => ran,
            // It was there before: whatever it was sent last was too much for it.
            Err(error) if is_gone(&error) && !found.trials.is_empty() => {
                let why = in_words(&error);
                if let Some(last) = found.trials.last_mut() {
                    search.gone(last.per_second);
                    last.inconclusive = None;
                    if last.gave_way.is_none() {
                        last.gave_way = Some(format!("it was gone when it was over: {why}"));
                        tell(last);
                    }
                }
                found.unfinished = Some(format!("the receiver is gone: {why}"));
                break;
            }
            // Whether the receiver is there yet nobody knows: this machine is what is at its end.
            Err(LoadError::Unreachable { source, .. }) if is_shortage(&source) && !reports.is_empty() => {
                (saturation, fine_at) = (out_of_sockets(1), None);
                cut_short = Some("this machine had no more sockets for another trial".to_owned());
                break;
            }
            Err(LoadError::Stopped) if !reports.is_empty() => {
                found.unfinished = Some(STOPPED.to_owned());
                break;
            }
            Err(error) => return Err(error),
        };
        // What came late is known of the trials that it is of.
        let late = followed.iter().flat_map(Followed::earlier);
        for (trial, late) in found.trials.iter_mut().rev().zip(late) {
            trial.late = late.effects;
            if trial.passed()
                && let Some(why) = gave_way_late(&late.audit)
            {
                search.revoked(trial.per_second);
                trial.gave_way = Some(why);
                tell(trial);
            }
        }
        rested_us = rested_us.min(report.summary.latency_us.p50);
        let shown = shown(&report, capacity, rested_us);
        let is_blind = unseen.is_some_and(|error| !error.is_of_receiver());
        let inconclusive = match () {
            () if progress.is_stopped() => Some(STOPPED.to_owned()),
            () if is_blind => report.audit_failed.clone(),
            // What it loses at less than was to be sent it loses.
            () => report.saturation.clone().filter(|_| !report.is_proven_wrong()).or(shown.inconclusive),
        };
        let trial = Trial {
            per_second,
            gave_way: shown.gave_way,
            inconclusive,
            p99_us: report.summary.latency_us.p99,
            late: 0,
        };
        tell(&trial);
        if is_blind {
            audit_failed.clone_from(&report.audit_failed);
        }
        let fine = report.fine_at;
        reports.push(report);
        if progress.is_stopped() {
            found.unfinished = Some(STOPPED.to_owned());
            break;
        }
        if is_blind {
            found.unfinished = Some("what the receiver does could not be seen any more".to_owned());
        } else if trial.inconclusive.is_some() {
            (saturation, fine_at) = (trial.inconclusive.clone(), fine);
            search.inconclusive(per_second);
        } else {
            search.tried(per_second, trial.gave_way.is_none());
        }
        found.trials.push(trial);
        if found.unfinished.is_some() {
            break;
        }
        std::thread::sleep(REST);
    }
    let outcome = search.outcome();
    (found.per_second, found.passed, found.tried) = (outcome.passes, outcome.passed, outcome.tried);
    (found.fails_at, found.failed_above, found.tried_above) =
        (outcome.fails, outcome.failed, outcome.tried_above);
    if outcome.is_finished || found.unfinished.is_some() {
        // What was inconclusive on the way was not what ended it.
        (saturation, fine_at) = (None, None);
    } else {
        let limit = || match outcome.unsure {
            Some(rate) => format!("the generator was the bottleneck, at {rate:.1} {unit} per second already"),
            None => "the generator was the bottleneck again and again".to_owned(),
        };
        found.unfinished = Some(cut_short.unwrap_or_else(limit));
    }
    let at_its_limit = found.trials.iter().filter(|trial| Some(trial.per_second) == found.fails_at);
    found.gave_way = at_its_limit.filter_map(|trial| trial.gave_way.clone()).next_back();
    let is_best = |trial: &Trial| trial.passed() && Some(trial.per_second) == found.per_second;
    let best = found.trials.iter().rposition(is_best).unwrap_or_default();
    let shown = if progress.is_stopped() { reports.len().saturating_sub(1) } else { best };
    let mut report = if shown < reports.len() { reports.swap_remove(shown) } else { LoadReport::default() };
    (report.saturation, report.fine_at) = (saturation, fine_at);
    if audit_failed.is_some() {
        report.audit_failed = audit_failed;
    }
    report.capacity = Some(found);
    Ok(report)
}

/// Why a trial says nothing, and a search has no end, that somebody ended.
const STOPPED: &str = "it was stopped";

/// Whether a receiver is not there, or shows nothing.
fn is_gone(error: &LoadError) -> bool {
    match error {
        LoadError::Unreachable { source, .. } => !is_shortage(source),
        LoadError::Tls { .. } => true,
        LoadError::Audit(error) => error.is_of_receiver(),
        _ => false,
    }
}

impl Trial {
    fn passed(&self) -> bool {
        self.gave_way.is_none() && self.inconclusive.is_none()
    }
}

impl fmt::Display for Capacity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = &self.unit;
        let found = match (self.per_second, self.fails_at) {
            (Some(rate), Some(fails)) => format!(
                "{rate:.1} {unit} per second ({} of {} trials), below {fails:.1} ({} of {} failed)",
                self.passed, self.tried, self.failed_above, self.tried_above
            ),
            (Some(rate), None) => format!("at least {rate:.1} {unit} per second"),
            (None, Some(fails)) => format!("none found; {fails:.1} {unit} per second are too many"),
            (None, None) => "none found".to_owned(),
        };
        writeln!(f, "safe capacity: {found}")?;
        if let Some(gave_way) = &self.gave_way {
            writeln!(f, "what gave way first: {gave_way}")?;
        }
        if let Some(why) = &self.unfinished {
            writeln!(f, "the search did not come to its end: {why}")?;
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
        let late = if self.late > 0 { format!(", {} effects came later", self.late) } else { String::new() };
        write!(
            f,
            "{:.1} per second: {verdict} (p99 {:.1} ms{late})",
            self.per_second,
            self.p99_us as f64 / 1e3
        )
    }
}
