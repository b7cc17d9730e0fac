use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Body, StreamFigures};

/// Something that passed between two parties of a live call, webhooks apart: a row of its ladder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct MessageEntry {
    /// Which call of the run, from 0; absent where it is of no call, such as a REST request that was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<u64>,
    /// Virtual milliseconds from the start of the run.
    pub at_ms: u64,
    /// Wall time: milliseconds since 1970.
    pub ts_ms: u64,
    /// Who said it.
    pub from: Lane,
    /// Whom to.
    pub to: Lane,
    /// What kind of message it is.
    pub what: MessageKind,
    /// What it says, in a few words for people: `POST answer URL`, `presses 1`.
    pub label: String,
    /// Where the documentation says nothing and a choice was made: which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub choice: Option<String>,
    /// Where it was sent, secrets left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What was sent, secrets left out; cut where it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<Body>,
    /// What was answered; cut where it is long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Body>,
    /// The HTTP status of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long the answer took: nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ns: Option<u64>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What was measured of an audio stream that is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub figures: Option<StreamFigures>,
}

/// A party of a live call: a line of its ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Lane {
    /// Whoever is on leg a: the customer.
    Caller,
    /// Whoever is on leg b.
    Callee,
    /// The platform.
    Platform,
    /// Whoever calls the REST or the control API.
    Api,
    /// The application's answer URL and action URLs.
    AnswerUrl,
    /// The application's WebSocket server.
    WebSocket,
}

/// The kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum MessageKind {
    /// People: dials, picks up, presses, hangs up.
    Person,
    /// A REST or control request.
    Rest,
    /// A request to the answer URL or to an action URL.
    Flow,
    /// An action of a call flow is carried out.
    Action,
    /// An audio stream.
    Audio,
    /// A webhook that nobody said where to send: its payload is the request.
    Unsent,
}

impl MessageEntry {
    /// A message with nothing but what it says.
    #[must_use]
    pub fn new(at_ms: u64, from: Lane, to: Lane, what: MessageKind, label: impl Into<String>) -> Self {
        Self {
            call: None,
            at_ms,
            ts_ms: crate::deliver::wall_ms(),
            from,
            to,
            what,
            label: label.into(),
            choice: None,
            url: None,
            request: None,
            answer: None,
            status: None,
            took_ns: None,
            error: None,
            figures: None,
        }
    }

    /// Cuts its texts where they are longer than anybody reads: they may repeat what came from outside.
    pub(crate) fn shorten(&mut self) {
        cut(&mut self.label, 300);
        for (text, most) in [(&mut self.choice, 500), (&mut self.url, 2_000), (&mut self.error, 1_000)] {
            if let Some(text) = text {
                cut(text, most);
            }
        }
    }
}

fn cut(text: &mut String, most: usize) {
    if let Some((at, _)) = text.char_indices().nth(most) {
        text.truncate(at);
        text.push('…');
    }
}

/// A live call begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CallEntry {
    /// Which call of the run, from 0.
    pub call: u64,
    /// Virtual milliseconds from the start of the run.
    pub at_ms: u64,
    /// Wall time: milliseconds since 1970.
    pub ts_ms: u64,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// Who calls.
    pub from: u64,
    /// Who is called.
    pub to: u64,
    /// Whose webhook URLs hold: a number of the account.
    pub account: u64,
    /// The app.
    pub appid: u64,
    /// The id of leg a.
    pub cmiuuid: String,
    /// The id that the make-call request returned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// A live call is over, and the first attempt of each of its webhooks was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OverEntry {
    /// Which call of the run, from 0.
    pub call: u64,
    /// Virtual milliseconds from the start of the run.
    pub at_ms: u64,
    /// Wall time: milliseconds since 1970.
    pub ts_ms: u64,
}

impl OverEntry {
    pub(crate) fn new(call: u64, at_ms: u64) -> Self {
        Self { call, at_ms, ts_ms: crate::deliver::wall_ms() }
    }
}
