//! What was sent, and what came of it: in the store, and at the app behind the forwarder.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use piopiy_events::{Identity, Webhook};
use piopiy_mock_platform::judge::Effect;

use crate::observe;
use crate::recorder::Recorder;

/// Different webhooks, and by what each can be told to be of a call: its leg's `cmiuuid`, and the `conversation_uuid` where it has one.
#[derive(Debug)]
pub(in crate::integration) struct Sent(BTreeMap<Identity, Vec<String>>);

impl Sent {
    /// # Errors
    /// Where a body is no webhook.
    pub(in crate::integration) fn of(bodies: &[Vec<u8>]) -> anyhow::Result<Self> {
        let with_call = |body: &Vec<u8>| {
            let webhook = Webhook::parse(body)?;
            let identity = webhook.identity().context("a body has no identity")?;
            let conversation = webhook.text("conversation_uuid").map(std::borrow::Cow::into_owned);
            let names = [Some(identity.cmiuuid().to_owned()), conversation];
            Ok((identity, names.into_iter().flatten().collect()))
        };
        Ok(Self(bodies.iter().map(with_call).collect::<anyhow::Result<_>>()?))
    }

    /// Looks whether each has one effect, and nothing else has any; the order of the effects.
    ///
    /// # Errors
    /// Where a webhook is lost, has its effect twice, or was never sent.
    pub(in crate::integration) fn each_once(&self, effects: &[Effect]) -> anyhow::Result<Vec<Identity>> {
        let stored = effects.iter().map(observe::identity).collect::<anyhow::Result<Vec<_>>>()?;
        let mut counts = BTreeMap::new();
        for identity in &stored {
            *counts.entry(identity).or_insert(0) += 1;
        }
        let lost = self.0.keys().filter(|identity| !counts.contains_key(identity)).count();
        let doubled = counts.values().filter(|count| **count > 1).count();
        let foreign = counts.keys().filter(|identity| !self.0.contains_key(identity)).count();
        ensure!(
            (lost, doubled, foreign) == (0, 0, 0),
            "lost {lost}, doubled {doubled}, never sent {foreign} of {}",
            self.0.len()
        );
        Ok(stored)
    }

    /// Looks whether the app took all that was stored and nothing else, and of each call one after another; how many came
    /// again.
    ///
    /// # Errors
    /// Where it did not.
    pub(in crate::integration) fn forwarded(
        &self,
        stored: &[Identity],
        app: &Recorder,
    ) -> anyhow::Result<usize> {
        let taken = app.taken();
        let mut last: BTreeMap<&String, Instant> = BTreeMap::new();
        let mut repeats = 0;
        for identity in stored {
            let times = taken.get(&Some(identity.clone()));
            let times = times.with_context(|| format!("{identity:?} was not forwarded"))?;
            repeats += times.len() - 1;
            let (Some(names), Some(first)) = (self.0.get(identity), times.first()) else { continue };
            for name in names.iter().collect::<BTreeSet<_>>() {
                if let Some(before) = last.insert(name, *first) {
                    ensure!(
                        before < *first,
                        "of call {name}, {identity:?} was forwarded before an earlier webhook"
                    );
                }
            }
        }
        ensure!(taken.len() == stored.len(), "what was forwarded was not all stored");
        Ok(repeats)
    }
}
