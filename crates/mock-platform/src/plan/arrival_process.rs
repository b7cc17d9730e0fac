mod positions;

use std::sync::Arc;

use self::positions::{BLOCK, Positions};
use super::{Seed, Spacing, Stages};

/// When the n-th arrival of a rate is due, to the nanosecond, without a sum over those before it.
///
/// *Constant*: arrival n is due at n / rate. *Poisson*: block b of 65,536 arrivals begins at 65,536 b / rate and lasts 65,536 / rate;
/// its arrivals are sorted, independent, uniform positions in it. So a process is Poisson within a block, and the rate holds exactly over blocks,
/// whatever the part of the arrivals that one process takes. With *stages* a block is as long as the rates until then make it; from a
/// *list* the instants are as they are. Behind the last arrival comes none: it is due at `u64::MAX`.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::plan::{ArrivalProcess, Seed, Spacing};
///
/// let mut constant = ArrivalProcess::new(Spacing::Constant, 3.0, Seed(1));
/// assert_eq!([0, 1, 3, 3_000_000].map(|n| constant.at_ns(n)), [0, 333_333_333, 1_000_000_000, 1_000_000_000_000_000]);
/// let mut poisson = ArrivalProcess::new(Spacing::Poisson, 65_536.0, Seed(1));
/// assert!(poisson.at_ns(65_535) < 1_000_000_000 && poisson.at_ns(65_536) >= 1_000_000_000);
/// ```
#[derive(Debug, Clone)]
pub struct ArrivalProcess {
    spacing: Spacing,
    course: Course,
    positions: Positions,
}

/// What arrivals follow.
#[derive(Debug, Clone)]
enum Course {
    /// Thousandths of arrivals in a second: a rate of 0.5 is as exact as one of 100,000.
    Level {
        per_1000_seconds: u64,
    },
    Staged(Stages),
    Listed(Arc<[u64]>),
}

impl ArrivalProcess {
    /// Arrivals at a rate above 0; it is rounded to thousandths.
    #[must_use]
    pub fn new(spacing: Spacing, per_second: f64, seed: Seed) -> Self {
        let per_1000_seconds = (libm::round(per_second * 1e3) as u64).max(1);
        Self::along(Course::Level { per_1000_seconds }, spacing, seed)
    }

    /// Arrivals whose rate changes.
    #[must_use]
    pub fn staged(spacing: Spacing, stages: Stages, seed: Seed) -> Self {
        Self::along(Course::Staged(stages), spacing, seed)
    }

    /// Arrivals at given instants, in nanoseconds from the start, rising.
    #[must_use]
    pub fn listed(instants: Arc<[u64]>) -> Self {
        Self::along(Course::Listed(instants), Spacing::Constant, Seed(0))
    }

    fn along(course: Course, spacing: Spacing, seed: Seed) -> Self {
        Self { spacing, course, positions: Positions::new(seed.0) }
    }

    /// When an arrival is due, in nanoseconds from the start.
    #[must_use]
    pub fn at_ns(&mut self, n: u64) -> u64 {
        if let Course::Listed(instants) = &self.course {
            let at = usize::try_from(n).ok().and_then(|n| instants.get(n));
            return at.copied().unwrap_or(u64::MAX);
        }
        match self.spacing {
            Spacing::Constant => self.even(n, 0),
            Spacing::Poisson => {
                let within = self.positions.of(n);
                self.even(n / BLOCK * BLOCK, within)
            }
        }
    }

