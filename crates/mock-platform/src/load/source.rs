//! Which webhook is due next, and when. Pure.

mod coming;
mod faulty;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::Duration;

use self::coming::Coming;
pub(super) use self::faulty::{COPY, Injected};
use self::faulty::{Faulty, LOST, Sending};
use super::call_lengths::CallLengths;
use super::options::{LoadOptions, Rate};
use crate::plan::{ArrivalProcess, CallBuffer, PlanOptions, Simulator};

/// A webhook that is due, in nanoseconds from the start of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    pub(super) at_ns: u64,
    pub(super) call: u64,
    pub(super) webhook: u32,
    /// When its call starts, in the virtual time of the plan: it follows from the call, and takes long to compute.
    pub(super) starts_at_ms: u64,
    /// 0 the first time that it is sent, [`COPY`] of a copy.
    pub(super) attempt: u16,
    /// What goes wrong with it on purpose, bit by bit.
    pub(super) marks: u8,
}

/// The webhooks of a share of the calls, in the order in which they are due.
pub(super) struct Source {
    simulator: Simulator,
    buffer: CallBuffer,
    arrivals: ArrivalProcess,
    /// Calls that would begin then or later do not.
    end_ns: u64,
    /// The first call that is not of the run.
    end_call: u64,
    part: u64,
    parts: u64,
    order: Order,
    /// What goes wrong on purpose, and is sent again; `None` where nothing does.
    faulty: Option<Faulty>,
    /// With it: what is sent of the call whose webhooks are taken from the order one by one.
    sendings: Vec<Sending>,
    /// With it: what was taken from the order, and is sent then.
    later: BinaryHeap<Reverse<Due>>,
    /// What was lost on its way on purpose so far.
    lost: u64,
}

enum Order {
    /// Webhooks at arrivals of their own, whole calls one after another. `nth` is the place among those of all shares.
    Paced { next: Option<Due>, nth: u64, left: u32 },
    /// Webhooks where the timing of their calls puts them.
    Timed { coming: Coming, next_call: u64, time_scale: f64 },
    /// Webhooks whenever somebody asks.
    Asked { current: Option<Due>, left: u32, next_call: u64 },
}

impl Source {
    pub(super) fn new(simulator: &Simulator, options: &LoadOptions, part: u64, parts: u64) -> Self {
        let plan = simulator.options();
        let (part, parts) = share(plan, part, parts);
        let first = plan.first_call;
        let limit = |calls: Option<u64>| calls.map_or(u64::MAX, |calls| first.saturating_add(calls));
        let per_second = match options.rate {
            Rate::Calls(rate) | Rate::Webhooks(rate) => rate,
            Rate::Erlangs(erlangs) => calls_per_second(simulator, erlangs, options.time_scale),
            Rate::Max => 1.0,
        };
        let arrivals = if let Some(times) = &options.arrivals_at {
            ArrivalProcess::listed(Arc::clone(times))
        } else if options.stages.is_empty() {
            ArrivalProcess::new(options.spacing, per_second, plan.seed)
        } else {
            ArrivalProcess::staged(options.spacing, options.staged(per_second), plan.seed)
        };
        let mut source = Self {
            simulator: simulator.clone(),
            buffer: CallBuffer::default(),
            arrivals,
            end_ns: options.duration.map_or(u64::MAX, nanoseconds),
            end_call: limit(plan.calls).min(limit(options.calls)),
            part,
            parts,
            order: Order::Asked { current: None, left: 0, next_call: first },
            faulty: Faulty::of(options),
            sendings: Vec::new(),
            later: BinaryHeap::new(),
            lost: 0,
        };
        match options.rate {
            Rate::Max => {
                let next_call = source.own_from(first);
                source.order = Order::Asked { current: None, left: 0, next_call };
            }
            Rate::Webhooks(_) => {
                let (next, left) = source.paced_from(first, 0);
                let nth = next.map_or(0, |(_, nth)| nth);
                source.order = Order::Paced { next: next.map(|(due, _)| due), nth, left };
            }
            Rate::Calls(_) | Rate::Erlangs(_) => {
                let (coming, time_scale) = (Coming::default(), options.time_scale);
                source.order = Order::Timed { coming, next_call: source.own_from(first), time_scale };
                source.let_in();
            }
        }
        source.look_ahead();
        source.pass_over_lost();
        source
    }

    /// The webhook that is due next, with [`Rate::Max`] at once.
    pub(super) fn peek(&self) -> Option<Due> {
        if self.faulty.is_some() && matches!(self.order, Order::Paced { .. }) {
            return self.later.peek().map(|Reverse(due)| *due);
        }
        self.next()
    }

