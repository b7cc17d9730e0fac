use super::options::{LoadOptions, Rate};
use super::source::calls_per_second;
use crate::plan::{CallBuffer, Simulator};

/// How much a load is going to be, as far as it can be known before it begins.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::load::{Expected, LoadOptions, Rate};
/// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator};
///
/// let simulator = Simulator::new(&Scenario::default(), PlanOptions::default());
/// let expected = Expected::of(&simulator, &LoadOptions::new(Rate::Webhooks(200.0)));
/// assert_eq!(expected.seconds, Some(10.0));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Expected {
    /// For how long calls begin, in seconds.
    pub seconds: Option<f64>,
    /// How many webhooks there are at most, roughly.
    pub webhooks: Option<f64>,
}

impl Expected {
    /// What follows from the options; how many webhooks a call has from a sample of calls.
    #[must_use]
    pub fn of(simulator: &Simulator, options: &LoadOptions) -> Self {
        let webhooks = options.calls.map(|calls| calls as f64 * webhooks_per_call(simulator));
        let by_clock = options.duration.map(|duration| duration.as_secs_f64());
        let [by_count, by_course] = match options.rate {
            Rate::Calls(rate) => begins(options, rate, options.calls.map(|calls| calls as f64)),
            Rate::Erlangs(erlangs) => {
                let rate = calls_per_second(simulator, erlangs, options.time_scale);
                begins(options, rate, options.calls.map(|calls| calls as f64))
            }
            Rate::Webhooks(rate) => begins(options, rate, webhooks),
            Rate::Max => [None, None],
        };
        let seconds = [by_count, by_clock, by_course].into_iter().flatten().min_by(f64::total_cmp);
        Self { seconds, webhooks }
    }

    /// Which part of it is over, after so many seconds and webhooks; `None` where nobody knows.
    #[must_use]
    pub fn part(&self, seconds: f64, sent: u64) -> Option<f64> {
        let by_clock = self.seconds.map(|expected| seconds / expected.max(1e-9));
        let by_count = self.webhooks.map(|expected| sent as f64 / expected.max(1.0));
        let parts = [by_clock, by_count].into_iter().flatten();
        parts.max_by(f64::total_cmp).map(|part| part.min(1.0))
    }
}

/// After how many seconds so many arrivals are there, and after how many there are no more, whatever their number.
fn begins(options: &LoadOptions, per_second: f64, count: Option<f64>) -> [Option<f64>; 2] {
    let seconds = |ns: u64| ns as f64 / 1e9;
    if let Some(instants) = &options.arrivals_at {
        let nth = |count: f64| instants.get((count as usize).saturating_sub(1)).copied().map(seconds);
        return [count.and_then(nth), instants.last().copied().map(seconds).or(Some(0.0))];
    }
    if options.stages.is_empty() {
        return [count.map(|count| count / per_second), None];
    }
    let stages = options.staged(per_second);
    [count.and_then(|count| stages.at_ns(count)).map(seconds), Some(stages.duration().as_secs_f64())]
}

/// How many webhooks a call has, on average.
pub(super) fn webhooks_per_call(simulator: &Simulator) -> f64 {
    const SAMPLE: u64 = 1_024;
    let mut buffer = CallBuffer::default();
    let total: usize = (0..SAMPLE).map(|call| simulator.count_webhooks(call, &mut buffer)).sum();
    total as f64 / SAMPLE as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{PlanOptions, Stage};

    fn of(rate: Rate, duration: Option<u64>, calls: Option<u64>) -> Expected {
        let mut options = LoadOptions::new(rate);
        (options.duration, options.calls) = (duration.map(Duration::from_secs), calls);
        Expected::of(&Simulator::builtin("default", PlanOptions::default()).unwrap(), &options)
    }

    #[test]
    fn whatever_ends_first_ends_it() {
        assert_eq!(of(Rate::Calls(2.0), Some(30), Some(10)).seconds, Some(5.0));
        assert_eq!(of(Rate::Calls(2.0), Some(3), Some(10)).seconds, Some(3.0));
        let paced = of(Rate::Webhooks(100.0), None, Some(200));
        assert_eq!(paced.seconds, paced.webhooks.map(|webhooks| webhooks / 100.0));
        assert!(of(Rate::Erlangs(50.0), None, Some(200)).seconds.is_some_and(|seconds| seconds > 1.0));
    }

    #[test]
    fn stages_and_given_instants_say_how_long_it_is() {
        let simulator = Simulator::builtin("default", PlanOptions::default()).unwrap();
        let over = Duration::from_secs(20);
        let seconds = |rate, calls| {
            let mut options = LoadOptions::new(rate);
            (options.duration, options.calls) = (None, calls);
            options.stages = vec![Stage::Soak { over }, Stage::Step { to: 20.0, over }];
            Expected::of(&simulator, &options).seconds
        };
        assert_eq!(seconds(Rate::Webhooks(10.0), None), Some(40.0));
        assert_eq!(seconds(Rate::Calls(10.0), None), Some(40.0));
        // Two hundred in the first stage, and as many in ten seconds of the second.
        assert_eq!(seconds(Rate::Calls(10.0), Some(400)), Some(30.0));
        assert_eq!(seconds(Rate::Calls(10.0), Some(40_000)), Some(40.0));
        assert_eq!(seconds(Rate::Erlangs(10.0), None), Some(40.0));

        let mut options = LoadOptions::new(Rate::Calls(1.0));
        options.duration = None;
        options.arrivals_at = Some([0, 1_500_000_000, 7_200_000_000_000].into());
        assert_eq!(Expected::of(&simulator, &options).seconds, Some(7_200.0));
        options.calls = Some(2);
        assert_eq!(Expected::of(&simulator, &options).seconds, Some(1.5));
        options.duration = Some(Duration::from_secs(1));
        assert_eq!(Expected::of(&simulator, &options).seconds, Some(1.0));
    }

    #[test]
    fn a_part_is_told_where_it_is_known() {
        assert_eq!(of(Rate::Max, None, Some(100)).seconds, None);
        let webhooks = of(Rate::Max, None, Some(100)).webhooks.unwrap();
        assert!((200.0..900.0).contains(&webhooks), "{webhooks}");
        let by_count = Expected { seconds: None, webhooks: Some(500.0) };
        assert_eq!(by_count.part(1e9, 125), Some(0.25));
        let by_clock = Expected { seconds: Some(10.0), webhooks: None };
        assert_eq!([by_clock.part(2.5, 0), by_clock.part(99.0, 0)], [Some(0.25), Some(1.0)]);
        assert_eq!(Expected::default().part(1.0, 1), None);
    }
}
