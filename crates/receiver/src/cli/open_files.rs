//! Room for connections under the system's limit on open files.

use piopiy_receiver::{Destination, Page};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files besides connections: the store, its log, sockets that listen, what a runtime opens.
const OTHERS: u64 = 64;

/// Raises the limit on open files so that this many connections fit, beside those of a page and to destinations, as far as
/// the system lets us; how many do fit.
pub(crate) fn allow(connections: usize, has_page: bool, destinations: &[Destination]) -> usize {
    let shown = if has_page { Page::MOST_CONNECTIONS } else { 0 };
    let others = destinations.iter().fold(shown, |sum, it| sum.saturating_add(it.concurrency));
    let limit = getrlimit(Resource::Nofile);
    let (wanted, allowed) = plan(connections, others, limit);
    if let Some(soft) = wanted {
        let raised = Rlimit { current: Some(soft), maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "cannot raise the limit on open files");
            return plan(connections, others, Rlimit { maximum: limit.current, ..limit }).1;
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
fn plan(connections: usize, others: usize, limit: Rlimit) -> (Option<u64>, usize) {
    let others = OTHERS.saturating_add(others as u64);
    let needed = (connections as u64).saturating_add(others);
    let reachable = limit.maximum.unwrap_or(u64::MAX).min(needed);
    let raised = limit.current.filter(|soft| *soft < reachable).map(|_| reachable);
    let files = raised.or(limit.current).unwrap_or(u64::MAX).min(needed);
    // Whatever else there is, webhooks have half.
    let fitting = files.saturating_sub(others).max(files.saturating_sub(OTHERS) / 2);
    (raised, usize::try_from(fitting).unwrap_or(usize::MAX).clamp(1, connections.max(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_needed_and_allowed() {
        let among = |others, connections, current, maximum, expected| {
            let limit = Rlimit { current, maximum };
            assert_eq!(plan(connections, others, limit), expected, "{connections} and {others} of {limit:?}");
        };
        let check =
            |connections, current, maximum, expected| among(0, connections, current, maximum, expected);
        check(4096, Some(1024), Some(20_000), (Some(4160), 4096));
        check(4096, Some(20_000), Some(20_000), (None, 4096));
        check(4096, Some(1024), Some(2048), (Some(2048), 1984));
        check(4096, Some(1024), Some(1024), (None, 960));
        check(4096, Some(1024), None, (Some(4160), 4096));
        check(4096, None, None, (None, 4096));
        check(4096, Some(16), Some(16), (None, 1));
        among(136, 4096, Some(1024), Some(20_000), (Some(4296), 4096));
        among(136, 4096, Some(1024), Some(1024), (None, 824));
        among(9000, 4096, Some(1024), Some(1024), (None, 480));
        among(9000, 100, Some(1024), Some(1024), (None, 100));
    }
}
