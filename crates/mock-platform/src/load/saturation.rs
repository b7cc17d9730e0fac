//! Whether the generator itself was the bottleneck. Pure.

/// What is known of how the generator did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    /// Half of the webhooks, and 99 in 100, found the generator awake so late, in microseconds.
    pub(super) lag_p50_us: u64,
    pub(super) lag_p99_us: u64,
    /// Connections that it could not open for want of files or ports.
    pub(super) out_of_sockets: u64,
    /// The part of its threads' time in which they ran on a CPU.
    pub(super) cpu: Option<f64>,
    /// For how long it was on.
    pub(super) seconds: f64,
    /// Webhooks per second that were due, and that were sent.
    pub(super) due_per_second: f64,
    pub(super) sent_per_second: f64,
}

/// Half of all that are late by so much are no chance of scheduling.
const LAG_P50_US: u64 = 1_000;
/// A virtual machine is away for a few milliseconds now and then.
const LAG_P99_US: u64 = 20_000;
/// A thread that is busier has no reserve.
const CPU: f64 = 0.95;
/// So long it takes to tell.
const CPU_AFTER_S: f64 = 1.0;
/// Of what it did at its limit, it does so much with ease.
const EASE: f64 = 0.7;

/// Why the numbers say nothing of the receiver, with the rate at which they would; `None` where they do.
pub(super) fn saturation(signs: &Signs) -> Option<String> {
    if let Some(sign) = out_of_sockets(signs.out_of_sockets) {
        return Some(sign);
    }
    // A run of a moment is over before there is anything to tell.
    let cpu = signs.cpu.filter(|_| signs.seconds >= CPU_AFTER_S).unwrap_or_default();
    let sign = if signs.lag_p50_us > LAG_P50_US || signs.lag_p99_us > LAG_P99_US {
        let ms = |us: u64| us as f64 / 1e3;
        format!(
            "it woke up {:.1} ms late for half of the webhooks, and {:.1} ms for one in a hundred",
            ms(signs.lag_p50_us),
            ms(signs.lag_p99_us)
        )
    } else if cpu > CPU {
        format!("its threads were busy {:.0} % of the time", cpu * 100.0)
    } else {
        return None;
    };
    let fine = signs.sent_per_second.min(signs.due_per_second) * EASE;
    Some(format!("{sign}; at about {fine:.0} webhooks per second it would have been fine"))
}

/// What holds at full speed as well: it did not have the connections that were asked for.
pub(super) fn out_of_sockets(count: u64) -> Option<String> {
    (count > 0).then(|| {
        let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
        format!(
            "{times} it could not open a connection, for this machine had no more sockets for it: \
             allow more open files (`ulimit -n`) or local ports, or give fewer --connections"
        )
    })
}

/// What is known of webhooks that found no room.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Due, and not sent, for so many waited already.
    pub(super) dropped: u64,
    pub(super) most_waiting: usize,
    /// How many may be in flight at once.
    pub(super) connections: usize,
}

/// Why not all was sent, where that is not the generator's fault: it was awake for each webhook, and there was none among its connections
/// on which it could have been sent. `None` where all was.
pub(super) fn gave_way(room: &Room) -> Option<String> {
    let Room { dropped, most_waiting, connections } = *room;
    (dropped > 0).then(|| {
        format!(
            "in-flight limit: {dropped} webhooks were dropped, for none of {connections} connections was free and {most_waiting} waited already; \
             the receiver is too slow for so many, or --connections or --backlog are too few"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINE: Signs = Signs {
        lag_p50_us: 20,
        lag_p99_us: 4_000,
        out_of_sockets: 0,
        cpu: Some(0.5),
        seconds: 10.0,
        due_per_second: 2_000.0,
        sent_per_second: 2_000.0,
    };

    fn check(signs: Signs, expected: Option<&str>) {
        let told = saturation(&signs);
        match expected {
            None => assert_eq!(told, None),
            Some(expected) => assert!(told.as_ref().is_some_and(|told| told.contains(expected)), "{told:?}"),
        }
    }

    #[test]
    fn each_sign_is_named_with_a_rate_that_is_fine() {
        check(FINE, None);
        check(Signs { lag_p50_us: 1_500, ..FINE }, Some("1.5 ms late for half"));
        check(Signs { lag_p99_us: 30_000, ..FINE }, Some("30.0 ms for one in a hundred"));
        check(Signs { cpu: Some(0.99), ..FINE }, Some("busy 99 %"));
        check(Signs { cpu: Some(0.99), sent_per_second: 1_000.0, ..FINE }, Some("about 700 webhooks"));
        check(Signs { cpu: None, ..FINE }, None);
        check(Signs { cpu: Some(3.0), seconds: 0.001, ..FINE }, None);
        check(Signs { out_of_sockets: 3, ..FINE }, Some("allow more open files"));
    }

    #[test]
    fn webhooks_that_find_no_room_are_no_sign_of_the_generator() {
        let room = Room { dropped: 0, most_waiting: 900, connections: 8 };
        assert_eq!(gave_way(&room), None);
        let told = gave_way(&Room { dropped: 7, ..room }).unwrap();
        assert!(
            told.starts_with("in-flight limit: 7 webhooks were dropped, for none of 8 connections"),
            "{told}"
        );
    }
}
