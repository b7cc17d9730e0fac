use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::clock::now_ns;
use super::coarse::{Coarse, STEPS, end, quantile};
use super::tally::Tally;

/// How far a load is, over all threads, and whether it is to stop.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::load::Progress;
///
/// let progress = Progress::default();
/// progress.stop();
/// assert_eq!(progress.now().sent, 0);
/// ```
#[derive(Debug)]
pub struct Progress {
    is_stopped: AtomicBool,
    /// Which load of a search it is, from 1; 0 where it is none.
    trial: AtomicU32,
    /// When the load that is on begins, by the clock; 0 while that is not settled.
    start_ns: AtomicU64,
    is_settling: AtomicBool,
    planned: AtomicU64,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    errors: AtomicU64,
    dropped: AtomicU64,
    in_flight: AtomicU64,
    latency_sum_us: AtomicU64,
    latencies: [AtomicU64; STEPS],
    /// What an audit sees of the load that is on.
    seen: Mutex<Option<Seen>>,
    /// What has come to pass that whoever watches wants to know at once.
    troubles: Mutex<Vec<String>>,
}

/// How far a load is at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Moment {
    /// Which trial of a search for the largest rate this is, from 1; 0 where there is no search.
    pub trial: u32,
    /// How long it is until the load begins, or the trial.
    pub begins_in: Duration,
    /// For how long it has been on.
    pub elapsed: Duration,
    /// Everything has been sent, and the receiver's effects are waited for.
    pub is_settling: bool,
    /// Webhooks that were due.
    pub planned: u64,
    /// Attempts.
    pub sent: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Attempts that came to another end.
    pub errors: u64,
    /// Due, and never sent.
    pub dropped: u64,
    /// Attempts that wait for an answer.
    pub in_flight: u64,
    /// The sum of all latencies, in microseconds.
    pub latency_sum_us: u64,
    /// What the receiver has done so far; `None` where nobody looks, or only counts in the end.
    pub seen: Option<Seen>,
    latencies: Coarse,
}

/// What an audit has seen so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// Effects, all of them.
    pub effects: u64,
    /// Webhooks that are acknowledged and had no effect when it was looked last. What stays among them is lost.
    pub unseen: u64,
    /// Webhooks that had more than one effect.
    pub duplicated: u64,
    /// Effects that say something else than was sent, or are of nothing that was, and calls whose state is an old or a wrong one.
    pub wrong: u64,
}

impl Default for Moment {
    fn default() -> Self {
        Self {
            trial: 0,
            begins_in: Duration::ZERO,
            elapsed: Duration::ZERO,
            is_settling: false,
            planned: 0,
            sent: 0,
            acknowledged: 0,
            errors: 0,
            dropped: 0,
            in_flight: 0,
            latency_sum_us: 0,
            seen: None,
            latencies: [0; STEPS],
        }
    }
}

impl Moment {
    fn of(tally: &Tally, in_flight: usize) -> Self {
        Self {
            planned: tally.planned,
            sent: tally.attempts,
            acknowledged: tally.acknowledged,
            errors: tally.errors(),
            dropped: tally.dropped,
            in_flight: in_flight as u64,
            latency_sum_us: tally.latency_sum_us,
            latencies: tally.coarse,
            ..Self::default()
        }
    }

    /// What came since an earlier moment; what is in flight, and where the load stands, is that of now.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut latencies = self.latencies;
        for (now, before) in latencies.iter_mut().zip(earlier.latencies) {
            *now = now.saturating_sub(before);
        }
        Self {
            planned: self.planned.saturating_sub(earlier.planned),
            sent: self.sent.saturating_sub(earlier.sent),
            acknowledged: self.acknowledged.saturating_sub(earlier.acknowledged),
            errors: self.errors.saturating_sub(earlier.errors),
            dropped: self.dropped.saturating_sub(earlier.dropped),
            in_flight: self.in_flight,
            latency_sum_us: self.latency_sum_us.saturating_sub(earlier.latency_sum_us),
            latencies,
            ..*self
        }
    }

    /// What so many in a thousand took at most, in microseconds, a quarter more at worst; `None` where none has ended.
    #[must_use]
    pub fn latency_us(&self, thousandths: u64) -> Option<u64> {
        quantile(&self.latencies, thousandths)
    }

    /// How many took less than so many microseconds, for each doubling that a person may want to know of.
    pub fn latencies(&self) -> impl Iterator<Item = (u64, u64)> {
        const DOUBLINGS: std::ops::RangeInclusive<u32> = 6..=26;
        DOUBLINGS.map(|doubling| {
            let bound = 1 << doubling;
            let below = self.latencies.iter().enumerate().filter(|(step, _)| end(*step) <= bound);
            (bound, below.map(|(_, count)| count).sum())
        })
    }

    /// How many have ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.latencies.iter().sum()
    }
}

