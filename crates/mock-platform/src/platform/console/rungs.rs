//! What a ladder has to show: a rung for each message, each answer and each attempt, in the order of time.

use piopiy_events::Webhook;
use piopiy_ladder::Tone;

use super::words;
use crate::deliver::Fault;
use crate::deliver::ledger::{DeliveryOutcome, Lane, MessageEntry, MessageKind};
use crate::platform::board::{BY_HAND, CallView, Row, WebhookRow};

/// Who something passes between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::platform) enum Line {
    Api,
    Caller,
    Callee,
    Platform,
    Answer,
    WebSocket,
    Webhooks,
}

impl Line {
    /// All of them, from left to right.
    pub(super) const ALL: [Self; 7] = [
        Self::Api,
        Self::Caller,
        Self::Callee,
        Self::Platform,
        Self::Answer,
        Self::WebSocket,
        Self::Webhooks,
    ];

    /// The name at its head, and a short one.
    pub(in crate::platform) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Api => ("API client", "API"),
            Self::Caller => ("caller", "caller"),
            Self::Callee => ("callee", "callee"),
            Self::Platform => ("platform", "platform"),
            Self::Answer => ("answer URL", "answer"),
            Self::WebSocket => ("WebSocket app", "ws app"),
            Self::Webhooks => ("webhooks", "hooks"),
        }
    }
}

/// One line of a ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::platform) struct Rung {
    pub(in crate::platform) at_ms: u64,
    /// Which row of the call it is of.
    pub(super) row: usize,
    pub(in crate::platform) from: Line,
    pub(in crate::platform) to: Line,
    /// The class that colours it.
    pub(super) kind: &'static str,
    pub(in crate::platform) text: String,
    pub(in crate::platform) status: Option<(String, Tone)>,
    /// Whether it was made to go wrong, or never went.
    pub(super) is_odd: bool,
    /// Whether audio flows from here on, or no longer.
    pub(super) audio: Option<bool>,
}

/// All of a call.
pub(in crate::platform) fn rungs(view: &CallView, time_scale: f64) -> Vec<Rung> {
    let mut rungs = Vec::new();
    for (row, what) in view.rows.iter().enumerate() {
        match what {
            Row::Message(message) => of_message(row, message, time_scale, &mut rungs),
            Row::Webhook(webhook) => of_webhook(row, webhook, &mut rungs),
        }
    }
    rungs.sort_by_key(|rung| rung.at_ms);
    rungs
}

fn of_message(row: usize, message: &MessageEntry, time_scale: f64, rungs: &mut Vec<Rung>) {
    let (from, mut to) = (line(message.from), line(message.to));
    let is_unsent = message.what == MessageKind::Unsent;
    if is_unsent {
        to = Line::Webhooks;
    }
    let kind = match message.what {
        MessageKind::Rest => "rest",
        MessageKind::Flow => "flow",
        MessageKind::Audio => "audio",
        MessageKind::Unsent => "event",
        MessageKind::Person | MessageKind::Action => "person",
    };
    // What was answered goes back on a line of its own.
    let goes_back = message.status.is_some() && from != to;
    let (text, answer) = match message.label.split_once(": ") {
        Some((text, answer)) if goes_back => (text, Some(answer)),
        _ => (message.label.as_str(), None),
    };
    let text = match &message.choice {
        _ if message.figures.is_some() => short(text),
        Some(choice) if !goes_back => format!("{text} · {choice}"),
        _ => text.to_owned(),
    };
    let audio = match message.label.as_str() {
        "connected" if message.what == MessageKind::Audio => Some(true),
        label if message.what == MessageKind::Audio && label.starts_with("closes") => Some(false),
        _ => None,
    };
    let failed = message.error.is_some() && !goes_back;
    rungs.push(Rung {
        at_ms: message.at_ms,
        row,
        from,
        to,
        kind,
        text,
        status: failed.then(|| ("failed".to_owned(), Tone::Bad)),
        is_odd: is_unsent,
        audio,
    });
    if let Some(status) = message.status.filter(|_| goes_back) {
        let mut text = status.to_string();
        for more in [answer, message.choice.as_deref()].into_iter().flatten() {
            text.push_str(" · ");
            text.push_str(more);
        }
        let tone = if message.error.is_some() { Tone::Bad } else { Tone::Good };
        rungs.push(Rung {
            at_ms: message.at_ms + scaled(message.took_ns.unwrap_or_default(), time_scale),
            row,
            from: to,
            to: from,
            kind,
            text,
            status: message.took_ns.map(|took| (words::took(took), tone)),
            is_odd: false,
            audio: None,
        });
    }
}

