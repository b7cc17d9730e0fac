use std::fmt;

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::LoadAudit;
use super::options::{LoadOptions, Rate};
use super::saturation::{Signs, saturation};
use super::tally::Tally;
use crate::deliver::Target;
use crate::plan::{GENERATOR, Simulator, Spacing};

/// What came of a load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadReport {
    /// The kind and version of this document.
    pub schema: String,
    /// The version of the program.
    pub version: String,
    /// The version of the generator of calls.
    pub generator: String,
    /// Where the load went; secrets are left out.
    pub target: String,
    /// The revision of the wire.
    pub profile: String,
    /// What the calls follow from.
    pub seed: String,
    /// What the ids follow from, with the seed.
    pub nonce: String,
    /// The pace that was asked for, such as `2000 webhooks per second, constant`.
    pub pace: String,
    /// The connections that there were at most at once.
    pub connections: usize,
    /// The threads.
    pub threads: usize,
    /// When the run began, by the system's monotonic clock: what a receiver on the same machine can compare with.
    pub started_at_monotonic_ns: u64,
    /// Why the figures say nothing of the receiver: the generator was the bottleneck.
    pub saturation: Option<String>,
    /// The figures.
    pub summary: LoadSummary,
    /// What the receiver did; `null` where nobody could look.
    pub audit: Option<LoadAudit>,
}

/// The figures of a load. Webhooks are counted, where nothing else is said.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadSummary {
    /// Due.
    pub planned: u64,
    /// Due, and never sent: they waited for a connection, and there was no more room, or the run was stopped.
    pub dropped_by_generator: u64,
    /// Sent, or tried to be sent.
    pub attempts: u64,
    /// Answered with 2xx.
    pub acknowledged: u64,
    /// Attempts that were not acknowledged.
    pub errors: u64,
    /// The errors, by kind.
    pub errors_by_kind: std::collections::BTreeMap<String, u64>,
    /// Sent, and neither acknowledged nor refused: no answer came, so the receiver may have acted. None of them is lost.
    pub ambiguous: u64,
    /// Acknowledged, and no effect seen; `null` where nobody could look.
    pub lost: Option<u64>,
    /// More than one effect seen; `null` where nobody could look.
    pub duplicated: Option<u64>,
    /// From the first instant to the last answer, in seconds.
    pub seconds: f64,
    /// Attempts per second, until the last was sent.
    pub sent_per_second: f64,
    /// From the instant at which a webhook was due to its answer, in microseconds.
    pub latency_us: Percentiles,
    /// From when it was sent to its answer: what a generator sees that waits for answers.
    pub service_us: Percentiles,
    /// From when it was due to when it was sent.
    pub publish_delay_us: Percentiles,
    /// From when it was due to when the generator was awake for it.
    pub scheduling_lag_us: Percentiles,
    /// Connections that were opened.
    pub connections_opened: u64,
    /// The most webhooks that waited for a connection, over all threads.
    pub most_waiting: usize,
    /// CPU time of the generator per attempt, in microseconds; without what it was awake for a moment before an instant, so as not to
    /// miss it.
    pub cpu_us_per_attempt: Option<f64>,
    /// The part of their time that the generator's threads worked on a CPU: without that waiting.
    pub cpu: Option<f64>,
}

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
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: histogram.max() }
    }

    /// The one at so many thousandths.
    pub(super) fn at(&self, thousandths: u16) -> u64 {
        match thousandths {
            0..=500 => self.p50,
            501..=900 => self.p90,
            901..=990 => self.p99,
            991..=999 => self.p999,
            _ => self.max,
        }
    }
}

/// The schema of the document.
///
/// # Examples
/// ```
/// assert_eq!(piopiy_mock_platform::load::schema()["title"], "LoadReport");
/// ```
#[must_use]
pub fn schema() -> Value {
    schemars::schema_for!(LoadReport).to_value()
}

impl LoadReport {
    /// What a ledger says of its run.
    pub(super) fn head(
        simulator: &Simulator,
        target: &Target,
        options: &LoadOptions,
        start_ns: u64,
    ) -> Value {
        let plan = simulator.options();
        json!({
            "schema": "piopiy-mock/load-ledger/1",
            "version": env!("CARGO_PKG_VERSION"),
            "generator": GENERATOR,
            "target": target.shown(),
            "profile": plan.profile.to_string(),
            "seed": plan.seed.to_string(),
            "nonce": plan.nonce.to_string(),
            "pace": pace(options),
            "started_at_monotonic_ns": start_ns,
        })
    }

