//! What is to be delivered to one destination, and what may go next. No clock: whoever asks says what time it is.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::backoff::{Backoff, Jitter};
use super::calls::CallName;

/// Webhooks that are not settled, in the order of the store.
///
/// Those of one call go one after another; a call that fails holds up no other. A destination that cannot be reached holds
/// up all, and is then tried with one webhook at a time.
#[derive(Debug)]
pub(super) struct Queue {
    backoff: Backoff,
    jitter: Jitter,
    max_attempts: u32,
    items: BTreeMap<u64, Item>,
    /// The unsettled webhooks that go by each name; the first may go, the others wait for it.
    by_name: BTreeMap<CallName, BTreeSet<u64>>,
    /// Those that may go as far as is known; whether one waits for another of its call is seen when it is its turn.
    ready: BTreeSet<u64>,
    /// When those that failed are to be tried again.
    waiting: BTreeSet<(Duration, u64)>,
    in_flight: usize,
    /// The names of what is in flight: a call has one of them at a time, whatever comes before it meanwhile.
    busy: BTreeSet<CallName>,
    hold: Option<Hold>,
    /// Counts the holds; what was sent before one says nothing about its end.
    holds: u64,
    /// How many were delivered.
    delivered: u64,
}

#[derive(Debug)]
struct Item {
    names: Vec<CallName>,
    attempts: u32,
    is_in_flight: bool,
    /// When it is to be tried again, where it waits for that.
    due: Option<Duration>,
    /// The holds that there had been when it was sent.
    sent_after: u64,
    /// How many had been delivered when it was refused last.
    refused_after: Option<u64>,
    /// Whether it was sent alone, to see whether the destination takes anything again.
    is_probe: bool,
}

/// The destination takes nothing at the moment.
#[derive(Debug, Clone, Copy)]
struct Hold {
    until: Duration,
    failures: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// 2xx.
    Delivered,
    /// Something about this webhook, as far as is known: any other status, no answer in time, a connection that broke.
    Failed,
    /// The destination says that it takes nothing now (429, 503), and perhaps for how long. It counts as an attempt too:
    /// there may be something about the webhook after all.
    Refused { retry_after: Option<Duration> },
    /// No connection: nothing about this webhook, so it counts as no attempt.
    Unreachable,
    /// There is nothing to deliver any more.
    Gone,
}

/// What becomes of a webhook after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Settled,
    /// No further attempt; it had so many.
    Dead {
        attempts: u32,
    },
    /// It was tried so often, and will be again.
    Again {
        attempts: u32,
    },
}

