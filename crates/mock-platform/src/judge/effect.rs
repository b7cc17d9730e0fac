use piopiy_events::{Kind, Raw, Webhook};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cmiuuid: Option<String>,
    /// As received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<String>,
    /// `cdr`, `event` or `unknown`: what the receiver took it for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// As received.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// The payload, as it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    pub fields: Option<Raw>,
    /// The receiver's view of the call after this effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Whether it was kept aside because it could not be understood.
    #[serde(default)]
    pub quarantined: bool,
}

/// What an effect says about which webhook it is of; `None` is not said.
#[derive(Debug, Clone, Default)]
pub(super) struct Clues {
    pub(super) cmiuuid: Option<String>,
    pub(super) kind: Option<Kind>,
    pub(super) leg: Option<String>,
    pub(super) status: Option<String>,
    pub(super) time: Option<String>,
}

impl Effect {
    /// Reads a record and passes over its `fields`.
    pub(crate) fn without_fields(line: &str) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Rest {
            seq: u64,
            cmiuuid: Option<String>,
            leg: Option<String>,
            kind: Option<String>,
            status: Option<String>,
            state: Option<String>,
            #[serde(default)]
            quarantined: bool,
        }
        let Rest { seq, cmiuuid, leg, kind, status, state, quarantined } = serde_json::from_str(line)?;
        Ok(Self { seq, cmiuuid, leg, kind, status, fields: None, state, quarantined })
    }

    pub(super) fn clues(&self) -> Clues {
        let stored = self.fields.as_ref().and_then(|fields| Webhook::parse(fields.as_json().as_bytes()).ok());
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
