//! What of a report others can be made from: histograms, intervals, thresholds.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::load::packed;
use crate::load::series::Series;
use crate::load::tally::Tally;

/// Every time of a run, in microseconds: base64 of HdrHistogram's compressed encoding (V2), which its tools read; empty for none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadHistograms {
    /// From the instant at which a webhook was due to its answer; to its end where it was not answered.
    pub latency: String,
    /// From when it was sent to its answer.
    pub service: String,
    /// From when it was due to when it was sent.
    pub publish_delay: String,
    /// From when it was due to when the generator was awake for it.
    pub scheduling_lag: String,
}

/// What happened in one interval of a run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadInterval {
    /// When it begins, in seconds from the first instant.
    pub at_s: f64,
    /// How long it is, in seconds.
    pub seconds: f64,
    /// Webhooks that were due in it.
    pub planned: u64,
    /// Attempts that were made in it.
    pub sent: u64,
    /// Acknowledged in it.
    pub acknowledged: u64,
    /// Attempts that came to another end in it.
    pub errors: u64,
    /// The latencies of those that ended in it, as in `histograms`.
    pub latency: String,
}

/// A threshold, and whether it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadThreshold {
    /// As it was asked for, such as `p99<500ms`.
    pub threshold: String,
    /// Why it does not hold; `null` where it does.
    pub broken: Option<String>,
    /// Whether it may not hold only because the generator was late, or at its limit, itself, so that nothing is said of the receiver.
    pub is_by_generator: bool,
    /// Whether it is of effects, and nobody looked at them, or not at all of them: then it is not known to hold.
    pub is_unknown: bool,
}

impl LoadThreshold {
    /// Whether it is the receiver by whom it does not hold.
    pub(in crate::load) fn is_failed(&self) -> bool {
        self.broken.is_some() && !self.is_undecided()
    }

    /// Whether it says nothing of the receiver.
    pub(in crate::load) fn is_undecided(&self) -> bool {
        self.is_by_generator || self.is_unknown
    }
}

impl LoadHistograms {
    pub(super) fn of(tally: &Tally) -> Self {
        Self {
            latency: packed::write(&tally.latency),
            service: packed::write(&tally.service),
            publish_delay: packed::write(&tally.publish_delay),
            scheduling_lag: packed::write(&tally.lag),
        }
    }
}

impl LoadInterval {
    /// Those of a run that lasted so long.
    pub(super) fn all(series: &Series, end_ns: u64) -> Vec<Self> {
        let width = series.width().as_secs_f64();
        let end = end_ns as f64 / 1e9;
        let mut intervals: Vec<Self> = (0_u32..)
            .zip(series.intervals())
            .map(|(place, (counts, latencies))| Self {
                at_s: f64::from(place) * width,
                seconds: width,
                planned: counts.planned,
                sent: counts.sent,
                acknowledged: counts.acknowledged,
                errors: counts.errors,
                latency: packed::write(&latencies),
            })
            .collect();
        if let Some(last) = intervals.last_mut() {
            // To a millisecond, so that two instants make no rate.
            last.seconds = (end - last.at_s).max(0.001);
        }
        intervals
    }

    /// The latencies, in microseconds.
    pub(in crate::load) fn latencies(&self) -> Histogram<u64> {
        histogram_of(&self.latency)
    }
}

/// What a text holds that was read before, or written here.
pub(in crate::load) fn histogram_of(text: &str) -> Histogram<u64> {
    packed::read(text).unwrap_or_else(|_| crate::load::tally::histogram())
}
