//! The clock of a load, and an alarm that is exact to some microseconds, where the runtime's own is to a millisecond.

use std::io;

#[cfg(target_os = "linux")]
pub(super) use self::linux::Alarm;
#[cfg(not(target_os = "linux"))]
pub(super) use self::other::Alarm;

/// No alarm is set further ahead of an instant: so late it is at most, but for what nobody can help.
pub(super) const MOST_AHEAD_NS: u64 = if cfg!(target_os = "linux") { 200_000 } else { 2_000_000 };

/// Nanoseconds of the system's monotonic clock.
#[cfg(unix)]
pub(super) fn now_ns() -> u64 {
    nanoseconds(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
}

/// CPU time of this thread, in nanoseconds; `None` where the system does not tell.
#[cfg(unix)]
pub(super) fn thread_cpu_ns() -> Option<u64> {
    Some(nanoseconds(rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime)))
}

#[cfg(unix)]
fn nanoseconds(time: rustix::time::Timespec) -> u64 {
    (time.tv_sec as u64).wrapping_mul(1_000_000_000).wrapping_add(time.tv_nsec as u64)
}

/// Nanoseconds since the first time that this was asked for.
#[cfg(not(unix))]
pub(super) fn now_ns() -> u64 {
    static FIRST: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    FIRST.get_or_init(std::time::Instant::now).elapsed().as_nanos() as u64
}

/// `None`: it is not asked for here.
#[cfg(not(unix))]
pub(super) fn thread_cpu_ns() -> Option<u64> {
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::OwnedFd;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::io;

    /// A timer that is a file descriptor (`timerfd_create(2)`).
    pub(in crate::load) struct Alarm(AsyncFd<OwnedFd>);

    impl Alarm {
        pub(in crate::load) fn new() -> io::Result<Self> {
            #![expect(
                deprecated,
                reason = "what took its place is unsafe; an `OwnedFd` that nobody else has stays open, which is all that it asks"
            )]
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
        }

        /// Waits until an instant of the clock.
        pub(in crate::load) async fn until(&self, at_ns: u64) -> io::Result<()> {
            let at = Timespec {
                tv_sec: (at_ns / 1_000_000_000) as i64,
                // An instant of 0 would be none.
                tv_nsec: (at_ns % 1_000_000_000).max(1) as i64,
            };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: at };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
            loop {
                let mut ready = self.0.readable().await?;
                let mut count = [0; 8];
                match rustix::io::read(self.0.get_ref(), &mut count) {
                    Ok(_) => {
                        // Read, it is not ready until it is set again.
                        ready.clear_ready();
                        return Ok(());
                    }
                    Err(rustix::io::Errno::AGAIN) => ready.clear_ready(),
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::time::Duration;

    use super::{io, now_ns};

    /// The timer of the runtime: exact to a millisecond.
    pub(in crate::load) struct Alarm;

    impl Alarm {
        pub(in crate::load) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        pub(in crate::load) async fn until(&self, at_ns: u64) -> io::Result<()> {
            tokio::time::sleep(Duration::from_nanos(at_ns.saturating_sub(now_ns()))).await;
            Ok(())
        }
    }
}
