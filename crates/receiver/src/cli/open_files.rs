//! Room for connections under the system's limit on open files.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files besides connections: the store, its log, sockets that listen, what a runtime opens.
const OTHERS: u64 = 64;

/// Raises the limit on open files so that this many connections fit, as far as the system lets us; how many do fit.
pub(crate) fn allow(connections: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let (wanted, allowed) = plan(connections, limit);
    if let Some(soft) = wanted {
        let raised = Rlimit { current: Some(soft), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "cannot raise the limit on open files");
            return plan(connections, Rlimit { maximum: limit.current, ..limit }).1;
        }
    }
    if allowed < connections {
        tracing::warn!(
            asked = connections,
            allowed,
            "fewer connections than asked for: the system allows no more open files (ulimit -Hn)"
        );
    }
    allowed
}

/// What the soft limit must be raised to, if it must, and how many connections fit then.
fn plan(connections: usize, limit: Rlimit) -> (Option<u64>, usize) {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OTHERS);
    let reachable = limit.maximum.unwrap_or(u64::MAX).min(needed);
    let raised = limit.current.filter(|soft| *soft < reachable).map(|_| reachable);
    let files = raised.or(limit.current).unwrap_or(u64::MAX).min(needed);
    let fitting = usize::try_from(files.saturating_sub(OTHERS)).unwrap_or(usize::MAX);
    (raised, fitting.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_needed_and_allowed() {
        let check = |connections, current, maximum, expected| {
            let limit = Rlimit { current, maximum };
            assert_eq!(plan(connections, limit), expected, "{connections} of {limit:?}");
        };
        check(4096, Some(1024), Some(20_000), (Some(4160), 4096));
        check(4096, Some(20_000), Some(20_000), (None, 4096));
        check(4096, Some(1024), Some(2048), (Some(2048), 1984));
        check(4096, Some(1024), Some(1024), (None, 960));
        check(4096, Some(1024), None, (Some(4160), 4096));
        check(4096, None, None, (None, 4096));
        check(4096, Some(16), Some(16), (None, 1));
    }
}
