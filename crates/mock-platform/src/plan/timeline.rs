//! What happened in a call, not yet in any profile's words.

use piopiy_events::CallDirection;

use super::numbers::Digits;
use super::story::{Plot, Story};

/// Something that happens on a leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    Started = 0,
    Ringing = 1,
    Answered = 2,
    Bridged = 3,
    Hangup = 4,
    StreamConnected = 5,
    StreamDisconnected = 6,
    StreamError = 7,
    /// The leg's CDR is sent.
    Missed = 8,
    Talked = 9,
}

/// A happening and its place in the call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    /// Milliseconds from the start of the run.
    pub(crate) at_ms: u64,
    pub(crate) happening: Happening,
    /// Index into [`Timeline::legs`].
    pub(crate) leg: u32,
    /// Index into the closings or the stream errors.
    pub(crate) word: u32,
}

/// One leg, times in milliseconds from the start of the run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leg {
    pub(crate) is_b: bool,
    /// Which of the call's leg ids it has.
    pub(crate) id: u64,
    pub(crate) to: Digits,
    pub(crate) start: u64,
    pub(crate) answer: Option<u64>,
    pub(crate) end: u64,
}

/// One call: its legs and what happens on them.
#[derive(Debug, Clone)]
pub(crate) struct Timeline {
    pub(crate) story: Story,
    pub(crate) from: Digits,
    /// The account's number.
    pub(crate) account: Digits,
    pub(crate) legs: Vec<Leg>,
    pub(crate) entries: Vec<Entry>,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            story: Story {
                direction: CallDirection::Inbound,
                plot: Plot::Answered,
                answered: false,
                bridged: false,
                attempts: 0,
                streams: 0,
                hung_up_by: None,
            },
            from: Digits::default(),
            account: Digits::default(),
            legs: Vec::new(),
            entries: Vec::new(),
        }
    }
}
