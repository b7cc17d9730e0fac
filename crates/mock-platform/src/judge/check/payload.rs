use piopiy_events::{Identity, Kind, Raw, Webhook};
use serde::{Deserialize, Serialize};

use super::case_file::bytes;

/// Which payload of a stimulus; copies share it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct PayloadId(pub(crate) u32);

/// A body, with the ids by which its effects are found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Payload {
    pub(crate) id: PayloadId,
    #[serde(with = "bytes")]
    pub(crate) bytes: Vec<u8>,
    /// As composed; it stays where the body no longer has it.
    pub(crate) cmiuuid: String,
}

impl Payload {
    /// With a member set: `value` is JSON text, kept as it is to its last digit.
    ///
    /// # Panics
    /// If the body is no JSON object, or `value` no JSON: both are written in a check.
    pub(crate) fn with(self, key: &str, value: &str) -> Self {
        let value: Raw = value.parse().unwrap_or_else(|_| panic!("{value:?} is no JSON"));
        self.edit(|webhook| webhook.set(key, Some(value)))
    }

    /// Without a member.
    pub(crate) fn without(self, key: &str) -> Self {
        self.edit(|webhook| webhook.set(key, None))
    }

    /// With another leg id, by which its effects are found then.
    pub(crate) fn with_cmiuuid(mut self, cmiuuid: &str) -> Self {
        self = self.with("cmiuuid", &format!("\"{cmiuuid}\""));
        cmiuuid.clone_into(&mut self.cmiuuid);
        self
    }

    /// With the first occurrence of `from` in its bytes replaced: for what no JSON writer would write.
    ///
    /// # Panics
    /// If it is not there.
    pub(crate) fn replacing(mut self, from: &[u8], to: &[u8]) -> Self {
        let at = self.bytes.windows(from.len()).position(|window| window == from);
        let at = at.unwrap_or_else(|| panic!("{:?} is not in the body", String::from_utf8_lossy(from)));
        self.bytes.splice(at..at + from.len(), to.iter().copied());
        self
    }

    /// With other bytes altogether.
    pub(crate) fn of_bytes(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.bytes = bytes.into();
        self
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn webhook(&self) -> Option<Webhook> {
        Webhook::parse(&self.bytes).ok()
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        self.webhook()?.identity()
    }

    /// Whether it is a CDR.
    pub(crate) fn is_cdr(&self) -> bool {
        self.identity().is_some_and(|identity| identity.kind() == Kind::Cdr)
    }

    /// Whether it says that it is of leg b.
    pub(crate) fn is_leg_b(&self) -> bool {
        self.identity().is_some_and(|identity| identity.leg() == Some("b"))
    }

    fn edit(mut self, edit: impl FnOnce(&mut Webhook)) -> Self {
        let mut webhook = self.webhook().unwrap_or_else(|| panic!("{} is no JSON object", self.text()));
        edit(&mut webhook);
        self.bytes = webhook.to_json().into_bytes();
        self
    }
}