    /// Takes the webhook that is due next.
    pub(super) fn take(&mut self) -> Option<Due> {
        if self.faulty.is_none() {
            return self.step();
        }
        loop {
            let due = self.pop()?;
            if due.marks & LOST == 0 {
                self.pass_over_lost();
                return Some(due);
            }
            self.lost += 1;
        }
    }

    /// What is next in order, whether or not it is lost.
    fn pop(&mut self) -> Option<Due> {
        if matches!(self.order, Order::Timed { .. }) {
            return self.step();
        }
        if self.later.is_empty() && matches!(self.order, Order::Asked { .. }) {
            self.ask_ahead();
        }
        let Reverse(due) = self.later.pop()?;
        self.look_ahead();
        Some(due)
    }

    /// What a webhook that was not acknowledged leads to; `now_ns` is from the start of the run.
    pub(super) fn not_acknowledged(&mut self, due: Due, now_ns: u64) {
        let Some(faulty) = self.faulty.as_ref().filter(|faulty| faulty.waits_for_answers()) else { return };
        self.simulator.write_call(due.call, &mut self.buffer);
        if let Some(again) = faulty.again(due, &self.buffer, now_ns) {
            match &mut self.order {
                Order::Timed { coming, .. } => coming.push(again),
                Order::Paced { .. } => self.later.push(Reverse(again)),
                // It has no instants.
                Order::Asked { .. } => {}
            }
        }
    }

    /// Whether more may become due when something is answered.
    pub(super) fn waits_for_answers(&self) -> bool {
        self.faulty.as_ref().is_some_and(Faulty::waits_for_answers)
    }

    /// How many webhooks would have been sent by now, had they not been lost on purpose.
    pub(super) fn losses(&self) -> u64 {
        self.lost
    }

    /// What is lost is never next.
    fn pass_over_lost(&mut self) {
        while self.peek().is_some_and(|due| due.marks & LOST != 0) {
            self.pop();
            self.lost += 1;
        }
    }

    /// Next in order, whatever goes wrong with it.
    fn next(&self) -> Option<Due> {
        match &self.order {
            Order::Paced { next, .. } => *next,
            Order::Timed { coming, .. } => coming.peek(),
            Order::Asked { .. } => None,
        }
    }

    fn step(&mut self) -> Option<Due> {
        match &mut self.order {
            Order::Paced { next, nth, left } => {
                let due = (*next)?;
                *nth += 1;
                if *left > 0 {
                    *left -= 1;
                    // Behind the last stage there are no instants: what is left of a call ends with it.
                    let at_ns =
                        Some(self.arrivals.at_ns(*nth)).filter(|at| *at < u64::MAX).unwrap_or(due.at_ns);
                    *next = Some(Due { at_ns, webhook: due.webhook + 1, ..due });
                } else {
                    let nth = *nth;
                    let (following, left) = self.paced_from(due.call + 1, nth);
                    let nth = following.map_or(nth, |(_, nth)| nth);
                    self.order = Order::Paced { next: following.map(|(due, _)| due), nth, left };
                }
                Some(due)
            }
            Order::Timed { coming, .. } => {
                let due = coming.pop()?;
                self.let_in();
                Some(due)
            }
            Order::Asked { .. } => self.asked(),
        }
    }

    /// Lets no further call begin, where nothing is due at instants; what has begun is sent whole.
    pub(super) fn end(&mut self) {
        if let Order::Asked { next_call, .. } = &self.order {
            self.end_call = *next_call;
        }
    }

    /// Leaves out all that is still to come.
    pub(super) fn stop(&mut self) {
        self.end_call = 0;
        self.later.clear();
        self.faulty = None;
        self.order = Order::Asked { current: None, left: 0, next_call: 0 };
    }

    /// The first webhook of the first call of this share from a call on, whose own is the n-th of all; with its place, and
    /// how many more the call has.
    fn paced_from(&mut self, from: u64, nth: u64) -> (Option<(Due, u64)>, u32) {
        let (mut call, mut nth) = (from, nth);
        loop {
            let at_ns = self.arrivals.at_ns(nth);
            if call >= self.end_call || at_ns >= self.end_ns {
                return (None, 0);
            }
            let (starts_at_ms, webhooks) = self.simulator.time_webhooks(call, &mut self.buffer);
            let count = webhooks.count() as u32;
            if count > 0 && call % self.parts == self.part {
                let due = Due { at_ns, call, webhook: 0, starts_at_ms, attempt: 0, marks: 0 };
                return (Some((due, nth)), count - 1);
            }
            nth += u64::from(count);
            call += 1;
        }
    }

