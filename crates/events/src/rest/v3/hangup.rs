use crate::open::open_object;
use crate::{LegId, Text};

open_object! {
    /// Ends a call: `POST /voice/call/hangup` (`/voice/ai/hangup` in an older SDK).
    pub struct CallHangup {
        /// The call's UUID. Source: node src/voice.
        call_id: LegId = "call_id",
        /// 1 to 64 characters; `NORMAL_CLEARING` unless given. Source: node src/voice.
        cause: Text = "cause",
        /// 1 to 256 characters. Source: node src/voice.
        reason: Text = "reason",
    }
}

open_object! {
    /// Ends a call, asked by an agent: `POST /calls/{call_id}/actions/hangup`.
    pub struct HangupAction {
        /// `normal`. Source: pipecat control.py.
        cause: Text = "cause",
        /// In words. Source: pipecat control.py.
        reason: Text = "reason",
    }
}
