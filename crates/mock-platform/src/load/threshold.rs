use std::fmt;
use std::str::FromStr;

use super::saturation::is_own_lateness;
use super::{LoadReport, LoadThreshold};

/// A bound on one figure of a load, as `p99<500ms`, `lost==0`, `errors<0.1%` or `rate>=990`.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::load::Threshold;
///
/// assert!("p99<500ms".parse::<Threshold>().is_ok());
/// assert!("p99<500".parse::<Threshold>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    text: String,
    figure: Figure,
    relation: Relation,
    bound: f64,
}

/// Why a text is no [`Threshold`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no threshold: {reason}; write it like p99<500ms, lost==0 or errors<0.1%")]
pub struct ThresholdError {
    text: String,
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Figure {
    /// A quantile of the latency, in thousandths; 1000 for the maximum.
    Latency(u16),
    /// The same of the publish delay.
    PublishDelay(u16),
    Errors,
    ErrorShare,
    Lost,
    Duplicated,
    Dropped,
    Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

const QUANTILES: [(&str, u16); 5] = [("p50", 500), ("p90", 900), ("p99", 990), ("p999", 999), ("max", 1_000)];
const DELAY: &str = "publish_delay_";

impl FromStr for Threshold {
    type Err = ThresholdError;

    fn from_str(text: &str) -> Result<Self, ThresholdError> {
        let wrong = |reason: String| ThresholdError { text: text.to_owned(), reason };
        let relations = [
            ("<=", Relation::AtMost),
            (">=", Relation::AtLeast),
            ("==", Relation::Equal),
            ("<", Relation::Less),
            (">", Relation::More),
        ];
        let split = relations.into_iter().find_map(|(sign, relation)| {
            let (name, bound) = text.split_once(sign)?;
            Some((name.trim(), relation, bound.trim()))
        });
        let Some((name, relation, bound)) = split else {
            return Err(wrong("it compares nothing (<, <=, ==, >=, >)".to_owned()));
        };
        let quantile = |name: &str| QUANTILES.into_iter().find(|(known, _)| *known == name).map(|(_, q)| q);
        let figure = match name {
            "errors" if bound.ends_with('%') => Figure::ErrorShare,
            "errors" => Figure::Errors,
            "lost" => Figure::Lost,
            "duplicated" => Figure::Duplicated,
            "dropped" => Figure::Dropped,
            "rate" => Figure::Rate,
            _ => match (quantile(name), name.strip_prefix(DELAY).and_then(quantile)) {
                (Some(q), _) => Figure::Latency(q),
                (None, Some(q)) => Figure::PublishDelay(q),
                (None, None) => {
                    let known = "p50, p90, p99, p999, max, publish_delay_p99 and the like, errors, lost, duplicated, dropped, rate";
                    return Err(wrong(format!("there is no figure {name:?}; there are {known}")));
                }
            },
        };
        let number = |digits: &str| {
            let number: f64 = digits.trim().parse().map_err(|_| wrong(format!("{digits:?} is no number")))?;
            if number.is_finite() && number >= 0.0 {
                Ok(number)
            } else {
                Err(wrong(format!("{digits} is no bound")))
            }
        };
        let bound = match figure {
            Figure::Latency(_) | Figure::PublishDelay(_) => {
                let units = [("ms", 1e3), ("us", 1.0), ("µs", 1.0), ("s", 1e6)];
                let unit = units.into_iter().find_map(|(unit, us)| Some((bound.strip_suffix(unit)?, us)));
                let (digits, us) = unit.ok_or_else(|| wrong(format!("{bound:?} has no unit (us, ms, s)")))?;
                number(digits)? * us
            }
            Figure::ErrorShare => number(bound.trim_end_matches('%'))? / 100.0,
            _ => number(bound)?,
        };
        Ok(Self { text: text.to_owned(), figure, relation, bound })
    }
}

impl Threshold {
    /// Whether it holds, and by whom it does not.
    pub(super) fn judge(&self, report: &LoadReport) -> LoadThreshold {
        let broken = self.broken_by(report);
        let lag_us = broken.as_ref().and_then(|_| self.lateness_us(report));
        let broken = broken.map(|reason| match lag_us {
            Some(us) => format!(
                "{reason}; inconclusive: generator: it woke up {} ms late itself for as many, which is no fault of the receiver",
                us as f64 / 1e3
            ),
            None => reason,
        });
        LoadThreshold { threshold: self.text.clone(), broken, is_by_generator: lag_us.is_some() }
    }

    /// How late the generator was itself, where that alone may be why it does not hold.
    fn lateness_us(&self, report: &LoadReport) -> Option<u64> {
        let summary = &report.summary;
        let (q, times) = match self.figure {
            Figure::Latency(q) => (q, &summary.latency_us),
            Figure::PublishDelay(q) => (q, &summary.publish_delay_us),
            _ => return None,
        };
        let is_upper = matches!(self.relation, Relation::Less | Relation::AtMost);
        let is_answered = !self.is_beyond(summary.unanswered(), summary.attempts);
        let lag_us = summary.scheduling_lag_us.at(q);
        (is_upper && is_answered && is_own_lateness(times.at(q), lag_us, self.bound)).then_some(lag_us)
    }

    /// Whether it does not hold; the reason. What nobody could see does not hold.
    #[must_use]
    pub fn broken_by(&self, report: &LoadReport) -> Option<String> {
        let summary = &report.summary;
        let ms = |us: u64| format!("{} ms", us as f64 / 1e3);
        let (value, shown) = match self.figure {
            Figure::Latency(q) | Figure::PublishDelay(q) => {
                let of = if matches!(self.figure, Figure::Latency(_)) {
                    &summary.latency_us
                } else {
                    &summary.publish_delay_us
                };
                let us = of.at(q);
                match summary.unanswered() {
                    // Who has no answer waits for it without an end, however soon that was known.
                    none if self.is_beyond(none, summary.attempts) => (
                        Some(f64::INFINITY),
                        format!("without an end, for {none} of {} had no answer", summary.attempts),
                    ),
                    _ => (Some(us as f64), ms(us)),
                }
            }
            Figure::Errors => (Some(summary.errors as f64), summary.errors.to_string()),
            Figure::ErrorShare => {
                let share = summary.errors as f64 / (summary.attempts.max(1)) as f64;
                (Some(share), format!("{:.3} %", share * 100.0))
            }
            Figure::Dropped => (Some(summary.dropped() as f64), summary.dropped().to_string()),
            Figure::Rate => (Some(summary.sent_per_second), format!("{:.1}", summary.sent_per_second)),
            Figure::Lost => (summary.lost.map(|n| n as f64), unknown(summary.lost)),
            Figure::Duplicated => (summary.duplicated.map(|n| n as f64), unknown(summary.duplicated)),
        };
        let holds = value.is_some_and(|value| match self.relation {
            Relation::Less => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::More => value > self.bound,
            Relation::AtLeast => value >= self.bound,
            // Counts, for the most part; a time is one only by chance.
            Relation::Equal => (value - self.bound).abs() < f64::EPSILON,
        });
        (!holds).then(|| format!("{} does not hold: it is {shown}", self.text))
    }

    /// Whether so many of all are more than a quantile of the latency leaves out.
    fn is_beyond(&self, count: u64, of: u64) -> bool {
        match self.figure {
            Figure::Latency(thousandths) => {
                count.saturating_mul(1_000) > of.saturating_mul(1_000_u64.saturating_sub(thousandths.into()))
            }
            _ => false,
        }
    }
}

fn unknown(count: Option<u64>) -> String {
    count.map_or_else(|| "unknown, for nobody looked at the receiver's effects".to_owned(), |n| n.to_string())
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<Option<&str>, &str>) {
        let mut report = LoadReport::default();
        report.summary.attempts = 1_000;
        report.summary.errors = 2;
        report.summary.sent_per_second = 99.5;
        report.summary.latency_us.p99 = 500_000;
        report.summary.publish_delay_us.p999 = 90;
        match (text.parse::<Threshold>(), expected) {
            (Ok(threshold), Ok(None)) => assert_eq!(threshold.broken_by(&report), None),
            (Ok(threshold), Ok(Some(reason))) => {
                let broken = threshold.broken_by(&report).unwrap();
                assert!(broken.contains(reason), "{broken}");
            }
            (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{error}"),
            (parsed, _) => panic!("{text}: {parsed:?}"),
        }
    }

    #[test]
    fn thresholds_hold_or_say_why_not() {
        check("p99<=500ms", Ok(None));
        check("p99 < 0.5s", Ok(Some("it is 500 ms")));
        check("publish_delay_p999<100us", Ok(None));
        check("errors<0.1%", Ok(Some("it is 0.200 %")));
        check("errors<=0.2%", Ok(None));
        check("errors==2", Ok(None));
        check("errors==0", Ok(Some("it is 2")));
        check("rate>=100", Ok(Some("it is 99.5")));
        check("dropped==0", Ok(None));
        check("lost==0", Ok(Some("unknown")));
    }

    #[test]
    fn what_was_not_answered_is_within_no_bound() {
        let mut report = LoadReport::default();
        report.summary.attempts = 1_000;
        let broken = |report: &LoadReport, text: &str| text.parse::<Threshold>().unwrap().broken_by(report);
        // A connection that is refused is no answer within a tenth of a millisecond.
        report.summary.errors_by_kind.insert("no_connection".to_owned(), 8);
        report.summary.errors_by_kind.insert("reset".to_owned(), 2);
        assert_eq!(broken(&report, "p99<500ms"), None, "one in a hundred may be anything");
        let told = broken(&report, "p999<500ms").unwrap();
        assert!(told.contains("10 of 1000 had no answer"), "{told}");
        assert!(broken(&report, "max<500ms").is_some());
        assert_eq!(broken(&report, "publish_delay_p999<500ms"), None);
        report.summary.errors_by_kind.insert("timeout".to_owned(), 1);
        assert!(broken(&report, "p99<500ms").is_some());
        // An answer that refuses is one.
        report.summary.errors_by_kind = [("5xx".to_owned(), 1_000)].into();
        assert_eq!(broken(&report, "max<500ms"), None);
    }

    #[test]
    fn what_the_generator_was_late_for_is_not_held_against_the_receiver() {
        let check = |text: &str, [time_us, lag_us]: [u64; 2], expected: [bool; 2]| {
            let mut report = LoadReport::default();
            (report.summary.attempts, report.summary.acknowledged) = (1_000, 1_000);
            report.summary.latency_us.p99 = time_us;
            report.summary.publish_delay_us.p99 = time_us;
            report.summary.scheduling_lag_us.p99 = lag_us;
            report.judge(&[text.parse().unwrap()]);
            let told = &report.thresholds[0];
            assert_eq!([told.broken.is_some(), told.is_by_generator], expected, "{told:?}");
            let verdict = if !expected[0] {
                "passed"
            } else if expected[1] {
                "inconclusive"
            } else {
                "failed"
            };
            assert_eq!(report.verdict(), verdict, "{told:?}");
            let is_said =
                told.broken.as_ref().is_some_and(|told| told.contains("it woke up 15 ms late itself"));
            assert_eq!(is_said, expected[1], "{told:?}");
            for (text, is_told) in [("::error", expected == [true, false]), ("::warning", expected[1])] {
                assert_eq!(report.annotations().contains(text), is_told, "{}", report.annotations());
            }
            assert_eq!(
                report.outputs().contains("failed=p"),
                expected == [true, false],
                "{}",
                report.outputs()
            );
        };
        check("p99<10ms", [15_300, 15_000], [true, true]);
        check("publish_delay_p99<=10ms", [15_100, 15_000], [true, true]);
        check("p99<10ms", [9_900, 9_000], [false, false]);
        // It was late, and too little for that to be why.
        check("p99<200ms", [210_000, 15_000], [true, false]);
        // The receiver was too slow for it by itself.
        check("p99<20ms", [415_000, 15_000], [true, false]);
        check("p99>20ms", [15_300, 15_000], [true, false]);
        check("p90<=0ms", [15_300, 15_000], [false, false]);

        let mut unanswered = LoadReport::default();
        unanswered.summary.attempts = 10;
        unanswered.summary.scheduling_lag_us.p99 = 15_000;
        unanswered.summary.errors_by_kind.insert("timeout".to_owned(), 10);
        unanswered.judge(&["p99<10ms".parse().unwrap()]);
        assert!(!unanswered.thresholds[0].is_by_generator, "who has no answer waits for it without an end");
    }

    #[test]
    fn what_is_none_is_told() {
        check("p99", Err("compares nothing"));
        check("p98<1ms", Err("no figure \"p98\""));
        check("p99<500", Err("has no unit"));
        check("errors<-1", Err("is no bound"));
        check("errors<many", Err("is no number"));
    }
}
