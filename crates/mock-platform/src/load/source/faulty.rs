//! What goes wrong on purpose with the webhooks of a call, and what is sent again. Pure.

use piopiy_events::Kind;

use super::super::options::LoadOptions;
use super::Due;
use crate::deliver::{Fault, Faults, Redelivery};
use crate::plan::CallBuffer;

/// The deliveries of a load that are not plain.
#[derive(Debug, Clone)]
pub(super) struct Faulty {
    faults: Faults,
    live_policy: Redelivery,
    cdr_policy: Redelivery,
    schedule_ns: Vec<u64>,
    time_scale: f64,
}

/// What was done on purpose, counted when it was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::load) struct Injected {
    pub(in crate::load) duplicates: u64,
    pub(in crate::load) reorders: u64,
    pub(in crate::load) delays: u64,
    pub(in crate::load) losses: u64,
    pub(in crate::load) redeliveries: u64,
}

/// One sending of a webhook: so long behind the place of one of its call's webhooks, its own unless it is out of order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sending {
    pub(super) webhook: u32,
    pub(super) place: u32,
    pub(super) after_ns: u64,
    pub(super) attempt: u16,
    pub(super) marks: u8,
}

impl Sending {
    pub(super) fn due(&self, call: u64, starts_at_ms: u64, place_ns: u64) -> Due {
        let at_ns = place_ns.saturating_add(self.after_ns);
        let Self { webhook, attempt, marks, .. } = *self;
        Due { at_ns, call, webhook, starts_at_ms, attempt, marks }
    }
}

/// A copy is not sent again.
pub(in crate::load) const COPY: u16 = u16::MAX;
/// What goes wrong with a sending.
const REORDERED: u8 = 1;
const DELAYED: u8 = 2;
/// It is due, and not sent.
pub(super) const LOST: u8 = 4;
/// Behind the webhook that it comes after.
const BEHIND_MS: u64 = 1;

impl Faulty {
    /// `None` where all is plain.
    pub(super) fn of(options: &LoadOptions) -> Option<Self> {
        let faults = &options.faults;
        let is_plain = faults.probabilities().iter().all(|(_, probability)| *probability <= 0.0)
            && [options.live_policy, options.cdr_policy] == [Redelivery::Never; 2];
        let ns = |ms: u64| (ms as f64 * 1e6 / options.time_scale) as u64;
        (!is_plain).then(|| Self {
            faults: faults.clone(),
            live_policy: options.live_policy,
            cdr_policy: options.cdr_policy,
            schedule_ns: options.schedule_ms.iter().map(|ms| ns(*ms)).collect(),
            time_scale: options.time_scale,
        })
    }

    /// All that is sent of the call in the buffer, as far as that is known before anything is answered.
    pub(super) fn sendings(&self, call: u64, buffer: &CallBuffer) -> Vec<Sending> {
        let count = buffer.webhooks().len();
        let faults: Vec<Vec<Fault>> = (0..count).map(|at| self.faults.of_nth(call, count, at)).collect();
        let delay_ms = |at: usize| -> u64 {
            faults[at].iter().map(|fault| if let Fault::Delay { by_ms } = fault { *by_ms } else { 0 }).sum()
        };
        let mut sendings = Vec::with_capacity(count);
        for (at, (written, _)) in buffer.webhooks().enumerate() {
            let (mut place, mut after_ms) = (at, delay_ms(at));
            let mut copy_ms = None;
            let mut marks = 0;
            for fault in &faults[at] {
                match fault {
                    Fault::Reorder { behind } => {
                        marks |= REORDERED;
                        place = *behind as usize;
                        after_ms += delay_ms(place) + BEHIND_MS;
                    }
                    Fault::Delay { .. } => marks |= DELAYED,
                    Fault::Duplicate { after_ms } => copy_ms = Some(*after_ms),
                    Fault::Loss => marks |= LOST,
                }
            }
            let ns = |ms: u64| (ms as f64 * 1e6 / self.time_scale) as u64;
            let first = Sending {
                webhook: at as u32,
                place: place as u32,
                after_ns: ns(after_ms),
                attempt: 0,
                marks,
            };
            sendings.push(first);
            if marks & LOST != 0 {
                continue;
            }
            if let Some(copy_ms) = copy_ms {
                sendings.push(Sending { after_ns: ns(after_ms + copy_ms), attempt: COPY, marks: 0, ..first });
            }
            if self.policy(written.form.kind) == Redelivery::Always {
                for (attempt, after) in (1..COPY).zip(self.schedule_ns.iter().skip(1)) {
                    sendings.push(Sending { after_ns: first.after_ns + after, attempt, marks: 0, ..first });
                }
            }
        }
        sendings
    }

    /// When a webhook of the call in the buffer that was not acknowledged is sent again, if it is.
    pub(super) fn again(&self, due: Due, buffer: &CallBuffer, now_ns: u64) -> Option<Due> {
        let (written, _) = buffer.webhook(due.webhook as usize)?;
        if due.attempt == COPY || self.policy(written.form.kind) != Redelivery::UntilAck {
            return None;
        }
        let attempt = due.attempt + 1;
        let next = self.schedule_ns.get(usize::from(attempt))?;
        let first_ns = due.at_ns.saturating_sub(self.schedule_ns[usize::from(due.attempt)]);
        // An answer that took longer than that is waited for all the same.
        Some(Due { at_ns: first_ns.saturating_add(*next).max(now_ns), attempt, marks: 0, ..due })
    }

    /// Whether what is sent may follow from what is answered.
    pub(super) fn waits_for_answers(&self) -> bool {
        [self.live_policy, self.cdr_policy].contains(&Redelivery::UntilAck)
    }

    fn policy(&self, kind: Kind) -> Redelivery {
        if kind == Kind::Cdr { self.cdr_policy } else { self.live_policy }
    }
}

impl Injected {
    /// A webhook was sent, or tried to be.
    pub(in crate::load) fn sent(&mut self, due: Due) {
        match due.attempt {
            0 if due.marks == 0 => {}
            0 => {
                self.reorders += u64::from(due.marks & REORDERED != 0);
                self.delays += u64::from(due.marks & DELAYED != 0);
            }
            COPY => self.duplicates += 1,
            _ => self.redeliveries += 1,
        }
    }

    pub(in crate::load) fn add(&mut self, other: Self) {
        self.duplicates += other.duplicates;
        self.reorders += other.reorders;
        self.delays += other.delays;
        self.losses += other.losses;
        self.redeliveries += other.redeliveries;
    }

    /// By name, those that there were.
    pub(in crate::load) fn named(self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [
            ("duplicate", self.duplicates),
            ("reorder", self.reorders),
            ("delay", self.delays),
            ("loss", self.losses),
            ("redelivery", self.redeliveries),
        ];
        all.into_iter().filter(|(_, count)| *count > 0)
    }
}
