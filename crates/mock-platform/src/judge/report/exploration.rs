use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CaseRecord, Reproducer};
use crate::judge::check::Verdict;

/// What random schedules of deliveries have come to.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Exploration {
    /// Schedules that were tried, those aside that were smaller ones of a find.
    pub schedules: u64,
    /// Their webhooks.
    pub webhooks: u64,
    /// Their deliveries: some webhooks come more than once.
    pub deliveries: u64,
    /// How long all of it took, in milliseconds.
    pub took_ms: u64,
    /// What the receiver gets wrong, each kind of fault once.
    pub findings: Vec<Find>,
    /// What could not be judged, and why.
    pub not_observed: Vec<String>,
    /// What broke on this side, and ended it early.
    pub error: Option<String>,
}

/// A schedule that the receiver gets wrong, made as small as there was time for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Find {
    /// `EXP-001`: its number in this run. It is none of the catalogue's ids, and means something else in another run.
    pub id: String,
    /// `fail`; or `inconclusive`, where it was seen once and never again.
    pub verdict: Verdict,
    /// The kind of fault: `duplicated`, `lost`, `stale_overwrite`, `corrupted`, `slow`, `answered 500`, and the like.
    pub kind: String,
    /// What is delivered, in words.
    pub schedule: String,
    /// What was seen, and what was expected.
    pub detail: String,
    /// All of it in one line.
    pub title: String,
    /// How often the smallest schedule failed.
    pub fails: u32,
    /// Of so many times that it was carried out.
    pub of: u32,
    /// The number of the schedule in which it was found; it follows from the seed.
    pub found_in: u64,
    /// That schedule, in words.
    pub found_as: String,
    /// Whether everything smaller was tried; where not, there was no time, or the receiver was gone.
    pub is_smallest: bool,
    /// What was sent and answered the last time that it failed.
    pub evidence: Vec<CaseRecord>,
    /// What finds it again.
    pub reproducer: Reproducer,
}