fn of_webhook(row: usize, webhook: &WebhookRow, rungs: &mut Vec<Rung>) {
    let kind = if words::is_cdr(webhook) { "cdr" } else { "event" };
    let name = name(webhook);
    let rung = |at_ms: u64, note: Option<String>, status, is_odd| Rung {
        at_ms,
        row,
        from: Line::Platform,
        to: Line::Webhooks,
        kind,
        text: note.map_or_else(|| name.clone(), |note| format!("{name} · {note}")),
        status,
        is_odd,
        audio: None,
    };
    let injected = faults(webhook);
    if webhook.outcome == Some(DeliveryOutcome::InjectedLoss) {
        rungs.push(rung(webhook.plan.due_ms, Some("lost, injected".into()), None, true));
        return;
    }
    for attempt in &webhook.attempts {
        let note = words::cause(attempt).or_else(|| injected.clone());
        let is_odd = note.as_ref().is_some_and(|note| note.ends_with("injected"));
        rungs.push(rung(attempt.start_ms, note, Some(words::attempt(attempt)), is_odd));
    }
    if webhook.attempts.is_empty() {
        rungs.push(rung(webhook.plan.due_ms, injected, Some(("on its way".into(), Tone::Plain)), false));
    }
}

/// What is wrong on purpose with the first attempt, or that it was sent by hand.
fn faults(webhook: &WebhookRow) -> Option<String> {
    if webhook.plan.webhook >= BY_HAND {
        return Some("sent again by hand".to_owned());
    }
    webhook.plan.faults.iter().find_map(|fault| match fault {
        Fault::Delay { by_ms } => Some(format!("{} late, injected", words::seconds(*by_ms))),
        Fault::Reorder { .. } => Some("out of order, injected".to_owned()),
        Fault::Duplicate { .. } | Fault::Loss => None,
    })
}

/// `in_answered · a`, `CDR answered · a · duration 14`.
fn name(webhook: &WebhookRow) -> String {
    let Ok(parsed) = Webhook::parse(webhook.plan.body.as_bytes()) else {
        return webhook.plan.name.clone();
    };
    let text = |key: &str| parsed.text(key).map(std::borrow::Cow::into_owned);
    let mut name = match (text("status"), words::is_cdr(webhook)) {
        (Some(status), true) => format!("CDR {status}"),
        (Some(status), false) => status,
        (None, _) => webhook.plan.name.clone(),
    };
    if let Some(leg) = text("leg") {
        name.push_str(&format!(" · {leg}"));
    }
    if let (Some(duration), true) = (text("duration"), words::is_cdr(webhook)) {
        name.push_str(&format!(" · duration {duration}"));
    }
    name
}

/// The first two figures of a stream: there is little room.
fn short(figures: &str) -> String {
    figures.split(" · ").take(2).collect::<Vec<_>>().join(" · ")
}

fn line(lane: Lane) -> Line {
    match lane {
        Lane::Caller => Line::Caller,
        Lane::Callee => Line::Callee,
        Lane::Platform => Line::Platform,
        Lane::Api => Line::Api,
        Lane::AnswerUrl => Line::Answer,
        Lane::WebSocket => Line::WebSocket,
    }
}

/// Virtual milliseconds of a wall time.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a place in a drawing: positive, and rounded to milliseconds"
)]
fn scaled(ns: u64, time_scale: f64) -> u64 {
    (ns as f64 / 1e6 * time_scale) as u64
}
