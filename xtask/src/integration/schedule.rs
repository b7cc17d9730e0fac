//! The redelivery schedule, as the receiving side sees it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use piopiy_events::Profile;
use piopiy_mock_platform::deliver::{CDR_SCHEDULE_MS, DeliveryOptions, Pace, Redelivery};

use crate::recorder::{Reaction, Recorder};
use crate::{mock, traffic};

const TIME_SCALE: f64 = 600.0;
const CALLS: u64 = 12;
/// How far an attempt may be off: a part of its offset, and some wall time.
const PART: f64 = 0.01;
const ALLOWANCE: Duration = Duration::from_millis(10);

/// Under both policies a CDR arrives at 0, 5, 15 and 30 virtual minutes from its first arrival.
///
/// # Errors
/// Where one arrives too early, too late, too often or not.
pub(super) async fn run(policy: Redelivery) -> anyhow::Result<String> {
    // Until an acknowledgement means all four attempts only where none comes.
    let status = if policy == Redelivery::UntilAck { 503 } else { 200 };
    let recorder = Recorder::start(move |_attempt| Reaction::Answer(status)).await?;
    let mut options = DeliveryOptions::default();
    options.cdr_policy = policy;
    options.pace = Pace::scaled(TIME_SCALE);
    let calls = mock::cdrs(Profile::Global, traffic::fresh_nonce(), CALLS);
    let planned: usize = calls.iter().map(|call| call.webhooks.len()).sum();
    mock::run(recorder.url(), calls, &options).await?;

    let arrivals = recorder.arrivals();
    ensure!(arrivals.len() == planned, "{planned} CDRs were planned and {} arrived", arrivals.len());
    let mut furthest = Duration::ZERO;
    for (identity, times) in &arrivals {
        let name = identity.as_ref().context("something arrived that is no webhook")?.key();
        let expected = CDR_SCHEDULE_MS.len();
        ensure!(times.len() == expected, "{name}: {} attempts arrived, not {expected}", times.len());
        for (time, offset_ms) in times.iter().zip(CDR_SCHEDULE_MS) {
            let due = Duration::from_millis(offset_ms).div_f64(TIME_SCALE);
            let off = time.duration_since(times[0]).abs_diff(due);
            let allowed = due.mul_f64(PART) + ALLOWANCE;
            ensure!(
                off <= allowed,
                "{name}: the attempt due at {due:?} was {off:?} off, of at most {allowed:?}"
            );
            furthest = furthest.max(off);
        }
    }
    Ok(format!(
        "{planned} CDRs at 0, 5, 15 and 30 virtual minutes, {TIME_SCALE} times as fast; furthest off {furthest:.1?}"
    ))
}
