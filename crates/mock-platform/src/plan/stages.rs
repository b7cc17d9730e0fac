use std::fmt;
use std::time::Duration;

/// A part of a load with a rate of its own. Each begins at the rate at which the one before it ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// The rate rises or falls evenly.
    Ramp {
        /// The rate at its end.
        to: f64,
        /// How long it takes.
        over: Duration,
    },
    /// The rate is another at once, and stays.
    Step {
        /// That rate.
        to: f64,
        /// For how long.
        over: Duration,
    },
    /// The rate is another for so long, and then as it was.
    Burst {
        /// That rate.
        to: f64,
        /// For how long.
        over: Duration,
    },
    /// The rate stays as it is.
    Soak {
        /// For how long.
        over: Duration,
    },
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ramp { to, over } => write!(f, "ramp:{to}:{}s", over.as_secs_f64()),
            Self::Step { to, over } => write!(f, "step:{to}:{}s", over.as_secs_f64()),
            Self::Burst { to, over } => write!(f, "burst:{to}:{}s", over.as_secs_f64()),
            Self::Soak { over } => write!(f, "soak:{}s", over.as_secs_f64()),
        }
    }
}

/// The rate of a load, stage by stage, and when its n-th arrival is due: where that many are expected.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use piopiy_mock_platform::plan::{Stage, Stages};
///
/// let over = Duration::from_secs(10);
/// let stages = Stages::new(100.0, &[Stage::Soak { over }, Stage::Ramp { to: 300.0, over }]);
/// assert_eq!((stages.duration(), stages.peak()), (Duration::from_secs(20), 300.0));
/// // 1,000 in the first ten seconds, and in the next ten 200 a second on average.
/// assert_eq!(stages.arrivals(), 3_000.0);
/// assert_eq!(stages.at_ns(500.0), Some(5_000_000_000));
/// assert_eq!(stages.at_ns(3_000.0), None);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Stages {
    parts: Vec<Part>,
}

/// A stage with its place in time and among the arrivals.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Part {
    from: f64,
    to: f64,
    begins_ns: u64,
    lasts_ns: u64,
    /// Arrivals before it, and in it.
    before: f64,
    within: f64,
}

impl Stages {
    /// Stages, the first of which begins at a rate per second.
    #[must_use]
    pub fn new(per_second: f64, stages: &[Stage]) -> Self {
        let mut level = per_second;
        let (mut begins_ns, mut before) = (0_u64, 0.0);
        let mut parts = Vec::new();
        for stage in stages {
            let (from, to, over, then) = match *stage {
                Stage::Ramp { to, over } => (level, to, over, to),
                Stage::Step { to, over } => (to, to, over, to),
                Stage::Burst { to, over } => (to, to, over, level),
                Stage::Soak { over } => (level, level, over, level),
            };
            let lasts_ns = u64::try_from(over.as_nanos()).unwrap_or(u64::MAX);
            let within = f64::midpoint(from, to) * over.as_secs_f64();
            parts.push(Part { from, to, begins_ns, lasts_ns, before, within });
            begins_ns = begins_ns.saturating_add(lasts_ns);
            before += within;
            level = then;
        }
        Self { parts }
    }

