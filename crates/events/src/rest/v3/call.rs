use crate::open::open_object;
use crate::pcmo::Pcmo;
use crate::{Flag, Map, Nested, PhoneNumber, Seconds, Text};

open_object! {
    /// Asks an AI agent to call: `POST /voice/ai/call`.
    pub struct AiCall {
        /// The number shown: a string of 7 to 16 digits, the first not 0. Source: py SDK_RESTRUCTURE.md.
        caller_id: PhoneNumber = "caller_id",
        /// The number to call; as `caller_id`. Source: py SDK_RESTRUCTURE.md.
        to_number: PhoneNumber = "to_number",
        /// The agent's UUID. Source: py SDK_RESTRUCTURE.md.
        agent_id: Text = "agent_id",
        /// Times and recording. Source: py SDK_RESTRUCTURE.md.
        options: Nested<CallOptions> = "options",
        /// The user's own: keys `[A-Za-z_][A-Za-z0-9_]*`, values string, number or boolean. Source: py
        /// SDK_RESTRUCTURE.md.
        variables: Map = "variables",
    }
}

open_object! {
    /// Asks for a call with a pipeline: `POST /voice/pcmo/call`.
    pub struct PcmoCall {
        /// The number shown: a string of 7 to 16 digits, the first not 0. Source: py SDK_RESTRUCTURE.md.
        caller_id: PhoneNumber = "caller_id",
        /// The number to call; as `caller_id`. Source: py SDK_RESTRUCTURE.md.
        to_number: PhoneNumber = "to_number",
        /// The app's id, a string. Source: py SDK_RESTRUCTURE.md.
        app_id: Text = "app_id",
        /// At least one action of the v3 generation. Source: py SDK_RESTRUCTURE.md.
        pipeline: Nested<Pcmo> = "pipeline",
        /// Times and recording. Source: py SDK_RESTRUCTURE.md.
        options: Nested<CallOptions> = "options",
        /// The user's own; as in `AiCall`. Source: py SDK_RESTRUCTURE.md.
        variables: Map = "variables",
        /// The UUID of the agent that takes the call first. Source: py SDK_RESTRUCTURE.md.
        agent_id: Text = "agent_id",
    }
}

open_object! {
    /// Asks for a call with a flow made in the vendor's editor: `POST /voice/flow/call`.
    pub struct FlowCall {
        /// The flow's UUID. Source: py SDK_RESTRUCTURE.md.
        flow_id: Text = "flow_id",
        /// The organisation's UUID. Source: py SDK_RESTRUCTURE.md.
        org_id: Text = "org_id",
        /// The number shown: a string of 7 to 16 digits, the first not 0. Source: py SDK_RESTRUCTURE.md.
        caller_id: PhoneNumber = "caller_id",
        /// The number to call; as `caller_id`. Source: py SDK_RESTRUCTURE.md.
        to_number: PhoneNumber = "to_number",
        /// The app's id, a string. Source: py SDK_RESTRUCTURE.md.
        app_id: Text = "app_id",
        /// Times and recording. Source: py SDK_RESTRUCTURE.md.
        options: Nested<CallOptions> = "options",
        /// The user's own; as in `AiCall`. Source: py SDK_RESTRUCTURE.md.
        variables: Map = "variables",
    }
}

open_object! {
    /// Times and recording of a v3 call.
    pub struct CallOptions {
        /// The longest talk time, in seconds: 30 to 7200. Source: py SDK_RESTRUCTURE.md.
        max_duration_sec: Seconds = "max_duration_sec",
        /// Whether the call is recorded. Source: py SDK_RESTRUCTURE.md.
        record: Flag = "record",
        /// The longest ring time, in seconds: 5 to 120. Source: py SDK_RESTRUCTURE.md.
        ring_timeout_sec: Seconds = "ring_timeout_sec",
    }
}
