use std::fmt;
use std::ops::{Range, RangeFrom, RangeInclusive, RangeToInclusive};
use std::sync::{Arc, Mutex, PoisonError};

use piopiy_events::Webhook;

use super::matcher::WebhookMatcher;
use super::report;
use crate::deliver::ledger::{DeliveryOutcome, MessageEntry, MessageKind};
use crate::platform::board::{CallView, WebhookRow};
use crate::platform::exchange::Exchange;

/// Something that is to happen in the calls of a [`MockPlatform`](crate::MockPlatform), once unless it is said otherwise.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let platform = piopiy_mock_platform::MockPlatform::start().await;
/// platform.expect_webhook("cdr.inbound.missed").times(..=1).named("no more than one missed call");
/// # }
/// ```
#[derive(Debug)]
pub struct Expectation {
    all: Expectations,
    index: usize,
}

/// How often something is to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    least: u64,
    /// None for any number.
    most: Option<u64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Expectations {
    all: Arc<Mutex<Vec<Expected>>>,
}

#[derive(Debug, Clone)]
pub(super) struct Expected {
    what: What,
    times: Times,
    name: Option<String>,
}

#[derive(Debug, Clone)]
enum What {
    Webhook(WebhookMatcher),
    Digits(String),
}

/// An expectation, and how often it came true.
#[derive(Debug)]
pub(super) struct Counted {
    pub(super) what: String,
    pub(super) times: Times,
    pub(super) seen: u64,
    /// What happened besides, that may have been meant.
    pub(super) besides: Option<String>,
}

impl Expectation {
    /// How often: a number, or a range such as `1..` or `..=2`.
    pub fn times(self, times: impl Into<Times>) -> Self {
        let times = times.into();
        self.change(|expected| expected.times = times);
        self
    }

    /// What it is called where it is shown.
    pub fn named(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.change(|expected| expected.name = Some(name));
        self
    }

    fn change(&self, change: impl FnOnce(&mut Expected)) {
        let mut all = self.all.all.lock().unwrap_or_else(PoisonError::into_inner);
        // `verify` forgets what it complained of.
        if let Some(expected) = all.get_mut(self.index) {
            change(expected);
        }
    }
}

impl Expectations {
    pub(super) fn add_webhook(&self, matcher: WebhookMatcher) -> Expectation {
        self.add(What::Webhook(matcher))
    }

    pub(super) fn add_digits(&self, digits: String) -> Expectation {
        self.add(What::Digits(digits))
    }

    pub(super) fn clear(&self) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// A text for people, where one does not hold.
    pub(super) fn failures(&self, exchange: &Exchange) -> Option<String> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if all.is_empty() {
            return None;
        }
        let calls = exchange.board().calls();
        let counted: Vec<Counted> = all.iter().map(|expected| expected.count(&calls)).collect();
        let failed = counted.iter().any(|counted| !counted.holds());
        failed.then(|| report::failed(&counted, &calls, exchange.config().time_scale))
    }

    fn add(&self, what: What) -> Expectation {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Expected { what, times: 1.into(), name: None });
        Expectation { all: self.clone(), index: all.len() - 1 }
    }
}

impl Expected {
    fn count(&self, calls: &[CallView]) -> Counted {
        let (what, seen, besides) = match &self.what {
            What::Webhook(matcher) => {
                let fitting: Vec<&WebhookRow> =
                    calls.iter().flat_map(CallView::webhooks).filter(|row| matcher.fits(row)).collect();
                let taken = fitting.iter().filter(|row| is_acknowledged(row)).count();
                let refused = fitting.len() - taken;
                let besides = (refused > 0).then(|| format!("{refused} more not acknowledged"));
                (format!("webhook {matcher}"), taken, besides)
            }
            What::Digits(digits) => {
                let handed = calls.iter().flat_map(CallView::messages);
                let handed: Vec<(String, bool)> = handed.filter_map(digits_of).collect();
                let taken = handed.iter().filter(|(other, taken)| other == digits && *taken).count();
                let others: Vec<String> = handed
                    .iter()
                    .filter(|(other, taken)| other != digits || !taken)
                    .map(
                        |(other, taken)| {
                            if *taken { format!("{other:?}") } else { format!("{other:?} not taken") }
                        },
                    )
                    .collect();
                let besides = (!others.is_empty()).then(|| format!("besides: {}", others.join(", ")));
                (format!("digits {digits:?}"), taken, besides)
            }
        };
        let what = match &self.name {
            Some(name) => format!("{name} ({what})"),
            None => what,
        };
        Counted { what, times: self.times, seen: u64::try_from(seen).unwrap_or(u64::MAX), besides }
    }
}

