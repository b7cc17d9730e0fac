use std::collections::BTreeMap;

use piopiy_events::{Evidence, Kind, Profile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
            Self::Summary(_) => "summary",
        }
    }
}

/// A run begins: what is needed to do it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct RunEntry {
    /// [`SCHEMA`].
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
    /// Where live events go; absent where each call has its own URLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_to: Option<String>,
    /// Where CDRs go; absent where each call has its own URLs.
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

/// A body, byte for byte: text where it is UTF-8, else hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// UTF-8.
    Text(String),
    /// Anything else.
    #[serde(with = "hex_bytes")]
    #[schemars(with = "String")]
    Hex(Vec<u8>),
}

impl Body {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Hex(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Hex(error.into_bytes()),
        }
    }
}

/// 64 bits as `0x…`.
pub(crate) mod hex_u64 {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(crate) fn serialize<S: Serializer>(value: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{value:#x}"))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("expected 0x…"))?;
        u64::from_str_radix(digits, 16).map_err(D::Error::custom)
    }
}

mod hex_bytes {
    use std::fmt::Write;

    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        serializer.serialize_str(&text)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.as_bytes().chunks(2);
        digits
            .map(|pair| {
                let pair = std::str::from_utf8(pair).map_err(D::Error::custom)?;
                u8::from_str_radix(pair, 16).map_err(D::Error::custom)
            })
            .collect()
    }
}

mod profile {
    use piopiy_events::Profile;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(profile: &Profile, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(profile.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Profile, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

mod payload {
    use piopiy_events::Kind;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(kind: &Option<Kind>, serializer: S) -> Result<S::Ok, S::Error> {
        match kind {
            Some(kind) => serializer.serialize_str(kind.as_str()),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Kind>, D::Error> {
        match Option::<String>::deserialize(deserializer)?.as_deref() {
            None => Ok(None),
            Some("event") => Ok(Some(Kind::LiveEvent)),
            Some("cdr") => Ok(Some(Kind::Cdr)),
            Some(other) => Err(D::Error::custom(format_args!("expected event or cdr, not {other:?}"))),
        }
    }
}

mod evidence {
    use piopiy_events::Evidence;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(evidence: &Evidence, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(evidence.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Evidence, D::Error> {
        let name = String::deserialize(deserializer)?;
        [Evidence::Documented, Evidence::Partial, Evidence::Guess]
            .into_iter()
            .find(|evidence| evidence.as_str() == name)
            .ok_or_else(|| D::Error::custom(format_args!("unknown evidence {name:?}")))
    }
}