    fn asked(&mut self) -> Option<Due> {
        let Order::Asked { current, left, next_call } = &mut self.order else { return None };
        if let Some(due) = current
            && *left > 0
        {
            *left -= 1;
            due.webhook += 1;
            return Some(*due);
        }
        while *next_call < self.end_call {
            let call = *next_call;
            *next_call += self.parts;
            let (starts_at_ms, webhooks) = self.simulator.time_webhooks(call, &mut self.buffer);
            let count = webhooks.count() as u32;
            if count > 0 {
                *left = count - 1;
                *current = Some(Due { at_ns: 0, call, webhook: 0, starts_at_ms, attempt: 0, marks: 0 });
                return *current;
            }
        }
        None
    }

    /// Takes from the order what may be due before anything that was taken.
    fn look_ahead(&mut self) {
        if self.faulty.is_none() || !matches!(self.order, Order::Paced { .. }) {
            return;
        }
        while let Some(next) = self.next() {
            if self.later.peek().is_some_and(|Reverse(due)| due.at_ns < next.at_ns) {
                return;
            }
            self.step();
            if next.webhook == 0 {
                self.send_of(next.call);
            }
            let here = self.sendings.iter().filter(|sending| sending.place == next.webhook);
            self.later
                .extend(here.map(|sending| Reverse(sending.due(next.call, next.starts_at_ms, next.at_ns))));
        }
    }

    /// Takes a whole call of those that have no instants: what is sent of it, in order.
    fn ask_ahead(&mut self) {
        while let Some(next) = self.asked() {
            if next.webhook == 0 {
                self.send_of(next.call);
                // A place in the order in lieu of an instant; nothing of it is late.
                let place =
                    |sending: &Sending| u64::from(sending.place) << 32 | u64::from(sending.after_ns > 0);
                self.later.extend(self.sendings.iter().map(|sending| {
                    Reverse(Due { at_ns: place(sending), ..sending.due(next.call, next.starts_at_ms, 0) })
                }));
            }
            if let Order::Asked { left: 0, .. } = &self.order
                && !self.later.is_empty()
            {
                return;
            }
        }
    }

    fn send_of(&mut self, call: u64) {
        self.simulator.write_call(call, &mut self.buffer);
        if let Some(faulty) = &self.faulty {
            self.sendings = faulty.sendings(call, &self.buffer);
        }
    }

    /// Lets in all calls that begin before the next webhook is due.
    fn let_in(&mut self) {
        let Order::Timed { coming, next_call, time_scale } = &mut self.order else { return };
        loop {
            if *next_call >= self.end_call {
                return;
            }
            let begins_ns = self.arrivals.at_ns(*next_call - self.simulator.options().first_call);
            if begins_ns >= self.end_ns {
                return;
            }
            if coming.peek().is_some_and(|due| due.at_ns < begins_ns) {
                return;
            }
            let call = *next_call;
            let at_ns = |start_ms: u64, due_ms: u64| {
                let after_ms = due_ms.saturating_sub(start_ms);
                begins_ns.saturating_add((after_ms as f64 * 1e6 / *time_scale) as u64)
            };
            if let Some(faulty) = &self.faulty {
                self.simulator.write_call(call, &mut self.buffer);
                let start_ms = self.buffer.starts_at_ms();
                for sending in faulty.sendings(call, &self.buffer) {
                    let Some((place, _)) = self.buffer.webhook(sending.place as usize) else { continue };
                    coming.push(sending.due(call, start_ms, at_ns(start_ms, place.at_ms)));
                }
            } else {
                let (starts_at_ms, webhooks) = self.simulator.time_webhooks(call, &mut self.buffer);
                for (webhook, due_ms) in (0..).zip(webhooks) {
                    let at_ns = at_ns(starts_at_ms, due_ms);
                    coming.push(Due { at_ns, call, webhook, starts_at_ms, attempt: 0, marks: 0 });
                }
            }
            *next_call += self.parts;
        }
    }

    /// The first call of this share from a call on.
    fn own_from(&self, call: u64) -> u64 {
        call + (self.part + self.parts - call % self.parts) % self.parts
    }
}

/// A part of a plan's own part.
fn share(plan: &PlanOptions, part: u64, parts: u64) -> (u64, u64) {
    let (shard, shards) = plan.shard.unwrap_or((0, 1));
    (shard + shards * part, shards * parts)
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// How many calls per second keep so many in progress.
pub(super) fn calls_per_second(simulator: &Simulator, erlangs: f64, time_scale: f64) -> f64 {
    erlangs / CallLengths::of(simulator, time_scale).mean_seconds()
}

#[cfg(test)]
mod tests;
