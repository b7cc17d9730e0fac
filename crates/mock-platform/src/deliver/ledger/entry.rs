use std::collections::BTreeMap;

use piopiy_events::{Evidence, Kind, Profile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codec::{evidence, hex_u64, payload, profile};
use super::{Body, CallEntry, MessageEntry, OverEntry};
use crate::deliver::{DeliveryOptions, Fault};
use crate::judge::{Effect, Summary};
use crate::plan::PlannedWebhook;

/// The schema that a ledger names in its first line.
pub const SCHEMA: &str = "piopiy-mock.ledger/v1";

/// What a line of a ledger tells.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Entry {
    /// A run begins.
    Run(Box<RunEntry>),
    /// A delivery is about to be made.
    Plan(Box<PlanEntry>),
    /// An attempt is over.
    Attempt(AttemptEntry),
    /// Something went wrong on purpose.
    Fault(FaultEntry),
    /// A delivery is over.
    Outcome(OutcomeEntry),
    /// The receiver's effects were looked at.
    Observe(Box<ObserveEntry>),
    /// A live call begins.
    Call(Box<CallEntry>),
    /// Something else passed between two parties of a live call.
    Message(Box<MessageEntry>),
    /// A live call is over.
    Over(OverEntry),
    /// A run is over.
    Summary(Box<SummaryEntry>),
}

impl Entry {
    /// The `kind` of the line.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Run(_) => "run",
            Self::Plan(_) => "plan",
            Self::Attempt(_) => "attempt",
            Self::Fault(_) => "fault",
            Self::Outcome(_) => "outcome",
            Self::Observe(_) => "observe",
            Self::Call(_) => "call",
            Self::Message(_) => "message",
            Self::Over(_) => "over",
            Self::Summary(_) => "summary",
        }
    }
}

/// A run begins: what is needed to do it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RunEntry {
    /// `piopiy-mock.ledger/v1`.
    pub schema: String,
    /// Different for every run.
    pub run_id: String,
    /// Wall time: milliseconds since 1970.
    pub ts_ms: u64,
    /// The version of the mock platform.
    pub version: String,
    /// The version of the generator; the seed means the same under the same one only.
    pub generator: String,
    /// The profile of the payloads.
    #[serde(with = "profile")]
    #[schemars(with = "String")]
    pub profile: Profile,
    /// What the plan follows from: hexadecimal, as JSON readers round 64 bits.
    #[serde(with = "hex_u64")]
    #[schemars(with = "String")]
    pub seed: u64,
    /// What the ids follow from, with the seed.
    #[serde(with = "hex_u64")]
    #[schemars(with = "String")]
    pub nonce: u64,
    /// Which scenario.
    pub scenario: String,
    /// The wall time that virtual time 0 stands for in the payloads: milliseconds since 1970.
    pub epoch_ms: u64,
    /// Where live events go, secrets left out; absent where each call has its own URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_to: Option<String>,
    /// Where CDRs go, secrets left out; absent where each call has its own URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cdr_to: Option<String>,
    /// How they are delivered.
    pub options: DeliveryOptions,
    /// The run id of the ledger that is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay_of: Option<String>,
}

/// A delivery is about to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct PlanEntry {
    /// Which call of the run, from 0.
    pub call: u64,
    /// Which webhook of its call, from 0.
    pub webhook: u32,
    /// The story of the call.
    #[serde(default)]
    pub story: String,
    /// The profile of the payload.
    #[serde(with = "profile")]
    #[schemars(with = "String")]
    pub profile: Profile,
    /// The name, as in `piopiy-mock events`.
    pub name: String,
    /// `event` or `cdr`; absent where the body is no webhook.
    #[serde(default, with = "payload", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub payload: Option<Kind>,
    /// What supports the payload.
    #[serde(with = "evidence")]
    #[schemars(with = "String")]
    pub evidence: Evidence,
    /// What makes two deliveries the same webhook, as one text; absent where the body has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// When the plan has it due: virtual milliseconds from the start of the run.
    pub at_ms: u64,
    /// When its faults have it due: virtual milliseconds from the start of the run.
    pub due_ms: u64,
    /// The payload, byte for byte.
    pub body: Body,
    /// What goes wrong with it on purpose.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