impl Queue {
    pub(super) fn new(backoff: Backoff, max_attempts: u32, jitter: Jitter) -> Self {
        Self {
            backoff,
            jitter,
            max_attempts,
            items: BTreeMap::new(),
            by_name: BTreeMap::new(),
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            in_flight: 0,
            busy: BTreeSet::new(),
            hold: None,
            holds: 0,
            delivered: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// What may go or is in flight, as far as is known: neither what waits for its time nor what waits for that.
    pub(super) fn active(&self) -> usize {
        self.ready.len() + self.in_flight
    }

    /// All that is not settled: `seq`, and how often it was tried.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.items.iter().map(|(&seq, item)| (seq, item.attempts))
    }

    pub(super) fn contains(&self, seq: u64) -> bool {
        self.items.contains_key(&seq)
    }

    /// Takes a webhook that is to be delivered, and was tried so often before; one that is there stays as it is.
    pub(super) fn push(&mut self, seq: u64, names: Vec<CallName>, attempts: u32) {
        if self.contains(seq) {
            return;
        }
        for name in &names {
            self.by_name.entry(name.clone()).or_default().insert(seq);
        }
        let item = Item {
            names,
            attempts,
            is_in_flight: false,
            due: None,
            sent_after: 0,
            refused_after: None,
            is_probe: false,
        };
        self.items.insert(seq, item);
        self.ready.insert(seq);
    }

    /// Takes a webhook that failed before, and is not to be tried again before then.
    pub(super) fn push_for_later(&mut self, seq: u64, names: Vec<CallName>, attempts: u32, due: Duration) {
        if self.contains(seq) {
            return;
        }
        self.push(seq, names, attempts);
        if self.ready.remove(&seq)
            && let Some(item) = self.items.get_mut(&seq)
        {
            item.due = Some(due);
            self.waiting.insert((due, seq));
        }
    }

    /// When a webhook that failed is to be tried again.
    pub(super) fn due(&self, seq: u64) -> Option<Duration> {
        self.items.get(&seq)?.due
    }

    /// Forgets how often a webhook was tried, and has it go as soon as it may.
    pub(super) fn start_over(&mut self, seq: u64) {
        let Some(item) = self.items.get_mut(&seq) else { return };
        item.attempts = 0;
        if let Some(due) = item.due.take() {
            self.waiting.remove(&(due, seq));
            self.ready.insert(seq);
        }
    }

    /// The webhook that goes next, and how often it was tried; it is in flight until [`Queue::settle`] is told of it.
    pub(super) fn next(&mut self, now: Duration) -> Option<(u64, u32)> {
        if let Some(hold) = self.hold
            && (now < hold.until || self.in_flight > 0)
        {
            return None;
        }
        while let Some(&(due, seq)) = self.waiting.first().filter(|(due, _)| *due <= now) {
            self.waiting.remove(&(due, seq));
            self.ready.insert(seq);
            if let Some(item) = self.items.get_mut(&seq) {
                item.due = None;
            }
        }
        let mut probe = self.probe();
        while let Some(seq) = probe.take().or_else(|| self.ready.first().copied()) {
            self.ready.remove(&seq);
            if !self.is_first_of_its_call(seq) {
                // Whoever is before it puts it back when it is settled.
                continue;
            }
            let item = self.items.get_mut(&seq)?;
            item.is_in_flight = true;
            item.sent_after = self.holds;
            item.is_probe = self.hold.is_some();
            self.in_flight += 1;
            self.busy.extend(item.names.iter().cloned());
            return Some((seq, item.attempts));
        }
        None
    }

    /// What asks best whether the destination takes anything again: a webhook that was refused may be so for what it is,
    /// and would hold up the others.
    fn probe(&self) -> Option<u64> {
        self.hold?;
        let firsts = self.ready.iter().copied().filter(|seq| self.is_first_of_its_call(*seq));
        firsts.min_by_key(|seq| self.items.get(seq).map(|item| (item.refused_after.is_some(), item.attempts)))
    }

    fn is_first_of_its_call(&self, seq: u64) -> bool {
        self.items.get(&seq).is_some_and(|item| {
            let first = |name| self.by_name.get(name).and_then(BTreeSet::first) == Some(&seq);
            item.names.iter().all(|name| first(name) && !self.busy.contains(name))
        })
    }

    /// Notes how the attempt ended that [`Queue::next`] began.
    pub(super) fn settle(&mut self, seq: u64, ended: Ended, now: Duration) -> Next {
        let Some(item) = self.items.get_mut(&seq).filter(|item| item.is_in_flight) else {
            return Next::Settled;
        };
        item.is_in_flight = false;
        self.in_flight -= 1;
        let (names, is_news) = (item.names.clone(), item.sent_after == self.holds);
        let asked_for = match ended {
            Ended::Refused { retry_after } => retry_after.unwrap_or_default(),
            _ => Duration::ZERO,
        };
        // Refused again while others are taken: it is this webhook after all.
        let is_its_own =
            !item.is_probe && item.refused_after.is_some_and(|delivered| delivered < self.delivered);
        let ended = match ended {
            Ended::Refused { .. } if is_its_own => Ended::Failed,
            other => other,
        };
        if let Ended::Refused { .. } = ended {
            item.refused_after = Some(self.delivered);
        }
        let counts = matches!(ended, Ended::Failed | Ended::Refused { .. });
        item.attempts = item.attempts.saturating_add(counts.into());
        let attempts = item.attempts;
        let is_last = counts && attempts >= self.max_attempts;
        if counts && !is_last {
            let due = now + self.backoff.after(attempts, &mut self.jitter).max(asked_for);
            item.due = Some(due);
            self.waiting.insert((due, seq));
        }
        match ended {
            Ended::Delivered | Ended::Failed if is_news => self.hold = None,
            Ended::Unreachable => {
                self.hold_up(now, None, is_news);
                self.ready.insert(seq);
            }
            Ended::Refused { retry_after } => self.hold_up(now, retry_after, is_news),
            Ended::Delivered | Ended::Failed | Ended::Gone => {}
        }
        self.delivered += u64::from(ended == Ended::Delivered);
        for name in &names {
            self.busy.remove(name);
        }
        if is_last || matches!(ended, Ended::Delivered | Ended::Gone) {
            self.remove(seq);
            self.wake(&names);
            return if ended == Ended::Delivered { Next::Settled } else { Next::Dead { attempts } };
        }
        self.wake(&names);
        Next::Again { attempts }
    }

    /// Begins a hold, or makes it longer; what was sent before it adds nothing but what it was asked for.
    fn hold_up(&mut self, now: Duration, at_least: Option<Duration>, is_news: bool) {
        let at_least = now + at_least.unwrap_or_default();
        if let Some(hold) = self.hold.as_mut().filter(|_| !is_news) {
            hold.until = hold.until.max(at_least);
            return;
        }
        let failures = self.hold.map_or(0, |hold| hold.failures).saturating_add(1);
        let delay = self.backoff.of_destination().after(failures, &mut self.jitter);
        self.hold = Some(Hold { until: at_least.max(now + delay), failures });
        self.holds += 1;
    }

    /// Lets those go on that may have been passed over because something of their call was before them or in flight.
    fn wake(&mut self, names: &[CallName]) {
        for name in names {
            let Some(&next) = self.by_name.get(name).and_then(BTreeSet::first) else { continue };
            if self.items.get(&next).is_some_and(|item| !item.is_in_flight && item.due.is_none()) {
                self.ready.insert(next);
            }
        }
    }

    fn remove(&mut self, seq: u64) {
        let Some(item) = self.items.remove(&seq) else { return };
        for name in item.names {
            let Some(of_name) = self.by_name.get_mut(&name) else { continue };
            of_name.remove(&seq);
            if of_name.is_empty() {
                self.by_name.remove(&name);
            }
        }
    }

    /// When [`Queue::next`] should be asked again, if nothing else happens before; `None` where that makes no sense.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        let due = if self.ready.is_empty() {
            self.waiting.first().map(|&(due, _)| due)
        } else {
            Some(Duration::ZERO)
        };
        match self.hold {
            Some(_) if self.in_flight > 0 => None,
            Some(hold) => due.map(|due| due.max(hold.until)),
            None => due,
        }
    }

    /// Whether the destination takes nothing at the moment.
    pub(super) fn is_held(&self) -> bool {
        self.hold.is_some()
    }
}

#[cfg(test)]
mod tests;
