use std::cell::Cell;
use std::io;
use std::rc::Rc;

use tokio::task::yield_now;

use super::awake::Waits;
use super::clock::{Alarm, MOST_AHEAD_NS, now_ns};

/// Waits for instants. An alarm wakes a sleeping core late, by as much as half a tenth of a millisecond on a virtual machine: so it
/// is set ahead by what it was late of late, and the rest is waited for awake; where a core is to be had, whatever is near ([`Waits`]). Meanwhile the runtime goes on
/// with what there is.
///
/// Whoever else wants the core gets it while this sleeps. Where instants are too close to sleep between them it is given away awake, but not
/// shortly before one: what is given away comes back when the scheduler's clock ticks, after milliseconds.
pub(super) struct Watch {
    alarm: Alarm,
    waits: Waits,
    /// How late the alarm is, as a mean that forgets.
    late_ns: u64,
    waited_ns: Rc<Cell<u64>>,
}

/// The mean moves by this part of what is new.
const NEW: u64 = 16;
/// So shortly before an instant the core is kept.
const KEEPS_NS: u64 = 30_000;
/// So near, nothing else is looked after.
const SPIN_NS: u64 = 4_000;
/// What takes longer between two looks at the clock was no waiting: the core was somebody else's.
const LOOK_NS: u64 = 20_000;

impl Watch {
    pub(super) fn new(waits: Waits) -> io::Result<Self> {
        Ok(Self { alarm: Alarm::new()?, waits, late_ns: MOST_AHEAD_NS / 2, waited_ns: Rc::default() })
    }

    /// CPU time for which it was awake, and nothing was done; it goes on while it waits.
    pub(super) fn waited_ns(&self) -> Rc<Cell<u64>> {
        Rc::clone(&self.waited_ns)
    }

    /// What it was awake for until now is of another time.
    pub(super) fn begin(&mut self) {
        self.waited_ns.set(0);
    }

    /// Waits until an instant of the clock; `done` counts what the runtime does meanwhile. Others have their turn, past as it may be.
    pub(super) async fn until(&mut self, at_ns: u64, done: impl Fn() -> u64) -> io::Result<()> {
        let mut now = now_ns();
        if now >= at_ns {
            yield_now().await;
            return Ok(());
        }
        let wake_ns = at_ns.saturating_sub(ahead_ns(self.late_ns));
        let sleeps = now < wake_ns && self.waits.may_sleep(at_ns - now);
        if sleeps {
            self.alarm.until(wake_ns).await?;
            now = now_ns();
            self.late_ns = mean_ns(self.late_ns, now.saturating_sub(wake_ns));
        }
        let mut done_before = done();
        while now < at_ns {
            if at_ns - now < SPIN_NS {
                // The runtime would be at something else when it is time.
                std::hint::spin_loop();
                let later = now_ns();
                self.waited_ns.set(self.waited_ns.get() + (later - now).min(SPIN_NS));
                now = later;
                continue;
            }
            yield_now().await;
            if gives_way(sleeps, at_ns - now) {
                std::thread::yield_now();
            }
            let (later, done_now) = (now_ns(), done());
            if done_now == done_before && later - now < LOOK_NS {
                self.waited_ns.set(self.waited_ns.get() + later - now);
            }
            (now, done_before) = (later, done_now);
        }
        Ok(())
    }
}

/// Whether somebody else may have the core, so long before an instant.
fn gives_way(has_slept: bool, left_ns: u64) -> bool {
    !has_slept && left_ns > KEEPS_NS
}

/// How far ahead of an instant it is woken whose alarm is late by so much: twice that, for it varies.
fn ahead_ns(late_ns: u64) -> u64 {
    (2 * late_ns).min(MOST_AHEAD_NS)
}

fn mean_ns(mean: u64, new: u64) -> u64 {
    mean - mean / NEW + new.min(MOST_AHEAD_NS) / NEW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_woken_ahead_by_twice_what_alarms_are_late_and_no_more_than_is_bearable() {
        let after = |late: u64| (0..200).fold(0, |mean, _| mean_ns(mean, late));
        let ahead = ahead_ns(after(10_000));
        assert!((18_000..=20_000).contains(&ahead), "{ahead}");
        assert_eq!(ahead_ns(after(u64::MAX)), MOST_AHEAD_NS);
        // One that was late by far, as whoever is stopped is, changes little.
        assert!(ahead_ns(mean_ns(after(10_000), 3_000_000_000)) <= 20_000 + 2 * MOST_AHEAD_NS / NEW);
    }

    #[tokio::test]
    async fn whoever_is_late_lets_others_have_their_turn() {
        let (to, mut told) = tokio::sync::oneshot::channel();
        let told_by = tokio::spawn(async move { to.send(()) });
        let mut watch = Watch::new(Waits::Asleep).unwrap();
        watch.until(0, || 0).await.unwrap();
        assert_eq!(told.try_recv(), Ok(()), "nothing is read and nobody heard where it is behind");
        told_by.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn whoever_stays_awake_has_waited_all_the_time_for_which_the_core_was_his() {
        let mut watch = Watch::new(Waits::Awake).unwrap();
        let began = now_ns();
        watch.until(began + 5_000_000, || 0).await.unwrap();
        let (took, waited) = (now_ns() - began, watch.waited_ns().get());
        assert!(took >= 5_000_000 && waited <= took, "{waited} of {took}");
        assert_eq!(watch.late_ns, MOST_AHEAD_NS / 2, "no alarm was set that could be late");
    }

    #[test]
    fn the_core_is_given_away_where_there_is_no_sleep_and_never_shortly_before_an_instant() {
        assert!(gives_way(false, 100_000));
        assert!(!gives_way(false, 30_000));
        // Whoever else wanted it had it in the sleep.
        assert!(!gives_way(true, 100_000));
    }
}
