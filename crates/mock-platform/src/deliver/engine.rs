mod delivery;
mod forgetting;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::future::Future;
use std::sync::Arc;

use futures_util::{FutureExt, Stream, StreamExt};
use piopiy_events::Kind;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::attempt::Transport;
use super::clock::{Clock, wall_ms};
use super::fault::arrange;
use super::ledger::Entry;
use super::placed::{CallReport, DeliveryReport, PlacedCall};
use super::{DeliveryOptions, Ending, Fault, Ledger, Order, Redelivery, Targets};
use delivery::{ActiveCall, Delivery, Due, Landed, Step};

/// How many attempts may be due, but not started, before no further call is taken.
const OVERDUE: usize = 4_096;

/// How many calls are taken before the engine looks up: calls without webhooks would keep it for ever.
const TAKEN_AT_ONCE: usize = 1_024;

/// Delivers calls. One task owns all the state; attempts run beside it and come back as [`Landed`].
pub(super) struct Engine<T, S> {
    transport: T,
    source: S,
    source_ended: bool,
    /// The next call, where it is not due yet.
    next_call: Option<(PlacedCall, Arc<Targets>)>,
    options: Arc<DeliveryOptions>,
    ledger: Ledger,
    clock: Clock,
    ids: u64,
    calls: HashMap<u64, ActiveCall>,
    deliveries: HashMap<u64, Delivery>,
    /// What is due later, the earliest on top.
    due: BinaryHeap<Reverse<Due>>,
    /// What is due and waits for its turn.
    ready: VecDeque<Due>,
    in_flight: JoinSet<Landed>,
    /// Whoever wants everything forgotten that is not in flight, and waits for that.
    forgetting: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
}

