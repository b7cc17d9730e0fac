use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::verdict::DiscrepancyKind;

/// One webhook for which planned, acknowledged and observed do not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Discrepancy {
    /// In one word.
    pub kind: DiscrepancyKind,
    /// Which webhook: its identity where it has one, else its `cmiuuid`.
    pub webhook: String,
    /// The member that is wrong, as a JSON pointer into the payload; `/state` is the state of the call after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// What was sent, or what the model says, as JSON; cut where it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<String>,
    /// What is stored, as JSON; cut where it is long. Absent where nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored: Option<String>,
}

impl Discrepancy {
    pub(crate) fn new(kind: DiscrepancyKind, webhook: impl Into<String>) -> Self {
        Self { kind, webhook: webhook.into(), pointer: None, sent: None, stored: None }
    }

    /// At a member.
    pub(crate) fn at(
        mut self,
        pointer: impl Into<String>,
        sent: impl Into<String>,
        stored: impl Into<String>,
    ) -> Self {
        (self.pointer, self.sent, self.stored) =
            (Some(pointer.into()), Some(sent.into()), Some(stored.into()));
        self
    }

    /// At a member of which nothing is stored.
    pub(crate) fn left_out(mut self, pointer: impl Into<String>, sent: impl Into<String>) -> Self {
        (self.pointer, self.sent) = (Some(pointer.into()), Some(sent.into()));
        self
    }
}
