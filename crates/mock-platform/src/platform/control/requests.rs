//! What may be asked for, and how it is read: within limits of size and time.

use std::borrow::Cow;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use piopiy_events::Phase;
use piopiy_events::pcmo::Pcmo;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::Control;
use super::habits::Habits;
use super::refusal::Refusal;
use super::whole;
use crate::platform::call::{Ender, Hold};
use crate::platform::stream::{CLOSE_CODES, is_sendable};

/// Bytes of a body.
const LARGEST: usize = 1 << 20;
/// How long it may take to come in.
const SLOWEST: Duration = Duration::from_secs(10);
/// How many keys may be pressed at once, and how often somebody may be asked for some.
pub(super) const MOST_KEYS: usize = 64;

/// The body, which may be left out where nothing in it has to be said.
pub(super) async fn read<T: DeserializeOwned>(body: Body) -> Result<T, Refusal> {
    let collected = tokio::time::timeout(SLOWEST, Limited::new(body, LARGEST).collect()).await;
    let bytes = match collected.map_err(|_| Refusal::too_slow())? {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(Refusal::too_large(LARGEST)),
        Err(error) => return Err(Refusal::unreadable(format!("the body broke off: {error}"))),
    };
    let text = if bytes.is_empty() { b"{}" } else { &bytes[..] };
    // An array would be taken for the values of an object without their keys.
    if text.trim_ascii_start().starts_with(b"[") {
        return Err(Refusal::meaningless("the body is to be an object"));
    }
    match serde_json::from_slice(text) {
        Ok(read) => Ok(read),
        Err(error) if error.is_data() => Err(Refusal::meaningless(error.to_string())),
        Err(error) => Err(Refusal::unreadable(format!("the body is no JSON: {error}"))),
    }
}

/// The id in the path.
pub(super) struct Id(pub(super) String);

impl FromRequestParts<Control> for Id {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Control) -> Result<Self, Refusal> {
        let unreadable = |error: PathRejection| Refusal::unreadable(error.body_text());
        let Path(id) = Path::<String>::from_request_parts(parts, state).await.map_err(unreadable)?;
        Ok(Self(id))
    }
}

/// The parameters behind the path.
pub(super) struct Asked<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Control> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &Control) -> Result<Self, Refusal> {
        let unreadable = |error: QueryRejection| Refusal::unreadable(error.body_text());
        let Query(asked) = Query::<T>::from_request_parts(parts, state).await.map_err(unreadable)?;
        Ok(Self(asked))
    }
}

/// A customer calls a number of the account.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct PlaceCall {
    /// Who calls; somebody whose number nobody can have, where it is left out.
    pub(super) from: Option<TelephoneNumber>,
    /// The number of the account; the first one where it is left out.
    pub(super) to: Option<TelephoneNumber>,
    /// How the caller behaves, where they do otherwise than the configuration says.
    #[serde(deserialize_with = "object")]
    pub(super) person: Option<Habits>,
    /// How everybody behaves whom the call is put through to, likewise.
    #[serde(deserialize_with = "object")]
    pub(super) callee: Option<Habits>,
    /// What happens, in place of what the answer URL says: a call flow.
    #[schemars(with = "Option<Vec<serde_json::Value>>")]
    pub(super) flow: Option<Box<RawValue>>,
}

impl PlaceCall {
    pub(super) fn flow(&self) -> Result<Option<Pcmo>, Refusal> {
        let parsed = self.flow.as_ref().map(|flow| Pcmo::parse(flow.get().as_bytes()));
        parsed.transpose().map_err(|error| Refusal::meaningless(format!("`flow` is no call flow: {error}")))
    }
}

/// Keys are pressed on leg a.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Press {
    /// 0 to 9, * and #.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[0-9*#]+$"))]
    pub(super) digits: String,
}

/// Whether somebody could press that.
pub(super) fn keys(text: &str) -> Result<(), Refusal> {
    let is_key = |key: char| key.is_ascii_digit() || key == '*' || key == '#';
    if text.is_empty() || text.len() > MOST_KEYS || !text.chars().all(is_key) {
        let message = format!("keys are 0 to 9, * and #, at least one and {MOST_KEYS} at most");
        return Err(Refusal::meaningless(message));
    }
    Ok(())
}

/// Somebody hangs up.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HangUp {
    /// Who.
    by: By,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum By {
    /// Whoever is on leg a.
    #[default]
    Caller,
    /// Whoever is on leg b: the call goes on with the next action.
    Callee,
    /// The platform itself.
    Platform,
}

impl HangUp {
    pub(super) fn ender(&self) -> Ender {
        match self.by {
            By::Caller => Ender::Caller,
            By::Callee => Ender::Callee,
            By::Platform => Ender::Platform,
        }
    }
}

/// The caller is put on hold, or taken back.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HoldCall {
    /// Which of the two.
    hold: How,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum How {
    /// On hold.
    #[default]
    On,
    /// Taken back.
    Off,
    /// The other of the two.
    Toggle,
}

