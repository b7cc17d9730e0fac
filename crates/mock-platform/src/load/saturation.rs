//! Whether the generator itself was the bottleneck. Pure.

/// What is known of how the generator did.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs {
    /// Half of the webhooks, and 99 in 100, found the generator awake so late, in microseconds.
    pub(super) lag_p50_us: u64,
    pub(super) lag_p99_us: u64,
    /// Connections that it could not open for want of files or ports.
    pub(super) out_of_sockets: u64,
    /// The part of its threads' time in which they ran on a CPU, in its busiest seconds.
    pub(super) cpu: Option<f64>,
    /// For how long it was on.
    pub(super) seconds: f64,
    /// What it sent in those seconds, in the unit in which its pace was given.
    pub(super) rate: f64,
    pub(super) unit: &'static str,
}

/// Why the numbers say nothing of the receiver.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Saturation {
    pub(super) why: String,
    /// The rate at which they would, in the unit of the pace; `None` where it was not the rate.
    pub(super) fine_at: Option<f64>,
}

/// Half of all that are late by so much are no chance of scheduling.
const LAG_P50_US: u64 = 1_000;
/// A virtual machine is away for a few milliseconds now and then.
const LAG_P99_US: u64 = 20_000;
/// A thread that is busier has no reserve.
const CPU: f64 = 0.95;
/// So long it takes to tell.
pub(super) const CPU_AFTER_S: f64 = 1.0;
/// So busy a thread does with ease what it does; one that was less so and late had no core to run on.
const EASE: f64 = 0.7;

/// Why the numbers say nothing of the receiver, with the rate at which they would where there is one; `None` where they do.
pub(super) fn saturation(signs: &Signs) -> Option<Saturation> {
    if let Some(why) = out_of_sockets(signs.out_of_sockets) {
        return Some(Saturation { why, fine_at: None });
    }
    // A run of a moment is over before there is anything to tell.
    let cpu = signs.cpu.filter(|_| signs.seconds >= CPU_AFTER_S);
    let is_late = signs.lag_p50_us > LAG_P50_US || signs.lag_p99_us > LAG_P99_US;
    if !is_late && !cpu.is_some_and(is_busy) {
        return None;
    }
    let ms = |us: u64| us as f64 / 1e3;
    let late = is_late.then(|| {
        let (half, most) = (ms(signs.lag_p50_us), ms(signs.lag_p99_us));
        format!(
            "it woke up {half:.1} ms late for half of the webhooks, and {most:.1} ms for one in a hundred"
        )
    });
    let busy = cpu.map(|cpu| format!("its threads were busy {:.0} % of the time", cpu * 100.0));
    let told: Vec<String> = late.into_iter().chain(busy).collect();
    let fine_at = cpu.filter(|cpu| *cpu > EASE).map(|cpu| signs.rate * EASE / cpu);
    let fine = match (fine_at, cpu) {
        (Some(fine), _) => {
            let digits = if fine < 10.0 { 2 } else { 0 };
            format!("at about {fine:.digits$} {} it would have been fine", signs.unit)
        }
        (None, Some(_)) => {
            "so it was not the rate, but this machine that kept the core from it: it is no better at a lower rate, give it a core that is free"
                .to_owned()
        }
        (None, None) => {
            "how busy its threads were is not known, and so no rate at which it would not have been late".to_owned()
        }
    };
    Some(Saturation { why: format!("{}; {fine}", told.join(", and ")), fine_at })
}

/// Whether threads that were on a CPU for such a part of their time have no reserve.
pub(super) fn is_busy(cpu: f64) -> bool {
    cpu > CPU
}

/// Whether a time that is not within its bound may be so for want of the generator alone: that it was late is much of the bound, and but for
/// that the bound would have held. The times are in microseconds.
pub(super) fn is_own_lateness(time_us: u64, lag_us: u64, bound_us: f64) -> bool {
    let lag_us = lag_us as f64;
    2.0 * lag_us >= bound_us && time_us as f64 - lag_us < bound_us
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
        rate: 2_000.0,
        unit: "webhooks per second",
    };

    fn check(signs: Signs, expected: Option<(&str, Option<f64>)>) {
        let told = saturation(&signs);
        match (&told, expected) {
            (None, None) => {}
            (Some(told), Some((why, fine_at))) => {
                assert!(told.why.contains(why), "{told:?}");
                assert_eq!(told.fine_at.map(libm::round), fine_at, "{told:?}");
                assert_eq!(told.why.contains("it would have been fine"), fine_at.is_some(), "{told:?}");
            }
            _ => panic!("{told:?}"),
        }
    }

    #[test]
    fn each_sign_is_named_with_a_rate_only_where_the_rate_was_the_cause() {
        check(FINE, None);
        check(Signs { cpu: None, ..FINE }, None);
        check(Signs { cpu: Some(3.0), seconds: 0.001, ..FINE }, None);
        // Its core is used up.
        check(Signs { cpu: Some(0.98), ..FINE }, Some(("busy 98 %", Some(1_429.0))));
        check(
            Signs { cpu: Some(0.98), rate: 1_000.0, ..FINE },
            Some(("about 714 webhooks per second", Some(714.0))),
        );
        let calls = Signs { cpu: Some(1.0), rate: 4.0, unit: "calls per second", ..FINE };
        check(calls, Some(("about 2.80 calls per second", Some(3.0))));
        let both = Signs { lag_p50_us: 1_500, cpu: Some(0.875), ..FINE };
        check(both, Some(("1.5 ms late for half", Some(1_600.0))));
        // A tenth of a core, or a machine that is away: no rate makes it any better.
        check(Signs { lag_p99_us: 30_000, ..FINE }, Some(("30.0 ms for one in a hundred", None)));
        let starved = Signs { lag_p50_us: 41_000, lag_p99_us: 90_000, cpu: Some(0.09), ..FINE };
        check(starved, Some(("kept the core from it", None)));
        check(Signs { cpu: None, ..starved }, Some(("is not known", None)));
        check(Signs { out_of_sockets: 3, ..FINE }, Some(("allow more open files", None)));
    }

    #[test]
    fn a_bound_is_broken_by_whoever_took_up_most_of_it() {
        let check = |time_us, lag_us, bound_us, expected| {
            assert_eq!(is_own_lateness(time_us, lag_us, bound_us), expected, "{time_us} {lag_us} {bound_us}");
        };
        check(15_300, 15_000, 10_000.0, true);
        check(10_100, 5_000, 10_000.0, true);
        check(10_100, 4_900, 10_000.0, false);
        // But for the 15 ms it would have been too slow as well.
        check(815_000, 15_000, 10_000.0, false);
        check(100, 0, 0.0, false);
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
