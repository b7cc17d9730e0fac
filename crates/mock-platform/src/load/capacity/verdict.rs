//! Whether a trial shows that the receiver does not take its rate. Pure.

use super::CapacityOptions;
use crate::load::audit::LoadAudit;
use crate::load::report::LoadInterval;
use crate::load::saturation::is_own_lateness;
use crate::load::{LoadReport, LoadSummary};

/// What a trial shows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Shown {
    /// Why its rate does not do, what was first in front.
    pub(super) gave_way: Option<String>,
    /// Why it shows nothing: it was slow, and may have been so for want of the generator alone.
    pub(super) inconclusive: Option<String>,
}

/// What a trial shows; `rested_us` is the latency of half of the webhooks at the rate at which it was least.
pub(super) fn shown(report: &LoadReport, capacity: &CapacityOptions, rested_us: u64) -> Shown {
    let summary = &report.summary;
    let bound_us = capacity.p99.as_secs_f64() * 1e6;
    let (p99_us, lag_us) = (summary.latency_us.p99, summary.scheduling_lag_us.p99);
    let slow = (p99_us as f64 >= bound_us)
        .then(|| format!("p99 was {:.1} ms, not below {} ms", p99_us as f64 / 1e3, bound_us / 1e3));
    let is_own = is_own_lateness(p99_us, lag_us, bound_us);
    let errors = || {
        let kinds: Vec<String> =
            summary.errors_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        (summary.errors > 0).then(|| format!("{} errors ({})", summary.errors, kinds.join(", ")))
    };
    let began = |is_so: &dyn Fn(&LoadInterval) -> bool| {
        let first = report.series.iter().find(|interval| is_so(interval));
        first.or(report.series.last()).map_or(0.0, |interval| interval.at_s)
    };
    let mut timed = Vec::new();
    if let Some(told) = errors() {
        timed.push((began(&|interval| interval.errors > 0), told));
    }
    if let Some(told) = &report.gave_way {
        timed.push((dropped_at(&report.series, summary), told.clone()));
    }
    if let Some(told) = slow.clone().filter(|_| !is_own) {
        let is_slow =
            |interval: &LoadInterval| interval.latencies().value_at_quantile(0.99) as f64 >= bound_us;
        timed.push((began(&is_slow), told));
    }
    let gave_way = match (untimed(report), in_order(timed)) {
        // Whoever looks at effects sees them when they come, and not when they were due.
        (Some(untimed), Some(timed)) => Some(format!("{untimed}; before that or after it: {timed}")),
        (untimed, timed) => untimed.or(timed),
    };
    let gave_way = gave_way.or_else(|| falls_behind(report, rested_us));
    let inconclusive = slow.filter(|_| is_own && gave_way.is_none()).map(|slow| {
        let late = lag_us as f64 / 1e3;
        format!("{slow}, and it woke up {late:.1} ms late itself for one in a hundred webhooks")
    });
    Shown { gave_way, inconclusive }
}

/// What is known of the receiver's effects, and not since when.
fn untimed(report: &LoadReport) -> Option<String> {
    let unsettled = || {
        let audit = report.audit.as_ref().filter(|audit| audit.is_unsettled)?;
        Some(match audit.lost {
            0 => "its effects did not cease long after the last webhook".to_owned(),
            late => {
                format!("it did not come to rest: {late} webhooks had no effect long after the last one")
            }
        })
    };
    let unseen = report.audit_failed.as_ref();
    let unseen = unseen.map(|why| format!("its effects could not be seen any more: {why}"));
    unseen.or_else(unsettled).or_else(|| report.audit.as_ref().and_then(wrong))
}

/// When webhooks found no room: more were due and not sent than waited at any time.
fn dropped_at(series: &[LoadInterval], summary: &LoadSummary) -> f64 {
    let (mut due, mut sent) = (0, 0);
    let first = series.iter().find(|interval| {
        due += interval.planned;
        sent += interval.sent;
        due.saturating_sub(sent) > summary.most_waiting as u64
    });
    let last_due = || series.iter().rfind(|interval| interval.planned > 0);
    first.or_else(last_due).map_or(0.0, |interval| interval.at_s)
}

/// What began when, one after the other.
fn in_order(mut began: Vec<(f64, String)>) -> Option<String> {
    began.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut at_s = began.first()?.0;
    let told = began.into_iter().enumerate().map(|(place, (began_s, told))| {
        let after_s = began_s - std::mem::replace(&mut at_s, began_s);
        match place {
            0 => told,
            _ if after_s > 0.0 => format!("{after_s} s later {told}"),
            _ => format!("at about the same time {told}"),
        }
    });
    Some(told.collect::<Vec<_>>().join("; "))
}

