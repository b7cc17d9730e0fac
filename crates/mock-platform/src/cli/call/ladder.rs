use std::collections::BTreeMap;

use piopiy_events::{Evidence, Kind, Webhook};
use piopiy_mock_platform::deliver::Fault;
use piopiy_mock_platform::deliver::ledger::{AttemptEntry, AttemptOutcome, Cause, Entry, PlanEntry, Record};

/// What the terminal can do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) unicode: bool,
    pub(super) color: bool,
    /// Columns; at least 40.
    pub(super) width: usize,
}

/// Draws one call, a line for each attempt: caller, platform, app.
#[derive(Debug)]
pub(super) struct Ladder {
    style: Style,
    planned: BTreeMap<(u64, u32), PlanEntry>,
    begun: bool,
    hung_up: bool,
}

/// Columns of the time, in front of everything.
const TIME: usize = 10;
/// Columns from the caller's lane to the platform's.
const CALLER: usize = 14;
/// Columns of the answer, behind the app's lane.
const ANSWER: usize = 16;
/// From this width on there is room for the caller.
const WITH_CALLER: usize = 80;

impl Ladder {
    pub(super) fn new(style: Style) -> Self {
        Self { style, planned: BTreeMap::new(), begun: false, hung_up: false }
    }

    /// What a record adds to the drawing.
    pub(super) fn lines(&mut self, record: &Record) -> Vec<String> {
        let mut lines = Vec::new();
        match &record.entry {
            Entry::Plan(plan) => {
                if !self.begun {
                    self.begun = true;
                    lines.extend([plan.story.clone(), String::new(), self.heads()]);
                    let inbound = plan.story.starts_with("inbound");
                    lines.extend(self.caller_line(
                        plan.due_ms,
                        if inbound { "calls" } else { "rings" },
                        inbound,
                    ));
                }
                self.planned.insert((plan.call, plan.webhook), (**plan).clone());
            }
            Entry::Attempt(attempt) => {
                if let Some(plan) = self.planned.get(&(attempt.call, attempt.webhook)) {
                    let line = self.attempt_line(attempt, plan);
                    if plan.payload == Some(Kind::Cdr) && !self.hung_up {
                        self.hung_up = true;
                        let by_caller = plan.story.ends_with("the caller hung up");
                        let by_callee = plan.story.ends_with("the callee hung up");
                        if by_caller || by_callee {
                            let inbound = plan.story.starts_with("inbound");
                            let at_ms = plan.due_ms;
                            lines.extend(self.caller_line(at_ms, "hangs up", by_caller == inbound));
                        }
                    }
                    lines.push(line);
                }
            }
            Entry::Fault(entry) if entry.fault == Fault::Loss => {
                if let Some(plan) = self.planned.get(&(entry.call, entry.webhook)) {
                    let note = if self.has_caller() { ", lost on purpose" } else { " lost" };
                    lines.push(self.line(plan.due_ms, plan, note, false, ""));
                }
            }
            _ => {}
        }
        lines
    }

    fn attempt_line(&self, attempt: &AttemptEntry, plan: &PlanEntry) -> String {
        let color = match attempt.outcome {
            AttemptOutcome::Acknowledged => 32,
            AttemptOutcome::Refused | AttemptOutcome::Redirect => 33,
            _ => 31,
        };
        let answer = super::answer(attempt);
        let answer =
            if self.has_caller() { answer } else { answer.split(' ').next().unwrap_or_default().to_owned() };
        let answer = if self.style.color { format!("\x1b[{color}m{answer}\x1b[0m") } else { answer };
        // When it was due: the same in every run with the same seed.
        let at_ms = plan.due_ms + attempt.offset_ms;
        self.line(at_ms, plan, &self.cause(attempt), attempt.status.is_some(), &answer)
    }

    fn cause(&self, attempt: &AttemptEntry) -> String {
        match (attempt.cause, self.has_caller()) {
            (Cause::Redelivery, true) => format!(", attempt {}", attempt.attempt),
            (Cause::Redelivery, false) => format!(" {}", attempt.attempt),
            (Cause::Duplicate, true) => ", copy".to_owned(),
            (Cause::Duplicate, false) => " +".to_owned(),
            _ => String::new(),
        }
    }

    fn has_caller(&self) -> bool {
        self.style.width >= WITH_CALLER
    }

    /// Columns between the platform's lane and the app's.
    fn reach(&self) -> usize {
        let before = TIME + if self.has_caller() { CALLER } else { 0 } + 2;
        let answer = if self.has_caller() { ANSWER } else { 9 };
        self.style.width - before - answer
    }

    fn heads(&self) -> String {
        let caller = if self.has_caller() { format!("{:<CALLER$}", "caller") } else { String::new() };
        format!("{:>8}  {caller}{:<reach$}  app", "time", "platform", reach = self.reach() - 1)
            .trim_end()
            .to_owned()
    }

    /// Something between the caller and the platform, where there is room for it.
    fn caller_line(&self, at_ms: u64, what: &str, to_platform: bool) -> Option<String> {
        if !self.has_caller() {
            return None;
        }
        let [bar, dash, right, left, _] = self.characters();
        let body = format!("{dash} {what} ");
        let fill = dash.repeat(CALLER - 2 - body.chars().count());
        let arrow = if to_platform { format!("{body}{fill}{right}") } else { format!("{left}{body}{fill}") };
        let gap = " ".repeat(self.reach());
        Some(format!("{}{bar}{arrow}{bar}{gap}{bar}", time(at_ms)).trim_end().to_owned())
    }

    /// One webhook on its way: its name, shortened if it must be, and what must not be cut off behind it.
    fn line(&self, at_ms: u64, plan: &PlanEntry, note: &str, arrived: bool, answer: &str) -> String {
        let [bar, dash, right, _, cross] = self.characters();
        let (caller, mut name, guess) = if self.has_caller() {
            (format!("{bar}{}", " ".repeat(CALLER - 1)), name_and_leg(plan), " (guess)")
        } else {
            (String::new(), plan.name.clone(), "?")
        };
        let behind = format!("{}{note}", if plan.evidence == Evidence::Guess { guess } else { "" });
        let room = self.reach() - 4;
        let for_name = room.saturating_sub(behind.chars().count());
        if name.chars().count() > for_name {
            name = name.chars().take(for_name.saturating_sub(1)).collect();
            name.push(if self.style.unicode { '…' } else { '~' });
        }
        let text = format!("{name}{behind}");
        let fill = dash.repeat(room.saturating_sub(text.chars().count()));
        let head = if arrived { right } else { cross };
        format!("{}{caller}{bar}{dash} {text} {fill}{head}{bar} {answer}", time(at_ms)).trim_end().to_owned()
    }

    /// A lane, a dash, an arrow to the right and to the left, and a cross.
    fn characters(&self) -> [&'static str; 5] {
        if self.style.unicode { ["│", "─", "▶", "◀", "✗"] } else { ["|", "-", ">", "<", "x"] }
    }
}

/// `live.in_answered, leg a`.
fn name_and_leg(plan: &PlanEntry) -> String {
    let webhook = Webhook::parse(plan.body.as_bytes()).ok();
    let leg = webhook.and_then(|webhook| webhook.text("leg").map(|leg| format!(", leg {leg}")));
    format!("{}{}", plan.name, leg.unwrap_or_default())
}

/// Virtual time in seconds, in `TIME` columns.
fn time(at_ms: u64) -> String {
    format!("{:>4}.{:03}  ", at_ms / 1_000, at_ms % 1_000)
}
