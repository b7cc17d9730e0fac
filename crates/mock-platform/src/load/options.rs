use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::awake::Awake;
use super::expected::webhooks_per_call;
use crate::deliver::check_run::Observation;
use crate::deliver::{CDR_SCHEDULE_MS, DeliveryOptions, Faults, InvalidOptions, Redelivery};
use crate::plan::{Simulator, Spacing, Stage, Stages};

/// What sets the pace of a load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Calls per second: each call keeps its own timing.
    Calls(f64),
    /// Calls in progress at once, on average: as many calls per second as the scenario's lengths of calls make of it.
    Erlangs(f64),
    /// Webhooks per second: those of whole calls, one after another.
    Webhooks(f64),
    /// As fast as they are answered: each connection sends the next webhook when the one before is answered.
    Max,
}

/// How much, how fast, and within which limits.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// The pace.
    pub rate: Rate,
    /// How arrivals lie in time: those of calls, or of webhooks where the rate is one of webhooks.
    pub spacing: Spacing,
    /// How the rate changes while calls begin, in its unit and from it on; calls cease to begin at the end of the last. Where there are none it stays
    /// as it is.
    pub stages: Vec<Stage>,
    /// With [`Rate::Calls`]: when calls begin, in nanoseconds from the start, rising, in place of that rate.
    pub arrivals_at: Option<Arc<[u64]>>,
    /// When the run begins; at once where that is not said.
    pub start_at: Option<SystemTime>,
    /// What goes wrong on purpose. What is held back or sent again goes by as fast as calls do.
    pub faults: Faults,
    /// Whether a live event is sent again, by the schedule.
    pub live_policy: Redelivery,
    /// Whether a CDR is.
    pub cdr_policy: Redelivery,
    /// When the attempts of one delivery are due: milliseconds from the first, which is 0.
    pub schedule_ms: Vec<u64>,
    /// For how long calls begin. A call that has begun is always sent whole.
    pub duration: Option<Duration>,
    /// How many calls there are at most.
    pub calls: Option<u64>,
    /// How much faster than in the scenario a call goes by, with [`Rate::Calls`] and [`Rate::Erlangs`].
    pub time_scale: f64,
    /// The connections, over all threads.
    pub connections: usize,
    /// The threads, each with its share of the calls and of the connections.
    pub threads: usize,
    /// Whether the threads stay awake between instants.
    pub awake: Awake,
    /// The most webhooks that wait for a connection; what is due beyond that is dropped, and counted.
    pub backlog: usize,
    /// How long an answer may take.
    pub timeout: Duration,
    /// How what the receiver did is seen: what was lost and doubled is unknown without.
    pub observation: Option<Observation>,
    /// How long nothing must change at the receiver before it is believed to be done.
    pub settle: Duration,
    /// The file into which is written what became of each webhook: when it was planned, sent and answered.
    pub ledger: Option<PathBuf>,
}

/// Why a load cannot be generated as it was asked for.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LoadOptionsError {
    /// A rate that is none.
    #[error("a rate is above 0 and at most {most}, and not {given}")]
    Rate {
        /// What was given.
        given: String,
        /// The most.
        most: u64,
    },
    /// No end.
    #[error("a load has an end: give a duration, or a number of calls")]
    Endless,
    /// Something of which there has to be one at least.
    #[error("there has to be at least one of the {0}")]
    Zero(&'static str),
    /// More threads than connections.
    #[error("{threads} threads need as many connections, and there are {connections}")]
    Connections {
        /// The threads.
        threads: usize,
        /// The connections.
        connections: usize,
    },
    /// Stages or arrivals that do not go with the rate.
    #[error("stages change a rate, and `max` is none: give --rate N, --cps or --erlangs")]
    Stages,
    /// Stages in which nothing arrives, or with a rate that is none.
    #[error(
        "a stage has a rate from 0 to {FASTEST} per second and lasts a while, and not all of them are of 0"
    )]
    Stage,
    /// Arrivals in a file say when calls begin.
    #[error("arrivals from a file say when calls begin: leave out the rate and the stages")]
    Arrivals,
    /// Redelivery takes time.
    #[error(
        "as fast as they are answered there is no time after which to send again: give --rate N, --cps or --erlangs"
    )]
    Redelivery,
    /// Nothing would ever be sent, and nothing ends that.
    #[error(
        "every webhook is lost on its way, and as fast as they are answered that has no end: give --calls N, or a smaller --fault-loss"
    )]
    AllLost,
    /// The search is for a rate.
    #[error("the search is for a rate of webhooks or of calls: give --rate N or --cps N")]
    Capacity,
    /// The search has a course of its own.
    #[error("the search for the largest rate tries one level rate after another: leave out {0}")]
    Trials(&'static str),
    /// Trials that are over before as many calls are in progress as the rate makes.
    #[error(
        "calls last {mean:?} on average, so that in trials of {trial:?} the first of them have hardly begun: make them pass by faster (--time-scale {time_scale}), or let each trial last longer (--duration {needed:?})"
    )]
    ShortTrials {
        /// How long a trial is.
        trial: Duration,
        /// How long a call is.
        mean: Duration,
        /// With which time scale the trial would do.
        time_scale: f64,
        /// How long one would have to be.
        needed: Duration,
    },
    /// Faults or a schedule that make no sense.
    #[error(transparent)]
    Delivery(#[from] InvalidOptions),
    /// A time scale that is none.
    #[error("a time scale is from 0.001 to 1000000, and not {0}")]
    TimeScale(String),
}

