//! The call flow: what an application tells the platform to do with a call, as a JSON array of actions.
//!
//! Two generations share action names with different shapes. A type holds the fields of both, and
//! [`Action::generation`] tells them apart by which keys are there.

mod action;
mod bridge;
mod connect;
mod control;
mod endpoint;
mod input;
mod play;
mod stream;

pub use action::{Action, DocumentedAction, Generation};
pub use bridge::Bridge;
pub use connect::{Connect, ConnectOptions, ConnectParams, Recording};
pub use control::{Clear, Hangup, Param, Record};
pub use endpoint::Endpoint;
pub use input::{Dtmf, Input, OnResult, PlayGetInput, Prompt, Retries};
pub use play::{Play, Speak};
pub use stream::Stream;

use crate::json::{Raw, raw, scan};
use crate::{Document, Limits, ParseError, Shape};

/// A call flow: actions that the platform carries out in order.
///
/// It answers an answer-URL or DTMF request, goes with a make-call request, or is sent over a stream's WebSocket.
///
/// # Examples
/// ```
/// use piopiy_events::pcmo::{Action, Pcmo};
///
/// let pcmo = Pcmo::from_iter([Action::speak("Hello."), Action::hangup()]);
/// assert_eq!(pcmo.to_json(), r#"[{"action":"speak","text":"Hello."},{"action":"hangup"}]"#);
///
/// let read = Pcmo::parse(br#"[{"action":"play","file_url":"https://example.com/a.mp3"},{"action":"juggle"}]"#)?;
/// assert!(matches!(&read.actions[0], Action::Play(play) if play.file_url.is_some()));
/// assert!(matches!(&read.actions[1], Action::Other(_)));
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pcmo {
    /// The actions in order.
    pub actions: Vec<Action>,
}

impl Pcmo {
    /// Reads a call flow within the default [`Limits`].
    ///
    /// # Errors
    /// Where the input is not one JSON array within the limits.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        Self::parse_within(input, &Limits::default())
    }

    /// Reads a call flow within limits of the caller's.
    ///
    /// # Errors
    /// As [`Pcmo::parse`].
    pub fn parse_within(input: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        scan::array(input, limits).map(Self::of_elements)
    }

    pub(crate) fn of_elements(elements: Vec<&str>) -> Self {
        elements.into_iter().map(|token| Action::from_raw(Raw::from_token(token))).collect()
    }

    /// Appends the call flow as JSON, values as they came.
    pub fn write_json(&self, out: &mut String) {
        out.push('[');
        for (index, action) in self.actions.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            action.write_json(out);
        }
        out.push(']');
    }

    /// The call flow as JSON, values as they came.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }
}

impl Document for Pcmo {
    const SHAPE: Shape = Shape::List(&Shape::Action);

    fn read(json: &str) -> Result<Self, ParseError> {
        Self::parse_within(json.as_bytes(), &Limits::NONE)
    }

    fn write(&self, out: &mut String) {
        self.write_json(out);
    }
}

impl FromIterator<Action> for Pcmo {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self { actions: actions.into_iter().collect() }
    }
}

impl serde::Serialize for Pcmo {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw::serialize_json(self.to_json(), serializer)
    }
}

impl<'de> serde::Deserialize<'de> for Pcmo {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        raw::deserialize_json(deserializer, Self::parse_within)
    }
}