    pub(super) fn new(
        simulator: &Simulator,
        target: &Target,
        options: &LoadOptions,
        tally: &Tally,
        start_ns: u64,
        audit: Option<LoadAudit>,
    ) -> Self {
        let plan = simulator.options();
        let summary = LoadSummary {
            lost: audit.as_ref().map(|audit| audit.lost),
            duplicated: audit.as_ref().map(|audit| audit.duplicated),
            ..summary(options, tally)
        };
        let signs = Signs {
            lag_p50_us: summary.scheduling_lag_us.p50,
            lag_p99_us: summary.scheduling_lag_us.p99,
            cpu: summary.cpu,
            dropped: summary.dropped_by_generator,
            due_per_second: summary.planned as f64 / seconds(tally.last_sent_ns),
            sent_per_second: summary.sent_per_second,
        };
        Self {
            schema: "piopiy-mock/load/1".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generator: GENERATOR.to_owned(),
            target: target.shown(),
            profile: plan.profile.to_string(),
            seed: plan.seed.to_string(),
            nonce: plan.nonce.to_string(),
            pace: pace(options),
            connections: options.connections,
            threads: options.threads,
            started_at_monotonic_ns: start_ns,
            // At full speed the generator is meant to be at its limit, or the receiver at its own.
            saturation: if options.rate == Rate::Max { None } else { saturation(&signs) },
            summary,
            audit,
        }
    }
}

fn summary(options: &LoadOptions, tally: &Tally) -> LoadSummary {
    let errors = [
        ("no_connection", tally.no_connection),
        ("timeout", tally.timed_out),
        ("reset", tally.reset),
        ("protocol_error", tally.no_http),
    ];
    let refused = tally.refused.iter().enumerate().map(|(digit, &count)| (format!("{digit}xx"), count));
    let named = errors.into_iter().map(|(name, count)| (name.to_owned(), count));
    let wall_ns = tally.last_ns.max(1) as f64 * options.threads as f64;
    let working_ns = tally.cpu_ns.map(|ns| ns.saturating_sub(tally.waited_ns));
    LoadSummary {
        planned: tally.planned,
        dropped_by_generator: tally.dropped,
        attempts: tally.attempts,
        acknowledged: tally.acknowledged,
        errors: tally.errors(),
        errors_by_kind: refused.chain(named).filter(|(_, count)| *count > 0).collect(),
        ambiguous: tally.timed_out + tally.reset,
        lost: None,
        duplicated: None,
        seconds: tally.last_ns as f64 / 1e9,
        sent_per_second: tally.attempts as f64 / seconds(tally.last_sent_ns),
        latency_us: Percentiles::of(&tally.latency),
        service_us: Percentiles::of(&tally.service),
        publish_delay_us: Percentiles::of(&tally.publish_delay),
        scheduling_lag_us: Percentiles::of(&tally.lag),
        connections_opened: tally.connections,
        most_waiting: tally.most_waiting,
        cpu_us_per_attempt: working_ns.map(|ns| ns as f64 / 1e3 / tally.attempts.max(1) as f64),
        cpu: working_ns.map(|ns| ns as f64 / wall_ns),
    }
}

fn seconds(ns: u64) -> f64 {
    ns.max(1) as f64 / 1e9
}

fn pace(options: &LoadOptions) -> String {
    let spacing = match options.spacing {
        Spacing::Poisson => "poisson",
        Spacing::Constant => "constant",
    };
    match options.rate {
        Rate::Calls(rate) => format!("{rate} calls per second, {spacing}, time scale {}", options.time_scale),
        Rate::Erlangs(erlangs) => format!("{erlangs} erlangs, {spacing}, time scale {}", options.time_scale),
        Rate::Webhooks(rate) => format!("{rate} webhooks per second, {spacing}"),
        Rate::Max => "as fast as they are answered".to_owned(),
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = &self.summary;
        writeln!(f, "{}, over {} connections and {} threads", self.pace, self.connections, self.threads)?;
        writeln!(
            f,
            "planned {}, sent {}, acknowledged {}, errors {}, dropped by the generator {}",
            summary.planned,
            summary.attempts,
            summary.acknowledged,
            summary.errors,
            summary.dropped_by_generator
        )?;
        if !summary.errors_by_kind.is_empty() {
            let kinds: Vec<String> =
                summary.errors_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
            writeln!(f, "errors: {}", kinds.join(", "))?;
        }
        let known =
            |count: Option<u64>| count.map_or_else(|| "unknown".to_owned(), |count| count.to_string());
        writeln!(f, "lost {}, duplicated {}", known(summary.lost), known(summary.duplicated))?;
        if let Some(audit) = &self.audit {
            write!(f, "{audit}")?;
        }
        writeln!(f, "{:.1} webhooks per second over {:.1} s", summary.sent_per_second, summary.seconds)?;
        writeln!(f, "{:<18}{:>10}{:>10}{:>10}{:>10}{:>10}", "ms", "p50", "p90", "p99", "p99.9", "max")?;
        for (name, times) in [
            ("latency", &summary.latency_us),
            ("service time", &summary.service_us),
            ("publish delay", &summary.publish_delay_us),
            ("scheduling lag", &summary.scheduling_lag_us),
        ] {
            write!(f, "{name:<18}")?;
            for us in [times.p50, times.p90, times.p99, times.p999, times.max] {
                write!(f, "{:>10.3}", us as f64 / 1e3)?;
            }
            writeln!(f)?;
        }
        match &self.saturation {
            Some(reason) => writeln!(f, "inconclusive: generator: {reason}"),
            None => Ok(()),
        }
    }
}