/// No generator on one machine is faster.
const FASTEST: u64 = 10_000_000;

impl LoadOptions {
    /// A load at a rate, for ten seconds, over 64 connections and one thread.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            spacing: Spacing::Poisson,
            stages: Vec::new(),
            arrivals_at: None,
            start_at: None,
            faults: Faults::seeded(0),
            live_policy: Redelivery::Never,
            cdr_policy: Redelivery::Never,
            schedule_ms: CDR_SCHEDULE_MS.to_vec(),
            duration: Some(Duration::from_secs(10)),
            calls: None,
            time_scale: 1.0,
            connections: 64,
            threads: 1,
            awake: Awake::Auto,
            backlog: 1_000_000,
            timeout: Duration::from_secs(10),
            observation: None,
            settle: Duration::from_millis(500),
            ledger: None,
        }
    }

    /// Whether they can be carried out.
    ///
    /// # Errors
    /// Where a number is out of its range, or there is no end.
    pub fn check(&self) -> Result<(), LoadOptionsError> {
        if let Rate::Calls(rate) | Rate::Erlangs(rate) | Rate::Webhooks(rate) = self.rate
            && !(rate >= 0.001 && rate <= FASTEST as f64)
        {
            return Err(LoadOptionsError::Rate { given: rate.to_string(), most: FASTEST });
        }
        if self.duration.is_none()
            && self.calls.is_none()
            && self.stages.is_empty()
            && self.arrivals_at.is_none()
        {
            return Err(LoadOptionsError::Endless);
        }
        self.check_course()?;
        let mut delivery = DeliveryOptions::default();
        (delivery.faults, delivery.schedule_ms) = (self.faults.clone(), self.schedule_ms.clone());
        delivery.check()?;
        let counts = [
            ("connections", self.connections),
            ("threads", self.threads),
            ("backlog", self.backlog),
            ("calls", self.calls.unwrap_or(1) as usize),
            ("milliseconds of the timeout", self.timeout.as_millis() as usize),
            (
                "milliseconds of the duration",
                self.duration.map_or(1, |duration| duration.as_millis() as usize),
            ),
        ];
        if let Some((what, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(LoadOptionsError::Zero(what));
        }
        if self.threads > self.connections {
            let (threads, connections) = (self.threads, self.connections);
            return Err(LoadOptionsError::Connections { threads, connections });
        }
        if !(self.time_scale >= 0.001 && self.time_scale <= 1e6) {
            return Err(LoadOptionsError::TimeScale(self.time_scale.to_string()));
        }
        Ok(())
    }

    /// The highest rate that there is at any time, in the unit of the rate; `None` where nobody can say.
    #[must_use]
    pub fn peak(&self) -> Option<f64> {
        if self.arrivals_at.is_some() {
            return None;
        }
        match self.rate {
            Rate::Calls(rate) | Rate::Erlangs(rate) | Rate::Webhooks(rate) if self.stages.is_empty() => {
                Some(rate)
            }
            Rate::Calls(rate) | Rate::Erlangs(rate) | Rate::Webhooks(rate) => {
                Some(Stages::new(rate, &self.stages).peak())
            }
            Rate::Max => None,
        }
    }

    /// The most webhooks per second that are sent at any time, on average: with copies, and each as often as it is sent again, whoever
    /// decides that. `None` where nobody can say.
    #[must_use]
    pub fn peak_webhooks(&self, simulator: &Simulator) -> Option<f64> {
        let firsts = match self.rate {
            Rate::Webhooks(_) => self.peak()?,
            Rate::Calls(_) => self.peak()? * webhooks_per_call(simulator),
            Rate::Erlangs(_) | Rate::Max => return None,
        };
        let is_resent = [self.live_policy, self.cdr_policy] != [Redelivery::Never; 2];
        let times = if is_resent { self.schedule_ms.len().max(1) } else { 1 };
        Some(firsts * (times as f64 + self.faults.duplicate))
    }

    /// The stages, with arrivals per second; as many are those of the rate itself.
    pub(super) fn staged(&self, per_second: f64) -> Stages {
        match self.rate {
            Rate::Calls(rate) | Rate::Erlangs(rate) | Rate::Webhooks(rate) => {
                Stages::new(rate, &self.stages).times(per_second / rate)
            }
            Rate::Max => Stages::default(),
        }
    }

    fn check_course(&self) -> Result<(), LoadOptionsError> {
        let is_level = self.stages.is_empty();
        if self.arrivals_at.is_some() && !(is_level && matches!(self.rate, Rate::Calls(_))) {
            return Err(LoadOptionsError::Arrivals);
        }
        if self.rate == Rate::Max {
            if !is_level {
                return Err(LoadOptionsError::Stages);
            }
            if [self.live_policy, self.cdr_policy].contains(&Redelivery::UntilAck) {
                return Err(LoadOptionsError::Redelivery);
            }
            if self.faults.loss >= 1.0 && self.calls.is_none() {
                return Err(LoadOptionsError::AllLost);
            }
        }
        let rates = self.stages.iter().map(|stage| match stage {
            Stage::Ramp { to, over } | Stage::Step { to, over } | Stage::Burst { to, over } => (*to, *over),
            Stage::Soak { over } => (0.0, *over),
        });
        let is_fine =
            |(rate, over): (f64, Duration)| (0.0..=FASTEST as f64).contains(&rate) && !over.is_zero();
        if !rates.into_iter().all(is_fine) || (!is_level && self.staged(1.0).arrivals() <= 0.0) {
            return Err(LoadOptionsError::Stage);
        }
        Ok(())
    }
}
