use std::path::PathBuf;
use std::time::Duration;

use crate::deliver::check_run::Observation;
use crate::plan::Spacing;

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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
            duration: Some(Duration::from_secs(10)),
            calls: None,
            time_scale: 1.0,
            connections: 64,
            threads: 1,
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
        if self.duration.is_none() && self.calls.is_none() {
            return Err(LoadOptionsError::Endless);
        }
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
}
