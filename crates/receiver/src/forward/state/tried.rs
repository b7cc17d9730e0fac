//! What is kept of a webhook that failed.

use std::time::Duration;

/// What there is to know of a webhook that is not settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::forward) struct Tried {
    pub(in crate::forward) attempts: u32,
    /// When it may be tried again, in microseconds since the epoch; 0 where it does not wait for that.
    pub(in crate::forward) due: i64,
    /// How long it was to wait when it failed, in microseconds; 0 where that is not known.
    pub(in crate::forward) wait: i64,
}

impl Tried {
    /// How long it is yet to wait at this time of the day, which may have been set back meanwhile: never longer than it was to.
    pub(in crate::forward) fn left(self, now: i64) -> Duration {
        let most = if self.wait == 0 { i64::MAX } else { self.wait };
        let left = if self.due == 0 { 0 } else { self.due.saturating_sub(now).min(most) };
        Duration::from_micros(u64::try_from(left).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_waits_longer_than_it_was_to_whatever_the_clock_says() {
        const DUE: i64 = 1_764_000_000_000_000;
        let check = |due, wait, now, left| {
            let tried = Tried { attempts: 1, due, wait };
            assert_eq!(tried.left(now), Duration::from_secs(left), "{tried:?} at {now}");
        };
        let second = 1_000_000;
        check(DUE, 30 * second, DUE - 30 * second, 30);
        check(DUE, 30 * second, DUE - 7 * second, 7);
        check(DUE, 30 * second, DUE, 0);
        check(DUE, 30 * second, DUE + 3600 * second, 0);
        check(DUE, 30 * second, DUE - 31 * second, 30);
        check(DUE, 30 * second, 0, 30);
        check(DUE, 0, DUE - 3600 * second, 3600);
        check(0, 0, 0, 0);
        check(0, 0, -second, 0);
    }
}