impl PlanEntry {
    /// The webhook as it was planned.
    #[must_use]
    pub fn webhook(&self) -> PlannedWebhook {
        PlannedWebhook::new(
            self.call,
            self.webhook,
            self.at_ms,
            self.name.clone().into(),
            self.payload,
            self.evidence,
            self.body.as_bytes().to_vec(),
        )
    }
}

/// An attempt is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct AttemptEntry {
    /// Which call of the run, from 0.
    pub call: u64,
    /// Which webhook of its call, from 0.
    pub webhook: u32,
    /// Which attempt of the delivery, in the order in which they started, from 1.
    pub attempt: u32,
    /// Why it was made.
    pub cause: Cause,
    /// When it was due: virtual milliseconds from the start of the delivery's first attempt.
    pub offset_ms: u64,
    /// When it was due: virtual milliseconds from the start of the run.
    pub due_ms: u64,
    /// When it started: virtual milliseconds from the start of the run.
    pub start_ms: u64,
    /// When it started: monotonic nanoseconds from the opening of the ledger.
    pub start_ns: u64,
    /// When it started: wall time, milliseconds since 1970.
    pub ts_ms: u64,
    /// How long after it was due it started: nanoseconds of wall time.
    pub late_ns: u64,
    /// From its start to the head of the answer, or to the failure: nanoseconds of wall time.
    pub latency_ns: u64,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The status of the answer, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// What went wrong, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the receiver may have acted although no answer came.
    #[serde(default)]
    pub ambiguous: bool,
    /// How many bytes of the answer's body were read.
    #[serde(default)]
    pub answer_bytes: u64,
    /// Whether the answer's body was not read to its end.
    #[serde(default)]
    pub cut_off: bool,
}

/// Why an attempt was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Cause {
    /// The webhook was due.
    First,
    /// The redelivery policy asked for it.
    Redelivery,
    /// The fault `duplicate` asked for it.
    Duplicate,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttemptOutcome {
    /// Any 2xx.
    Acknowledged,
    /// Any other status but a redirect.
    Refused,
    /// A 3xx: it is not followed.
    Redirect,
    /// No answer in time.
    Timeout,
    /// No connection.
    ConnectError,
    /// The connection broke before the answer.
    Reset,
    /// What came was no HTTP answer.
    ProtocolError,
}

impl AttemptOutcome {
    /// The name in the ledger.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Refused => "refused",
            Self::Redirect => "redirect",
            Self::Timeout => "timeout",
            Self::ConnectError => "connect_error",
            Self::Reset => "reset",
            Self::ProtocolError => "protocol_error",
        }
    }
}

/// Something went wrong on purpose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct FaultEntry {
    /// Which call of the run, from 0.
    pub call: u64,
    /// Which webhook of its call, from 0.
    pub webhook: u32,
    /// What it was.
    pub fault: Fault,
}

/// A delivery is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OutcomeEntry {
    /// Which call of the run, from 0.
    pub call: u64,
    /// Which webhook of its call, from 0.
    pub webhook: u32,
    /// How it ended.
    pub outcome: DeliveryOutcome,
    /// How many attempts it took.
    pub attempts: u32,
    /// Whether it was not acknowledged, but the receiver may have acted.
    #[serde(default)]
    pub ambiguous: bool,
}

/// How a delivery ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DeliveryOutcome {
    /// At least one attempt was acknowledged.
    Acknowledged,
    /// No attempt was, and none is left.
    Unacknowledged,
    /// It was never sent, on purpose.
    InjectedLoss,
    /// The run was stopped before it was acknowledged.
    Interrupted,
}

/// The receiver's effects were looked at: one line for each, and one without for the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct ObserveEntry {
    /// The record, as the receiver gave it; `null` in the line that says that these were all.
    #[serde(default)]
    pub effect: Option<Effect>,
}

impl ObserveEntry {
    /// An effect that was seen.
    #[must_use]
    pub fn effect(effect: Effect) -> Self {
        Self { effect: Some(effect) }
    }

    /// That there were no more.
    #[must_use]
    pub fn end() -> Self {
        Self { effect: None }
    }
}

/// A run is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SummaryEntry {
    /// Wall time: milliseconds since 1970.
    pub ts_ms: u64,
    /// Whether it was stopped before its plan was through.
    pub interrupted: bool,
    /// What came of it.
    pub summary: Summary,
    /// How many lines of each kind came before this one.
    #[serde(default)]
    pub records: BTreeMap<String, u64>,
}
