use piopiy_events::{Kind, Raw, Webhook};
use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// What a receiver did once per webhook, as it says itself: one record of observe protocol v1.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::judge::Effect;
///
/// let effect: Effect = serde_json::from_str(r#"{"seq":7,"cmiuuid":"c4ec","leg":"b","status":"missed"}"#)?;
/// assert_eq!(effect.seq, 7);
/// assert!(!effect.quarantined);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Effect {
    /// Strictly increasing, from 1, in the order of the effects.
    pub seq: u64,
    /// As received; absent only where the webhook is kept aside.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cmiuuid: Option<String>,
    /// As received.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub leg: Option<String>,
    /// `cdr`, `event` or `unknown`: what the receiver took it for.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub kind: Option<String>,
    /// As received.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub status: Option<String>,
    /// The payload, as it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub fields: Option<Raw>,
    /// The receiver's view of the call after this effect.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub state: Option<String>,
    /// Whether it was kept aside because it could not be understood.
    #[serde(default, deserialize_with = "flag")]
    #[schemars(with = "bool")]
    pub quarantined: bool,
}

/// A text, or what else was received in its place, as it came: a leg that is an object is not the receiver's fault.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Option::<Raw>::deserialize(deserializer)?;
    Ok(value.filter(|value| !value.is_null()).map(|value| value.plain().into_owned()))
}

/// A boolean, or 0 and 1 as SQLite has them.
fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = Option::<Raw>::deserialize(deserializer)?;
    match value.as_ref().map_or("null", Raw::as_json) {
        "true" | "1" => Ok(true),
        "false" | "0" | "null" => Ok(false),
        other => Err(D::Error::custom(format!("`quarantined` is {other}, expected true or false"))),
    }
}

/// What an effect says about which webhook it is of; `None` is not said.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clues {
    pub(crate) cmiuuid: Option<String>,
    pub(crate) kind: Option<Kind>,
    pub(crate) leg: Option<String>,
    pub(crate) status: Option<String>,
    pub(crate) time: Option<String>,
}

impl Effect {
    /// Reads a record and passes over its `fields`.
    pub(crate) fn without_fields(line: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Rest {
            seq: u64,
            #[serde(default, deserialize_with = "text")]
            cmiuuid: Option<String>,
            #[serde(default, deserialize_with = "text")]
            leg: Option<String>,
            #[serde(default, deserialize_with = "text")]
            kind: Option<String>,
            #[serde(default, deserialize_with = "text")]
            status: Option<String>,
            #[serde(default, deserialize_with = "text")]
            state: Option<String>,
            #[serde(default, deserialize_with = "flag")]
            quarantined: bool,
        }
        let Rest { seq, cmiuuid, leg, kind, status, state, quarantined } = serde_json::from_str(line)?;
        Ok(Self { seq, cmiuuid, leg, kind, status, fields: None, state, quarantined })
    }

    /// Its `fields`, as far as they are a webhook's.
    pub(crate) fn stored(&self) -> Option<Webhook> {
        self.fields.as_ref().and_then(|fields| Webhook::parse(fields.as_json().as_bytes()).ok())
    }

    pub(crate) fn clues(&self) -> Clues {
        let stored = self.stored();
        let field = |key: &str| {
            let value = stored.as_ref()?.get(key)?;
            (!value.is_null()).then(|| value.plain().into_owned())
        };
        Clues {
            cmiuuid: self.cmiuuid.clone().or_else(|| field("cmiuuid")),
            kind: match self.kind.as_deref() {
                Some("cdr") => Some(Kind::Cdr),
                Some("event") => Some(Kind::LiveEvent),
                _ => None,
            },
            leg: self.leg.clone().or_else(|| field("leg")),
            status: self.status.clone().or_else(|| field("status")),
            time: field("time"),
        }
    }
}