/// Why a rate does not do after all: what its trial was found to have done when it was over.
pub(super) fn gave_way_late(audit: &LoadAudit) -> Option<String> {
    wrong(audit).map(|wrong| format!("{wrong}, as was seen when it was over"))
}

fn wrong(audit: &LoadAudit) -> Option<String> {
    let changed = audit.corrupted + audit.stale_overwrite + audit.phantom;
    let counts = [
        (audit.lost, "webhooks were lost"),
        (audit.duplicated, "webhooks were doubled"),
        (changed, "effects were wrong"),
    ];
    counts.into_iter().find(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"))
}

/// A queue that only grows: the last wait for longest, many nearly as long, and not all alike. Whatever waits for a connection
/// is in the queue as well, so it is the instants at which webhooks were due that count, and not those at which they were sent.
fn falls_behind(report: &LoadReport, rested_us: u64) -> Option<String> {
    let summary = &report.summary;
    let lasted_us = summary.due_for_s * 1e6;
    let over = |us: u64| us.saturating_sub(rested_us) as f64;
    let times = &summary.latency_us;
    let (half, many, most) = (over(times.p50), over(times.p90), over(times.p99));
    let last = over(((summary.seconds - summary.due_for_s) * 1e6).max(0.0) as u64);
    let grows = many > 0.018 * lasted_us && 2.0 * many >= most && most > 1.4 * half && last > 0.8 * most;
    grows.then(|| {
        let kept = summary.attempts as f64 / summary.seconds.max(f64::MIN_POSITIVE);
        format!("it fell behind: it answered {kept:.1} a second")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::report::testing::{Sent, report};

    /// Two seconds of webhooks, each of which waits so many microseconds, by when it is due.
    fn waited(us: impl Fn(u64) -> u64) -> LoadReport {
        let one =
            |n: u64| Sent { due_ns: n * 2_000_000, latency_ns: us(n * 2_000) * 1_000, is_acknowledged: true };
        report(&(0..1_000).map(one).collect::<Vec<_>>())
    }

    fn check(us: impl Fn(u64) -> u64, rested_us: u64, expected: bool) {
        let report = waited(us);
        let told = shown(&report, &CapacityOptions::new(Duration::from_secs(60)), rested_us).gave_way;
        assert_eq!(told.is_some(), expected, "{told:?}: {report}");
        assert!(told.is_none_or(|told| told.starts_with("it fell behind: it answered 4")));
    }

    #[test]
    fn a_queue_that_grows_is_told_from_one_that_does_not() {
        // One in twenty more than it takes.
        check(|due| 500 + due / 20, 500, true);
        // However many connections there are: those that wait for one have not been sent, and are late all the same.
        let mut few = waited(|due| 500 + due / 20);
        few.summary.sent_per_second = few.summary.attempts as f64 / few.summary.seconds;
        assert!(falls_behind(&few, 500).is_some(), "{few}");
        // It had room for half of the time.
        check(|due| 500 + due.saturating_sub(1_000_000) / 10, 500, true);
        // The first rate that was tried was too much already.
        check(|due| 500 + due / 10, 100_000, true);
        // It takes longer at this rate, and always as long.
        check(|_| 150_000, 500, false);
        check(|due| 150_000 + due % 7_000, 500, false);
        // A stall on the way, and one in the end.
        check(|due| 500 + 400_000_u64.saturating_sub(due.abs_diff(900_000)), 500, false);
        check(|due| 500 + due.saturating_sub(1_900_000), 500, false);
        // Within what a search tells apart.
        check(|due| 500 + due / 100, 500, false);
    }

    #[test]
    fn what_cannot_be_seen_or_finds_no_room_does_not_do() {
        let capacity = CapacityOptions::new(Duration::from_secs(60));
        let mut report = waited(|_| 500);
        assert_eq!(shown(&report, &capacity, 500).gave_way, None);
        report.gave_way = Some("in-flight limit: 7 webhooks were dropped".to_owned());
        assert!(shown(&report, &capacity, 500).gave_way.unwrap().starts_with("in-flight limit"));
        report.audit_failed = Some("nobody answers".to_owned());
        let told = shown(&report, &capacity, 500).gave_way.unwrap();
        assert!(told.starts_with(
            "its effects could not be seen any more: nobody answers; before that or after it: in-flight"
        ));
    }

    #[test]
    fn what_has_not_settled_is_not_called_lost() {
        let mut report = waited(|_| 500);
        let audit = LoadAudit { is_unsettled: true, lost: 7, ..LoadAudit::default() };
        report.audit = Some(audit.clone());
        let capacity = CapacityOptions::new(Duration::from_secs(1));
        let told = shown(&report, &capacity, 500).gave_way.unwrap();
        assert!(told.contains("did not come to rest: 7 webhooks"), "{told}");
        report.audit = Some(LoadAudit { is_unsettled: false, ..audit.clone() });
        assert_eq!(shown(&report, &capacity, 500).gave_way.unwrap(), "7 webhooks were lost");
        report.audit = Some(LoadAudit { lost: 0, ..audit });
        assert!(shown(&report, &capacity, 500).gave_way.unwrap().contains("did not cease"));
    }

    /// A webhook in each tenth of a second, with its latency in milliseconds, and whether it is acknowledged, by the second in which it is due.
    fn by_second(seconds: &[(u64, bool)]) -> LoadReport {
        let one = |n: u64| {
            let (latency_ms, is_acknowledged) = seconds[(n / 10) as usize];
            Sent { due_ns: n * 100_000_000, latency_ns: latency_ms * 1_000_000, is_acknowledged }
        };
        report(&(0..seconds.len() as u64 * 10).map(one).collect::<Vec<_>>())
    }

    #[test]
    fn what_gave_way_is_told_in_the_order_of_time() {
        let capacity = CapacityOptions::new(Duration::from_millis(50));
        let check = |report: &LoadReport, expected: &str| {
            assert_eq!(shown(report, &capacity, 500).gave_way.as_deref(), Some(expected), "{report}");
        };
        let (fine, slow, refused) = ((1, true), (60, true), (1, false));
        let slow_first = by_second(&[fine, slow, slow, refused]);
        check(&slow_first, "p99 was 60.0 ms, not below 50 ms; 2 s later 10 errors (no_connection 10)");
        let refused_first = by_second(&[fine, refused, slow]);
        check(&refused_first, "10 errors (no_connection 10); 1 s later p99 was 60.0 ms, not below 50 ms");
        let both = by_second(&[fine, (60, false)]);
        check(&both, "10 errors (no_connection 10); at about the same time p99 was 60.0 ms, not below 50 ms");
        check(&by_second(&[fine, refused]), "10 errors (no_connection 10)");
        // The room was full in the third second, when more had come than went and could wait.
        let mut full = by_second(&[fine, slow, fine, refused]);
        (full.gave_way, full.summary.most_waiting) = (Some("in-flight limit: 7".to_owned()), 5);
        (full.series[1].sent, full.series[2].sent) = (7, 5);
        check(
            &full,
            "p99 was 60.0 ms, not below 50 ms; 1 s later in-flight limit: 7; 1 s later 10 errors (no_connection 10)",
        );
        let audit = LoadAudit { lost: 3, ..LoadAudit::default() };
        let lost = LoadReport { audit: Some(audit), ..by_second(&[fine, refused]) };
        check(&lost, "3 webhooks were lost; before that or after it: 10 errors (no_connection 10)");
    }

    #[test]
    fn a_trial_that_is_only_slow_while_the_generator_was_late_shows_nothing() {
        let capacity = CapacityOptions::new(Duration::from_millis(10));
        let check = |latency_ms, lag_ms: u64, is_acknowledged, expected: [bool; 2]| {
            let mut report = by_second(&[(latency_ms, is_acknowledged); 3]);
            report.summary.scheduling_lag_us.p99 = lag_ms * 1_000;
            let Shown { gave_way, inconclusive } = shown(&report, &capacity, 500);
            assert_eq!(
                [gave_way.is_some(), inconclusive.is_some()],
                expected,
                "{gave_way:?} {inconclusive:?}"
            );
            let is_said = |told: &String| told.contains("it woke up 15.0 ms late itself");
            assert!(inconclusive.as_ref().is_none_or(is_said), "{inconclusive:?}");
        };
        check(16, 15, true, [false, true]);
        check(9, 15, true, [false, false]);
        check(16, 2, true, [true, false]);
        check(160, 15, true, [true, false]);
        // What it refuses it refuses, whoever is late.
        check(16, 15, false, [true, false]);
    }
}
