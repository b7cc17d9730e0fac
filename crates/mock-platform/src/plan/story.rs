use std::fmt;

use piopiy_events::CallDirection;

use super::scenario::CallMix;

/// What happens in a call, for people and for whoever checks what became of it.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator};
///
/// let simulator = Simulator::new(&Scenario::builtin("inbound-abandoned")?, PlanOptions::default());
/// assert_eq!(simulator.call(0).story, "inbound, the caller gave up");
/// # Ok::<(), piopiy_mock_platform::plan::ScenarioError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Story {
    /// Who called.
    pub direction: CallDirection,
    /// What was meant to happen.
    pub plot: Plot,
    /// Whether leg a was picked up.
    pub answered: bool,
    /// Whether another party was on the line.
    pub bridged: bool,
    /// How often another party, or a group, was dialled.
    pub attempts: u32,
    /// Audio streams that connected.
    pub streams: u32,
    /// Who ended it; `None` where nobody had picked up or the platform ended it.
    pub hung_up_by: Option<Party>,
}

/// What a call is meant to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plot {
    /// It is picked up, and something is played.
    Answered,
    /// Nobody picks up.
    Missed,
    /// The caller gives up before anyone picks up.
    Abandoned,
    /// It is put through to one number.
    Bridged,
    /// It is put through to the first of a group that picks up.
    Group,
    /// It is connected to an audio stream.
    Streamed,
    /// Its audio stream cannot be opened.
    StreamError,
}

/// One end of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a call has two ends")]
pub enum Party {
    /// Who called.
    Caller,
    /// Who was called.
    Callee,
}

impl CallMix {
    /// The kinds in the order of the weights.
    pub(crate) const KINDS: [(CallDirection, Plot); 13] = {
        use CallDirection::{Inbound, Outbound};
        [
            (Inbound, Plot::Answered),
            (Inbound, Plot::Missed),
            (Inbound, Plot::Abandoned),
            (Inbound, Plot::Bridged),
            (Inbound, Plot::Group),
            (Inbound, Plot::Streamed),
            (Inbound, Plot::StreamError),
            (Outbound, Plot::Answered),
            (Outbound, Plot::Missed),
            (Outbound, Plot::Bridged),
            (Outbound, Plot::Group),
            (Outbound, Plot::Streamed),
            (Outbound, Plot::StreamError),
        ]
    };
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: u32| if n == 1 { "" } else { "s" };
        write!(f, "{}, ", self.direction)?;
        match self.plot {
            Plot::Answered => f.write_str("answered")?,
            Plot::Missed => f.write_str("missed")?,
            Plot::Abandoned => f.write_str("the caller gave up")?,
            Plot::Bridged | Plot::Group if self.attempts == 0 => f.write_str("nobody was dialled in time")?,
            Plot::Bridged | Plot::Group => {
                let whom = if self.plot == Plot::Group { "a group" } else { "one number" };
                let outcome = if self.bridged { "bridged to" } else { "not picked up by" };
                let n = self.attempts;
                write!(f, "{outcome} {whom} ({n} attempt{})", plural(n))?;
            }
            Plot::Streamed => write!(f, "{} stream{}", self.streams, plural(self.streams))?,
            Plot::StreamError => f.write_str("the stream failed")?,
        }
        match self.hung_up_by {
            Some(Party::Caller) => f.write_str(", the caller hung up"),
            Some(Party::Callee) => f.write_str(", the callee hung up"),
            None => Ok(()),
        }
    }
}
