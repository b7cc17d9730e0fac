use std::borrow::Cow;

use super::string_value;

string_value! {
    /// `status`: the name of a live event, or the outcome in a CDR.
    Status
}
string_value! {
    /// `leg`: `a` (the customer's) or `b` (the bridged party, or the stream).
    Leg
}
string_value! {
    /// `direction` of a leg: `inbound` or `outbound`. Leg b of an inbound call is outbound.
    Direction
}
string_value! {
    /// `type`: `cdr` or `event`. Only `global-2022` and `india` send it.
    PayloadType
}
string_value! {
    /// Free text. `extra_params` is a string whose text need not be JSON: `{key: value}` is documented too.
    Text
}

/// What a [`Status`] says, whatever the spelling of the profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum StatusKind<'a> {
    /// `out_started`, `started`: the platform dials the leg.
    Started,
    /// `ringing`: the leg rings.
    Ringing,
    /// `in_answered`, `out_answered`, `answered`: the leg was picked up; in a CDR: it had been.
    Answered,
    /// `out_bridged`, `in_bridged`, `bridged`: leg b was joined to leg a.
    Bridged,
    /// `in_hangup`, `out_hangup`, `hangup`: the leg is over.
    Hangup,
    /// `stream_connected`: the audio stream's WebSocket is open.
    StreamConnected,
    /// `STREAM_DISCONNECTED`, also in lower case: it is closed.
    StreamDisconnected,
    /// `stream_error`: it could not be opened, or failed.
    StreamError,
    /// `missed`, in a CDR: the leg was never picked up.
    Missed,
    /// Anything else, as received.
    Other(Cow<'a, str>),
}

/// What a [`Leg`] says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum LegKind<'a> {
    /// `a`: the customer's leg.
    A,
    /// `b`: the bridged party's leg, or the stream.
    B,
    /// Anything else, as received.
    Other(Cow<'a, str>),
}

/// What a [`Direction`] says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DirectionKind<'a> {
    /// `inbound`: to the account's number.
    Inbound,
    /// `outbound`: from it.
    Outbound,
    /// Anything else, as received.
    Other(Cow<'a, str>),
}

impl Status {
    /// The meaning of the text. The letter case matters for nothing but [`StatusKind::Other`].
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{Status, StatusKind};
    /// assert_eq!(Status::new("STREAM_DISCONNECTED").kind(), StatusKind::StreamDisconnected);
    /// assert_eq!(Status::new("in_hangup").kind(), StatusKind::Hangup);
    /// assert_eq!(Status::new("Parked").kind(), StatusKind::Other("Parked".into()));
    /// ```
    #[must_use]
    pub fn kind(&self) -> StatusKind<'_> {
        StatusKind::read(self.text())
    }
}

impl<'a> StatusKind<'a> {
    /// The meaning of a text that stands for itself, such as [`Identity::status`](crate::Identity::status).
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::StatusKind;
    /// assert_eq!(StatusKind::of("out_bridged"), StatusKind::Bridged);
    /// ```
    #[must_use]
    pub fn of(text: &'a str) -> Self {
        Self::read(Cow::Borrowed(text))
    }

    fn read(text: Cow<'a, str>) -> Self {
        const MEANINGS: &[(&str, StatusKind<'static>)] = &[
            ("in_answered", StatusKind::Answered),
            ("out_answered", StatusKind::Answered),
            ("answered", StatusKind::Answered),
            ("missed", StatusKind::Missed),
            ("out_started", StatusKind::Started),
            ("started", StatusKind::Started),
            ("ringing", StatusKind::Ringing),
            ("out_bridged", StatusKind::Bridged),
            ("in_bridged", StatusKind::Bridged),
            ("bridged", StatusKind::Bridged),
            ("in_hangup", StatusKind::Hangup),
            ("out_hangup", StatusKind::Hangup),
            ("hangup", StatusKind::Hangup),
            ("stream_connected", StatusKind::StreamConnected),
            ("stream_disconnected", StatusKind::StreamDisconnected),
            ("stream_error", StatusKind::StreamError),
        ];
        let known = MEANINGS.iter().find(|(name, _)| text.eq_ignore_ascii_case(name));
        known.map_or(StatusKind::Other(text), |(_, kind)| kind.clone())
    }
}

impl Leg {
    /// The meaning of the text.
    #[must_use]
    pub fn kind(&self) -> LegKind<'_> {
        let text = self.text();
        match &*text {
            "a" => LegKind::A,
            "b" => LegKind::B,
            _ => LegKind::Other(text),
        }
    }
}

impl Direction {
    /// The meaning of the text.
    #[must_use]
    pub fn kind(&self) -> DirectionKind<'_> {
        let text = self.text();
        match &*text {
            "inbound" => DirectionKind::Inbound,
            "outbound" => DirectionKind::Outbound,
            _ => DirectionKind::Other(text),
        }
    }
}
