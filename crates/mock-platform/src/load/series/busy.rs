//! How busy the generator was while it sent what it sent. A mean over a run says nothing of that: after a burst, the last answer may be minutes away.

use super::{Counts, MOST, Series};

/// What the generator did in its busiest intervals: in one such, and those that were busier, a part of all was sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::load) struct Busy {
    /// The part of their time that its threads worked on a CPU.
    pub(in crate::load) cpu: f64,
    /// Attempts per second.
    pub(in crate::load) sent_per_second: f64,
    /// The most that was due in any interval, per second.
    pub(in crate::load) due_per_second: f64,
}

/// The part is one in so many: what fewer met says little of all.
const PART: u64 = 10;
/// What is shorter is no mean of anything.
const LEAST_NS: u64 = 500_000_000;

impl Series {
    /// CPU time that was spent between two instants, as much in each moment. What was spent where nothing happened is nobody's.
    pub(in crate::load) fn worked(&mut self, from_ns: u64, to_ns: u64, worked_ns: u64) {
        let took_ns = to_ns.saturating_sub(from_ns).max(1) as f64;
        for place in self.place(from_ns)..=self.place(to_ns) {
            let (begin_ns, end_ns) = (place as u64 * self.width_ns, self.end_ns(place));
            let part_ns = to_ns.min(end_ns).saturating_sub(from_ns.max(begin_ns));
            let Some(counts) = self.counts.get_mut(place) else { return };
            counts.worked_ns += (worked_ns as f64 * part_ns as f64 / took_ns) as u64;
        }
    }

    /// How busy so many threads were in a run that ended then; `None` where it is too short to say.
    pub(in crate::load) fn busy(&self, threads: usize, end_ns: u64) -> Option<Busy> {
        let interval = |(place, counts): (usize, &Counts)| {
            let took_ns = self.end_ns(place).min(end_ns).saturating_sub(place as u64 * self.width_ns);
            let cpu = counts.worked_ns as f64 / (took_ns.max(1) as f64 * threads.max(1) as f64);
            (took_ns >= LEAST_NS).then_some((cpu.min(1.0), took_ns as f64 / 1e9, *counts))
        };
        let mut intervals: Vec<(f64, f64, Counts)> =
            self.counts.iter().enumerate().filter_map(interval).collect();
        intervals.sort_by(|one, other| other.0.total_cmp(&one.0));
        let all: u64 = intervals.iter().map(|(.., counts)| counts.sent).sum();
        let mut sent = 0;
        let (cpu, seconds, counts) = intervals.iter().find(|(.., counts)| {
            sent += counts.sent;
            counts.sent > 0 && sent * PART >= all
        })?;
        let due = intervals.iter().map(|(_, seconds, counts)| counts.planned as f64 / seconds);
        Some(Busy {
            cpu: *cpu,
            sent_per_second: counts.sent as f64 / seconds,
            due_per_second: due.fold(0.0, f64::max),
        })
    }

    /// Where an interval ends: the last of them with the run.
    fn end_ns(&self, place: usize) -> u64 {
        if place + 1 >= MOST { u64::MAX } else { (place as u64 + 1) * self.width_ns }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// So many webhooks in each second, of which the generator worked so many milliseconds.
    fn series(seconds: &[(u64, u64)]) -> Series {
        let mut series = Series::new(Duration::from_secs(1));
        for (second, &(webhooks, worked_ms)) in (0..).zip(seconds) {
            (0..webhooks).for_each(|_| {
                series.planned(second * SECOND);
                series.sent(second * SECOND);
            });
            series.worked(second * SECOND, (second + 1) * SECOND, worked_ms * 1_000_000);
        }
        series
    }

    fn check(seconds: &[(u64, u64)], end_s: f64, expected: Option<(f64, f64)>) {
        let busy = series(seconds).busy(1, (end_s * 1e9) as u64);
        let rounded = |x: f64| libm::round(x * 100.0) / 100.0;
        assert_eq!(busy.map(|busy| (rounded(busy.cpu), rounded(busy.sent_per_second))), expected, "{busy:?}");
    }

    #[test]
    fn what_trickles_after_a_burst_makes_it_no_less_busy() {
        let burst = [vec![(1_000, 990); 10], vec![(3, 5); 900]].concat();
        check(&burst, 910.0, Some((0.99, 1_000.0)));
        // A webhook that nobody answered until long after.
        check(&[(1_000, 990), (1_000, 970), (0, 0), (0, 0), (0, 1)], 600.0, Some((0.99, 1_000.0)));
        // Few met it where it was busy.
        check(&[vec![(10, 1_000)], vec![(1_000, 400); 10]].concat(), 11.0, Some((0.4, 1_000.0)));
        check(&[(1_000, 500); 3], 3.0, Some((0.5, 1_000.0)));
        check(&[(1_000, 500)], 0.4, None);
        check(&[], 9.0, None);
    }

    #[test]
    fn what_was_worked_lies_in_the_intervals_in_which_it_was() {
        let worked = |from_ns, to_ns| {
            let mut series = Series::new(Duration::from_secs(1));
            (0..4).for_each(|second| series.planned(second * SECOND));
            series.worked(from_ns, to_ns, 2_000);
            series.intervals().map(|(counts, _)| counts.worked_ns).collect::<Vec<_>>()
        };
        assert_eq!(worked(SECOND / 2, 5 * SECOND / 2), [500, 1_000, 500, 0]);
        assert_eq!(worked(SECOND, 2 * SECOND), [0, 2_000, 0, 0]);
        assert_eq!(worked(5, 5), [0; 4]);
        // Nothing was due any more, and nothing ended: there are no more intervals for that.
        assert_eq!(worked(3 * SECOND, 5 * SECOND), [0, 0, 0, 1_000]);
        assert_eq!(worked(0, 3 * MOST as u64 * SECOND), [0; 4]);
    }
}
