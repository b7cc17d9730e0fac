//! Whole calls, from the mock platform to a receiver, and what the receiver made of them.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use piopiy_events::{Identity, Kind, Profile, Webhook};
use piopiy_mock_platform::deliver::{DeliveryOptions, Faults, Pace, Redelivery};
use piopiy_mock_platform::judge::Effect;
use piopiy_mock_platform::plan::PlannedCall;

use super::World;
use crate::receivers::{Documented, Kept};
use crate::{mock, observe, traffic};

const CALLS: u64 = 60;
/// How many attempts a CDR has where each of the schedule is made.
const ALWAYS: u64 = 4;

/// What was planned: each webhook's body, and how many attempts its policy makes it where all are acknowledged.
struct Planned {
    calls: Vec<PlannedCall>,
    options: DeliveryOptions,
}

impl Planned {
    fn new(profile: Profile, policy: Redelivery) -> Self {
        let mut options = DeliveryOptions::default();
        options.cdr_policy = policy;
        options.pace = Pace::jump();
        Self { calls: mock::calls(profile, traffic::fresh_nonce(), CALLS), options }
    }

    /// Each webhook by its identity, with its body and its attempts.
    fn webhooks(&self) -> anyhow::Result<BTreeMap<Identity, (Vec<u8>, u64)>> {
        let mut webhooks = BTreeMap::new();
        for webhook in self.calls.iter().flat_map(|call| &call.webhooks) {
            let identity =
                Webhook::parse(&webhook.body)?.identity().context("a planned webhook has no identity")?;
            let again = webhook.kind == Some(Kind::Cdr) && self.options.cdr_policy == Redelivery::Always;
            let attempts = if again { ALWAYS } else { 1 };
            let twice = webhooks.insert(identity, (webhook.body.clone(), attempts));
            ensure!(twice.is_none(), "the plan has one webhook twice");
        }
        Ok(webhooks)
    }
}

/// Against `piopiy-receiver`: every webhook has one effect, with every value as it was sent.
///
/// # Errors
/// Where that does not hold.
pub(super) async fn durable(world: &World, profile: Profile, policy: Redelivery) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &["--observe"]).await?;
    let planned = Planned::new(profile, policy);
    let webhooks = planned.webhooks()?;
    let records = mock::run(receiver.url(), planned.calls, &planned.options).await?;
    let effects = observe::effects(&receiver).await?;
    receiver.stop().await?;

    for (identity, (body, _)) in &webhooks {
        let of_it: Vec<_> = effects.iter().filter(|effect| is_of(effect, identity)).collect();
        ensure!(of_it.len() == 1, "{identity} has {} effects", of_it.len());
        let stored = of_it[0].fields.as_ref().map(|fields| fields.as_json().as_bytes());
        ensure!(stored == Some(body), "{identity} was stored as {stored:?}");
    }
    let attempts: u64 = webhooks.values().map(|(_, attempts)| attempts).sum();
    let summary = mock::judge(&records, &effects)?;
    ensure!(summary.is_clean(), "{}", summary.equation());
    ensure!(summary.attempts == attempts, "{} attempts were made, not {attempts}", summary.attempts);
    ensure!(effects.len() == webhooks.len(), "{} effects of {} webhooks", effects.len(), webhooks.len());
    Ok(format!("{}; {attempts} attempts", summary.equation()))
}

/// Against `piopiy-receiver`, with duplicates, other orders, delays and losses.
///
/// # Errors
/// Where what was not lost on purpose does not have one effect each.
pub(super) async fn chaos(world: &World) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Sqlite(&store), &["--observe"]).await?;
    let mut planned = Planned::new(Profile::Global, Redelivery::Always);
    planned.options.faults = Faults::chaos(world.seed);
    let records = mock::run(receiver.url(), planned.calls, &planned.options).await?;
    let effects = observe::effects(&receiver).await?;
    receiver.stop().await?;
    let summary = mock::judge(&records, &effects)?;
    ensure!(summary.is_clean(), "{}", summary.equation());
    for fault in ["duplicate", "reorder", "delay", "loss"] {
        ensure!(summary.faults.contains_key(fault), "the fault `{fault}` never happened");
    }
    ensure!(summary.meant() == effects.len() as u64, "{}", summary.equation());
    Ok(summary.equation())
}

/// Against a documented receiver, which stores nothing and does not notice repeats: as many effects as attempts, and
/// the judge names each webhook that has more than one.
///
/// # Errors
/// Where that does not hold.
pub(super) async fn documented(
    receiver: Documented,
    profile: Profile,
    policy: Redelivery,
) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("effects");
    let process = receiver.start(&file).await?;
    let planned = Planned::new(profile, policy);
    let webhooks = planned.webhooks()?;
    let records = mock::run(process.url(), planned.calls, &planned.options).await?;
    process.stop().await?;
    let effects = observe::effects_in(&file)?;

    for (identity, (_, attempts)) in &webhooks {
        let of_it = effects.iter().filter(|effect| is_of(effect, identity)).count() as u64;
        ensure!(of_it == *attempts, "{identity} has {of_it} effects of {attempts} attempts");
    }
    let doubled = webhooks.values().filter(|(_, attempts)| *attempts > 1).count() as u64;
    let summary = mock::judge(&records, &effects)?;
    ensure!(summary.lost() == Some(0), "{}", summary.equation());
    ensure!(
        summary.duplicated() == Some(doubled),
        "{doubled} are doubled; the judge says: {}",
        summary.equation()
    );
    ensure!(summary.is_clean() == (doubled == 0), "the judge calls this clean: {}", summary.equation());
    Ok(format!("{} (as expected: it does not notice repeats)", summary.equation()))
}

fn is_of(effect: &Effect, identity: &Identity) -> bool {
    observe::identity(effect).is_ok_and(|of| of == *identity)
}
