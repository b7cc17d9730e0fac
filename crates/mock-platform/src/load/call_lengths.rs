use std::time::Duration;

use crate::plan::{CallBuffer, Simulator};

/// How long the calls of a plan last, from their beginning to their last webhook: a sample of them.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// use piopiy_mock_platform::load::CallLengths;
/// use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator};
///
/// let simulator = Simulator::new(&Scenario::default(), PlanOptions::default());
/// let lengths = CallLengths::of(&simulator, 1.0);
/// assert!(lengths.mean() > Duration::from_secs(10));
/// // Of the calls that are to be in progress at once, few are so soon after the first of them began.
/// assert!(lengths.part_in_progress(Duration::from_secs(1)) < 0.1);
/// ```
#[derive(Debug, Clone)]
pub struct CallLengths {
    seconds: Vec<f64>,
}

impl CallLengths {
    /// The calls go by so much faster than in life.
    #[must_use]
    pub fn of(simulator: &Simulator, time_scale: f64) -> Self {
        const SAMPLE: u64 = 4_096;
        let mut buffer = CallBuffer::default();
        let length = |call| {
            simulator.write_call(call, &mut buffer);
            let end = buffer.webhooks().map(|(webhook, _)| webhook.at_ms).max();
            let ms = end.unwrap_or_default().saturating_sub(buffer.starts_at_ms());
            ms as f64 / 1e3 / time_scale
        };
        Self { seconds: (0..SAMPLE).map(length).collect() }
    }

    /// The mean length.
    #[must_use]
    pub fn mean(&self) -> Duration {
        seconds(self.mean_seconds())
    }

    pub(super) fn mean_seconds(&self) -> f64 {
        (self.seconds.iter().sum::<f64>() / self.seconds.len() as f64).max(1e-9)
    }

    /// Which part of the calls that an even rate keeps in progress are so, so long after the first of them began. As many end as begin only then when
    /// the first ones have ended.
    #[must_use]
    pub fn part_in_progress(&self, after: Duration) -> f64 {
        let after = after.as_secs_f64();
        let begun: f64 = self.seconds.iter().map(|length| length.min(after)).sum();
        begun / self.seconds.len() as f64 / self.mean_seconds()
    }

    /// After how long that part is reached, from 0 to 1.
    #[must_use]
    pub fn until_in_progress(&self, part: f64) -> Duration {
        let (mut low, mut high) = (0.0, self.seconds.iter().copied().fold(0.0, f64::max));
        // To a millionth of the longest.
        for _ in 0..20 {
            let middle = f64::midpoint(low, high);
            if self.part_in_progress(seconds(middle)) < part { low = middle } else { high = middle }
        }
        seconds(high)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_in_progress_grow_until_the_first_have_ended() {
        let lengths = CallLengths { seconds: vec![10.0, 30.0] };
        assert_eq!(lengths.mean(), Duration::from_secs(20));
        let part = |after| lengths.part_in_progress(Duration::from_secs(after));
        assert_eq!([part(0), part(10), part(20), part(30), part(99)], [0.0, 0.5, 0.75, 1.0, 1.0]);
        let until = lengths.until_in_progress(0.75).as_secs_f64();
        assert!((until - 20.0).abs() < 1e-3, "{until}");
    }
}
