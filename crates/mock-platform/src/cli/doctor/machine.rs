use std::time::{Duration, Instant};

use piopiy_mock_platform::deliver::wall_ms;
use tokio::time::sleep;

use super::Finding;

/// Files that the heaviest checks have open at once, and some to spare.
const FILES: u64 = 2_048;
/// Ports that they use up, for they are not free again for a minute.
const PORTS: u64 = 16_000;
/// 2025 in milliseconds since 1970: a clock that says less was never set.
const LEAST_WALL_MS: u64 = 1_735_689_600_000;
/// How much later than asked for a timer may ring.
const LATE: Duration = Duration::from_millis(50);

pub(super) async fn look() -> Vec<Finding> {
    vec![open_files(), ports(), clock(), timers().await]
}

#[cfg(unix)]
fn open_files() -> Finding {
    use rustix::process::{Resource, getrlimit};
    open_files_of(getrlimit(Resource::Nofile).current)
}

#[cfg(not(unix))]
fn open_files() -> Finding {
    Finding::ok("open files", "not limited here")
}

#[cfg_attr(not(unix), expect(dead_code, reason = "there is no such limit"))]
fn open_files_of(soft: Option<u64>) -> Finding {
    match soft {
        Some(soft) if soft < FILES => Finding::warn(
            "open files",
            format!("{soft} at once; checks with many connections may not come about"),
            format!("ulimit -n {FILES}, for the receiver too"),
        ),
        Some(soft) => Finding::ok("open files", format!("{soft} at once")),
        None => Finding::ok("open files", "not limited"),
    }
}

fn ports() -> Finding {
    match std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range") {
        Ok(range) => ports_of(&range),
        Err(_) => Finding::ok("ports", "how many there are for connections is not told here"),
    }
}

fn ports_of(range: &str) -> Finding {
    let mut ends = range.split_whitespace().filter_map(|end| end.parse::<u64>().ok());
    let (Some(first), Some(last)) = (ends.next(), ends.next()) else {
        return Finding::ok("ports", format!("cannot be read from {range:?}"));
    };
    let count = (last + 1).saturating_sub(first);
    let found = format!("{count} for connections, from {first} to {last}");
    if count < PORTS {
        Finding::warn("ports", found, "sysctl -w net.ipv4.ip_local_port_range='20000 60999'")
    } else {
        Finding::ok("ports", found)
    }
}

fn clock() -> Finding {
    let now = wall_ms();
    if now < LEAST_WALL_MS {
        let todo = "set it: receivers may refuse what is from another time";
        return Finding::fail("clock", format!("{now} ms since 1970, which is before 2025"), todo);
    }
    Finding::ok("clock", format!("{now} ms since 1970"))
}

/// A machine that is busy with other things makes a receiver look slow.
async fn timers() -> Finding {
    const ASKED: Duration = Duration::from_millis(20);
    let mut worst = Duration::ZERO;
    for _ in 0..5 {
        let began = Instant::now();
        sleep(ASKED).await;
        worst = worst.max(began.elapsed().saturating_sub(ASKED));
    }
    let found = format!("at most {:.1} ms late", worst.as_secs_f64() * 1_000.0);
    if worst > LATE {
        Finding::warn(
            "timers",
            found,
            "let nothing else run meanwhile: what is timed may come out inconclusive",
        )
    } else {
        Finding::ok("timers", found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Fitness;
    use super::*;

    #[test]
    fn limits_that_are_too_low_are_told_with_what_to_do() {
        for (soft, expected) in
            [(Some(1_024), Fitness::Warn), (Some(65_536), Fitness::Ok), (None, Fitness::Ok)]
        {
            assert_eq!(open_files_of(soft).verdict, expected, "{soft:?}");
        }
        for (range, expected) in
            [("32768\t60999\n", Fitness::Ok), ("60000\t60999\n", Fitness::Warn), ("nonsense", Fitness::Ok)]
        {
            let finding = ports_of(range);
            assert_eq!(
                (finding.verdict, finding.todo.is_some()),
                (expected, expected == Fitness::Warn),
                "{range:?}"
            );
        }
    }
}
