//! Which webhooks are of one call, as far as is known when they are read.

use std::collections::{BTreeMap, VecDeque};

use piopiy_events::Webhook;

use super::signature::webhook_id;

/// A name that webhooks of one call share.
pub(super) type CallName = Box<str>;

/// Learns which leg belongs to which call.
///
/// Legs have a `cmiuuid` of their own and share a `conversation_uuid`; stream events have a `cmiuuid` only, and are of the
/// call whose leg has it, once that is known.
#[derive(Debug, Default)]
pub(super) struct Calls {
    conversation_of: BTreeMap<CallName, CallName>,
    /// The legs in `conversation_of`, oldest first.
    learned: VecDeque<CallName>,
}

/// Legs that are remembered: more than any platform has at once, in a few megabytes.
const REMEMBERED: usize = 1 << 16;

impl Calls {
    /// Every name by which this webhook's call goes. Two webhooks that share one are of one call.
    pub(super) fn names(&mut self, webhook: &Webhook) -> Vec<CallName> {
        let leg = webhook.identity().map(|identity| name(identity.cmiuuid()));
        let conversation = webhook.text("conversation_uuid").filter(|text| !text.is_empty());
        let conversation = conversation.map(|text| name(&text));
        match (leg, conversation) {
            (Some(leg), Some(conversation)) => {
                self.learn(&leg, &conversation);
                if leg == conversation { vec![leg] } else { vec![leg, conversation] }
            }
            (Some(leg), None) => match self.conversation_of.get(&leg).filter(|&found| *found != leg).cloned()
            {
                Some(conversation) => vec![leg, conversation],
                None => vec![leg],
            },
            (None, Some(conversation)) => vec![conversation],
            (None, None) => Vec::new(),
        }
    }

    /// Whether there is nothing to be learned of this webhook's call from others.
    pub(super) fn knows(&self, webhook: &Webhook) -> bool {
        let says_so = webhook.text("conversation_uuid").is_some_and(|text| !text.is_empty());
        let leg = webhook.identity().map(|identity| name(identity.cmiuuid()));
        says_so || leg.is_none_or(|leg| self.conversation_of.contains_key(&leg))
    }

    fn learn(&mut self, leg: &CallName, conversation: &CallName) {
        if self.conversation_of.insert(leg.clone(), conversation.clone()).is_some() {
            return;
        }
        self.learned.push_back(leg.clone());
        if self.learned.len() > REMEMBERED
            && let Some(oldest) = self.learned.pop_front()
        {
            self.conversation_of.remove(&oldest);
        }
    }
}

/// An id as a name; what is longer than ids are goes by its hash, so that what is remembered is small.
fn name(id: &str) -> CallName {
    const LONGEST: usize = 64;
    if id.len() <= LONGEST { id.into() } else { webhook_id(id).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(calls: &mut Calls, body: &str) -> Vec<String> {
        let webhook = Webhook::parse(body.as_bytes()).unwrap();
        calls.names(&webhook).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_stream_event_is_of_the_call_whose_leg_it_names() {
        let mut calls = Calls::default();
        let stream = r#"{"appid":1,"leg":"b","status":"stream_connected","time":1,"cmiuuid":"A"}"#;
        assert_eq!(names(&mut calls, stream), ["A"], "nothing is known of it yet");
        let leg_a = r#"{"cmiuuid":"A","conversation_uuid":"C","leg":"a","status":"missed","duration":0}"#;
        let leg_b = r#"{"cmiuuid":"B","conversation_uuid":"C","leg":"b","status":"missed","duration":0}"#;
        assert_eq!(names(&mut calls, leg_a), ["A", "C"]);
        assert_eq!(names(&mut calls, leg_b), ["B", "C"]);
        assert_eq!(names(&mut calls, stream), ["A", "C"], "now it waits for leg b too");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut calls = Calls::default();
        for n in 0..REMEMBERED + 10 {
            calls.learn(&n.to_string().into(), &"C".into());
        }
        assert_eq!((calls.conversation_of.len(), calls.learned.len()), (REMEMBERED, REMEMBERED));
    }
}
