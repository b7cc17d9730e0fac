use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Pace;

/// Virtual time against wall time. Virtual time is counted in microseconds from the start of the run.
///
/// Every instant is computed from the start, never from the instant before it, so nothing drifts. All clones are one
/// clock: what is skipped on one is skipped on all.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    origin: Instant,
    scale: f64,
    jump: bool,
    skipped_us: Arc<watch::Sender<u64>>,
}

impl Clock {
    pub(crate) fn start(pace: Pace) -> Self {
        Self { origin: Instant::now(), scale: pace.scale, jump: pace.jump, skipped_us: Arc::default() }
    }

    /// Virtual microseconds since the start.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "nanoseconds of a run fit in 53 bits for 104 days"
    )]
    pub(crate) fn now_us(&self) -> u64 {
        let wall_ns = self.origin.elapsed().as_nanos() as f64;
        (wall_ns * self.scale / 1e3).round() as u64 + *self.skipped_us.borrow()
    }

    /// The wall instant at which virtual time reaches `virtual_us`.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "nanoseconds of a run fit in 53 bits for 104 days"
    )]
    pub(crate) fn instant_of(&self, virtual_us: u64) -> Instant {
        let ahead_us = virtual_us.saturating_sub(*self.skipped_us.borrow()) as f64;
        self.origin + Duration::from_nanos((ahead_us * 1e3 / self.scale).ceil() as u64)
    }

    /// Skips the gap up to `virtual_us`, if gaps are skipped. Nobody is told: only what waits for nothing else does it.
    pub(crate) fn skip_to(&self, virtual_us: u64) {
        if self.jump {
            let gap = virtual_us.saturating_sub(self.now_us());
            self.skipped_us.send_if_modified(|skipped| {
                *skipped += gap;
                false
            });
        }
    }

    /// Moves virtual time forward, and tells everyone who sleeps.
    pub(crate) fn advance(&self, by_us: u64) {
        self.skipped_us.send_modify(|skipped| *skipped = skipped.saturating_add(by_us));
    }

    /// Tells when time was moved forward.
    pub(crate) fn advances(&self) -> watch::Receiver<u64> {
        self.skipped_us.subscribe()
    }

    /// Sleeps until virtual time reaches `virtual_us`.
    pub(crate) async fn sleep_until(&self, virtual_us: u64) {
        let mut advances = self.advances();
        while self.now_us() < virtual_us {
            tokio::select! {
                () = sleep_until(self.instant_of(virtual_us)) => {}
                // The sender lives as long as this clock.
                _ = advances.changed() => {}
            }
        }
    }
}

/// Wall time: milliseconds since 1970.
#[must_use]
pub fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_instant_is_reached_when_its_wall_time_has_passed() {
        for scale in [0.5, 1.0, 3.0, 600.0, 86_400.0] {
            let clock = Clock::start(Pace::scaled(scale));
            for due_us in [0, 1, 299_999_999, 1_800_000_000] {
                sleep_until(clock.instant_of(due_us)).await;
                let reached = clock.now_us();
                assert!(reached >= due_us, "{scale}: {reached} < {due_us}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_jump_skips_the_gap_and_only_forwards() {
        let clock = Clock::start(Pace::jump());
        clock.skip_to(1_000_000);
        assert_eq!(clock.now_us(), 1_000_000);
        tokio::time::advance(Duration::from_millis(5)).await;
        assert_eq!(clock.now_us(), 1_005_000);
        clock.skip_to(1_000);
        assert_eq!(clock.now_us(), 1_005_000);
        assert_eq!(clock.instant_of(1_005_000), Instant::now());

        let real = Clock::start(Pace::default());
        real.skip_to(1_000_000);
        assert_eq!(real.now_us(), 0, "real time does not jump");
    }

    #[tokio::test(start_paused = true)]
    async fn who_sleeps_is_woken_where_time_is_moved_forward() {
        let clock = Clock::start(Pace::default());
        let began = Instant::now();
        let sleeper = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(1_800_000_000).await }
        });
        tokio::task::yield_now().await;
        clock.advance(1_799_000_000);
        sleeper.await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(1), "the rest is waited for");
    }
}