    /// From the start of the first to the end of the last.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.parts
            .last()
            .map_or(Duration::ZERO, |last| Duration::from_nanos(last.begins_ns.saturating_add(last.lasts_ns)))
    }

    /// The highest rate, per second.
    #[must_use]
    pub fn peak(&self) -> f64 {
        self.parts.iter().fold(0.0, |peak, part| peak.max(part.from).max(part.to))
    }

    /// How many arrivals there are in all.
    #[must_use]
    pub fn arrivals(&self) -> f64 {
        self.parts.last().map_or(0.0, |last| last.before + last.within)
    }

    /// The same with every rate so many times as high.
    #[must_use]
    pub fn times(&self, factor: f64) -> Self {
        let times = |part: &Part| Part {
            from: part.from * factor,
            to: part.to * factor,
            before: part.before * factor,
            within: part.within * factor,
            ..*part
        };
        Self { parts: self.parts.iter().map(times).collect() }
    }

    /// When so many arrivals are behind, in nanoseconds from the start; `None` where there are never as many.
    #[must_use]
    pub fn at_ns(&self, arrivals: f64) -> Option<u64> {
        let at = self.parts.partition_point(|part| part.before + part.within <= arrivals);
        let part = self.parts.get(at)?;
        let behind = (arrivals - part.before).max(0.0);
        // The integral of a rate that changes evenly, solved for time in the form that subtracts no two like numbers.
        let lasts = part.lasts_ns as f64 / 1e9;
        let under = part.from * part.from + 2.0 * behind * (part.to - part.from) / lasts;
        let below = part.from + libm::sqrt(under.max(0.0));
        let after = if behind > 0.0 && below > 0.0 { 2.0 * behind / below } else { 0.0 };
        Some(part.begins_ns.saturating_add(((after * 1e9) as u64).min(part.lasts_ns)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stage() -> impl Strategy<Value = Stage> {
        (0..4_u8, 0.0..2_000.0, 1..20_000_u64).prop_map(|(kind, to, over_ms)| {
            let over = Duration::from_millis(over_ms);
            match kind {
                0 => Stage::Ramp { to, over },
                1 => Stage::Step { to, over },
                2 => Stage::Burst { to, over },
                _ => Stage::Soak { over },
            }
        })
    }

    /// The rate at an instant, from the stages as they are told.
    fn rate(first: f64, stages: &[Stage], at: f64) -> f64 {
        let (mut level, mut begins) = (first, 0.0);
        for stage in stages {
            let (from, to, over, then) = match *stage {
                Stage::Ramp { to, over } => (level, to, over, to),
                Stage::Step { to, over } => (to, to, over, to),
                Stage::Burst { to, over } => (to, to, over, level),
                Stage::Soak { over } => (level, level, over, level),
            };
            let over = over.as_secs_f64();
            if at < begins + over {
                return from + (to - from) * (at - begins) / over;
            }
            (begins, level) = (begins + over, then);
        }
        0.0
    }

    #[test]
    fn arrivals_rise_and_as_many_are_behind_as_the_rates_make() {
        proptest!(|(first in 0.0..500.0, stages in proptest::collection::vec(stage(), 1..6), n in 0.0..1.0)| {
            let made = Stages::new(first, &stages);
            let arrivals = n * made.arrivals();
            let Some(at_ns) = made.at_ns(arrivals) else {
                prop_assert!(arrivals >= made.arrivals());
                return Ok(());
            };
            prop_assert!(at_ns <= made.duration().as_nanos() as u64);
            // The sum of the rates until then, in small steps.
            let steps = 20_000;
            let step = at_ns as f64 / 1e9 / f64::from(steps);
            let summed: f64 =
                (0..steps).map(|it| rate(first, &stages, (f64::from(it) + 0.5) * step) * step).sum();
            let allowed = 1.0 + made.peak() * step * 6.0;
            prop_assert!((summed - arrivals).abs() < allowed, "{summed} for {arrivals}");
            let later = made.at_ns(arrivals + 0.25).unwrap_or(u64::MAX);
            prop_assert!(later >= at_ns);
        });
    }

    #[test]
    fn each_kind_does_as_its_name_says() {
        let over = Duration::from_secs(10);
        let all = [
            Stage::Ramp { to: 200.0, over },
            Stage::Burst { to: 1_000.0, over },
            Stage::Soak { over },
            Stage::Step { to: 50.0, over },
        ];
        let stages = Stages::new(0.0, &all);
        assert_eq!(stages.arrivals(), 1_000.0 + 10_000.0 + 2_000.0 + 500.0);
        assert_eq!((stages.peak(), stages.times(2.0).peak()), (1_000.0, 2_000.0));
        let at = |arrivals| stages.at_ns(arrivals).unwrap() / 1_000_000;
        // Half the time of a ramp from nothing has a quarter of its arrivals.
        assert_eq!([at(0.0), at(250.0), at(1_000.0), at(6_000.0)], [0, 5_000, 10_000, 15_000]);
        assert_eq!(
            [at(11_000.0), at(12_000.0), at(13_000.0), at(13_250.0)],
            [20_000, 25_000, 30_000, 35_000]
        );
        assert_eq!(stages.at_ns(13_500.0), None);
        assert_eq!(stages.times(2.0).at_ns(500.0), stages.at_ns(250.0));
        assert_eq!(Stages::default().at_ns(0.0), None);
    }
}
