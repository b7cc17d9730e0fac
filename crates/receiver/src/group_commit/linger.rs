//! Whether a batch waits for more.

use std::time::Duration;

/// The batch before.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Last {
    pub(super) entries: usize,
    pub(super) took: Duration,
}

/// Where fewer were committed together, there is no load.
const LOAD: usize = 8;
/// What takes less is not worth waiting for.
const LEAST: Duration = Duration::from_micros(100);
/// While one takes longer than that, enough come by themselves.
const MOST: Duration = Duration::from_micros(600);

impl Last {
    /// How long a batch of so many waits for others that come, by all that is known of the one before: where requests come as
    /// fast as they are answered, those that were answered just now come again while the first of them would be committed alone,
    /// and a commit of one costs nearly as much as one of all.
    pub(super) fn linger(self, entries: usize) -> Option<Duration> {
        let is_worth_it =
            self.entries >= LOAD && (LEAST..=MOST).contains(&self.took) && entries * 2 < self.entries;
        is_worth_it.then_some(self.took)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_waits_where_the_one_before_was_larger_and_took_its_time() {
        let check = |last: usize, took_micros, entries, expected| {
            let last = Last { entries: last, took: Duration::from_micros(took_micros) };
            assert_eq!(last.linger(entries), expected, "{last:?}, {entries}");
        };
        check(24, 300, 3, Some(Duration::from_micros(300)));
        check(24, 300, 12, None);
        check(24, 5, 3, None);
        check(7, 300, 1, None);
        check(1000, 40_000, 1, None);
        check(0, 0, 1, None);
    }
}
