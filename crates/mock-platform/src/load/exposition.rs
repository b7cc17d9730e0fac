use std::fmt::Write as _;

use super::progress::Moment;

/// How far a load is, in the text format that Prometheus scrapes (0.0.4).
///
/// # Examples
/// ```
/// use piopiy_mock_platform::load::{Progress, exposition};
///
/// let text = exposition(&Progress::default().now());
/// assert!(text.contains("\npiopiy_mock_load_errors_total 0\n"));
/// ```
#[must_use]
pub fn exposition(moment: &Moment) -> String {
    let mut text = String::new();
    let counters = [
        ("planned", "Webhooks that were due.", moment.planned),
        ("attempts", "Webhooks that were sent, or tried to be sent.", moment.sent),
        ("acknowledged", "Webhooks that were answered with 2xx.", moment.acknowledged),
        ("errors", "Attempts that were not acknowledged.", moment.errors),
        ("dropped", "Webhooks that were due and never sent.", moment.dropped),
    ];
    for (name, help, count) in counters {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "# HELP {PREFIX}_{name}_total {help}\n# TYPE {PREFIX}_{name}_total counter\n{PREFIX}_{name}_total {count}\n"
        );
    }
    if let Some(seen) = &moment.seen {
        for (name, help, count) in [
            ("effects", "Effects that were seen.", seen.effects),
            (
                "effects_missing",
                "Webhooks that are acknowledged and had no effect when it was looked last.",
                seen.unseen,
            ),
            ("effects_duplicated", "Webhooks that had more than one effect.", seen.duplicated),
            ("effects_wrong", "Effects and states of calls that are not what was sent.", seen.wrong),
        ] {
            let _ = write!(
                text,
                "# HELP {PREFIX}_{name} {help}\n# TYPE {PREFIX}_{name} gauge\n{PREFIX}_{name} {count}\n"
            );
        }
    }
    let _ = write!(
        text,
        "# HELP {PREFIX}_in_flight Attempts that wait for an answer.\n# TYPE {PREFIX}_in_flight gauge\n{PREFIX}_in_flight {}\n",
        moment.in_flight
    );
    let _ = write!(
        text,
        "# HELP {PREFIX}_latency_seconds From the instant at which a webhook was due to its end.\n# TYPE {PREFIX}_latency_seconds histogram\n"
    );
    let seconds = |us: u64| us as f64 / 1e6;
    for (bound, below) in moment.latencies() {
        let _ = writeln!(text, "{PREFIX}_latency_seconds_bucket{{le=\"{}\"}} {below}", seconds(bound));
    }
    let (ended, sum) = (moment.ended(), seconds(moment.latency_sum_us));
    let _ = write!(
        text,
        "{PREFIX}_latency_seconds_bucket{{le=\"+Inf\"}} {ended}\n{PREFIX}_latency_seconds_sum {sum}\n{PREFIX}_latency_seconds_count {ended}\n"
    );
    text
}

const PREFIX: &str = "piopiy_mock_load";

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::progress::{Progress, Seen, Told};
    use crate::load::tally::{End, Tally};

    #[test]
    fn buckets_hold_all_that_is_below_them() {
        let mut tally = Tally::new(Duration::from_secs(1));
        for ms in 1..=100 {
            tally.ended(End::Reset, ms, ms * 1_000_000);
        }
        let progress = Progress::default();
        let mut told = Told::default();
        progress.tell(&mut told, &tally, 7);
        // What was told before is not added again.
        progress.tell(&mut told, &tally, 3);
        assert!(!exposition(&progress.now()).contains("effects"), "nobody looks");
        progress.see(Some(Seen { effects: 90, unseen: 4, duplicated: 2, wrong: 1 }));
        let text = exposition(&progress.now());
        for line in [
            "piopiy_mock_load_errors_total 100",
            "piopiy_mock_load_in_flight 3",
            "piopiy_mock_load_effects 90",
            "piopiy_mock_load_effects_missing 4",
            "piopiy_mock_load_effects_duplicated 2",
            "piopiy_mock_load_effects_wrong 1",
            "piopiy_mock_load_latency_seconds_bucket{le=\"0.000512\"} 0",
            "piopiy_mock_load_latency_seconds_bucket{le=\"0.001024\"} 1",
            "piopiy_mock_load_latency_seconds_bucket{le=\"0.065536\"} 65",
            "piopiy_mock_load_latency_seconds_bucket{le=\"+Inf\"} 100",
            "piopiy_mock_load_latency_seconds_sum 5.05",
            "piopiy_mock_load_latency_seconds_count 100",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in {text}");
        }
    }
}
