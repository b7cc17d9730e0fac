use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::tally::Tally;

/// How far a load is, over all threads, and whether it is to stop.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::load::Progress;
///
/// let progress = Progress::default();
/// progress.stop();
/// assert_eq!(progress.sent(), 0);
/// ```
#[derive(Debug, Default)]
pub struct Progress {
    is_stopped: AtomicBool,
    sent: AtomicU64,
    acknowledged: AtomicU64,
    errors: AtomicU64,
    in_flight: AtomicU64,
}

/// What a thread has told, so that only what is new is added.
#[derive(Debug, Default)]
pub(super) struct Told {
    sent: u64,
    acknowledged: u64,
    errors: u64,
    in_flight: u64,
}

impl Progress {
    /// Ends the load: what is in flight is waited for, and nothing more is sent.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Attempts so far.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Acknowledged so far.
    #[must_use]
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed)
    }

    /// Attempts that came to another end.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Attempts that wait for an answer.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    pub(super) fn tell(&self, told: &mut Told, tally: &Tally, in_flight: usize) {
        let now = Told {
            sent: tally.attempts,
            acknowledged: tally.acknowledged,
            errors: tally.errors(),
            in_flight: in_flight as u64,
        };
        for (sum, before, now) in [
            (&self.sent, told.sent, now.sent),
            (&self.acknowledged, told.acknowledged, now.acknowledged),
            (&self.errors, told.errors, now.errors),
            // What is less wraps around, and the sum is right again.
            (&self.in_flight, told.in_flight, now.in_flight),
        ] {
            sum.fetch_add(now.wrapping_sub(before), Ordering::Relaxed);
        }
        *told = now;
    }
}
