use super::Endpoint;
use crate::open::open_object;
use crate::{Count, List, PhoneNumber, Seconds, Text};

open_object! {
    /// Calls telephone numbers and joins them to the call; legacy.
    pub struct Bridge {
        /// `bridge`. Source: forward-call.
        action: Text = "action",
        /// The longest talk time, in seconds; default 5400. Source: forward-call.
        duration: Seconds = "duration",
        /// The longest ring time, in seconds; default 40. Source: forward-call.
        timeout: Seconds = "timeout",
        /// The number shown; default the platform's number. Source: forward-call.
        from: PhoneNumber = "from",
        /// How often the numbers are tried; default 1. Source: forward-call.
        attempts: Count = "loop",
        /// `single` (default, one after the other) or `group` (all at once). Source: forward-call.
        ring_type: Text = "ring_type",
        /// The numbers. Source: forward-call.
        connect: List<Endpoint> = "connect",
    }
}
