//! The mock platform, in this process, against a receiver that is not.

use std::sync::Arc;

use anyhow::Context as _;
use piopiy_events::{Kind, Profile};
use piopiy_mock_platform::deliver::ledger::{AttemptEntry, DeliveryOutcome, Entry, Record};
use piopiy_mock_platform::deliver::{DeliveryOptions, Ending, Ledger, Target, Targets, deliver};
use piopiy_mock_platform::judge::{Effect, Judge, Summary};
use piopiy_mock_platform::plan::PlannedCall;

use crate::traffic;

/// Delivers calls and hands back the ledger's records.
///
/// # Errors
/// Where nothing can be delivered at all.
pub(crate) async fn run(
    url: &str,
    calls: Vec<PlannedCall>,
    options: &DeliveryOptions,
) -> anyhow::Result<Vec<Arc<Record>>> {
    let targets = Targets::both(Target::parse(url, &[])?);
    let ledger = Ledger::builder().in_memory().open().context("cannot open a ledger")?;
    let calls = futures_util::stream::iter(calls);
    let ending = deliver(calls, &targets, options, &ledger, std::future::pending()).await?;
    anyhow::ensure!(ending == Ending::Complete, "the run was interrupted");
    Ok(ledger.records())
}

/// Realistic calls.
pub(crate) fn calls(profile: Profile, nonce: u64, count: u64) -> Vec<PlannedCall> {
    let simulator = traffic::simulator(profile, nonce);
    (0..count).map(|index| simulator.call(index)).collect()
}

/// The CDRs of realistic calls, without their live events.
pub(crate) fn cdrs(profile: Profile, nonce: u64, count: u64) -> Vec<PlannedCall> {
    let mut calls = calls(profile, nonce, count);
    for call in &mut calls {
        call.webhooks.retain(|webhook| webhook.kind == Some(Kind::Cdr));
    }
    calls
}

/// The attempts that a ledger tells of, in the order in which they were over.
pub(crate) fn attempts(records: &[Arc<Record>]) -> impl Iterator<Item = &AttemptEntry> {
    records.iter().filter_map(|record| match &record.entry {
        Entry::Attempt(attempt) => Some(attempt),
        _ => None,
    })
}

/// How each delivery of a ledger ended, in that order.
pub(crate) fn outcomes(records: &[Arc<Record>]) -> impl Iterator<Item = DeliveryOutcome> {
    records.iter().filter_map(|record| match &record.entry {
        Entry::Outcome(outcome) => Some(outcome.outcome),
        _ => None,
    })
}

/// What a ledger's records and the receiver's effects come to.
///
/// # Errors
/// Where the effects cannot be told to the judge.
pub(crate) fn judge(records: &[Arc<Record>], effects: &[Effect]) -> anyhow::Result<Summary> {
    let observed = Ledger::builder().in_memory().open().context("cannot open a ledger")?;
    observed.observe(effects.iter().cloned());
    let mut judge = Judge::observing();
    records.iter().chain(&observed.records()).for_each(|record| judge.read(record));
    Ok(judge.summary())
}
