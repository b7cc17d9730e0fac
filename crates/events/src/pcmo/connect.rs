use super::Endpoint;
use crate::open::open_object;
use crate::{Count, Flag, List, Map, Nested, PhoneNumber, Seconds, Text};

open_object! {
    /// Legacy: calls SIP users. v3: calls telephone numbers, SIP addresses or agents, by `params` and `endpoints`.
    pub struct Connect {
        /// `connect`. Source: connect-call.
        action: Text = "action",
        /// Legacy: the longest talk time, in seconds. Source: connect-call.
        duration: Seconds = "duration",
        /// Legacy: the longest ring time, in seconds. Source: connect-call.
        timeout: Seconds = "timeout",
        /// Legacy: the number shown. Source: connect-call.
        from: PhoneNumber = "from",
        /// Legacy: how often the users are tried. Source: connect-call.
        attempts: Count = "loop",
        /// Legacy: `audio`. Source: connect-call.
        call_type: Text = "call_type",
        /// Legacy: `single` or `group`. Source: node bridge.js.
        ring_type: Text = "ring_type",
        /// Legacy: whether the call is recorded. Source: node bridge.js.
        record: Flag = "record",
        /// Legacy: the SIP users, under the key that the page's sample has. Source: connect-call.
        call: List<Endpoint> = "call",
        /// Legacy: the same under the key that the page's table and the SDK have. Source: connect-call.
        connect: List<Endpoint> = "connect",
        /// v3: how they are called; may be empty. Source: py SDK_RESTRUCTURE.md.
        params: Nested<ConnectParams> = "params",
        /// v3: who is called, at least one; at most two agents, and those last. Source: py
        /// SDK_RESTRUCTURE.md.
        endpoints: List<Endpoint> = "endpoints",
    }
}

open_object! {
    /// How a v3 `connect` calls.
    pub struct ConnectParams {
        /// The number shown, a string of 7 to 16 digits. Source: py SDK_RESTRUCTURE.md.
        caller_id: PhoneNumber = "caller_id",
        /// `sequential` or `simultaneous`. Source: py SDK_RESTRUCTURE.md.
        strategy: Text = "strategy",
        /// Times and recording. Source: py SDK_RESTRUCTURE.md.
        options: Nested<ConnectOptions> = "options",
        /// The user's own: keys `[A-Za-z_][A-Za-z0-9_]*`, values string, number or boolean. Source: py
        /// SDK_RESTRUCTURE.md.
        metadata: Map = "metadata",
    }
}

open_object! {
    /// Times and recording of a v3 `connect`.
    pub struct ConnectOptions {
        /// The longest talk time, in seconds: 10 to 7200. Source: py SDK_RESTRUCTURE.md.
        max_duration_sec: Seconds = "max_duration_sec",
        /// The longest ring time, in seconds: 5 to 120. Source: py SDK_RESTRUCTURE.md.
        ring_timeout_sec: Seconds = "ring_timeout_sec",
        /// Whether answering machines are looked for. Source: py SDK_RESTRUCTURE.md.
        machine_detection: Flag = "machine_detection",
        /// Whether and how the call is recorded. Source: py SDK_RESTRUCTURE.md.
        recording: Nested<Recording> = "recording",
        /// The file that is played while it rings. Source: py SDK_RESTRUCTURE.md.
        waiting_music: Text = "waiting_music",
    }
}

open_object! {
    /// How a v3 `connect` records.
    pub struct Recording {
        /// Whether it does. Source: py SDK_RESTRUCTURE.md.
        enabled: Flag = "enabled",
        /// `single` or `dual`. Source: py SDK_RESTRUCTURE.md.
        channels: Text = "channels",
        /// `mp3` or `wav`. Source: py SDK_RESTRUCTURE.md.
        format: Text = "format",
    }
}

impl Connect {
    /// Legacy: the SIP users, under whichever key they came.
    #[must_use]
    pub fn users(&self) -> Option<&List<Endpoint>> {
        self.call.as_ref().or(self.connect.as_ref())
    }
}
