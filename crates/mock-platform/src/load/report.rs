mod asked;
mod hlog;
mod html;
mod markdown;
mod record;
mod summary;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit::LoadAudit;
use super::capacity::Capacity;
use super::options::{LoadOptions, Rate};
use super::packed::{self, HistogramError};
use super::saturation::{CPU_AFTER_S, Room, Signs, gave_way, out_of_sockets, saturation};
use super::tally::Tally;
use super::threshold::Threshold;
use crate::deliver::Target;
use crate::plan::{GENERATOR, Simulator};

pub(super) use self::asked::Difference;
pub use self::asked::LoadAsked;
use self::asked::pace;
pub(super) use self::record::histogram_of;
pub use self::record::{LoadHistograms, LoadInterval, LoadThreshold};
use self::summary::pace_sent;
pub use self::summary::{LoadSummary, Percentiles};

/// The kind and version of the document.
const SCHEMA: &str = "piopiy-mock.load/v1";
/// Those of its ledger.
const LEDGER_SCHEMA: &str = "piopiy-mock.load-ledger/v1";

/// The pace at which the generator is not judged: it is at its limit, or the receiver is.
const FULL_SPEED: &str = "as fast as they are answered";

/// A form in which a [`LoadReport`] is written.
pub type Render = fn(&LoadReport) -> String;

/// The kinds of `--report KIND=PATH`.
pub const KINDS: &[(&str, Render)] = &[
    ("hlog", hlog::render),
    ("html", html::render),
    ("json", json),
    ("markdown", markdown::render),
    ("text", |report| report.to_string()),
];

