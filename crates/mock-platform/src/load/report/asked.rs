//! What was asked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deliver::{Faults, Redelivery};
use crate::load::options::{LoadOptions, Rate};
use crate::plan::{Simulator, Spacing, Stages, digest};

/// What was asked for beside the pace: all that the shards of one load have in common, and loads that are alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct LoadAsked {
    /// The name of the scenario.
    pub scenario: String,
    /// What two scenarios share that say the same, whatever they are called; empty in reports that do not know it.
    pub scenario_digest: String,
    /// For how long calls begin, in seconds; `null` where something else ends them.
    pub duration_s: Option<f64>,
    /// How many calls there are at most.
    pub calls: Option<u64>,
    /// How the rate goes on, as `--stage` is told.
    pub stages: Vec<String>,
    /// What two lists of instants share that are the same; `null` where calls begin at a rate.
    pub arrivals_digest: Option<String>,
    /// What goes wrong on purpose.
    pub faults: Faults,
    /// When live events and CDRs are sent again: `until-ack`, `always` or `never`.
    pub live_policy: String,
    /// See `live_policy`.
    pub cdr_policy: String,
    /// When the attempts of one delivery are due, in milliseconds from the first.
    pub schedule_ms: Vec<u64>,
}

/// Something that was asked for: what it is called, and what it is in one load.
type Part<'a> = (&'static str, &'a dyn Fn(&LoadAsked) -> String);

/// In what two loads differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::load) struct Difference {
    pub(in crate::load) what: &'static str,
    pub(in crate::load) one: String,
    pub(in crate::load) other: String,
}

impl LoadAsked {
    pub(super) fn of(simulator: &Simulator, options: &LoadOptions) -> Self {
        let arrivals = options.arrivals_at.as_ref();
        Self {
            scenario: simulator.scenario().to_owned(),
            scenario_digest: simulator.scenario_digest().to_owned(),
            duration_s: options.duration.map(|duration| duration.as_secs_f64()),
            calls: options.calls,
            stages: options.stages.iter().map(ToString::to_string).collect(),
            arrivals_digest: arrivals
                .map(|instants| digest(instants.iter().flat_map(|instant| instant.to_le_bytes()))),
            faults: options.faults.clone(),
            live_policy: policy(options.live_policy),
            cdr_policy: policy(options.cdr_policy),
            schedule_ms: options.schedule_ms.clone(),
        }
    }

    /// The first thing in which two loads differ, seeds apart; `None` where one of them does not know.
    pub(in crate::load) fn differs(&self, other: &Self) -> Option<Difference> {
        if self.scenario_digest.is_empty() || other.scenario_digest.is_empty() {
            return None;
        }
        let scenario = |one: &Self| format!("{} ({})", one.scenario, one.scenario_digest);
        let number = |number: Option<String>| number.unwrap_or_else(|| "none".to_owned());
        let duration = |one: &Self| number(one.duration_s.map(|seconds| format!("{seconds} s")));
        let resent = |one: &Self| {
            let policies = [&one.live_policy, &one.cdr_policy];
            let schedule =
                if policies.iter().all(|policy| *policy == "never") { &[][..] } else { &one.schedule_ms };
            format!("live {}, cdr {} at {schedule:?} ms", one.live_policy, one.cdr_policy)
        };
        let faults = |one: &Self| {
            let told = one.faults.probabilities().map(|(name, probability)| format!("{name} {probability}"));
            let Faults { duplicate_within_ms, reorder_window, delay_within_ms, .. } = one.faults;
            format!(
                "{}, within {duplicate_within_ms} ms, {reorder_window} and {delay_within_ms} ms",
                told.join(", ")
            )
        };
        let parts: [Part<'_>; 7] = [
            ("the scenario", &|one| {
                if self.scenario_digest == other.scenario_digest { String::new() } else { scenario(one) }
            }),
            ("the duration", &duration),
            ("calls", &|one| number(one.calls.map(|calls| calls.to_string()))),
            ("the stages", &|one| one.stages.join(" ")),
            ("arrivals", &|one| number(one.arrivals_digest.clone())),
            ("the faults", &faults),
            ("the redelivery", &resent),
        ];
        parts.into_iter().find_map(|(what, of)| {
            let (one, other) = (of(self), of(other));
            (one != other).then_some(Difference { what, one, other })
        })
    }
}

fn policy(policy: Redelivery) -> String {
    let word = match policy {
        Redelivery::UntilAck => "until-ack",
        Redelivery::Always => "always",
        Redelivery::Never => "never",
    };
    word.to_owned()
}

pub(super) fn pace(options: &LoadOptions) -> String {
    let spacing = match options.spacing {
        Spacing::Poisson => "poisson",
        Spacing::Constant => "constant",
    };
    if let Some(arrivals) = &options.arrivals_at {
        return format!("{} calls at given instants, time scale {}", arrivals.len(), options.time_scale);
    }
    let level = level(options, spacing);
    if options.stages.is_empty() {
        return level;
    }
    let stages = Stages::new(1.0, &options.stages);
    format!("{level}, then {} stages over {} s", options.stages.len(), stages.duration().as_secs_f64())
}

fn level(options: &LoadOptions, spacing: &str) -> String {
    match options.rate {
        Rate::Calls(rate) => format!("{rate} calls per second, {spacing}, time scale {}", options.time_scale),
        Rate::Erlangs(erlangs) => format!("{erlangs} erlangs, {spacing}, time scale {}", options.time_scale),
        Rate::Webhooks(rate) => format!("{rate} webhooks per second, {spacing}"),
        Rate::Max => super::FULL_SPEED.to_owned(),
    }
}
