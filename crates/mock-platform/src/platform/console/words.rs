//! What things are called.

use piopiy_events::Phase;
use piopiy_ladder::{Tone, in_words, since};

use crate::deliver::ledger::{AttemptEntry, AttemptOutcome, Cause, DeliveryOutcome};
use crate::platform::board::{BY_HAND, Brief, WebhookRow};

/// `2:03`, of milliseconds.
pub(super) fn minutes(ms: u64) -> String {
    format!("{}:{:02}", ms / 60_000, ms / 1_000 % 60)
}

/// When something was, with its unit.
pub(in crate::platform) fn seconds(ms: u64) -> String {
    format!("{} {}", since(ms), if ms < 100_000 { "s" } else { "min" })
}

/// `3 ms`, `1.2 s`.
pub(super) fn took(ns: u64) -> String {
    match ns / 1_000 {
        0..1_000 => "<1 ms".to_owned(),
        us @ 1_000..1_000_000 => format!("{} ms", us / 1_000),
        us => format!("{}.{} s", us / 1_000_000, us / 100_000 % 10),
    }
}

/// What came of an attempt.
pub(super) fn attempt(attempt: &AttemptEntry) -> (String, Tone) {
    let after = took(attempt.latency_ns);
    match (attempt.outcome, attempt.status) {
        (AttemptOutcome::Acknowledged, Some(status)) => (format!("{status} {after}"), Tone::Good),
        (_, Some(status)) => (format!("{status} {after}"), Tone::Odd),
        (AttemptOutcome::Timeout, None) => ("no answer".to_owned(), Tone::Bad),
        (AttemptOutcome::ConnectError, None) => ("nobody there".to_owned(), Tone::Bad),
        (AttemptOutcome::Reset, None) => ("broke off".to_owned(), Tone::Bad),
        (_, None) => ("no HTTP".to_owned(), Tone::Bad),
    }
}

/// What is special about an attempt, for its label.
pub(super) fn cause(attempt: &AttemptEntry) -> Option<String> {
    match attempt.cause {
        Cause::First => None,
        Cause::Redelivery => Some(format!("attempt {}", attempt.attempt)),
        Cause::Duplicate => Some("duplicate, injected".to_owned()),
    }
}

/// Where a call is, in words, and its colour.
pub(super) fn state(view: &Brief, schedule: &[u64], now_ms: u64) -> (String, &'static str) {
    let (phase, mut colour) = match view.phase {
        Phase::Offered if view.is_over => ("ended", "mute"),
        phase => in_words(phase),
    };
    let mut words = vec![view.begin.direction.clone(), phase.to_owned()];
    if let Some((told, tone)) = told(view, schedule, now_ms) {
        words.push(told);
        if matches!(tone, Tone::Odd | Tone::Bad) {
            colour = "bad";
        }
    }
    (words.join(" · "), colour)
}

/// What became of the webhooks: the worst first.
fn told(view: &Brief, schedule: &[u64], now_ms: u64) -> Option<(String, Tone)> {
    let own = || view.webhooks.iter().map(|row| &**row).filter(|row| row.plan.webhook < BY_HAND);
    let (cdrs, events): (Vec<_>, Vec<_>) = own().partition(|row| is_cdr(row));
    let lost = |rows: &[&WebhookRow]| {
        rows.iter().filter(|row| matches!(row.outcome, Some(DeliveryOutcome::Unacknowledged))).count()
    };
    if let Some(row) = cdrs.iter().find(|row| row.outcome.is_none() && !row.attempts.is_empty()) {
        let last = row.attempts.last()?;
        let said = match last.status {
            Some(status) => format!("CDR refused {status}"),
            None => format!("CDR: {}", attempt(last).0),
        };
        let next = next_ms(row, schedule)
            .map(|due| format!(", next try in {}", minutes(due.saturating_sub(now_ms))));
        return Some((said + &next.unwrap_or_default(), Tone::Odd));
    }
    if lost(&cdrs) > 0 {
        return Some(("CDR never acknowledged".to_owned(), Tone::Bad));
    }
    match lost(&events) {
        0 => {}
        1 => return Some(("1 event not acknowledged".to_owned(), Tone::Bad)),
        count => return Some((format!("{count} events not acknowledged"), Tone::Bad)),
    }
    let acknowledged = |row: &&WebhookRow| row.outcome == Some(DeliveryOutcome::Acknowledged);
    if !cdrs.is_empty() && cdrs.iter().all(acknowledged) {
        let words = match cdrs.len() {
            1 => "CDR acknowledged".to_owned(),
            2 => "both CDRs acknowledged".to_owned(),
            count => format!("{count} CDRs acknowledged"),
        };
        return Some((words, Tone::Good));
    }
    if own().next().is_none() && view.is_over {
        return Some(("no webhook was sent".to_owned(), Tone::Plain));
    }
    None
}

pub(super) fn is_cdr(row: &WebhookRow) -> bool {
    row.plan.payload == Some(piopiy_events::Kind::Cdr)
}

/// When a delivery is tried again.
pub(super) fn next_ms(row: &WebhookRow, schedule: &[u64]) -> Option<u64> {
    let tried = row.attempts.iter().filter(|attempt| attempt.cause != Cause::Duplicate).count();
    let first = row.attempts.first()?;
    row.outcome.is_none().then(|| schedule.get(tried).map(|after| first.start_ms + after))?
}

/// How long a call has been, or was: milliseconds.
pub(super) fn lasted_ms(view: &Brief, now_ms: u64) -> u64 {
    let end = match view.phase {
        Phase::EndedAnswered | Phase::EndedMissed => view.last_ms,
        _ if view.is_over => view.last_ms,
        _ => now_ms,
    };
    end.saturating_sub(view.begin.at_ms)
}

#[cfg(test)]
mod tests {
    use super::{minutes, seconds, took};

    #[test]
    fn times_are_as_fine_as_they_need_to_be() {
        assert_eq!([99_999, 100_000].map(seconds), ["99.9 s", "1:40 min"]);
        assert_eq!([0, 59_999, 123_000].map(minutes), ["0:00", "0:59", "2:03"]);
        assert_eq!([999_999, 3_200_000, 1_250_000_000].map(took), ["<1 ms", "3 ms", "1.2 s"]);
    }
}
