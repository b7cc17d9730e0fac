use tokio::sync::oneshot;

use super::Fault;
use super::ledger::{AttemptEntry, DeliveryOutcome};
use crate::plan::{PlannedCall, PlannedWebhook};

/// A call on its way: planned, with what else its delivery depends on.
#[derive(Debug)]
pub struct PlacedCall {
    pub(super) call: PlannedCall,
    /// The faults of each webhook, where they are given rather than drawn.
    pub(super) faults: Option<Vec<Vec<Fault>>>,
    /// Whether its first webhook is due at once, whatever the plan says.
    pub(super) now: bool,
    /// Told when the first attempt of its first webhook is over, or is not to be made.
    pub(super) first: Option<oneshot::Sender<()>>,
    pub(super) done: Option<oneshot::Sender<CallReport>>,
}

impl PlacedCall {
    /// A call whose faults are given, not drawn: one list for each webhook, in order.
    #[must_use]
    pub fn with_faults(call: PlannedCall, faults: Vec<Vec<Fault>>) -> Self {
        Self { faults: Some(faults), ..Self::from(call) }
    }

    /// A call whose first webhook is due as soon as it is taken, and that reports when it is over.
    pub(crate) fn now(call: PlannedCall) -> (Self, oneshot::Receiver<CallReport>) {
        let (done, report) = oneshot::channel();
        let placed = Self { now: true, done: Some(done), ..Self::from(call) };
        (placed, report)
    }

    /// The next webhook of a live call, due at once, and a word when its first attempt is over: the one behind it waits
    /// for that.
    pub(crate) fn next_of_call(call: PlannedCall, faults: Vec<Fault>) -> (Self, oneshot::Receiver<()>) {
        let (first, told) = oneshot::channel();
        let placed = Self { now: true, first: Some(first), faults: Some(vec![faults]), ..Self::from(call) };
        (placed, told)
    }
}

impl PlacedCall {
    /// When it is taken, in virtual microseconds: at its start, and not behind its first webhook.
    pub(super) fn starts_at_us(&self) -> u64 {
        if self.now {
            return 0;
        }
        let times = self.call.webhooks.iter().map(|webhook| webhook.at_ms);
        times.chain([self.call.starts_at_ms]).min().unwrap_or(0).saturating_mul(1_000)
    }
}

impl From<PlannedCall> for PlacedCall {
    fn from(call: PlannedCall) -> Self {
        Self { call, faults: None, now: false, first: None, done: None }
    }
}

/// What came of one call.
#[derive(Debug, Clone, PartialEq, Default)]
#[must_use = "a call that was not acknowledged says so here only"]
#[non_exhaustive]
pub struct CallReport {
    /// Which call of the run.
    pub call: u64,
    /// Its story.
    pub story: String,
    /// Its deliveries, in the order in which they were over.
    pub deliveries: Vec<DeliveryReport>,
}

impl CallReport {
    /// Whether every webhook that was meant to be sent was acknowledged; `false` for a call without webhooks.
    #[must_use]
    pub fn is_acknowledged(&self) -> bool {
        let fine = |delivery: &DeliveryReport| {
            matches!(delivery.outcome, DeliveryOutcome::Acknowledged | DeliveryOutcome::InjectedLoss)
        };
        !self.deliveries.is_empty() && self.deliveries.iter().all(fine)
    }

    /// The deliveries of a name: `live.in_answered`, `cdr.inbound.answered`.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a DeliveryReport> {
        self.deliveries.iter().filter(move |delivery| delivery.webhook.name == name)
    }
}

/// What came of one delivery.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct DeliveryReport {
    /// What was sent.
    pub webhook: PlannedWebhook,
    /// How it ended.
    pub outcome: DeliveryOutcome,
    /// Its attempts, in the order in which they were over.
    pub attempts: Vec<AttemptEntry>,
}

/// One attempt of a delivery, as in the ledger.
pub type AttemptReport = AttemptEntry;
