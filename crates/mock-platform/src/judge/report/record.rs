//! What a report keeps of what was sent, answered and seen.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::judge::Effect;
use crate::judge::check::Verdict;

/// What was sent and answered in one case.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct CaseRecord {
    /// What is special about it.
    pub case: String,
    /// What was sent, as text.
    pub stimulus: String,
    /// What became of each connection.
    pub outcomes: Vec<String>,
    /// How many effects were seen; absent where nobody looked.
    pub effects: Option<i64>,
    /// What the judge found in it; empty where it is as it should be.
    pub findings: Vec<CaseFinding>,
    /// What happened in it, one thing below the other.
    pub ladder: Ladder,
}

/// What the judge found in a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CaseFinding {
    /// In one word.
    pub verdict: Verdict,
    /// Why, for people.
    pub text: String,
}

/// What happened in a case, in the order of time: the first connections, and of each the first attempts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Ladder {
    /// How many connections there were, those left out too.
    pub connections: u64,
    /// Whether something is left out: rungs, or effects.
    pub is_cut: bool,
    /// In the order of time.
    pub rungs: Vec<Rung>,
    /// The effects that were seen, in order; without their payload where it is long.
    pub observed: Vec<Effect>,
}

/// One line of a ladder.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rung {
    /// A request on its way.
    Attempt(Box<AttemptRecord>),
    /// Something else that was done, between what is above and below it.
    Event {
        /// Such as `the receiver is killed`.
        text: String,
    },
}

/// One request, and what became of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct AttemptRecord {
    /// What it was sent for.
    pub role: Role,
    /// Which connection of the case, from 1; absent for the plain webhooks beside and after it.
    pub connection: Option<u64>,
    /// When its last byte was handed over, in microseconds from the begin of the case; absent where that never happened,
    /// and for the plain webhooks beside and after it.
    pub offset_us: Option<u64>,
    /// As it was sent; empty where it never got that far.
    pub method: String,
    /// What its body is; absent where it is no webhook that can be told.
    pub webhook: Option<WebhookRecord>,
    /// Head and body as they are framed, in bytes.
    pub bytes: u64,
    /// Its first bytes: what cannot be read is escaped.
    pub sent: String,
    /// The status of its answer; absent where there was none.
    pub status: Option<u16>,
    /// From its last byte to that of its answer, in microseconds.
    pub latency_us: Option<u64>,
    /// The first bytes of the body of its answer.
    pub answer: String,
    /// Whether its answer was waited for, and did not come in time.
    pub timed_out: bool,
    /// How its connection ended; absent where more requests follow on it.
    pub end: Option<ConnectionEnd>,
    /// What went wrong on the way: why there is no connection, what came and is no answer.
    pub trouble: Option<String>,
}

/// What a request was sent for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Role {
    /// To see what the receiver does with it.
    #[default]
    Stimulus,
    /// A plain webhook right after: whether the receiver still works.
    Canary,
    /// A plain webhook that was half sent before, and finished after: whether others are left alone.
    Bystander,
}

/// What tells a webhook.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct WebhookRecord {
    /// `cdr`, `event`, or `unknown`.
    pub kind: String,
    /// As it was sent.
    pub status: Option<String>,
    /// As it was sent.
    pub leg: Option<String>,
    /// As it was composed.
    pub cmiuuid: Option<String>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ConnectionEnd {
    /// It never came about.
    None,
    /// It was open when the script was over.
    Open,
    /// The receiver closed it.
    Closed,
    /// The receiver reset it.
    Reset,
}
