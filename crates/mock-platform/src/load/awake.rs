/// Whether threads sleep between instants. A core that sleeps is woken late where others want the machine: by some 50 µs on a virtual
/// machine, and now and then by milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Awake {
    /// They do not where instants are less than a millisecond apart and a core is left for others: fewer threads than the machine has cores, and no quota on CPU
    /// time, which waiting would use up.
    #[default]
    Auto,
    /// They never do: each takes up a core.
    Always,
    /// They always do.
    Never,
}

/// What is waited for awake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// The last moments alone.
    Asleep,
    /// What is so near.
    AwakeIfNear,
    Awake,
}

impl Waits {
    /// Whether an alarm is set for an instant that is so far away.
    pub(super) fn may_sleep(self, left_ns: u64) -> bool {
        match self {
            Self::Asleep => true,
            Self::AwakeIfNear => left_ns > NEAR_NS,
            Self::Awake => false,
        }
    }
}

/// Nearer instants are not slept until, where a core is to be had.
const NEAR_NS: u64 = 1_000_000;

impl Awake {
    /// How so many threads wait on this machine.
    pub(super) fn of(self, threads: usize) -> Waits {
        match self {
            Self::Always => Waits::Awake,
            Self::Never => Waits::Asleep,
            Self::Auto if leaves_a_core(threads, Cores::here()) => Waits::AwakeIfNear,
            Self::Auto => Waits::Asleep,
        }
    }
}

/// The cores of a machine.
#[derive(Debug, Clone, Copy)]
struct Cores {
    online: usize,
    /// Those that this process may run on.
    allowed: usize,
    /// As many as its time is enough for.
    paid: usize,
}

impl Cores {
    /// Of whom nobody knows what there is, nothing is left over.
    #[cfg(target_os = "linux")]
    fn here() -> Option<Self> {
        let online = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
        let allowed = rustix::thread::sched_getaffinity(None).ok()?.count() as usize;
        let paid = std::thread::available_parallelism().ok()?.get();
        Some(Self { online: count(online.trim())?, allowed, paid })
    }

    #[cfg(not(target_os = "linux"))]
    fn here() -> Option<Self> {
        None
    }
}

fn leaves_a_core(threads: usize, cores: Option<Cores>) -> bool {
    cores.is_some_and(|cores| {
        threads < cores.online && threads <= cores.allowed && cores.paid >= cores.allowed
    })
}

/// How many there are in a list such as `0-3,8`.
#[cfg(target_os = "linux")]
fn count(list: &str) -> Option<usize> {
    list.split(',').try_fold(0, |sum, part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        Some(sum + last.checked_sub(first)? + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_core_is_left_where_there_are_more_than_threads_and_no_quota() {
        let check = |threads, [online, allowed, paid]: [usize; 3], expected| {
            let found = leaves_a_core(threads, Some(Cores { online, allowed, paid }));
            assert_eq!(found, expected, "{threads} threads, {online} {allowed} {paid}");
        };
        check(1, [2, 2, 2], true);
        check(2, [2, 2, 2], false);
        // Pinned to a core of its own.
        check(1, [2, 1, 1], true);
        check(2, [4, 1, 1], false);
        // Half of a core's time.
        check(1, [64, 64, 1], false);
        assert!(!leaves_a_core(1, None), "where nothing is known");
    }

    #[test]
    fn what_is_near_is_waited_for_awake() {
        let may_sleep = |waits: Waits| [NEAR_NS, NEAR_NS + 1].map(|left_ns| waits.may_sleep(left_ns));
        assert_eq!(may_sleep(Waits::Asleep), [true, true]);
        assert_eq!(may_sleep(Waits::AwakeIfNear), [false, true]);
        assert_eq!(may_sleep(Waits::Awake), [false, false]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn cores_are_counted() {
        let counts = ["0", "0-1", "0-3,8", "0,2-4", "", "3-1", "all"].map(count);
        assert_eq!(counts, [Some(1), Some(2), Some(5), Some(4), None, None, None]);
        assert!(Cores::here().is_some_and(|cores| cores.online >= cores.allowed && cores.paid > 0));
    }
}
