//! What happened when: counts and latencies of each interval of a run, in memory that has a bound.

mod busy;

use std::time::Duration;

use hdrhistogram::Histogram;

pub(super) use self::busy::Busy;
use super::packed::{packed, unpacked};
use super::tally::histogram;

/// So many intervals are told apart; the last one goes on to the end of the run.
const MOST: usize = 1_200;

/// What one thread saw, interval by interval.
#[derive(Debug, Clone)]
pub(super) struct Series {
    width_ns: u64,
    counts: Vec<Counts>,
    /// The latencies of the intervals that are over.
    over: Vec<Vec<u8>>,
    /// Those of the interval that is on.
    current: Histogram<u64>,
}

/// What one interval had.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) planned: u64,
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) errors: u64,
    /// CPU time of the generator, in nanoseconds, without what it waited awake.
    pub(super) worked_ns: u64,
}

impl Series {
    pub(super) fn new(width: Duration) -> Self {
        let width_ns = u64::try_from(width.as_nanos()).unwrap_or(u64::MAX).max(1);
        Self { width_ns, counts: Vec::new(), over: Vec::new(), current: histogram() }
    }

    /// A webhook was due.
    pub(super) fn planned(&mut self, at_ns: u64) {
        self.at(at_ns).planned += 1;
    }

    /// It was sent, or tried to be.
    pub(super) fn sent(&mut self, at_ns: u64) {
        self.at(at_ns).sent += 1;
    }

    /// It has ended: instants of one thread never go back.
    pub(super) fn ended(&mut self, at_ns: u64, latency_ns: u64, is_acknowledged: bool) {
        let place = self.place(at_ns);
        while self.over.len() < place {
            self.over.push(packed(&self.current));
            self.current.reset();
        }
        self.current.saturating_record(latency_ns / 1_000);
        let counts = self.at(at_ns);
        counts.acknowledged += u64::from(is_acknowledged);
        counts.errors += u64::from(!is_acknowledged);
    }

    /// Takes in what another thread saw.
    pub(super) fn add(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), Counts::default());
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            mine.planned += theirs.planned;
            mine.sent += theirs.sent;
            mine.acknowledged += theirs.acknowledged;
            mine.errors += theirs.errors;
            mine.worked_ns += theirs.worked_ns;
        }
        let places = self.counts.len().max(1);
        let joined: Vec<Vec<u8>> = (0..places)
            .map(|place| {
                let mut latencies = self.latencies(place);
                // They are of one range.
                let added = latencies.add(other.latencies(place));
                debug_assert!(added.is_ok());
                packed(&latencies)
            })
            .collect();
        self.over = joined;
        self.current.reset();
    }

    /// The intervals, each with its latencies in microseconds.
    pub(super) fn intervals(&self) -> impl Iterator<Item = (Counts, Histogram<u64>)> {
        self.counts.iter().enumerate().map(|(place, counts)| (*counts, self.latencies(place)))
    }

    pub(super) fn width(&self) -> Duration {
        Duration::from_nanos(self.width_ns)
    }

    fn latencies(&self, place: usize) -> Histogram<u64> {
        match self.over.get(place) {
            Some(bytes) => {
                unpacked(bytes).unwrap_or_else(|error| unreachable!("it was packed here: {error}"))
            }
            None if place == self.over.len() => self.current.clone(),
            None => histogram(),
        }
    }

    fn place(&self, at_ns: u64) -> usize {
        usize::try_from(at_ns / self.width_ns).unwrap_or(MOST).min(MOST - 1)
    }

    fn at(&mut self, at_ns: u64) -> &mut Counts {
        let place = self.place(at_ns);
        if place >= self.counts.len() {
            self.counts.resize(place + 1, Counts::default());
        }
        &mut self.counts[place]
    }
}

/// How long an interval is of a run that is expected to last so long: a second, or twice that as often as it takes to have few of them.
pub(super) fn interval(seconds: Option<f64>) -> Duration {
    const FEW: u64 = 600;
    let mut width = 1;
    while (width * FEW) as f64 <= seconds.unwrap_or_default() && width < 1 << 20 {
        width *= 2;
    }
    Duration::from_secs(width)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn each_interval_has_what_happened_in_it_and_threads_add_up() {
        proptest!(|(
            mut ends in proptest::collection::vec((0..9 * SECOND, 0..SECOND, any::<bool>()), 0..60), split in 0..60usize
        )| {
            ends.sort_unstable();
            let one = |ends: &[(u64, u64, bool)]| {
                let mut series = Series::new(Duration::from_secs(1));
                for &(at, latency, is_acknowledged) in ends {
                    series.planned(at.saturating_sub(latency));
                    series.sent(at);
                    series.ended(at, latency, is_acknowledged);
                }
                series
            };
            let whole = one(&ends);
            let (left, right): (Vec<_>, Vec<_>) =
                ends.iter().enumerate().partition(|(n, _)| *n % 3 == split % 3);
            let of = |part: Vec<(usize, &(u64, u64, bool))>| {
                one(&part.into_iter().map(|(_, end)| *end).collect::<Vec<_>>())
            };
            let mut joined = of(left);
            joined.add(&of(right));
            let all: Vec<_> = whole.intervals().collect();
            prop_assert_eq!(&all, &joined.intervals().collect::<Vec<_>>());
            for (second, (counts, latencies)) in (0..).zip(&all) {
                let own = ends.iter().filter(|(at, ..)| at / SECOND == second);
                prop_assert_eq!(counts.sent, own.clone().count() as u64);
                prop_assert_eq!(counts.acknowledged, own.clone().filter(|end| end.2).count() as u64);
                let mut expected = histogram();
                own.for_each(|(_, latency, _)| expected.saturating_record(latency / 1_000));
                prop_assert_eq!(latencies, &expected);
            }
        });
    }

    #[test]
    fn what_has_no_end_is_kept_within_a_bound() {
        let mut series = Series::new(Duration::from_secs(1));
        for second in 0..3 * MOST as u64 {
            series.ended(second * SECOND, 1_000, true);
        }
        assert_eq!(series.counts.len(), MOST);
        assert_eq!(series.intervals().map(|(_, latencies)| latencies.len()).sum::<u64>(), 3 * MOST as u64);
    }

    #[test]
    fn a_long_run_has_long_intervals() {
        let of = |seconds| interval(seconds).as_secs();
        assert_eq!([10.0, 599.0, 600.0, 86_400.0].map(|seconds| of(Some(seconds))), [1, 1, 2, 256]);
        assert_eq!((of(None), of(Some(f64::INFINITY))), (1, 1 << 20));
    }
}