    /// The place of `n` arrivals at the rate, and of a part of a block, in 2⁻⁶⁴, behind them.
    fn even(&self, n: u64, part: u64) -> u64 {
        const NS: u128 = 1_000_000_000_000;
        let per_1000_seconds = match &self.course {
            Course::Level { per_1000_seconds } => *per_1000_seconds,
            Course::Staged(stages) => {
                let within = part as f64 / (1_u128 << 64) as f64 * BLOCK as f64;
                return stages.at_ns(n as f64 + within).unwrap_or(u64::MAX);
            }
            Course::Listed(_) => 1,
        };
        let rate = u128::from(per_1000_seconds);
        let at = u128::from(n) * NS / rate;
        let within = (u128::from(part) * (u128::from(BLOCK) * NS / rate)) >> 64;
        u64::try_from(at + within).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_arrivals_rise_keep_the_rate_and_have_the_gaps_of_chance() {
        let mut process = ArrivalProcess::new(Spacing::Poisson, 10_000.0, Seed(3));
        let times: Vec<u64> = (0..65_536).map(|n| process.at_ns(n)).collect();
        assert!(times.is_sorted());
        assert!(times[65_535] < 6_553_600_000 && process.at_ns(65_536) >= 6_553_600_000);
        let mean = 100_000.0;
        let short = times.windows(2).filter(|pair| ((pair[1] - pair[0]) as f64) < 0.2 * mean).count();
        let expected = 65_536.0 * (1.0 - (-0.2f64).exp());
        assert!((short as f64 - expected).abs() < 500.0, "{short} gaps under a fifth of the mean");
    }

    /// The variance of how many there are in windows, over the mean: 1 where they come independently.
    fn dispersion(times: &[u64], window_ns: u64) -> f64 {
        let windows = times.last().unwrap() / window_ns;
        let mut counts = vec![0.0; windows as usize];
        for at in times.iter().filter(|at| **at < windows * window_ns) {
            counts[(at / window_ns) as usize] += 1.0;
        }
        let mean = counts.iter().sum::<f64>() / windows as f64;
        counts.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>() / windows as f64 / mean
    }

    #[test]
    fn random_arrivals_are_in_clusters_of_every_size() {
        for (seed, window_ms) in [(3, 1), (3, 10), (4, 10), (5, 50), (6, 100)] {
            let mut process = ArrivalProcess::new(Spacing::Poisson, 10_000.0, Seed(seed));
            let times: Vec<u64> = (0..6 * 65_536).map(|n| process.at_ns(n)).collect();
            let found = dispersion(&times, window_ms * 1_000_000);
            // So many windows, and five standard errors of what they make of 1.
            let windows = 6.0 * 6_553.6 / window_ms as f64;
            assert!(
                (found - 1.0).abs() < 5.0 * (2.0 / windows).sqrt(),
                "{found} in {window_ms} ms, seed {seed}"
            );
        }
    }

    #[test]
    fn arrivals_of_stages_rise_and_are_as_many_as_their_rates_make() {
        use std::time::Duration;

        use crate::plan::Stage;
        let over = Duration::from_secs(10);
        let stages = Stages::new(100.0, &[Stage::Soak { over }, Stage::Ramp { to: 700.0, over }]);
        for spacing in [Spacing::Constant, Spacing::Poisson] {
            let mut process = ArrivalProcess::staged(spacing, stages.clone(), Seed(5));
            let times: Vec<u64> = (0..).map(|n| process.at_ns(n)).take_while(|at| *at < u64::MAX).collect();
            assert!(times.is_sorted() && times.iter().all(|at| *at < 20_000_000_000), "{spacing:?}");
            // Five standard deviations of a random count; even ones are as many as there are.
            let early = times.iter().filter(|at| **at < 10_000_000_000).count();
            let (all_by, early_by) = if spacing == Spacing::Constant { (0, 0) } else { (354, 158) };
            assert!(times.len().abs_diff(5_000) <= all_by, "{} of 5,000, {spacing:?}", times.len());
            assert!(early.abs_diff(1_000) <= early_by, "{early} of 1,000, {spacing:?}");
            let behind = times.len() as u64;
            assert!((behind..behind + 1_000).all(|n| process.at_ns(n) == u64::MAX), "{spacing:?}");
        }
    }

    #[test]
    fn arrivals_of_a_list_are_those_of_the_list() {
        let mut process = ArrivalProcess::listed([3, 3, 9].into());
        assert_eq!([0, 1, 2, 3, u64::MAX].map(|n| process.at_ns(n)), [3, 3, 9, u64::MAX, u64::MAX]);
    }

    #[test]
    fn the_memory_changes_nothing() {
        for spacing in [Spacing::Constant, Spacing::Poisson] {
            let new = || ArrivalProcess::new(spacing, 0.5, Seed(9));
            let mut used = new();
            for n in [700, 3, 701, 65_536, 65_535, 64, 63, u64::MAX / 128] {
                assert_eq!(used.at_ns(n), new().at_ns(n), "{spacing:?} {n}");
            }
        }
    }
}
