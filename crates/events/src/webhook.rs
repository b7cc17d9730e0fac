use std::fmt;

use crate::json::{escape, scan};
use crate::open::OpenObject;
use crate::{Cdr, Identity, Limits, LiveEvent, Member, ParseError, Raw, Unrecognised};

/// One payload as it goes over the wire.
///
/// Reading is open: any JSON object is a webhook, and comes out again value for value. What kind it is follows
/// from explicit rules, in this order:
/// 1. without a `status` or a `cmiuuid` it is [`Unrecognised`];
/// 2. `type` decides where it is present: `cdr`, `event`, anything else is [`Unrecognised`];
/// 3. a `duration`, `start_time` or `end_time` makes it a [`Cdr`] (the `global` profile sends no `type`);
/// 4. else it is a [`LiveEvent`].
///
/// # Examples
/// ```
/// use piopiy_events::{StatusKind, Webhook};
///
/// let body = br#"{"appid":2222224,"leg":"b","status":"stream_connected","time":1725975496000,
///     "cmiuuid":"c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0","new_field":1e400}"#;
/// let webhook = Webhook::parse(body)?;
/// let event = webhook.as_live_event().expect("it has no duration");
/// assert_eq!(event.status.as_ref().map(|status| status.kind()), Some(StatusKind::StreamConnected));
/// assert!(webhook.to_json().ends_with(r#""new_field":1e400}"#));
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Webhook {
    /// Something happened while a call is on.
    LiveEvent(Box<LiveEvent>),
    /// The call detail record of one leg.
    Cdr(Box<Cdr>),
    /// A JSON object that the rules above give no other kind.
    Unrecognised(Box<Unrecognised>),
}

/// The two kinds of webhook payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "what is neither is no kind")]
pub enum Kind {
    /// A live event.
    LiveEvent,
    /// A call detail record.
    Cdr,
}

/// Runs `$body` on whichever open object the webhook holds.
macro_rules! each {
    ($webhook:expr, $object:ident => $body:expr) => {
        match $webhook {
            Webhook::LiveEvent($object) => $body,
            Webhook::Cdr($object) => $body,
            Webhook::Unrecognised($object) => $body,
        }
    };
}

impl Webhook {
    /// Reads a payload within the default [`Limits`]. A leading UTF-8 byte order mark is skipped.
    ///
    /// # Errors
    /// Where the input is not one JSON object in UTF-8 within the limits, or an object in it has a key twice with
    /// different values. Values are the same where their texts are, white space and the spelling of strings aside: `1`
    /// and `1.0` differ, as do objects whose members are in another order or repeat another number of times.
    pub fn parse(body: &[u8]) -> Result<Self, ParseError> {
        Self::parse_within(body, &Limits::default())
    }

    /// Reads a payload within limits of the caller's.
    ///
    /// # Errors
    /// As [`Webhook::parse`].
    pub fn parse_within(body: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        scan::object(body, limits).map(|members| Self::from_members(&members))
    }

    /// An object that stands for a webhook of this kind, if the rules agree; else what they say.
    fn decided<T: OpenObject>(object: T, kind: Kind, of_kind: fn(Box<T>) -> Self) -> Self {
        let token = |key| object.get(key).map(Raw::as_json);
        let is_record = RECORD_KEYS.iter().any(|key| object.get(key).is_some());
        if decide(token("status"), token("cmiuuid"), token("type"), is_record) == Some(kind) {
            return of_kind(Box::new(object));
        }
        Self::decided_anew(&object)
    }

    /// A webhook of the kind that the members of an object say.
    pub(crate) fn decided_anew<T: OpenObject>(object: &T) -> Self {
        let mut owned = Vec::new();
        object.visit(&mut |key, value| owned.push((key.to_owned(), value.clone())));
        let members = owned.iter().map(|(key, value)| Member { key, value: value.as_json() });
        Self::from_members(&members.collect::<Vec<_>>())
    }

