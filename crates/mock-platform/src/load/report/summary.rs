//! The figures of a load.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::options::{LoadOptions, Rate};
use crate::load::series::Busy;
use crate::load::tally::Tally;

/// The figures of a load. Webhooks are counted, where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadSummary {
    /// Due.
    pub planned: u64,
    /// Due, and never sent: they waited for a connection, and there was no more room, or the run was stopped.
    pub dropped_by_generator: u64,
    /// Of those, what still waited when the run was stopped.
    pub unsent_at_stop: u64,
    /// Sent, or tried to be sent.
    pub attempts: u64,
    /// Answered with 2xx.
    pub acknowledged: u64,
    /// Attempts that were not acknowledged.
    pub errors: u64,
    /// The errors, by kind.
    pub errors_by_kind: BTreeMap<String, u64>,
    /// What went wrong on purpose, and what was sent again, as far as the run came: `duplicate`, `reorder`, `delay`, `loss` and `redelivery`.
    pub injected: BTreeMap<String, u64>,
    /// Attempts that were sent, and neither acknowledged nor refused: no answer came, or none that could be read, so the receiver may have
    /// acted. None of them is lost.
    pub ambiguous: u64,
    /// Acknowledged, and no effect seen; `null` where nobody could look.
    pub lost: Option<u64>,
    /// More than one effect seen; `null` where nobody could look.
    pub duplicated: Option<u64>,
    /// From the first instant to that at which the last webhook was due, in seconds.
    pub due_for_s: f64,
    /// From the first instant to the last answer, in seconds.
    pub seconds: f64,
    /// Attempts per second, until the last was sent.
    pub sent_per_second: f64,
    /// From the instant at which a webhook was due to its answer, in microseconds; to its end where it was not answered.
    pub latency_us: Percentiles,
    /// From when it was sent to its answer: what a generator sees that waits for answers.
    pub service_us: Percentiles,
    /// From when it was due to when it was sent.
    pub publish_delay_us: Percentiles,
    /// From when it was due to when the generator was awake for it.
    pub scheduling_lag_us: Percentiles,
    /// Connections that were opened.
    pub connections_opened: u64,
    /// How often one could not be opened.
    pub connections_failed: u64,
    /// How often that was because this machine had no more files or ports for it.
    pub out_of_sockets: u64,
    /// The most webhooks that waited for a connection, over all threads.
    pub most_waiting: usize,
    /// CPU time of the generator per attempt, in microseconds, from the first instant on; without what it was awake for a moment before an instant, so as not to
    /// miss it.
    pub cpu_us_per_attempt: Option<f64>,
    /// The part of their time that the generator's threads worked on a CPU, without that waiting: in the busiest seconds, or whatever the
    /// intervals are, in which one in ten webhooks was sent. What trickles after a burst makes it no less.
    pub cpu: Option<f64>,
}

/// The errors that are no answers.
const UNANSWERED: [&str; 4] = ["no_connection", "timeout", "reset", "protocol_error"];

/// Times, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Percentiles {
    /// Half of them took at most this long.
    pub p50: u64,
    /// 90 in 100.
    pub p90: u64,
    /// 99 in 100.
    pub p99: u64,
    /// 999 in 1,000.
    pub p999: u64,
    /// All of them.
    pub max: u64,
}

impl Percentiles {
    pub(in crate::load) fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: histogram.max() }
    }

    /// The one at so many thousandths.
    pub(in crate::load) fn at(&self, thousandths: u16) -> u64 {
        match thousandths {
            0..=500 => self.p50,
            501..=900 => self.p90,
            901..=990 => self.p99,
            991..=999 => self.p999,
            _ => self.max,
        }
    }
}

impl LoadSummary {
    /// Those that found no room, and not those that waited when the run was stopped.
    pub(in crate::load) fn dropped(&self) -> u64 {
        self.dropped_by_generator.saturating_sub(self.unsent_at_stop)
    }

    /// Attempts that nobody answered, as far as an answer could be read.
    pub(in crate::load) fn unanswered(&self) -> u64 {
        UNANSWERED.iter().filter_map(|kind| self.errors_by_kind.get(*kind)).sum()
    }

    /// Of what was counted; what a receiver did is not known yet.
    pub(super) fn of(options: &LoadOptions, tally: &Tally) -> Self {
        let errors =
            UNANSWERED.into_iter().zip([tally.no_connection, tally.timed_out, tally.reset, tally.no_http]);
        let refused = tally.refused.iter().enumerate().map(|(digit, &count)| (format!("{digit}xx"), count));
        let named = errors.map(|(name, count)| (name.to_owned(), count));
        let working_ns = tally.cpu_ns.map(|ns| ns.saturating_sub(tally.waited_ns));
        Self {
            planned: tally.planned,
            dropped_by_generator: tally.dropped,
            unsent_at_stop: tally.unsent_at_stop,
            attempts: tally.attempts,
            acknowledged: tally.acknowledged,
            errors: tally.errors(),
            errors_by_kind: refused.chain(named).filter(|(_, count)| *count > 0).collect(),
            injected: tally.injected.named().map(|(name, count)| (name.to_owned(), count)).collect(),
            ambiguous: tally.timed_out + tally.reset + tally.no_http,
            lost: None,
            duplicated: None,
            due_for_s: tally.last_due_ns as f64 / 1e9,
            seconds: tally.last_ns as f64 / 1e9,
            sent_per_second: tally.attempts as f64 / seconds(tally.last_sent_ns),
            latency_us: Percentiles::of(&tally.latency),
            service_us: Percentiles::of(&tally.service),
            publish_delay_us: Percentiles::of(&tally.publish_delay),
            scheduling_lag_us: Percentiles::of(&tally.lag),
            connections_opened: tally.connections,
            connections_failed: tally.connections_failed,
            out_of_sockets: tally.out_of_sockets,
            most_waiting: tally.most_waiting,
            cpu_us_per_attempt: working_ns.map(|ns| ns as f64 / 1e3 / tally.attempts.max(1) as f64),
            cpu: working_ns.map(|ns| {
                let whole = || ns as f64 / (tally.last_ns.max(1) as f64 * options.threads as f64);
                busy(options, tally).map_or_else(whole, |busy| busy.cpu)
            }),
        }
    }
}

/// How busy the generator was.
pub(super) fn busy(options: &LoadOptions, tally: &Tally) -> Option<Busy> {
    tally.series.busy(options.threads, tally.last_ns.max(tally.last_sent_ns))
}

/// What it sent when it was busiest, in the unit in which the pace was given. A pace that changes, or makes calls of which each has webhooks for long, is what it is
/// at most: then the most was due.
pub(super) fn pace_sent(options: &LoadOptions, tally: &Tally) -> (f64, &'static str) {
    let Some(busy) = busy(options, tally) else { return (0.0, "webhooks per second") };
    let part = (busy.sent_per_second / busy.due_per_second).min(1.0);
    match (options.rate, options.peak()) {
        (Rate::Calls(_), Some(peak)) => (peak * part, "calls per second"),
        (Rate::Erlangs(_), Some(peak)) => (peak * part, "erlangs"),
        (Rate::Webhooks(_), Some(peak)) => (peak * part, "webhooks per second"),
        _ => (busy.sent_per_second, "webhooks per second"),
    }
}

fn seconds(ns: u64) -> f64 {
    ns.max(1) as f64 / 1e9
}
