use std::time::{Duration, Instant, SystemTime};

/// The wall clock, in microseconds since the epoch; the one place that reads it.
pub(crate) fn now_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.map_or(0, |elapsed| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}

/// What the wall clock and the one that nobody sets said at one moment, so that it is seen later if the first was set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    wall: i64,
    steady: Instant,
}

impl Clocks {
    /// What they say now.
    pub(crate) fn now() -> Self {
        Self { wall: now_micros(), steady: Instant::now() }
    }

    /// By how much the wall clock was set since, whether ahead or back.
    pub(crate) fn drift(&self) -> Duration {
        let elapsed = i64::try_from(self.steady.elapsed().as_micros()).unwrap_or(i64::MAX);
        let expected = self.wall.saturating_add(elapsed);
        Duration::from_micros(now_micros().saturating_sub(expected).unsigned_abs())
    }

    /// As if the wall clock had been set by so much since, ahead or back.
    #[cfg(test)]
    pub(crate) fn set_by(self, micros: i64) -> Self {
        Self { wall: self.wall - micros, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_is_seen_and_one_that_goes_is_not() {
        let clocks = Clocks::now();
        std::thread::sleep(Duration::from_millis(30));
        assert!(clocks.drift() < Duration::from_millis(25), "{:?}", clocks.drift());
        for hours in [-3, 3] {
            let drift = clocks.set_by(hours * 3_600_000_000).drift();
            assert!(drift.abs_diff(Duration::from_secs(3 * 3600)) < Duration::from_secs(1), "{drift:?}");
        }
    }
}