    fn from_members(members: &[Member<'_>]) -> Self {
        match kind_of(members) {
            Some(Kind::LiveEvent) => Self::LiveEvent(Box::new(LiveEvent::from_members(members))),
            Some(Kind::Cdr) => Self::Cdr(Box::new(Cdr::from_members(members))),
            None => Self::Unrecognised(Box::new(Unrecognised::from_members(members))),
        }
    }

    /// The kind, or `None` where it is unrecognised.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Self::LiveEvent(_) => Some(Kind::LiveEvent),
            Self::Cdr(_) => Some(Kind::Cdr),
            Self::Unrecognised(_) => None,
        }
    }

    /// The live event, where it is one.
    #[must_use]
    pub fn as_live_event(&self) -> Option<&LiveEvent> {
        if let Self::LiveEvent(event) = self { Some(event) } else { None }
    }

    /// The CDR, where it is one.
    #[must_use]
    pub fn as_cdr(&self) -> Option<&Cdr> {
        if let Self::Cdr(cdr) = self { Some(cdr) } else { None }
    }

    /// What makes two deliveries the same webhook; `None` where the webhook is unrecognised.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        Identity::of(self)
    }

    /// The value of a member, documented or not.
    ///
    /// # Examples
    /// ```
    /// let webhook = piopiy_events::Webhook::parse(br#"{"x":12.0}"#).unwrap();
    /// assert_eq!(webhook.get("x").map(|value| value.as_json()), Some("12.0"));
    /// ```
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Raw> {
        each!(self, object => object.get(key))
    }

    /// The text of a member, quoted or not; `None` where it is absent or `null`.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<std::borrow::Cow<'_, str>> {
        self.get(key).filter(|value| !value.is_null()).map(Raw::plain)
    }

    /// The text of a member in the form that identities have it in; `None` where it is absent, `null` or empty.
    pub(crate) fn compared(&self, key: &str) -> Option<std::borrow::Cow<'_, str>> {
        let value = self.get(key).filter(|value| !value.is_null())?;
        Some(value.compared()).filter(|text| !text.is_empty())
    }

    /// Sets a member, or removes it with `None`. The kind is decided anew.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{Kind, Raw, Webhook};
    /// let mut webhook = Webhook::parse(br#"{"status":"missed","cmiuuid":"x"}"#).unwrap();
    /// webhook.set("duration", Some(Raw::number(0)));
    /// assert_eq!(webhook.kind(), Some(Kind::Cdr));
    /// ```
    pub fn set(&mut self, key: &str, value: Option<Raw>) {
        *self = each!(self, object => {
            object.set(key, value);
            Self::decided_anew(&**object)
        });
    }

    /// The members in order, keys decoded.
    #[must_use]
    pub fn members(&self) -> Vec<(String, Raw)> {
        each!(self, object => object.members())
    }

    /// Calls `visit` with the key of each member, decoded, in order.
    pub(crate) fn each_key(&self, visit: &mut dyn FnMut(&str)) {
        each!(self, object => object.visit(&mut |key, _| visit(&escape::decode(key))));
    }

    /// Appends the payload as compact JSON, written from the typed value.
    pub fn write_json(&self, out: &mut String) {
        each!(self, object => object.write_json(out));
    }

    /// The payload as compact JSON, written from the typed value.
    #[must_use]
    pub fn to_json(&self) -> String {
        each!(self, object => object.to_json())
    }
}

/// One of these makes a CDR of a payload without a `type`.
const RECORD_KEYS: [&str; 3] = ["duration", "start_time", "end_time"];

fn kind_of(members: &[Member<'_>]) -> Option<Kind> {
    let (mut status, mut cmiuuid, mut payload_type, mut record) = (None, None, None, false);
    for member in members {
        match &*escape::decode(member.key) {
            "status" => status = Some(member.value),
            "cmiuuid" => cmiuuid = Some(member.value),
            "type" => payload_type = Some(member.value),
            key => record |= RECORD_KEYS.contains(&key),
        }
    }
    decide(status, cmiuuid, payload_type, record)
}

/// The explicit rules of [`Webhook`], on tokens.
fn decide(
    status: Option<&str>,
    cmiuuid: Option<&str>,
    payload_type: Option<&str>,
    is_record: bool,
) -> Option<Kind> {
    // The empty string has one spelling only.
    for needed in [status, cmiuuid] {
        needed.filter(|value| !matches!(*value, "null" | "\"\""))?;
    }
    let Some(payload_type) = payload_type else {
        return Some(if is_record { Kind::Cdr } else { Kind::LiveEvent });
    };
    let inner = payload_type.strip_prefix('"')?.strip_suffix('"')?;
    Kind::ALL.into_iter().find(|kind| escape::spells(inner, kind.as_str()))
}

impl Kind {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::LiveEvent, Self::Cdr];

    /// `cdr` or `event`, as `type` has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LiveEvent => "event",
            Self::Cdr => "cdr",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The kind is decided by the rules of [`Webhook`]: without a `status` it is unrecognised, say.
impl From<LiveEvent> for Webhook {
    fn from(event: LiveEvent) -> Self {
        Self::decided(event, Kind::LiveEvent, Self::LiveEvent)
    }
}

/// The kind is decided by the rules of [`Webhook`]: without a `duration` or `type` it is a live event, say.
impl From<Cdr> for Webhook {
    fn from(cdr: Cdr) -> Self {
        Self::decided(cdr, Kind::Cdr, Self::Cdr)
    }
}

/// Only `serde_json`'s writers of text leave every digit as it came. Its `to_value` reads numbers anew, and loses digits
/// or refuses; other formats write something that does not read back.
impl serde::Serialize for Webhook {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        crate::json::raw::serialize_json(self.to_json(), serializer)
    }
}

/// Only from `serde_json`'s readers of text; the nesting is limited as by [`Limits::default`].
impl<'de> serde::Deserialize<'de> for Webhook {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::json::raw::deserialize_json(deserializer, Self::parse_within)
    }
}
