use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

/// The wall clock, in microseconds since the epoch; the one place that reads it.
pub(crate) fn now_micros() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since_epoch.map_or(0, |elapsed| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}

/// The clock that nobody sets and that goes on while the machine sleeps. `std::time::Instant` does not count sleep on Linux, by which
/// a machine that woke up would look like one whose wall clock was set.
#[cfg(any(target_os = "linux", target_os = "android"))]
const STEADY: ClockId = ClockId::Boottime;
/// Elsewhere the system's monotonic clock: on macOS it counts sleep too, on the BSDs not always. Where it does not, nothing is forgotten
/// after a long sleep until the receiver is started again.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const STEADY: ClockId = ClockId::Monotonic;

fn steady_micros() -> i64 {
    let since_some_moment = Duration::try_from(clock_gettime(STEADY)).unwrap_or_default();
    i64::try_from(since_some_moment.as_micros()).unwrap_or(i64::MAX)
}

/// What the wall clock and the one that nobody sets said at one moment, in microseconds, so that it is seen later if the first was set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clocks {
    wall: i64,
    steady: i64,
}

impl Clocks {
    /// What they say now.
    pub(crate) fn now() -> Self {
        Self { wall: now_micros(), steady: steady_micros() }
    }

    /// By how much the wall clock was set since, whether ahead or back.
    pub(crate) fn drift(self) -> Duration {
        self.drift_until(Self::now())
    }

    /// What the wall clock said then, in microseconds since the epoch.
    pub(crate) fn wall(self) -> i64 {
        self.wall
    }

    /// How long that is ago, by the clock that nobody sets.
    pub(crate) fn passed(self) -> Duration {
        let passed = steady_micros().saturating_sub(self.steady);
        Duration::from_micros(u64::try_from(passed).unwrap_or_default())
    }

    fn drift_until(self, later: Self) -> Duration {
        let went = later.wall.saturating_sub(self.wall);
        let passed = later.steady.saturating_sub(self.steady);
        Duration::from_micros(went.saturating_sub(passed).unsigned_abs())
    }

    /// As if the wall clock had been set by so much since, ahead or back.
    #[cfg(test)]
    pub(crate) fn set_by(self, micros: i64) -> Self {
        Self { wall: self.wall - micros, ..self }
    }

    /// As if that had been so much longer ago.
    #[cfg(test)]
    pub(crate) fn ago(self, by: Duration) -> Self {
        let micros = i64::try_from(by.as_micros()).unwrap();
        Self { wall: self.wall - micros, steady: self.steady - micros }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[test]
    fn a_clock_that_was_set_is_seen_and_one_that_goes_is_not() {
        let clocks = Clocks::now();
        std::thread::sleep(Duration::from_millis(30));
        assert!(clocks.drift() < Duration::from_millis(25), "{:?}", clocks.drift());
        for hours in [-3, 3] {
            let drift = clocks.set_by(hours * HOUR).drift();
            assert!(drift.abs_diff(Duration::from_secs(3 * 3600)) < Duration::from_secs(1), "{drift:?}");
        }
    }

    #[test]
    fn a_machine_that_slept_is_none_whose_clock_was_set() {
        let check = |wall, steady, hours: u64| {
            let began = Clocks { wall: 1_764_000_000_000_000, steady: HOUR / 2 };
            let later = Clocks { wall: began.wall + wall, steady: began.steady + steady };
            assert_eq!(began.drift_until(later), Duration::from_secs(hours * 3600), "{wall} {steady}");
        };
        check(9 * HOUR, 9 * HOUR, 0);
        check(9 * HOUR, HOUR, 8);
        check(-2 * HOUR, HOUR, 3);
        check(0, 2 * HOUR, 2);
        let never = Clocks { wall: i64::MIN, steady: 0 };
        assert!(never.drift_until(Clocks { wall: i64::MAX, steady: 0 }) > Duration::from_secs(1 << 40));
    }
}
