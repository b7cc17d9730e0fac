use crate::open::{OpenObject, open_object};
use crate::{LegId, PayloadType, Status};

open_object! {
    /// A JSON object that is neither a live event nor a CDR, kept whole. [`Unrecognised::reason`] says why.
    pub struct Unrecognised {
        /// Absent, null or empty, unless another reason holds.
        status: Status = "status",
        /// Absent, null or empty, unless another reason holds.
        cmiuuid: LegId = "cmiuuid",
        /// Present and unknown, unless another reason holds.
        payload_type: PayloadType = "type",
    }
}

/// Why a JSON object is neither a live event nor a CDR.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum UnrecognisedReason {
    /// `status` is absent, null or empty.
    #[error("no `status`")]
    NoStatus,
    /// `cmiuuid` is absent, null or empty.
    #[error("no `cmiuuid`")]
    NoCmiuuid,
    /// `type` is neither `cdr` nor `event`.
    #[error("`type` is neither \"cdr\" nor \"event\"")]
    UnknownType,
}

impl Unrecognised {
    /// Why it is neither a live event nor a CDR.
    #[must_use]
    pub fn reason(&self) -> UnrecognisedReason {
        let absent = |key| self.get(key).is_none_or(|value| matches!(value.as_json(), "null" | "\"\""));
        if absent("status") {
            UnrecognisedReason::NoStatus
        } else if absent("cmiuuid") {
            UnrecognisedReason::NoCmiuuid
        } else {
            UnrecognisedReason::UnknownType
        }
    }
}
