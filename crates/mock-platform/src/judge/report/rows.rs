//! A ladder as lines for people.

use std::fmt::Write;

use super::record::{AttemptRecord, CaseRecord, ConnectionEnd, Ladder, Role, Rung};
use crate::judge::Effect;

/// How good a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Odd,
    Bad,
    Plain,
}

/// One line of a ladder.
#[derive(Debug)]
pub(super) struct Row<'a> {
    /// `0.004`, in seconds; empty where that is not known.
    pub(super) at: String,
    /// `#1`; empty for what is of no connection.
    pub(super) connection: String,
    /// `POST · CDR answered · leg a`.
    pub(super) what: String,
    /// `200 2.3 ms, closed`.
    pub(super) answer: String,
    pub(super) tone: Tone,
    pub(super) attempt: Option<&'a AttemptRecord>,
}

/// The lines of a ladder, in order.
pub(super) fn rows(ladder: &Ladder) -> Vec<Row<'_>> {
    ladder.rungs.iter().map(row).collect()
}

/// The ladder of a case, a line each, and the effects below.
pub(super) fn text(case: &CaseRecord) -> String {
    let mut text = String::new();
    for Row { at, connection, what, answer, .. } in rows(&case.ladder) {
        // Writing to a String cannot fail.
        let _ = match answer.as_str() {
            "" => writeln!(text, "{at:>8} {connection:>4}  ({what})"),
            _ => writeln!(text, "{at:>8} {connection:>4}  {what}  ->  {answer}"),
        };
    }
    for effect in &case.ladder.observed {
        let _ = writeln!(text, "{:>8} {:>4}  effect {}", "", "", effect_text(effect));
    }
    if case.ladder.is_cut {
        let _ = writeln!(
            text,
            "{:>8} {:>4}  (of {} connections, not all is shown)",
            "", "", case.ladder.connections
        );
    }
    text
}

/// `7 · cdr answered · leg a`.
pub(super) fn effect_text(effect: &Effect) -> String {
    let mut text = effect.seq.to_string();
    let said = [effect.kind.as_deref(), effect.status.as_deref()];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    if !said.is_empty() {
        let _ = write!(text, " · {}", said.join(" "));
    }
    if let Some(leg) = &effect.leg {
        let _ = write!(text, " · leg {leg}");
    }
    if let Some(state) = &effect.state {
        let _ = write!(text, " · the call is {state}");
    }
    if effect.quarantined {
        text.push_str(" · kept aside");
    }
    text
}

fn row(rung: &Rung) -> Row<'_> {
    let attempt = match rung {
        Rung::Attempt(attempt) => attempt,
        Rung::Event { text } => {
            let (at, connection, answer) = (String::new(), String::new(), String::new());
            return Row { at, connection, what: text.clone(), answer, tone: Tone::Plain, attempt: None };
        }
    };
    Row {
        at: attempt.offset_us.map(seconds).unwrap_or_default(),
        connection: attempt.connection.map(|connection| format!("#{connection}")).unwrap_or_default(),
        what: what(attempt),
        answer: answer(attempt),
        tone: match attempt.status {
            Some(200..300) => Tone::Good,
            Some(300..500) => Tone::Odd,
            None if is_left(attempt) => Tone::Plain,
            _ => Tone::Bad,
        },
        attempt: Some(attempt),
    }
}

fn what(attempt: &AttemptRecord) -> String {
    match attempt.role {
        Role::Stimulus => {}
        Role::Canary => return "plain webhook after it".to_owned(),
        Role::Bystander => return "plain webhook beside it".to_owned(),
    }
    let method = if attempt.method.is_empty() { "unfinished" } else { &attempt.method };
    let mut what = if attempt.bytes == 0 { "nothing sent".to_owned() } else { method.to_owned() };
    if let Some(webhook) = &attempt.webhook {
        let kind = match webhook.kind.as_str() {
            "cdr" => "CDR",
            "event" => "event",
            _ => "body",
        };
        let _ = write!(what, " · {kind}");
        if let Some(status) = &webhook.status {
            let _ = write!(what, " {status}");
        }
        if let Some(leg) = &webhook.leg {
            let _ = write!(what, " · leg {leg}");
        }
    } else if attempt.bytes > 0 {
        let _ = write!(what, " · {} bytes", attempt.bytes);
    }
    what
}

fn answer(attempt: &AttemptRecord) -> String {
    let mut answer = match (attempt.status, attempt.latency_us) {
        (Some(status), Some(latency)) => format!("{status} {}", millis(latency)),
        (Some(status), None) => status.to_string(),
        (None, _) if attempt.end == Some(ConnectionEnd::None) => "no connection".to_owned(),
        (None, _) if is_left(attempt) => "not awaited".to_owned(),
        (None, _) => "no answer".to_owned(),
    };
    match attempt.end {
        Some(ConnectionEnd::Closed) => answer.push_str(", closed"),
        Some(ConnectionEnd::Reset) => answer.push_str(", reset"),
        _ => {}
    }
    if let Some(trouble) = &attempt.trouble {
        let _ = write!(answer, " ({trouble})");
    }
    answer
}

/// Whether it was the platform that went away.
fn is_left(attempt: &AttemptRecord) -> bool {
    let is_open = matches!(attempt.end, None | Some(ConnectionEnd::Open));
    is_open && !attempt.timed_out && attempt.trouble.is_none()
}

/// The first of an id, to tell it from others by.
pub(super) fn short_id(cmiuuid: Option<&str>) -> Option<String> {
    let id: String = cmiuuid?.chars().take(8).collect();
    (!id.is_empty()).then_some(id)
}

fn seconds(micros: u64) -> String {
    format!("{}.{:03}", micros / 1_000_000, micros / 1_000 % 1_000)
}

fn millis(micros: u64) -> String {
    match micros {
        0..10_000 => format!("{}.{} ms", micros / 1_000, micros / 100 % 10),
        10_000..10_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::report::WebhookRecord;

    #[test]
    fn a_line_tells_when_what_and_what_came_of_it() {
        let webhook = WebhookRecord {
            kind: "cdr".to_owned(),
            status: Some("answered".to_owned()),
            leg: Some("a".to_owned()),
            cmiuuid: None,
        };
        let fine = AttemptRecord {
            connection: Some(2),
            offset_us: Some(4_321),
            method: "POST".to_owned(),
            webhook: Some(webhook),
            bytes: 812,
            status: Some(409),
            latency_us: Some(2_345),
            end: Some(ConnectionEnd::Closed),
            ..AttemptRecord::default()
        };
        let broken = AttemptRecord {
            bytes: 17,
            end: Some(ConnectionEnd::Reset),
            trouble: Some("broken pipe".to_owned()),
            ..AttemptRecord::default()
        };
        let mut case = CaseRecord::default();
        case.ladder.rungs = vec![
            Rung::Attempt(Box::new(fine)),
            Rung::Event { text: "the receiver is started".to_owned() },
            Rung::Attempt(Box::new(broken)),
        ];
        let expected = "   0.004   #2  POST · CDR answered · leg a  ->  409 2.3 ms, closed\n               (the receiver is started)\n               unfinished · 17 bytes  ->  no answer, reset (broken pipe)\n";
        assert_eq!(text(&case), expected);
    }

    #[test]
    fn times_are_short() {
        for (micros, expected) in [(0, "0.0 ms"), (9_990, "9.9 ms"), (12_345, "12 ms"), (61_000_000, "61 s")]
        {
            assert_eq!(millis(micros), expected);
        }
    }
}