impl HoldCall {
    pub(super) fn how(&self) -> Hold {
        match self.hold {
            How::On => Hold::On,
            How::Off => Hold::Off,
            How::Toggle => Hold::Toggle,
        }
    }
}

/// The audio stream breaks.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct DropStream {
    /// The close code that is sent; where it is left out the connection breaks without one, which is 1006.
    #[schemars(schema_with = "close_code")]
    #[serde(deserialize_with = "whole::or_null")]
    pub(super) code: Option<u16>,
}

impl DropStream {
    /// Whether the code may be sent, where there is one.
    pub(super) fn is_sendable(&self) -> bool {
        self.code.is_none_or(is_sendable)
    }
}

fn close_code(_: &mut SchemaGenerator) -> Schema {
    let codes = CLOSE_CODES.map(
        |codes| serde_json::json!({ "type": "integer", "minimum": codes.start(), "maximum": codes.end() }),
    );
    let mut any = codes.to_vec();
    any.push(serde_json::json!({ "type": "null" }));
    json_schema!({ "anyOf": any })
}

/// Virtual time moves on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Advance {
    /// Milliseconds: 30 days at most.
    #[schemars(range(max = 2_592_000_000_u64))]
    #[serde(deserialize_with = "whole::number")]
    pub(super) by_ms: u64,
}

/// How many, of which call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Listed {
    pub(super) limit: Option<usize>,
    pub(super) call: Option<String>,
}

/// More are never listed: no more are remembered of calls, and webhooks are asked for by call.
pub(super) const MOST_LISTED: usize = 100_000;

impl Listed {
    /// How many are listed; `usual` where nobody says.
    pub(super) fn most(&self, usual: usize) -> Result<usize, Refusal> {
        match self.limit.unwrap_or(usual) {
            limit @ ..=MOST_LISTED => Ok(limit),
            _ => Err(Refusal::unreadable(format!("`limit` is {MOST_LISTED} at most"))),
        }
    }
}

/// How long to wait, and what for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Waiting {
    pub(super) wait_ms: Option<u64>,
    /// Comes before the end, where it is given.
    pub(super) phase: Option<String>,
}

impl Waiting {
    /// The phase that is waited for.
    pub(super) fn phase(&self) -> Result<Option<Phase>, Refusal> {
        let Some(name) = &self.phase else { return Ok(None) };
        let known = Phase::ALL.into_iter().find(|phase| phase.as_str() == name);
        known.map(Some).ok_or_else(|| {
            let names = Phase::ALL.map(Phase::as_str).join(", ");
            Refusal::meaningless(format!("`phase` is one of {names}"))
        })
    }
}

/// A telephone number, as JSON number or text.
#[derive(Debug, Clone, Copy)]
pub(super) struct TelephoneNumber(pub(super) u64);

/// An object, and not an array of its values, which derived code takes as well.
fn object<'de, D: Deserializer<'de>, T: DeserializeOwned>(deserializer: D) -> Result<Option<T>, D::Error> {
    let object = Option::<serde_json::Map<String, serde_json::Value>>::deserialize(deserializer)?;
    let read = object.map(|object| serde_json::from_value(serde_json::Value::Object(object)));
    read.transpose().map_err(serde::de::Error::custom)
}

/// Objects, and no arrays of their values.
pub(super) fn objects<'de, D: Deserializer<'de>, T: DeserializeOwned>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    let objects = Vec::<serde_json::Map<String, serde_json::Value>>::deserialize(deserializer)?;
    let read = |object| serde_json::from_value(serde_json::Value::Object(object));
    objects.into_iter().map(read).collect::<Result<_, _>>().map_err(serde::de::Error::custom)
}

impl JsonSchema for TelephoneNumber {
    fn schema_name() -> Cow<'static, str> {
        "TelephoneNumber".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A telephone number with its country code.",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 999_999_999_999_999_u64 },
                { "type": "string", "pattern": r"^\+?[1-9][0-9]{0,14}$" },
            ],
        })
    }
}

impl<'de> Deserialize<'de> for TelephoneNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;
        impl Visitor<'_> for NumberOrText {
            type Value = TelephoneNumber;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a telephone number with its country code: 1 to 15 digits")
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<TelephoneNumber, E> {
                let is_one = (1..1_000_000_000_000_000).contains(&number);
                let wrong = || E::invalid_value(serde::de::Unexpected::Unsigned(number), &self);
                if is_one { Ok(TelephoneNumber(number)) } else { Err(wrong()) }
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<TelephoneNumber, E> {
                let wrong = || E::invalid_value(serde::de::Unexpected::Float(number), &self);
                let whole = whole::of(number).ok_or_else(wrong)?;
                self.visit_u64(whole)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<TelephoneNumber, E> {
                let digits = text.strip_prefix('+').unwrap_or(text);
                // Neither a second sign nor a national number, whose zero would be lost.
                match digits.parse() {
                    Ok(number) if digits.starts_with(|first: char| matches!(first, '1'..='9')) => {
                        self.visit_u64(number)
                    }
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(NumberOrText)
    }
}
