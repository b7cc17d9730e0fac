use std::fmt;

use compact_str::CompactString;

use crate::{Kind, Raw, Webhook};

/// What makes two deliveries the same webhook.
///
/// The wire has no event id. A CDR is the same when `cmiuuid`, `leg` and `status` are; a live event when its `time`
/// is too, so that a second stream on one call is not taken for a repeat. Texts are compared, so that `12` and
/// `"12"` are the same time, and absent and `null` the same leg. How JSON spells a string does not matter.
///
/// The texts are those of the payload, but for what the wire has never shown: a backslash is doubled, so that a lone
/// surrogate, which text cannot hold, can be told apart as `\udxxx`.
///
/// # Examples
/// ```
/// use piopiy_events::Webhook;
///
/// let once = Webhook::parse(br#"{"cmiuuid":"x","leg":"a","status":"missed","duration":0}"#)?;
/// let again = Webhook::parse(br#"{"leg":"a","duration":0,"cmiuuid":"x","status":"missed","extra":1}"#)?;
/// assert_eq!(once.identity(), again.identity());
/// assert_eq!(once.identity().unwrap().key(), r#"["cdr","x","a","missed",null]"#);
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    kind: Kind,
    cmiuuid: CompactString,
    leg: Option<CompactString>,
    status: CompactString,
    time: Option<CompactString>,
}

impl Identity {
    pub(crate) fn of(webhook: &Webhook) -> Option<Self> {
        let plain = |value: Option<&Raw>| {
            value.filter(|value| !value.is_null()).map(|value| CompactString::from(value.compared()))
        };
        let kind = webhook.kind()?;
        Some(Self {
            kind,
            cmiuuid: plain(webhook.get("cmiuuid"))?,
            leg: plain(webhook.get("leg")),
            status: plain(webhook.get("status"))?,
            time: if kind == Kind::LiveEvent { plain(webhook.get("time")) } else { None },
        })
    }

    /// Live event or CDR.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The UUID of the leg, as text.
    #[must_use]
    pub fn cmiuuid(&self) -> &str {
        &self.cmiuuid
    }

    /// `a`, `b` or what was received; `None` where it was absent.
    #[must_use]
    pub fn leg(&self) -> Option<&str> {
        self.leg.as_deref()
    }

    /// The status as received.
    #[must_use]
    pub fn status(&self) -> &str {
        &self.status
    }

    /// The `time` of a live event, as text; `None` for a CDR.
    #[must_use]
    pub fn time(&self) -> Option<&str> {
        self.time.as_deref()
    }

    /// The identity as one text, different for different identities: a JSON array.
    #[must_use]
    pub fn key(&self) -> String {
        let mut key = String::with_capacity(96);
        key.push('[');
        crate::json::escape::encode(self.kind.as_str(), &mut key);
        let parts = [Some(&self.cmiuuid), self.leg.as_ref(), Some(&self.status), self.time.as_ref()];
        for part in parts {
            key.push(',');
            match part {
                Some(text) => crate::json::escape::encode(text, &mut key),
                None => key.push_str("null"),
            }
        }
        key.push(']');
        key
    }
}

/// For people: `cdr missed of leg a, 3307…`.
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of leg {}, {}", self.kind, self.status, self.leg().unwrap_or("?"), self.cmiuuid)?;
        if let Some(time) = self.time() {
            write!(f, ", at {time}")?;
        }
        Ok(())
    }
}
