//! Reports of runs that were never made.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::load::answer::Answer;
use crate::load::tally::{End, count};
use crate::plan::PlanOptions;

/// A webhook that was sent when it was due.
#[derive(Debug, Clone, Copy)]
pub(in crate::load) struct Sent {
    pub(in crate::load) due_ns: u64,
    pub(in crate::load) latency_ns: u64,
    pub(in crate::load) is_acknowledged: bool,
}

impl Sent {
    pub(in crate::load) fn any() -> impl Strategy<Value = Self> {
        let latency_ns = prop_oneof![0..2_000_000_u64, 0..3_000_000_000_u64];
        (0..8_000_000_000_u64, latency_ns, any::<bool>())
            .prop_map(|(due_ns, latency_ns, is_acknowledged)| Self { due_ns, latency_ns, is_acknowledged })
    }

    /// One in the middle of each of so many seconds.
    pub(in crate::load) fn each_second(seconds: u64) -> Vec<Self> {
        let one = |second| Self {
            due_ns: second * 1_000_000_000 + 500_000_000,
            latency_ns: 1_000_000,
            is_acknowledged: true,
        };
        (0..seconds).map(one).collect()
    }
}

/// The report of a run that sent these.
pub(in crate::load) fn report(sent: &[Sent]) -> LoadReport {
    let mut tally = Tally::new(Duration::from_secs(1));
    for one in sent {
        tally.planned(one.due_ns);
        tally.attempts += 1;
        tally.series.sent(one.due_ns);
        tally.last_sent_ns = tally.last_sent_ns.max(one.due_ns);
        count(&mut tally.service, one.latency_ns);
        count(&mut tally.publish_delay, 0);
        *tally
            .forms
            .entry(if one.is_acknowledged { "cdr.inbound.missed" } else { "live.waiting" })
            .or_default() += 1;
    }
    let mut ends: Vec<&Sent> = sent.iter().collect();
    ends.sort_by_key(|one| one.due_ns + one.latency_ns);
    for one in ends {
        let answered = End::Answered(Answer { status: 200, keeps: true });
        let end = if one.is_acknowledged { answered } else { End::NoConnection };
        tally.ended(end, one.due_ns + one.latency_ns, one.latency_ns);
    }
    let simulator = Simulator::builtin("default", PlanOptions::default()).unwrap();
    let target = Target::parse("http://127.0.0.1:9/<b>|`x`", &[]).unwrap();
    let started = Started { wall_ms: 1_700_000_000_000, monotonic_ns: 1, is_stopped: false };
    LoadReport::new(&simulator, &target, &LoadOptions::new(Rate::Webhooks(1e3)), &tally, started, None)
}