impl Counted {
    pub(super) fn holds(&self) -> bool {
        self.seen >= self.times.least && self.times.most.is_none_or(|most| self.seen <= most)
    }
}

/// Whether the receiver took it, while others of its attempts may still be ahead.
pub(super) fn is_acknowledged(row: &WebhookRow) -> bool {
    use crate::deliver::ledger::AttemptOutcome;
    row.outcome == Some(DeliveryOutcome::Acknowledged)
        || row.attempts.iter().any(|attempt| attempt.outcome == AttemptOutcome::Acknowledged)
}

/// The digits that an action URL was told of, and whether it took them.
fn digits_of(message: &MessageEntry) -> Option<(String, bool)> {
    if message.what != MessageKind::Flow {
        return None;
    }
    let request = Webhook::parse(message.request.as_ref()?.as_bytes()).ok()?;
    let digits = request.text("dtmf")?.into_owned();
    Some((digits, message.status.is_some_and(|status| (200..300).contains(&status))))
}

impl From<u64> for Times {
    fn from(times: u64) -> Self {
        Self { least: times, most: Some(times) }
    }
}

impl From<RangeFrom<u64>> for Times {
    fn from(range: RangeFrom<u64>) -> Self {
        Self { least: range.start, most: None }
    }
}

impl From<RangeInclusive<u64>> for Times {
    fn from(range: RangeInclusive<u64>) -> Self {
        Self { least: *range.start(), most: Some(*range.end()) }
    }
}

impl From<RangeToInclusive<u64>> for Times {
    fn from(range: RangeToInclusive<u64>) -> Self {
        Self { least: 0, most: Some(range.end) }
    }
}

impl From<Range<u64>> for Times {
    /// The end is left out, as everywhere; an empty range can never hold.
    fn from(range: Range<u64>) -> Self {
        let most = range.end.saturating_sub(1);
        let least = if range.end == 0 { 1 } else { range.start };
        Self { least, most: Some(most) }
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (0, Some(0)) => f.write_str("never"),
            (1, Some(1)) => f.write_str("once"),
            (least, Some(most)) if least == most => write!(f, "{least} times"),
            (0, Some(1)) => f.write_str("at most once"),
            (0, Some(most)) => write!(f, "at most {most} times"),
            (0, None) => f.write_str("any number of times"),
            (1, None) => f.write_str("at least once"),
            (least, None) => write!(f, "at least {least} times"),
            (least, Some(most)) => write!(f, "{least} to {most} times"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, Times};

    #[track_caller]
    fn check(times: impl Into<Times>, told: &str, holds: [bool; 4]) {
        let times = times.into();
        assert_eq!(times.to_string(), told);
        let of = |seen| Counted { what: String::new(), times, seen, besides: None }.holds();
        assert_eq!([0, 1, 2, 3].map(of), holds, "{told}");
    }

    #[test]
    fn how_often_is_said_in_words_and_held() {
        check(0, "never", [true, false, false, false]);
        check(1, "once", [false, true, false, false]);
        check(2, "2 times", [false, false, true, false]);
        check(1.., "at least once", [false, true, true, true]);
        check(2.., "at least 2 times", [false, false, true, true]);
        check(..=1, "at most once", [true, true, false, false]);
        check(1..=2, "1 to 2 times", [false, true, true, false]);
        check(1..3, "1 to 2 times", [false, true, true, false]);
        check(0.., "any number of times", [true; 4]);
    }

    #[test]
    fn an_empty_range_never_holds() {
        for times in [Times::from(0..0), Times::from(3..3)] {
            let of = |seen| Counted { what: String::new(), times, seen, besides: None }.holds();
            assert_eq!([0, 1, 2, 3, 4].map(of), [false; 5]);
        }
    }
}
