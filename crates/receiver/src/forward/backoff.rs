//! How long to wait before the next attempt.

use std::time::Duration;

/// Waits that double from `first` to `most`, half of each left to chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Backoff {
    pub(super) first: Duration,
    pub(super) most: Duration,
}

/// A destination that is down is asked often enough that it does not wait long once it is back.
const MOST_OF_DESTINATION: Duration = Duration::from_secs(15);

impl Backoff {
    /// The wait after so many failures, from 1: between half of it and all of it.
    pub(super) fn after(self, failures: u32, jitter: &mut Jitter) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.most);
        whole / 2 + whole.mul_f64(jitter.fraction() / 2.0)
    }

    pub(super) fn of_destination(self) -> Self {
        Self { most: self.most.min(MOST_OF_DESTINATION), ..self }
    }
}

/// Chance that keeps many receivers from knocking at the same moment: xorshift, which is plenty for that.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// From 0 to below 1.
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        f64::from(u32::try_from(self.0 >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit_and_half_of_each_is_chance() {
        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(60) };
        let check = |failures, whole: f64| {
            for seed in 0..200 {
                let wait = backoff.after(failures, &mut Jitter::new(u64::MAX / 200 * seed)).as_secs_f64();
                assert!((whole / 2.0..=whole).contains(&wait), "{failures}: {wait}");
            }
        };
        check(1, 1.0);
        check(2, 2.0);
        check(6, 32.0);
        check(7, 60.0);
        check(u32::MAX, 60.0);
        let mut jitter = Jitter::new(7);
        let waits: std::collections::BTreeSet<_> = (0..50).map(|_| backoff.after(6, &mut jitter)).collect();
        assert!(waits.len() > 40, "{waits:?}");
    }
}
