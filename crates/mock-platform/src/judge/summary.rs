use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What came of a run. Webhooks are counted, where nothing else is said; an attempt is one HTTP request.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[must_use = "a summary is where lost and duplicated webhooks are told"]
#[non_exhaustive]
pub struct Summary {
    /// Calls with at least one planned webhook.
    pub calls: u64,
    /// Planned.
    pub planned: u64,
    /// Planned, and never sent on purpose.
    pub injected_losses: u64,
    /// Planned, and acknowledged by any attempt.
    pub acknowledged: u64,
    /// Planned, and acknowledged by no attempt.
    pub unacknowledged: u64,
    /// Planned, and not over when the run was stopped.
    pub interrupted: u64,
    /// Not acknowledged, but the receiver may have acted: it gave no answer.
    pub ambiguous: u64,
    /// Planned with a payload that no page documents.
    pub guesses: u64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts that the redelivery policy asked for.
    pub redeliveries: u64,
    /// Attempts that the fault `duplicate` asked for.
    pub copies: u64,
    /// Attempts by how they ended.
    pub attempts_by_outcome: BTreeMap<String, u64>,
    /// Faults by name.
    pub faults: BTreeMap<String, u64>,
    /// Latency of the attempts that were answered.
    pub latency: Option<Latency>,
    /// How long after they were due the attempts started, all of them: what their latency does not show.
    pub lateness: Option<Latency>,
    /// What the receiver did; absent where nobody could look.
    pub observed: Option<Observed>,
}

/// From the start of an attempt to the head of its answer, or from when it was due to its start: nanoseconds of wall
/// time, within 1/32.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Latency {
    /// Half of them took at most this long.
    pub p50_ns: u64,
    /// 95 in 100.
    pub p95_ns: u64,
    /// 99 in 100.
    pub p99_ns: u64,
    /// All of them.
    pub max_ns: u64,
}

/// What the receiver did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Observed {
    /// Effects seen, all of them.
    pub effects: u64,
    /// Webhooks of which at least one effect was seen.
    pub distinct: u64,
    /// Effects that were kept aside and fit no webhook that can be told apart.
    pub quarantined: u64,
    /// Effects that fit no webhook, but may be of a body that has nothing to tell it by, as such were sent.
    pub unattributed: u64,
    /// Acknowledged, and no effect seen.
    pub lost: u64,
    /// More than one effect seen.
    pub duplicated: u64,
    /// Effects of what was never sent.
    pub phantom: u64,
    /// The first of those lost.
    pub lost_webhooks: Vec<String>,
    /// The first of those duplicated.
    pub duplicated_webhooks: Vec<String>,
    /// The first of the phantoms.
    pub phantom_effects: Vec<String>,
}

impl Summary {
    /// Acknowledged, and no effect seen; `None` where nobody could look.
    #[must_use]
    pub fn lost(&self) -> Option<u64> {
        self.observed.as_ref().map(|observed| observed.lost)
    }

    /// More than one effect seen; `None` where nobody could look.
    #[must_use]
    pub fn duplicated(&self) -> Option<u64> {
        self.observed.as_ref().map(|observed| observed.duplicated)
    }

    /// Effects of what was never sent; `None` where nobody could look.
    #[must_use]
    pub fn phantom(&self) -> Option<u64> {
        self.observed.as_ref().map(|observed| observed.phantom)
    }

    /// Planned, less what was never sent on purpose.
    #[must_use]
    pub fn meant(&self) -> u64 {
        self.planned.saturating_sub(self.injected_losses)
    }

    /// Whether everything that was meant to be sent was acknowledged and, as far as could be seen, had its effect
    /// once. What has no answer is ambiguous, which alone is no failure; a run that planned nothing is not clean.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let seen_once = self
            .observed
            .as_ref()
            .is_none_or(|observed| (observed.lost, observed.duplicated, observed.phantom) == (0, 0, 0));
        // Ambiguous is not failed: the receiver may have done all that it should.
        let refused = self.unacknowledged.saturating_sub(self.ambiguous);
        self.planned > 0 && refused == 0 && self.interrupted == 0 && seen_once
    }

    /// Whether not a single attempt reached the receiver.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        self.attempts > 0 && self.attempts_by_outcome.get("connect_error") == Some(&self.attempts)
    }
}