fn json(report: &LoadReport) -> String {
    let (verdict, reason) = report.judged();
    let (verdict, reason) = (verdict.to_owned(), reason.map(ToOwned::to_owned));
    let report = LoadReport { verdict, reason, ..report.clone() };
    // Numbers and texts: nothing that could not be written.
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

/// Why a text is no [`LoadReport`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadReportError {
    /// It is no such JSON.
    #[error("it is no report of a load, as `--report json=PATH` writes it")]
    Json(#[from] serde_json::Error),
    /// It is of another kind.
    #[error("it says that it is {0:?}, and not {SCHEMA}")]
    Schema(String),
    /// A histogram of it cannot be read.
    #[error(transparent)]
    Histogram(#[from] HistogramError),
}

/// What came of a load.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadReport {
    /// The kind and version of this document.
    pub schema: String,
    /// What it came to where it is written, as [`LoadReport::verdict`] has it.
    pub verdict: String,
    /// Why it came to that, in a word: of `failed` that is `effects`, `threshold`, `in_flight_limit`, `not_acknowledged` or `no_safe_rate`; of
    /// `inconclusive` `generator`, `ledger`, `nothing_sent`, `effects_unseen` or `unfinished`; `null` otherwise.
    pub reason: Option<String>,
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
    /// What was asked for beside it.
    pub asked: LoadAsked,
    /// The connections that there were at most at once.
    pub connections: usize,
    /// The threads.
    pub threads: usize,
    /// Which part of the plan it was, such as `0/4`; `null` for all of it.
    pub shard: Option<String>,
    /// When the run began, in milliseconds since 1970.
    pub started_ms: u64,
    /// When the run began, by the system's monotonic clock: what a receiver on the same machine can compare with.
    pub started_at_monotonic_ns: u64,
    /// Why the figures say nothing of the receiver: the generator was the bottleneck.
    pub saturation: Option<String>,
    /// The rate at which the generator would have been fine, in the unit of `pace`, or as webhooks per second where calls begin at given instants; where the pace
    /// changes, the highest. `null` where it was fine, and where it was not the rate that was too much for it. Joined shards have the lowest of theirs, and none where one of those that were too slow has none.
    pub fine_at: Option<f64>,
    /// Why not all was sent that was due, though the generator was fine: what had no answer yet was as much as may be in flight.
    pub gave_way: Option<String>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
    /// What had to hold.
    pub thresholds: Vec<LoadThreshold>,
    /// The figures.
    pub summary: LoadSummary,
    /// The search for the largest rate, where there was one: the figures are those of a trial at it.
    pub capacity: Option<Capacity>,
    /// What the receiver did; `null` where nobody could look.
    pub audit: Option<LoadAudit>,
    /// Why it is unknown what the receiver did, though somebody looked: its effects could not be seen to the end.
    pub audit_failed: Option<String>,
    /// Why the ledger could not be written to its end, which ended the load; `null` where it was, or none was asked for.
    pub ledger_failed: Option<String>,
    /// How many webhooks of each form were sent.
    pub mix: BTreeMap<String, u64>,
    /// Every time, for others to reckon with.
    pub histograms: LoadHistograms,
    /// What happened when, a second each or longer in a long run.
    pub series: Vec<LoadInterval>,
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
            "schema": LEDGER_SCHEMA,
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
        started: Started,
        audit: Option<LoadAudit>,
    ) -> Self {
        let plan = simulator.options();
        let summary = LoadSummary {
            lost: audit.as_ref().map(|audit| audit.lost),
            duplicated: audit.as_ref().map(|audit| audit.duplicated),
            ..LoadSummary::of(options, tally)
        };
        let (rate, unit) = pace_sent(options, tally);
        let signs = Signs {
            lag_p50_us: summary.scheduling_lag_us.p50,
            lag_p99_us: summary.scheduling_lag_us.p99,
            out_of_sockets: summary.out_of_sockets,
            cpu: summary.cpu,
            seconds: summary.seconds,
            rate,
            unit,
        };
        // At full speed the generator is meant to be at its limit, or the receiver at its own.
        let (saturation, fine_at) = match options.rate {
            Rate::Max => (out_of_sockets(summary.out_of_sockets), None),
            _ => saturation(&signs).map_or((None, None), |it| (Some(it.why), it.fine_at)),
        };
        let room = Room {
            dropped: summary.dropped(),
            most_waiting: summary.most_waiting,
            connections: options.connections,
        };
        Self {
            schema: SCHEMA.to_owned(),
            // They follow from the rest, when it is written.
            verdict: String::new(),
            reason: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generator: GENERATOR.to_owned(),
            target: target.shown(),
            profile: plan.profile.to_string(),
            seed: plan.seed.to_string(),
            nonce: plan.nonce.to_string(),
            pace: pace(options),
            asked: LoadAsked::of(simulator, options),
            connections: options.connections,
            threads: options.threads,
            shard: plan.shard.map(|(part, parts)| format!("{part}/{parts}")),
            started_ms: started.wall_ms,
            started_at_monotonic_ns: started.monotonic_ns,
            // Whoever is late himself knows nothing of others.
            gave_way: if saturation.is_some() { None } else { gave_way(&room) },
            saturation,
            fine_at,
            stopped: started.is_stopped,
            thresholds: Vec::new(),
            summary,
            capacity: None,
            audit,
            audit_failed: None,
            ledger_failed: None,
            mix: tally.forms.iter().map(|(form, count)| ((*form).to_owned(), *count)).collect(),
            histograms: LoadHistograms::of(tally),
            series: LoadInterval::all(&tally.series, tally.last_ns.max(tally.last_sent_ns)),
        }
    }

    /// Reads one that was written as JSON.
    ///
    /// # Errors
    /// Where it is none, or holds a histogram that is none.
    pub fn parse(text: &str) -> Result<Self, LoadReportError> {
        let report: Self = serde_json::from_str(text)?;
        if report.schema != SCHEMA {
            return Err(LoadReportError::Schema(report.schema));
        }
        let LoadHistograms { latency, service, publish_delay, scheduling_lag } = &report.histograms;
        let of_series = report.series.iter().map(|interval| &interval.latency);
        for text in [latency, service, publish_delay, scheduling_lag].into_iter().chain(of_series) {
            packed::read(text)?;
        }
        Ok(report)
    }

    /// Notes what had to hold, and whether it does.
    pub fn judge(&mut self, thresholds: &[Threshold]) {
        self.thresholds = thresholds.iter().map(|threshold| threshold.judge(self)).collect();
    }

    /// As GitHub and GitLab show it.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::render(self)
    }

    /// What it came to, in a word: `stopped` where it was stopped before its end, `inconclusive`, `failed` where a threshold does not hold, an effect is not as it
    /// must be, webhooks found no room, none was acknowledged, or a search found no rate that is safe; or `passed`. What was lost or
    /// doubled is so, however late the generator was and whoever stopped it; a time that is beyond its bound for want of the generator is inconclusive, and a
    /// bound on effects that nobody looked at; where effects were to be seen and could not, or a search did not come to its end, nothing has passed.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        self.judged().0
    }

    /// The verdict, and its reason in a word where it is `failed` or `inconclusive`.
    #[must_use]
    pub fn judged(&self) -> (&'static str, Option<&'static str>) {
        let failed = |reason| ("failed", Some(reason));
        let inconclusive = |reason| ("inconclusive", Some(reason));
        match () {
            () if self.is_proven_wrong() => failed("effects"),
            () if self.stopped => ("stopped", None),
            () if self.ledger_failed.is_some() => inconclusive("ledger"),
            () if self.saturation.is_some() => inconclusive("generator"),
            () if self.summary.attempts == 0 => inconclusive("nothing_sent"),
            () if self.thresholds.iter().any(LoadThreshold::is_failed) => failed("threshold"),
            () if !self.audit.as_ref().is_none_or(LoadAudit::is_clean) => failed("effects"),
            () if self.gave_way.is_some() => failed("in_flight_limit"),
            () if self.summary.acknowledged == 0 => failed("not_acknowledged"),
            () if self.thresholds.iter().any(|threshold| threshold.is_by_generator) => {
                inconclusive("generator")
            }
            () if self.thresholds.iter().any(|threshold| threshold.is_unknown) => {
                inconclusive("effects_unseen")
            }
            () if self.audit_failed.is_some() => inconclusive("effects_unseen"),
            () => match &self.capacity {
                Some(capacity) if capacity.unfinished.is_some() => inconclusive("unfinished"),
                Some(capacity) if capacity.per_second.is_none() => failed("no_safe_rate"),
                _ => ("passed", None),
            },
        }
    }

    /// The part of their time in which the threads ran on a CPU, from the start to the end; `None` where that is not known, or it was over in a moment.
    pub(super) fn busy_throughout(&self) -> Option<f64> {
        let LoadSummary { attempts, seconds, cpu_us_per_attempt, .. } = self.summary;
        let spent_s = cpu_us_per_attempt? * attempts as f64 / 1e6;
        (seconds >= CPU_AFTER_S).then(|| spent_s / (seconds * self.threads.max(1) as f64))
    }

    /// Whether it was as fast as it was answered.
    pub(super) fn is_at_full_speed(&self) -> bool {
        self.pace == FULL_SPEED
    }

    /// Whether the receiver lost, doubled or changed something, whatever else is said of the run.
    pub(super) fn is_proven_wrong(&self) -> bool {
        self.audit.as_ref().is_some_and(LoadAudit::is_proven_wrong)
    }

    /// Its times, each with what people call it.
    fn times(&self) -> [(&'static str, &Percentiles); 4] {
        let summary = &self.summary;
        [
            ("latency", &summary.latency_us),
            ("service time", &summary.service_us),
            ("publish delay", &summary.publish_delay_us),
            ("scheduling lag", &summary.scheduling_lag_us),
        ]
    }
}

/// How a run began, and whether it was let come to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    pub(super) wall_ms: u64,
    pub(super) monotonic_ns: u64,
    pub(super) is_stopped: bool,
}
