use std::collections::{BTreeMap, BTreeSet};

use crate::{CallState, Identity, Phase, Webhook};

/// Webhooks of many calls, sorted into their calls.
///
/// A call is keyed by `conversation_uuid`. A webhook without one (stream events) belongs to the call that has a leg
/// with its `cmiuuid`; until such a leg is known it is a call of its own, keyed by that `cmiuuid` (so it belongs to the
/// conversation of that name, if there is one: an inbound call's is leg a's `cmiuuid`). Where two conversations claim a
/// leg, the smaller id has it. Like [`CallState`], the result does not depend on the order.
///
/// # Examples
/// ```
/// use piopiy_events::{Calls, Phase, Webhook};
///
/// let mut calls = Calls::default();
/// calls.apply(&Webhook::parse(br#"{"cmiuuid":"leg","leg":"b","status":"stream_connected","time":2}"#)?);
/// assert_eq!(calls.phase("leg"), Some(Phase::Streaming));
/// calls.apply(&Webhook::parse(br#"{"cmiuuid":"leg","conversation_uuid":"c","leg":"a","status":"in_answered","time":1}"#)?);
/// assert_eq!(calls.phase("leg"), None, "it belongs to a conversation now");
/// assert_eq!(calls.phase("c"), Some(Phase::Streaming));
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calls {
    conversations: BTreeMap<String, CallState>,
    /// The conversations that a leg was seen in.
    claims: BTreeMap<String, BTreeSet<String>>,
    /// Webhooks without a conversation, by leg.
    loose: BTreeMap<String, CallState>,
}

impl Calls {
    /// Takes a webhook in; true where it is new, false where it was seen before or is unrecognised.
    pub fn apply(&mut self, webhook: &Webhook) -> bool {
        let Some(identity) = webhook.identity() else {
            return false;
        };
        self.insert(identity, webhook.compared("conversation_uuid").as_deref())
    }

    /// Takes a webhook in by its identity and its conversation, if it names one; true where it is new. One that was
    /// seen in another conversation, or in none, is not; that it is of this one too is taken in all the same.
    pub fn insert(&mut self, identity: Identity, conversation: Option<&str>) -> bool {
        let is_new = !self.has(&identity);
        let leg = identity.cmiuuid().to_owned();
        let call = match conversation {
            None => self.loose.entry(leg).or_default(),
            Some(conversation) => {
                self.claims.entry(leg).or_default().insert(conversation.to_owned());
                self.conversations.entry(conversation.to_owned()).or_default()
            }
        };
        call.insert(identity);
        is_new
    }

    /// Whether a webhook was seen: it can only be where its leg is.
    fn has(&self, identity: &Identity) -> bool {
        let leg = identity.cmiuuid();
        let claimed = self.claims.get(leg).into_iter().flatten();
        let calls = claimed.filter_map(|key| self.conversations.get(key)).chain(self.loose.get(leg));
        calls.into_iter().any(|call| call.has(identity))
    }

    /// The key of the call that a webhook belongs to, as far as is known; `None` where it is unrecognised.
    #[must_use]
    pub fn call_of(&self, webhook: &Webhook) -> Option<String> {
        let identity = webhook.identity()?;
        if let Some(conversation) = webhook.compared("conversation_uuid") {
            return Some(conversation.into_owned());
        }
        Some(self.owner(identity.cmiuuid()).unwrap_or(identity.cmiuuid()).to_owned())
    }

    /// The conversation that a leg belongs to.
    fn owner(&self, leg: &str) -> Option<&str> {
        self.claims.get(leg).and_then(BTreeSet::first).map(String::as_str)
    }

    /// The state of the call with this key.
    #[must_use]
    pub fn state(&self, key: &str) -> Option<CallState> {
        let Some(own) = self.conversations.get(key) else {
            return self.loose.get(key).filter(|_| self.owner(key).is_none()).cloned();
        };
        let mut state = own.clone();
        let legs: BTreeSet<&str> = own.seen().map(Identity::cmiuuid).chain([key]).collect();
        for leg in legs {
            if self.owner(leg).unwrap_or(leg) == key
                && let Some(loose) = self.loose.get(leg)
            {
                state.merge(loose);
            }
        }
        Some(state)
    }

    /// Where the call with this key stands.
    #[must_use]
    pub fn phase(&self, key: &str) -> Option<Phase> {
        self.state(key).map(|state| state.phase())
    }

    /// Forgets the call with this key, lest memory grow with every call there ever was; its state as it was. What comes of it later begins a
    /// call anew.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{Calls, Webhook};
    ///
    /// let mut calls = Calls::default();
    /// calls.apply(&Webhook::parse(br#"{"cmiuuid":"leg","conversation_uuid":"c","leg":"a","status":"missed","duration":0}"#)?);
    /// assert!(calls.forget("c").is_some());
    /// assert_eq!(calls, Calls::default());
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    pub fn forget(&mut self, key: &str) -> Option<CallState> {
        let state = self.state(key)?;
        let legs: BTreeSet<&str> = state.seen().map(Identity::cmiuuid).chain([key]).collect();
        for leg in legs {
            if self.owner(leg).unwrap_or(leg) == key {
                self.loose.remove(leg);
            }
            if let Some(claims) = self.claims.get_mut(leg) {
                claims.remove(key);
                if claims.is_empty() {
                    self.claims.remove(leg);
                }
            }
        }
        self.conversations.remove(key);
        Some(state)
    }

    /// All calls by key, with their states.
    #[must_use]
    pub fn states(&self) -> BTreeMap<String, CallState> {
        let loose = self.loose.keys().filter(|leg| self.owner(leg).is_none());
        let keys = self.conversations.keys().chain(loose);
        keys.filter_map(|key| Some((key.clone(), self.state(key)?))).collect()
    }
}