/// What a thread has told, so that only what is new is added.
#[derive(Debug, Default)]
pub(super) struct Told(Moment);

impl Default for Progress {
    fn default() -> Self {
        Self {
            is_stopped: AtomicBool::new(false),
            trial: AtomicU32::new(0),
            start_ns: AtomicU64::new(0),
            is_settling: AtomicBool::new(false),
            planned: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            acknowledged: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            latency_sum_us: AtomicU64::new(0),
            latencies: [const { AtomicU64::new(0) }; STEPS],
            seen: Mutex::default(),
            troubles: Mutex::default(),
        }
    }
}

impl Progress {
    /// Ends the load: what is in flight is waited for, and nothing more is sent.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// What has come to pass since this was asked last, and cannot wait for the report: that nobody sees any more what the receiver does.
    #[must_use]
    pub fn troubles(&self) -> Vec<String> {
        self.troubles.lock().map(|mut troubles| std::mem::take(&mut *troubles)).unwrap_or_default()
    }

    /// How far it is.
    #[must_use]
    pub fn now(&self) -> Moment {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut latencies = [0; STEPS];
        for (count, told) in latencies.iter_mut().zip(&self.latencies) {
            *count = of(told);
        }
        let (start_ns, now_ns) = (of(&self.start_ns), now_ns());
        let until = |one: u64, other: u64| match start_ns {
            0 => Duration::ZERO,
            _ => Duration::from_nanos(other.saturating_sub(one)),
        };
        Moment {
            trial: self.trial.load(Ordering::Relaxed),
            begins_in: until(now_ns, start_ns),
            elapsed: until(start_ns, now_ns),
            is_settling: self.is_settling.load(Ordering::Relaxed),
            planned: of(&self.planned),
            sent: of(&self.sent),
            acknowledged: of(&self.acknowledged),
            errors: of(&self.errors),
            dropped: of(&self.dropped),
            in_flight: of(&self.in_flight),
            latency_sum_us: of(&self.latency_sum_us),
            seen: self.seen.lock().map(|seen| *seen).unwrap_or_default(),
            latencies,
        }
    }

    /// What an audit has seen.
    pub(super) fn see(&self, now: Option<Seen>) {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = now;
        }
    }

    /// A load is made ready, one of several where there is a search.
    pub(super) fn prepare(&self) {
        self.see(None);
        self.start_ns.store(0, Ordering::Relaxed);
        self.is_settling.store(false, Ordering::Relaxed);
    }

    /// It begins at an instant of the clock.
    pub(super) fn begin(&self, start_ns: u64) {
        self.start_ns.store(start_ns, Ordering::Relaxed);
    }

    /// Something that cannot wait for the report.
    pub(super) fn trouble(&self, what: String) {
        if let Ok(mut troubles) = self.troubles.lock() {
            troubles.push(what);
        }
    }

    /// All of it was sent, and has ended.
    pub(super) fn settle(&self) {
        self.is_settling.store(true, Ordering::Relaxed);
    }

    /// The next load is a trial of a search.
    pub(super) fn next_trial(&self) {
        self.trial.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    pub(super) fn tell(&self, told: &mut Told, tally: &Tally, in_flight: usize) {
        let now = Moment::of(tally, in_flight);
        let before = told.0;
        for (sum, before, now) in [
            (&self.planned, before.planned, now.planned),
            (&self.sent, before.sent, now.sent),
            (&self.acknowledged, before.acknowledged, now.acknowledged),
            (&self.errors, before.errors, now.errors),
            (&self.dropped, before.dropped, now.dropped),
            // What is less wraps around, and the sum is right again.
            (&self.in_flight, before.in_flight, now.in_flight),
            (&self.latency_sum_us, before.latency_sum_us, now.latency_sum_us),
        ] {
            sum.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        }
        for ((sum, before), now) in self.latencies.iter().zip(before.latencies).zip(now.latencies) {
            if now != before {
                sum.fetch_add(now - before, Ordering::Relaxed);
            }
        }
        told.0 = now;
    }
}
