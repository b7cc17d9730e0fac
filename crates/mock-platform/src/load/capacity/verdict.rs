//! Whether a trial shows that the receiver does not take its rate. Pure.

use super::CapacityOptions;
use crate::load::LoadReport;
use crate::load::audit::LoadAudit;

/// Why a rate does not do; `rested_us` is the latency of half of the webhooks at the rate at which it was least.
pub(super) fn gave_way(report: &LoadReport, capacity: &CapacityOptions, rested_us: u64) -> Option<String> {
    let summary = &report.summary;
    let unsettled = || {
        let audit = report.audit.as_ref().filter(|audit| audit.is_unsettled)?;
        Some(match audit.lost {
            0 => "its effects did not cease long after the last webhook".to_owned(),
            late => {
                format!("it did not come to rest: {late} webhooks had no effect long after the last one")
            }
        })
    };
    let unseen = || {
        let why = report.audit_failed.as_ref()?;
        Some(format!("its effects could not be seen any more: {why}"))
    };
    let wrong = || report.audit.as_ref().and_then(wrong);
    let errors = || {
        let kinds: Vec<String> =
            summary.errors_by_kind.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
        (summary.errors > 0).then(|| format!("{} errors ({})", summary.errors, kinds.join(", ")))
    };
    let p99 = summary.latency_us.p99;
    let slow = || {
        let (ms, bound) = (p99 as f64 / 1e3, capacity.p99.as_secs_f64() * 1e3);
        (ms >= bound).then(|| format!("p99 was {ms:.1} ms, not below {bound} ms"))
    };
    let in_flight = || report.gave_way.clone();
    let first = unseen().or_else(unsettled).or_else(wrong).or_else(errors).or_else(in_flight);
    first.or_else(slow).or_else(|| falls_behind(report, rested_us))
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
        let told = gave_way(&report, &CapacityOptions::new(Duration::from_secs(60)), rested_us);
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
        assert_eq!(gave_way(&report, &capacity, 500), None);
        report.gave_way = Some("in-flight limit: 7 webhooks were dropped".to_owned());
        assert!(gave_way(&report, &capacity, 500).unwrap().starts_with("in-flight limit"));
        report.audit_failed = Some("nobody answers".to_owned());
        let told = gave_way(&report, &capacity, 500).unwrap();
        assert_eq!(told, "its effects could not be seen any more: nobody answers");
    }

    #[test]
    fn what_has_not_settled_is_not_called_lost() {
        let mut report = waited(|_| 500);
        let audit = LoadAudit { is_unsettled: true, lost: 7, ..LoadAudit::default() };
        report.audit = Some(audit.clone());
        let capacity = CapacityOptions::new(Duration::from_secs(1));
        let told = gave_way(&report, &capacity, 500).unwrap();
        assert!(told.contains("did not come to rest: 7 webhooks"), "{told}");
        report.audit = Some(LoadAudit { is_unsettled: false, ..audit.clone() });
        assert_eq!(gave_way(&report, &capacity, 500).unwrap(), "7 webhooks were lost");
        report.audit = Some(LoadAudit { lost: 0, ..audit });
        assert!(gave_way(&report, &capacity, 500).unwrap().contains("did not cease"));
    }
}
