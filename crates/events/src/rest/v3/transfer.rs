use crate::open::open_object;
use crate::pcmo::Pcmo;
use crate::{Flag, LegId, Map, Nested, PhoneNumber, Raw, Seconds, Text};

open_object! {
    /// Gives a call that is on another pipeline: `POST /voice/pcmo/transfer`.
    pub struct PcmoTransfer {
        /// The call's UUID. Source: node src/voice.
        call_id: LegId = "call_id",
        /// At least one action of the v3 generation. Source: node src/voice.
        pipeline: Nested<Pcmo> = "pipeline",
    }
}

open_object! {
    /// Transfers a call, asked by an agent: `POST /calls/{call_id}/actions/transfer`.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{OpenObject, rest::v3::{TransferAction, TransferKind}};
    /// let warm = TransferAction::parse(br#"{"to_number":"447700900123","confirm":true}"#)?;
    /// assert_eq!(warm.kind(), Some(TransferKind::Warm));
    /// let blind = TransferAction::parse(br#"{"pipeline":[{"action":"hangup"}]}"#)?;
    /// assert_eq!(blind.kind(), Some(TransferKind::Blind));
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    pub struct TransferAction {
        /// Warm: the number to call; this or `sip_uri`. Source: pipecat control.py.
        to_number: PhoneNumber = "to_number",
        /// Warm: the SIP address to call; this or `to_number`. Source: pipecat control.py.
        sip_uri: Text = "sip_uri",
        /// Warm: the number shown. Source: pipecat control.py.
        caller_id: PhoneNumber = "caller_id",
        /// Warm: the longest ring time, in seconds. Source: pipecat control.py.
        timeout_sec: Seconds = "timeout_sec",
        /// Warm: whether the party called must accept. Source: pipecat control.py.
        confirm: Flag = "confirm",
        /// Warm: what the caller hears meanwhile: `true`, a file name or a URL. Source: pipecat control.py.
        hold_audio: Raw = "hold_audio",
        /// Warm: what the party called is told. Source: pipecat control.py.
        transfer_summary: Text = "transfer_summary",
        /// Warm: SIP headers to send along. Source: pipecat control.py.
        sip_headers: Map = "sip_headers",
        /// Warm: the user's own; as in `AiCall`. Source: pipecat control.py.
        variables: Map = "variables",
        /// Blind: what happens to the call instead. Source: pipecat control.py.
        pipeline: Nested<Pcmo> = "pipeline",
    }
}

/// The two ways to transfer a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TransferKind {
    /// The agent stays until the other party has the call.
    Warm,
    /// The call goes to a pipeline at once.
    Blind,
}

impl TransferAction {
    /// A `pipeline` makes it blind, else a `to_number` or `sip_uri` warm; `None` without any of them.
    #[must_use]
    pub fn kind(&self) -> Option<TransferKind> {
        if self.pipeline.is_some() {
            Some(TransferKind::Blind)
        } else if self.to_number.is_some() || self.sip_uri.is_some() {
            Some(TransferKind::Warm)
        } else {
            None
        }
    }
}
