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
    hold: Option<Hold>,
}

#[derive(Debug)]
struct Item {
    names: Vec<CallName>,
    attempts: u32,
    is_in_flight: bool,
    /// When it is to be tried again, where it waits for that.
    due: Option<Duration>,
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
            hold: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// All that is not settled: `seq`, and how often it was tried.
    pub(super) fn unsettled(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.items.iter().map(|(&seq, item)| (seq, item.attempts))
    }

    pub(super) fn contains(&self, seq: u64) -> bool {
        self.items.contains_key(&seq)
    }

    /// Takes a webhook that is to be delivered, and was tried so often before.
    pub(super) fn push(&mut self, seq: u64, names: Vec<CallName>, attempts: u32) {
        for name in &names {
            self.by_name.entry(name.clone()).or_default().insert(seq);
        }
        let item = Item { names, attempts, is_in_flight: false, due: None };
        if self.items.insert(seq, item).is_none() {
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
        while let Some(seq) = self.ready.pop_first() {
            if !self.is_first_of_its_call(seq) {
                // Whoever is before it puts it back when it is settled.
                continue;
            }
            let item = self.items.get_mut(&seq)?;
            item.is_in_flight = true;
            self.in_flight += 1;
            return Some((seq, item.attempts));
        }
        None
    }

    fn is_first_of_its_call(&self, seq: u64) -> bool {
        self.items.get(&seq).is_some_and(|item| {
            let first = |name| self.by_name.get(name).and_then(BTreeSet::first) == Some(&seq);
            item.names.iter().all(first)
        })
    }

    /// Notes how the attempt ended that [`Queue::next`] began.
    pub(super) fn settle(&mut self, seq: u64, ended: Ended, now: Duration) -> Next {
        let Some(item) = self.items.get_mut(&seq).filter(|item| item.is_in_flight) else {
            return Next::Settled;
        };
        item.is_in_flight = false;
        self.in_flight -= 1;
        let counts = matches!(ended, Ended::Failed | Ended::Refused { .. });
        item.attempts = item.attempts.saturating_add(counts.into());
        let attempts = item.attempts;
        let is_last = counts && attempts >= self.max_attempts;
        if counts && !is_last {
            let due = now + self.backoff.after(attempts, &mut self.jitter);
            item.due = Some(due);
            self.waiting.insert((due, seq));
        }
        match ended {
            Ended::Delivered | Ended::Failed => self.hold = None,
            Ended::Unreachable => {
                self.hold_up(now, None);
                self.ready.insert(seq);
            }
            Ended::Refused { retry_after } => self.hold_up(now, retry_after),
            Ended::Gone => {}
        }
        if is_last || matches!(ended, Ended::Delivered | Ended::Gone) {
            self.remove(seq);
            return if is_last { Next::Dead { attempts } } else { Next::Settled };
        }
        Next::Again { attempts }
    }

    fn hold_up(&mut self, now: Duration, at_least: Option<Duration>) {
        let failures = self.hold.map_or(0, |hold| hold.failures).saturating_add(1);
        let delay = self.backoff.of_destination().after(failures, &mut self.jitter);
        self.hold = Some(Hold { until: now + delay.max(at_least.unwrap_or_default()), failures });
    }

    fn remove(&mut self, seq: u64) {
        let Some(item) = self.items.remove(&seq) else { return };
        for name in item.names {
            let Some(of_name) = self.by_name.get_mut(&name) else { continue };
            of_name.remove(&seq);
            match of_name.first().copied() {
                // It may have been passed over because it waited for this one.
                Some(next) => {
                    if self.items.get(&next).is_some_and(|item| !item.is_in_flight && item.due.is_none()) {
                        self.ready.insert(next);
                    }
                }
                None => {
                    self.by_name.remove(&name);
                }
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FIRST: Duration = Duration::from_secs(1);

    fn queue(max_attempts: u32) -> Queue {
        Queue::new(Backoff { first: FIRST, most: Duration::from_secs(60) }, max_attempts, Jitter::new(1))
    }

    fn names(text: &str) -> Vec<CallName> {
        text.split_whitespace().map(CallName::from).collect()
    }

    /// All that may go now.
    fn all(queue: &mut Queue, now: Duration) -> Vec<u64> {
        std::iter::from_fn(|| queue.next(now)).map(|(seq, _)| seq).collect()
    }

    #[test]
    fn webhooks_of_one_call_go_one_after_another() {
        let mut queue = queue(3);
        for (seq, of) in [(1, "A C"), (2, "B C"), (3, "D"), (4, "A")] {
            queue.push(seq, names(of), 0);
        }
        assert_eq!(all(&mut queue, Duration::ZERO), [1, 3]);
        assert_eq!(queue.settle(1, Ended::Delivered, Duration::ZERO), Next::Settled);
        assert_eq!(all(&mut queue, Duration::ZERO), [2, 4], "legs of one call, and what names leg a alone");
    }

    #[test]
    fn a_failure_holds_up_its_call_alone() {
        let mut queue = queue(2);
        for (seq, of) in [(1, "A"), (2, "A"), (3, "B")] {
            queue.push(seq, names(of), 0);
        }
        assert_eq!(all(&mut queue, Duration::ZERO), [1, 3]);
        assert_eq!(queue.settle(1, Ended::Failed, Duration::ZERO), Next::Again { attempts: 1 });
        assert_eq!(queue.settle(3, Ended::Delivered, Duration::ZERO), Next::Settled);
        assert_eq!(all(&mut queue, Duration::ZERO), [0; 0]);
        let due = queue.wake_at().unwrap();
        assert!((FIRST / 2..=FIRST).contains(&due), "{due:?}");
        assert_eq!(all(&mut queue, due), [1]);
        assert_eq!(queue.settle(1, Ended::Failed, due), Next::Dead { attempts: 2 });
        assert_eq!(all(&mut queue, due), [2], "it is given up, and its call goes on");
    }

    #[test]
    fn a_destination_that_is_down_is_asked_with_one_webhook_at_a_time() {
        let mut queue = queue(1);
        for seq in 1..=4 {
            queue.push(seq, names(&seq.to_string()), 0);
        }
        let mut now = Duration::ZERO;
        assert_eq!(all(&mut queue, now), [1, 2, 3, 4]);
        for seq in 1..=4 {
            assert_eq!(queue.settle(seq, Ended::Unreachable, now), Next::Again { attempts: 0 });
        }
        for _ in 0..20 {
            assert!(queue.is_held());
            assert_eq!(all(&mut queue, now), [0; 0]);
            now = queue.wake_at().unwrap();
            assert_eq!(all(&mut queue, now), [1], "one at a time");
            assert_eq!(queue.settle(1, Ended::Unreachable, now), Next::Again { attempts: 0 });
        }
        now = queue.wake_at().unwrap();
        assert_eq!(all(&mut queue, now), [1]);
        assert_eq!(queue.settle(1, Ended::Delivered, now), Next::Settled);
        assert_eq!(all(&mut queue, now), [2, 3, 4], "it answers again");
    }

    #[test]
    fn a_webhook_that_alone_is_refused_does_not_stop_the_others_for_ever() {
        let mut queue = queue(5);
        queue.push(1, names("A"), 0);
        queue.push(2, names("B"), 0);
        let mut now = Duration::ZERO;
        let mut delivered = Vec::new();
        for _ in 0..40 {
            let Some(wake_at) = queue.wake_at() else { break };
            now = now.max(wake_at);
            while let Some((seq, _)) = queue.next(now) {
                let ended = if seq == 1 { Ended::Refused { retry_after: None } } else { Ended::Delivered };
                if queue.settle(seq, ended, now) == Next::Settled {
                    delivered.push(seq);
                }
            }
        }
        assert_eq!((delivered, queue.len()), (vec![2], 0));
    }

    #[test]
    fn retry_after_is_waited_for() {
        let mut queue = queue(5);
        queue.push(1, names("A"), 0);
        assert_eq!(all(&mut queue, Duration::ZERO), [1]);
        let after = Duration::from_secs(40);
        queue.settle(1, Ended::Refused { retry_after: Some(after) }, Duration::ZERO);
        assert_eq!(queue.wake_at(), Some(after));
    }

    #[test]
    fn what_is_asked_for_again_goes_before_what_is_later_in_its_call() {
        let mut queue = queue(5);
        queue.push(7, names("A"), 0);
        queue.push(3, names("A"), 0);
        assert_eq!(all(&mut queue, Duration::ZERO), [3]);
        queue.settle(3, Ended::Delivered, Duration::ZERO);
        assert_eq!(all(&mut queue, Duration::ZERO), [7]);
    }

    proptest! {
        /// Whatever calls there are and however attempts end: no two of one call are in flight, each call is delivered in
        /// order, and all are settled in the end.
        #[test]
        fn order_per_call_holds_and_nothing_is_forgotten(
            calls in prop::collection::vec((0..4_u8, 0..4_u8), 1..40),
            outcomes in prop::collection::vec(0..6_u8, 1..400),
            at_once in 1..6_usize,
        ) {
            let mut queue = queue(3);
            let names_of: Vec<Vec<CallName>> = calls.iter().map(|(a, c)| names(&format!("a{a} c{c}"))).collect();
            for (seq, names) in (1..).zip(&names_of) {
                queue.push(seq, names.clone(), 0);
            }
            let mut outcomes = outcomes.into_iter().cycle();
            let (mut now, mut in_flight, mut settled) = (Duration::ZERO, Vec::new(), Vec::new());
            while queue.len() > 0 {
                while in_flight.len() < at_once && let Some((seq, _)) = queue.next(now) {
                    let index = |seq: u64| usize::try_from(seq).unwrap() - 1;
                    let share = |other: &u64| {
                        names_of[index(*other)].iter().any(|name| names_of[index(seq)].contains(name))
                    };
                    prop_assert!(!in_flight.iter().any(share), "{seq} beside {in_flight:?}");
                    let earlier: Vec<u64> = (1..seq).filter(|other| share(other) && !settled.contains(other)).collect();
                    prop_assert_eq!(earlier, Vec::<u64>::new(), "before {}", seq);
                    in_flight.push(seq);
                }
                if in_flight.is_empty() {
                    now = queue.wake_at().expect("something is left, so there is a time for it").max(now);
                    continue;
                }
                let seq = in_flight.remove(0);
                let ended = match outcomes.next() {
                    Some(0) => Ended::Failed,
                    Some(1) => Ended::Unreachable,
                    Some(2) => Ended::Refused { retry_after: None },
                    _ => Ended::Delivered,
                };
                // A list of failures alone must come to an end too.
                let ended = if now > Duration::from_secs(3600) { Ended::Delivered } else { ended };
                if !matches!(queue.settle(seq, ended, now), Next::Again { .. }) {
                    settled.push(seq);
                }
            }
            prop_assert_eq!(settled.len(), calls.len());
        }
    }
}
