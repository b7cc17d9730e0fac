use std::fmt;

use bytes::Bytes;
use piopiy_events::Identity;

/// One request body on its way into a [`Store`](crate::Store): a webhook, or something that was not understood.
///
/// # Examples
/// ```
/// use piopiy_events::Webhook;
/// use piopiy_receiver::Entry;
///
/// let body = br#"{"cmiuuid":"x","leg":"a","status":"missed","duration":0}"#;
/// let webhook = Webhook::parse(body)?;
/// let entry = Entry::webhook(&webhook.identity().unwrap(), body.as_slice().into(), 1_725_975_496_000_000);
/// assert_eq!(entry.identity(), Some(r#"["cdr","x","a","missed",null]"#));
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    received_at: i64,
    body: Bytes,
    content: Content,
    /// Whether it was taken in before, and comes from there.
    is_again: bool,
}

#[derive(Clone, PartialEq, Eq)]
enum Content {
    Webhook { identity: String },
    Quarantined { reason: String },
}

impl Entry {
    /// A webhook: its identity, its body as received, and when it was, in microseconds since the epoch.
    #[must_use]
    pub fn webhook(identity: &Identity, body: Bytes, received_at: i64) -> Self {
        Self { received_at, body, content: Content::Webhook { identity: identity.key() }, is_again: false }
    }

    /// A body that was not understood, why, and when it was received, in microseconds since the epoch.
    #[must_use]
    pub fn quarantined(reason: String, body: Bytes, received_at: i64) -> Self {
        Self { received_at, body, content: Content::Quarantined { reason }, is_again: false }
    }

    /// Marks what was taken in, and counted, when it came.
    pub(crate) fn again(self) -> Self {
        Self { is_again: true, ..self }
    }

    pub(crate) fn is_again(&self) -> bool {
        self.is_again
    }

    /// When it was received, in microseconds since the epoch.
    #[must_use]
    pub fn received_at(&self) -> i64 {
        self.received_at
    }

    /// The body, byte for byte as received.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Bytes that it takes in memory, about.
    pub(crate) fn weight(&self) -> usize {
        let (Content::Webhook { identity: text } | Content::Quarantined { reason: text }) = &self.content;
        self.body.len() + text.len()
    }

    /// What makes two deliveries the same webhook ([`Identity::key`]); `None` where it is quarantined.
    #[must_use]
    pub fn identity(&self) -> Option<&str> {
        match &self.content {
            Content::Webhook { identity } => Some(identity),
            Content::Quarantined { .. } => None,
        }
    }

    /// Why it is quarantined; `None` where it is a webhook.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match &self.content {
            Content::Webhook { .. } => None,
            Content::Quarantined { reason } => Some(reason),
        }
    }
}

/// Without the body, which holds phone numbers.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("received_at", &self.received_at)
            .field("bytes", &self.body.len())
            .field("identity", &self.identity())
            .field("reason", &self.reason())
            .finish()
    }
}
