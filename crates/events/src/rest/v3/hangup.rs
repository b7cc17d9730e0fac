use crate::open::open_object;
use crate::{LegId, Text};

open_object! {
    /// Ends a call: `POST /voice/call/hangup` (`/voice/ai/hangup` in an older SDK).
    pub struct CallHangup {
        /// The call's UUID [node src/voice].
        call_id: LegId = "call_id",
        /// 1 to 64 characters; `NORMAL_CLEARING` unless given [node src/voice].
        cause: Text = "cause",
        /// 1 to 256 characters [node src/voice].
        reason: Text = "reason",
    }
}

open_object! {
    /// Ends a call, asked by an agent: `POST /calls/{call_id}/actions/hangup`.
    pub struct HangupAction {
        /// `normal` [pipecat control.py].
        cause: Text = "cause",
        /// In words [pipecat control.py].
        reason: Text = "reason",
    }
}
