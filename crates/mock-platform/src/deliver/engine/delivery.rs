//! What the engine keeps of a call, a delivery and an attempt, and how the ledger tells of each.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use piopiy_events::{Profile, Webhook};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::deliver::attempt::Answer;
use crate::deliver::fault::Slot;
use crate::deliver::ledger::{
    AttemptEntry, AttemptOutcome, Cause, DeliveryOutcome, FaultEntry, OutcomeEntry, PlanEntry,
};
use crate::deliver::placed::CallReport;
use crate::deliver::{Fault, Ledger, Redelivery, Targets};

/// A call with deliveries that are not over.
pub(super) struct ActiveCall {
    /// What is not due to be looked at yet: with [`Order::PerCall`], all behind the webhook whose turn it is.
    pub(super) waiting: VecDeque<Slot>,
    pub(super) open: usize,
    pub(super) profile: Profile,
    pub(super) targets: Arc<Targets>,
    pub(super) report: CallReport,
    /// Told when the first attempt of its first webhook is over, or is not to be made.
    pub(super) first: Option<oneshot::Sender<()>>,
    pub(super) done: Option<oneshot::Sender<CallReport>>,
}

/// One webhook on its way, with all its attempts.
pub(super) struct Delivery {
    pub(super) call_id: u64,
    pub(super) slot: Slot,
    pub(super) policy: Redelivery,
    pub(super) body: Bytes,
    pub(super) attempts: u32,
    /// The last step of the schedule that was begun.
    pub(super) last_step: usize,
    /// Attempts that are due or in flight.
    pub(super) pending: usize,
    pub(super) first_start_us: u64,
    pub(super) acknowledged: bool,
    pub(super) ambiguous: bool,
    pub(super) begun: bool,
    /// Whether it was stopped before its schedule was through.
    pub(super) cut: bool,
    pub(super) reports: Vec<AttemptEntry>,
}

/// An attempt that is due; ordered by time, then by the order in which it was found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) at_us: u64,
    pub(super) order: u64,
    pub(super) delivery: u64,
    pub(super) step: Step,
}

/// Why an attempt is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Attempt `n` of the schedule, from 0.
    Scheduled(usize),
    /// The second copy of the fault `duplicate`.
    Copy,
}

/// An attempt that is over.
pub(super) struct Landed {
    pub(super) due: Due,
    pub(super) attempt: u32,
    pub(super) offset_us: u64,
    pub(super) start: Instant,
    pub(super) start_us: u64,
    pub(super) ts_ms: u64,
    pub(super) late_ns: u64,
    pub(super) answer: Answer,
}

impl ActiveCall {
    pub(super) fn is_over(&self) -> bool {
        self.open == 0 && self.waiting.is_empty()
    }
}

impl Delivery {
    pub(super) fn new(call_id: u64, slot: Slot, policy: Redelivery) -> Self {
        Self {
            call_id,
            policy,
            body: Bytes::from(slot.webhook.body.clone()),
            slot,
            attempts: 0,
            last_step: 0,
            pending: 0,
            first_start_us: 0,
            acknowledged: false,
            ambiguous: false,
            begun: false,
            cut: false,
            reports: Vec::new(),
        }
    }

    pub(super) fn outcome(&self) -> DeliveryOutcome {
        if self.slot.is_lost() {
            DeliveryOutcome::InjectedLoss
        } else if self.acknowledged {
            DeliveryOutcome::Acknowledged
        } else if self.cut {
            DeliveryOutcome::Interrupted
        } else {
            DeliveryOutcome::Unacknowledged
        }
    }

    pub(super) fn outcome_entry(&self) -> OutcomeEntry {
        OutcomeEntry {
            call: self.slot.webhook.call,
            webhook: self.slot.webhook.seq,
            outcome: self.outcome(),
            attempts: self.attempts,
            ambiguous: self.ambiguous && !self.acknowledged,
        }
    }

    pub(super) fn plan_entry(&self, call: &ActiveCall) -> PlanEntry {
        let webhook = &self.slot.webhook;
        let identity = Webhook::parse(&webhook.body).ok().and_then(|webhook| webhook.identity());
        PlanEntry {
            call: webhook.call,
            webhook: webhook.seq,
            story: call.report.story.clone(),
            profile: call.profile,
            name: webhook.name.clone().into_owned(),
            payload: webhook.kind,
            evidence: webhook.evidence,
            identity: identity.map(|identity| identity.key()),
            at_ms: webhook.at_ms,
            due_ms: self.slot.due_ms,
            body: webhook.body.clone().into(),
            faults: self.slot.faults.clone(),
        }
    }

    pub(super) fn fault_entry(&self, fault: &Fault) -> FaultEntry {
        FaultEntry { call: self.slot.webhook.call, webhook: self.slot.webhook.seq, fault: fault.clone() }
    }
}

impl Landed {
    pub(super) fn is_acknowledged(&self) -> bool {
        self.answer.outcome == AttemptOutcome::Acknowledged
    }

    pub(super) fn entry(self, delivery: &Delivery, ledger: &Ledger) -> AttemptEntry {
        let answer = self.answer;
        AttemptEntry {
            call: delivery.slot.webhook.call,
            webhook: delivery.slot.webhook.seq,
            attempt: self.attempt,
            cause: match self.due.step {
                Step::Scheduled(0) => Cause::First,
                Step::Scheduled(_) => Cause::Redelivery,
                Step::Copy => Cause::Duplicate,
            },
            offset_ms: self.offset_us / 1_000,
            due_ms: self.due.at_us / 1_000,
            start_ms: self.start_us / 1_000,
            start_ns: ledger.ns_of(self.start),
            ts_ms: self.ts_ms,
            late_ns: self.late_ns,
            latency_ns: u64::try_from(answer.latency.as_nanos()).unwrap_or(u64::MAX),
            outcome: answer.outcome,
            status: answer.status,
            error: answer.error,
            ambiguous: answer.ambiguous,
            answer_bytes: answer.answer_bytes,
            cut_off: answer.cut_off,
        }
    }
}