impl<T, S> Engine<T, S>
where
    T: Transport,
    S: Stream<Item = (PlacedCall, Arc<Targets>)> + Unpin,
{
    pub(super) fn new(
        transport: T,
        source: S,
        options: DeliveryOptions,
        ledger: Ledger,
        clock: Clock,
    ) -> Self {
        // Nobody asks for it until `forgetting_by` says who may.
        let (_, forgetting) = mpsc::unbounded_channel();
        Self {
            transport,
            source,
            source_ended: false,
            next_call: None,
            clock,
            options: Arc::new(options),
            ledger,
            ids: 0,
            calls: HashMap::new(),
            deliveries: HashMap::new(),
            due: BinaryHeap::new(),
            ready: VecDeque::new(),
            in_flight: JoinSet::new(),
            forgetting,
        }
    }

    pub(super) async fn run(mut self, stop: impl Future<Output = ()>) -> Ending {
        let mut stop = std::pin::pin!(stop.fuse());
        let mut stopped = false;
        let mut advances = self.clock.advances();
        loop {
            if !stopped {
                self.take_calls();
            }
            self.start_what_is_due();
            let next_us = self.next_due_us();
            let idle = self.in_flight.is_empty() && self.ready.is_empty();
            if idle {
                match next_us {
                    Some(next_us) if self.options.pace.jump && next_us > self.clock.now_us() => {
                        self.clock.skip_to(next_us);
                        // Nothing is waited for here, so this is where others get their turn, and a stop is seen.
                        tokio::task::yield_now().await;
                        if !stopped && (&mut stop).now_or_never().is_some() {
                            stopped = true;
                            self.stop();
                        }
                        continue;
                    }
                    None if stopped || self.source_ended => break,
                    _ => {}
                }
            }
            let wake = next_us.map(|next_us| self.clock.instant_of(next_us));
            let wants_calls =
                !stopped && !self.source_ended && self.next_call.is_none() && self.takes_calls();
            tokio::select! {
                Some(landed) = self.in_flight.join_next() => {
                    let landed = landed.expect("an attempt neither panics nor is aborted");
                    self.land(landed);
                }
                call = self.source.next(), if wants_calls => match call {
                    Some(call) => self.next_call = Some(call),
                    None => self.source_ended = true,
                },
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
                Some(forgotten) = self.forgetting.recv() => {
                    self.forget();
                    // Whoever asked may be gone.
                    let _ = forgotten.send(());
                }
                // Something may be due already. The clock is the engine's own, so the sender is there.
                _ = advances.changed() => {}
                () = &mut stop, if !stopped => {
                    stopped = true;
                    self.stop();
                }
            }
        }
        if stopped { Ending::Interrupted } else { Ending::Complete }
    }

    fn takes_calls(&self) -> bool {
        self.ready.len() < OVERDUE
    }

    /// Takes the calls that have started. Their webhooks become due in an order of their own.
    fn take_calls(&mut self) {
        for _ in 0..TAKEN_AT_ONCE {
            if self.next_call.is_none() && !self.source_ended && self.takes_calls() {
                match self.source.next().now_or_never() {
                    Some(Some(call)) => self.next_call = Some(call),
                    Some(None) => self.source_ended = true,
                    None => {}
                }
            }
            let now_us = self.clock.now_us();
            match self.next_call.take_if(|(call, _)| call.starts_at_us() <= now_us) {
                Some((call, targets)) => self.admit(call, targets, now_us),
                None => return,
            }
            self.collect_due();
        }
    }

    fn admit(&mut self, placed: PlacedCall, targets: Arc<Targets>, now_us: u64) {
        let PlacedCall { call, faults, now, first, done } = placed;
        let mut webhooks = call.webhooks;
        if now {
            let first = webhooks.iter().map(|webhook| webhook.at_ms).min().unwrap_or(0);
            for webhook in &mut webhooks {
                webhook.at_ms = webhook.at_ms - first + now_us / 1_000;
            }
        }
        let mut faults = faults.unwrap_or_else(|| {
            (0..webhooks.len()).map(|position| self.options.faults.of(&webhooks, position)).collect()
        });
        faults.resize_with(webhooks.len(), Vec::new);
        let call_id = self.next_id();
        let active = ActiveCall {
            waiting: arrange(webhooks, faults).into(),
            open: 0,
            profile: call.profile,
            targets,
            report: CallReport { call: call.index, story: call.story.into_owned(), deliveries: Vec::new() },
            first,
            done,
        };
        self.calls.insert(call_id, active);
        while self.open_next(call_id) && self.options.order == Order::Free {}
        self.end_call_if_over(call_id);
    }

    /// Makes the next webhook of a call due; `false` if there is none.
    fn open_next(&mut self, call_id: u64) -> bool {
        let Some(call) = self.calls.get_mut(&call_id) else { return false };
        let Some(slot) = call.waiting.pop_front() else { return false };
        call.open += 1;
        let at_us = slot.due_ms.saturating_mul(1_000);
        let id = self.next_id();
        let policy = self.options.policy(slot.webhook.kind);
        let delivery = Delivery::new(call_id, slot, policy);
        self.deliveries.insert(id, delivery);
        self.schedule(id, at_us, Step::Scheduled(0));
        true
    }

    fn schedule(&mut self, delivery: u64, at_us: u64, step: Step) {
        let order = self.next_id();
        if let Some(delivery) = self.deliveries.get_mut(&delivery) {
            delivery.pending += 1;
        }
        self.due.push(Reverse(Due { at_us, order, delivery, step }));
    }

    /// Moves everything that is due behind what waits for its turn.
    fn collect_due(&mut self) {
        let now_us = self.clock.now_us();
        while let Some(Reverse(due)) = self.due.peek().copied() {
            if due.at_us > now_us {
                break;
            }
            self.due.pop();
            self.ready.push_back(due);
        }
    }

    fn start_what_is_due(&mut self) {
        self.collect_due();
        while self.in_flight.len() < self.options.in_flight() {
            let Some(due) = self.ready.pop_front() else { return };
            if self.is_settled(&due) {
                self.settle(due.delivery);
            } else if matches!(due.step, Step::Scheduled(0)) {
                self.begin(due);
            } else {
                self.start(due);
            }
            self.collect_due();
        }
    }

    /// When something is due next, overdue attempts apart.
    fn next_due_us(&mut self) -> Option<u64> {
        while let Some(Reverse(due)) = self.due.peek().copied() {
            if !self.is_settled(&due) {
                break;
            }
            self.due.pop();
            self.settle(due.delivery);
        }
        let attempt = self.due.peek().map(|Reverse(due)| due.at_us);
        let call =
            self.next_call.as_ref().map(|(call, _)| call.starts_at_us()).filter(|_| self.takes_calls());
        [attempt, call].into_iter().flatten().min()
    }

    /// Whether a redelivery has become needless.
    fn is_settled(&self, due: &Due) -> bool {
        self.deliveries.get(&due.delivery).is_none_or(|delivery| {
            delivery.acknowledged && delivery.policy != Redelivery::Always && due.step != Step::Copy
        })
    }

    fn settle(&mut self, delivery_id: u64) {
        if let Some(delivery) = self.deliveries.get_mut(&delivery_id) {
            delivery.pending -= 1;
            self.end_if_over(delivery_id);
        }
    }

    /// The first attempt of a delivery, or its injected loss.
    fn begin(&mut self, due: Due) {
        let now_us = self.clock.now_us();
        let Some(delivery) = self.deliveries.get_mut(&due.delivery) else { return };
        delivery.begun = true;
        delivery.first_start_us = now_us;
        let Some(call) = self.calls.get(&delivery.call_id) else { return };
        self.ledger.append(Entry::Plan(Box::new(delivery.plan_entry(call))));
        let (call_id, lost) = (delivery.call_id, delivery.slot.is_lost());
        let duplicate = delivery.slot.duplicate_after_ms();
        for fault in &delivery.slot.faults {
            if !matches!(fault, Fault::Duplicate { .. }) {
                self.ledger.append(Entry::Fault(delivery.fault_entry(fault)));
            }
        }
        if lost {
            self.settle(due.delivery);
            self.open_behind(call_id);
            return;
        }
        self.start(due);
        if let Some(after_ms) = duplicate {
            self.schedule(due.delivery, now_us + after_ms.saturating_mul(1_000), Step::Copy);
        }
    }

    /// Opens the webhook behind one whose first attempt is over.
    fn open_behind(&mut self, call_id: u64) {
        if let Some(first) = self.calls.get_mut(&call_id).and_then(|call| call.first.take()) {
            // Whoever placed the call may have lost interest.
            let _ = first.send(());
        }
        if self.options.order == Order::PerCall {
            self.open_next(call_id);
        }
        self.end_call_if_over(call_id);
    }

    fn start(&mut self, due: Due) {
        let start = Instant::now();
        let start_us = self.clock.now_us();
        let late = start.saturating_duration_since(self.clock.instant_of(due.at_us));
        let Some(delivery) = self.deliveries.get_mut(&due.delivery) else { return };
        if due.step == Step::Copy {
            for fault in delivery.slot.faults.iter().filter(|fault| matches!(fault, Fault::Duplicate { .. }))
            {
                self.ledger.append(Entry::Fault(delivery.fault_entry(fault)));
            }
        }
        delivery.attempts += 1;
        if let Step::Scheduled(step) = due.step {
            delivery.last_step = step;
        }
        let attempt = delivery.attempts;
        let offset_us = due.at_us.saturating_sub(delivery.first_start_us);
        let offset_us = if due.step == Step::Scheduled(0) { 0 } else { offset_us };
        let Some(call) = self.calls.get(&delivery.call_id) else { return };
        let target = match delivery.slot.webhook.kind {
            Some(Kind::Cdr) => &call.targets.cdr,
            _ => &call.targets.live,
        };
        let post = {
            let (transport, url, body) =
                (self.transport.clone(), target.url().clone(), delivery.body.clone());
            async move { transport.post(url, body).await }
        };
        let ts_ms = wall_ms();
        let late_ns = u64::try_from(late.as_nanos()).unwrap_or(u64::MAX);
        self.in_flight.spawn(async move {
            let answer = post.await;
            Landed { due, attempt, offset_us, start, start_us, ts_ms, late_ns, answer }
        });
        if let (Step::Scheduled(step), Redelivery::Always) = (due.step, delivery.policy) {
            self.schedule_after(due.delivery, step);
        }
    }

    /// Schedules the attempt behind `step` of the schedule, if there is one.
    fn schedule_after(&mut self, delivery_id: u64, step: usize) {
        let Some(&offset_ms) = self.options.schedule_ms.get(step + 1) else { return };
        let Some(delivery) = self.deliveries.get(&delivery_id) else { return };
        let at_us = delivery.first_start_us + offset_ms.saturating_mul(1_000);
        self.schedule(delivery_id, at_us, Step::Scheduled(step + 1));
    }

    fn land(&mut self, landed: Landed) {
        let delivery_id = landed.due.delivery;
        let Some(delivery) = self.deliveries.get_mut(&delivery_id) else { return };
        delivery.pending -= 1;
        delivery.acknowledged |= landed.is_acknowledged();
        delivery.ambiguous |= landed.answer.ambiguous;
        let call_id = delivery.call_id;
        let keeps_report = self.calls.get(&call_id).is_some_and(|call| call.done.is_some());
        let (step, entry) = (landed.due.step, landed.entry(delivery, &self.ledger));
        if keeps_report {
            delivery.reports.push(entry.clone());
        }
        self.ledger.append(Entry::Attempt(entry));
        let again = delivery.policy == Redelivery::UntilAck && !delivery.acknowledged && !delivery.cut;
        if let (Step::Scheduled(step), true) = (step, again) {
            self.schedule_after(delivery_id, step);
        }
        self.end_if_over(delivery_id);
        if step == Step::Scheduled(0) {
            self.open_behind(call_id);
        }
    }

    fn end_if_over(&mut self, delivery_id: u64) {
        if self.deliveries.get(&delivery_id).is_none_or(|delivery| delivery.pending > 0) {
            return;
        }
        let Some(delivery) = self.deliveries.remove(&delivery_id) else { return };
        if delivery.begun {
            self.ledger.append(Entry::Outcome(delivery.outcome_entry()));
        }
        if let Some(call) = self.calls.get_mut(&delivery.call_id) {
            call.open -= 1;
            if call.done.is_some() && delivery.begun {
                call.report.deliveries.push(DeliveryReport {
                    outcome: delivery.outcome(),
                    webhook: delivery.slot.webhook,
                    attempts: delivery.reports,
                });
            }
        }
        self.end_call_if_over(delivery.call_id);
    }

    fn end_call_if_over(&mut self, call_id: u64) {
        if self.calls.get(&call_id).is_some_and(ActiveCall::is_over)
            && let Some(call) = self.calls.remove(&call_id)
            && let Some(done) = call.done
        {
            // Whoever placed the call may have lost interest.
            let _ = done.send(call.report);
        }
    }

    fn next_id(&mut self) -> u64 {
        self.ids += 1;
        self.ids
    }
}

#[cfg(test)]
mod tests;
