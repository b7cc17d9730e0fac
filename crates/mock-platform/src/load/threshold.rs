use std::fmt;
use std::str::FromStr;

use super::saturation::{is_busy, is_own_lateness};
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
        let own = broken.as_ref().and_then(|_| self.own_fault(report));
        let is_unknown = broken.is_some() && self.is_unseen(report);
        let is_by_generator = own.is_some();
        let broken = broken.map(|reason| match own {
            Some(own) => format!("{reason}; inconclusive: generator: {own}"),
            None => reason,
        });
        LoadThreshold { threshold: self.text.clone(), broken, is_by_generator, is_unknown }
    }

    /// Whether it is of what the receiver does with webhooks, which an observation tells.
    #[must_use]
    pub fn is_of_effects(&self) -> bool {
        matches!(self.figure, Figure::Lost | Figure::Duplicated)
    }

    /// Whether more may have been lost or doubled than is known, or nothing is known, and that is why it does not hold.
    fn is_unseen(&self, report: &LoadReport) -> bool {
        let known = match self.figure {
            Figure::Lost => report.summary.lost,
            Figure::Duplicated => report.summary.duplicated,
            _ => return false,
        };
        known.is_none_or(|least| self.holds(least as f64))
    }

    /// Whether a value is within the bound.
    fn holds(&self, value: f64) -> bool {
        match self.relation {
            Relation::Less => value < self.bound,
            Relation::AtMost => value <= self.bound,
            Relation::More => value > self.bound,
            Relation::AtLeast => value >= self.bound,
            // Counts, for the most part; a time is one only by chance.
            Relation::Equal => (value - self.bound).abs() < f64::EPSILON,
        }
    }

    /// What of the generator alone may be why it does not hold.
    fn own_fault(&self, report: &LoadReport) -> Option<String> {
        if let Some(us) = self.lateness_us(report) {
            let ms = us as f64 / 1e3;
            return Some(format!(
                "it woke up {ms} ms late itself for as many, which is no fault of the receiver"
            ));
        }
        // At full speed nothing is due, and so nothing late.
        let busy = report.busy_throughout().filter(|cpu| report.is_at_full_speed() && is_busy(*cpu))?;
        let is_by_pace = match self.figure {
            // All connections are in use, and each has its turn: so long it takes, and a few times as long, for the generator's sake alone.
            Figure::Latency(q) => {
                let turn_us = report.connections as f64 / report.summary.sent_per_second * 1e6;
                let is_upper = matches!(self.relation, Relation::Less | Relation::AtMost);
                is_upper && (report.summary.latency_us.at(q) as f64) < 3.0 * turn_us
            }
            Figure::Rate => matches!(self.relation, Relation::More | Relation::AtLeast),
            _ => false,
        };
        let is_answered = !self.is_beyond(report.summary.unanswered(), report.summary.attempts);
        (is_by_pace && is_answered).then(|| {
            format!(
                "its threads were busy {:.0} % of the time, so it was itself as fast as it can",
                busy * 100.0
            )
        })
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
            Figure::Lost => seen(report, summary.lost),
            Figure::Duplicated => seen(report, summary.duplicated),
        };
        let is_more_possible = self.is_of_effects() && report.audit_failed.is_some();
        let is_lower = matches!(self.relation, Relation::More | Relation::AtLeast);
        let holds = value.is_some_and(|value| self.holds(value)) && (is_lower || !is_more_possible);
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

/// What is known of the receiver's effects, and how that is told.
fn seen(report: &LoadReport, count: Option<u64>) -> (Option<f64>, String) {
    const UNSEEN: &str = "unknown, for nobody looked at the receiver's effects (--observe-url, --observe-file or --verify-cmd)";
    let told = match (count, report.audit_failed.is_some()) {
        (Some(count), false) => count.to_string(),
        (Some(count), true) => format!("{count} at least, for not all effects could be seen"),
        (None, false) => UNSEEN.to_owned(),
        (None, true) => "unknown, for the effects could not be seen to the end".to_owned(),
    };
    (count.map(|count| count as f64), told)
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
