//! What happened so far, by call: a fold over the ledger, for the control API, the console and tests.

mod brief;
mod view;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use piopiy_events::{CallState, Kind, Phase, Webhook};
use tokio::sync::broadcast;

use super::exchange::lock;
use crate::deliver::ledger::{CallEntry, Entry, MessageEntry, MessageKind, PlanEntry, Record};

pub(super) use brief::Brief;
use view::Weight;
pub use view::{CallView, Row, WebhookRow};

/// How many calls are remembered; the oldest that are over go first.
const CALLS: usize = 1_000;
/// How many rows of one call are. As many more are its webhooks', and behind those as many its CDRs', which are few and
/// come last: none is forgotten because much came before.
const ROWS: usize = 2_000;
/// How many bytes of one call are, and of all of them before old ones go: a platform may run for days.
const CALL_BYTES: usize = 8 * 1024 * 1024;
const WEBHOOK_BYTES: usize = 2 * 1024 * 1024;
const ALL_BYTES: usize = 256 * 1024 * 1024;
/// What a row takes besides its bytes, about.
const ROW_BYTES: usize = 512;
/// How many messages that belong to no call are.
const LOOSE: usize = 200;
/// Copies that are sent by hand are counted from here, so that they never meet a webhook of the call's own.
pub(super) const BY_HAND: u32 = 10_000;

/// What happened so far, by call.
#[derive(Debug)]
pub struct Board {
    state: Arc<Mutex<State>>,
    changes: broadcast::Sender<Change>,
}

/// Something is to be seen that was not before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// In which call; none where it is in no call.
    pub call: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    calls: BTreeMap<u64, Seen>,
    loose: VecDeque<MessageEntry>,
    /// How many of them were let go.
    let_go: u64,
}

#[derive(Debug)]
struct Seen {
    begin: CallEntry,
    state: CallState,
    /// Those that it was in.
    phases: Vec<Phase>,
    rows: Vec<Row>,
    /// How much the rows take.
    bytes: usize,
    /// Every id by which it can be asked for.
    ids: Vec<String>,
    by_hand: u32,
    is_over: bool,
    /// When the last thing happened that was no redelivery and no copy: virtual milliseconds.
    last_ms: u64,
}

impl Default for Board {
    fn default() -> Self {
        Self { state: Arc::default(), changes: broadcast::channel(1_024).0 }
    }
}

impl Board {
    /// All calls that are remembered, the newest first.
    #[must_use]
    pub fn calls(&self) -> Vec<CallView> {
        let state = lock(&self.state);
        state.calls.iter().rev().map(|(&call, seen)| seen.view(call)).collect()
    }

    /// The newest calls, and how many are remembered.
    pub(super) fn newest(&self, count: usize) -> (Vec<Brief>, usize) {
        let state = lock(&self.state);
        let newest = state.calls.iter().rev().take(count).map(|(&call, seen)| seen.brief(call)).collect();
        (newest, state.calls.len())
    }

    /// Whether a call is on.
    pub(super) fn is_busy(&self) -> bool {
        lock(&self.state).calls.values().any(|seen| !seen.is_over)
    }

    /// The calls that are on.
    pub(super) fn on(&self) -> Vec<u64> {
        let state = lock(&self.state);
        state.calls.iter().filter(|(_, seen)| !seen.is_over).map(|(&call, _)| call).collect()
    }

    /// Whether every call is over, and nothing more will come of any webhook.
    pub(super) fn is_settled(&self) -> bool {
        let state = lock(&self.state);
        state.calls.values().all(|seen| seen.is_over && view::is_settled(&seen.rows))
    }

    /// How many calls are remembered.
    pub(super) fn len(&self) -> usize {
        lock(&self.state).calls.len()
    }

    /// One call.
    #[must_use]
    pub fn call(&self, call: u64) -> Option<CallView> {
        lock(&self.state).calls.get(&call).map(|seen| seen.view(call))
    }

    /// The same, as a list shows it.
    pub(super) fn brief(&self, call: u64) -> Option<Brief> {
        lock(&self.state).calls.get(&call).map(|seen| seen.brief(call))
    }

    /// What belongs to no call, such as requests that were refused, and those that nothing answers; the oldest first, and
    /// the newest 200 alone.
    #[must_use]
    pub fn loose(&self) -> Vec<MessageEntry> {
        lock(&self.state).loose.iter().cloned().collect()
    }

    /// The newest of it, each with its number from the start; and how much there was in all.
    pub(super) fn newest_loose(&self, count: usize) -> (Vec<(u64, MessageEntry)>, u64) {
        let state = lock(&self.state);
        let seen = state.let_go + state.loose.len() as u64;
        let numbered = state.loose.iter().rev().zip((0..seen).rev()).take(count);
        (numbered.map(|(message, number)| (number, message.clone())).collect(), seen)
    }

    /// Tells what changes from now on; who is far behind misses some.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// Forgets the calls that are over.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        state.calls.retain(|_, seen| !seen.is_over);
        state.let_go += state.loose.len() as u64;
        state.loose.clear();
    }

    /// The call with this number, `cmiuuid` or `request_id`.
    pub(super) fn find(&self, id: &str) -> Option<u64> {
        let state = lock(&self.state);
        let number = id.parse().ok().filter(|number| state.calls.contains_key(number));
        number.or_else(|| {
            let found = state.calls.iter().rev().find(|(_, seen)| seen.ids.iter().any(|known| known == id));
            found.map(|(&call, _)| call)
        })
    }

    /// The call of the leg with this `cmiuuid`, however the id is written.
    pub(super) fn find_leg(&self, id: &str) -> Option<u64> {
        let is_id = is_id(id);
        let state = lock(&self.state);
        let of_leg = |seen: &Seen| {
            let is_leg = |known: &&String| seen.begin.request_id.as_ref() != Some(known);
            seen.ids.iter().filter(is_leg).any(|known| is_id(known))
        };
        state.calls.iter().rev().find(|(_, seen)| of_leg(seen)).map(|(&call, _)| call)
    }

    /// The CDRs that were sent, or were to be sent, of all calls that are remembered, each with its call, the newest
    /// first; those that fit.
    pub(super) fn cdrs(&self, fits: impl Fn(&Webhook) -> bool) -> Vec<(u64, Webhook)> {
        let state = lock(&self.state);
        let mut found: Vec<(u64, Webhook)> = Vec::new();
        for (&call, seen) in state.calls.iter().rev() {
            for row in &seen.rows {
                let body = match row {
                    Row::Webhook(row) if row.plan.webhook < BY_HAND => row.plan.body.as_bytes(),
                    Row::Message(message) if message.what == MessageKind::Unsent => {
                        message.request.as_ref().map(|body| body.as_bytes()).unwrap_or_default()
                    }
                    _ => continue,
                };
                if let Ok(webhook) = Webhook::parse(body)
                    && webhook.kind() == Some(Kind::Cdr)
                    && fits(&webhook)
                {
                    found.push((call, webhook));
                }
            }
        }
        found
    }

    /// How a call began, without all that came of it.
    pub(super) fn begin_of(&self, call: u64) -> Option<CallEntry> {
        lock(&self.state).calls.get(&call).map(|seen| seen.begin.clone())
    }

    /// The webhooks of all calls that are remembered, those of the newest calls first; so many.
    pub(super) fn newest_webhooks(&self, count: usize) -> Vec<Arc<WebhookRow>> {
        let state = lock(&self.state);
        let rows = state.calls.values().rev().flat_map(|seen| &seen.rows);
        let webhooks = rows.filter_map(|row| match row {
            Row::Webhook(row) => Some(Arc::clone(row)),
            Row::Message(_) => None,
        });
        webhooks.take(count).collect()
    }

    /// A webhook of a call, and the number that a copy of it gets.
    pub(super) fn webhook(&self, call: u64, seq: u32) -> Option<(PlanEntry, u32)> {
        let mut state = lock(&self.state);
        let seen = state.calls.get_mut(&call)?;
        let plan = seen.rows.iter().find_map(|row| match row {
            Row::Webhook(row) if row.plan.webhook == seq => Some(row.plan.clone()),
            _ => None,
        })?;
        seen.by_hand += 1;
        Some((plan, BY_HAND + seen.by_hand))
    }

    /// What the ledger is read with.
    pub(super) fn reader(&self) -> impl FnMut(&Record) + Send + use<> {
        let (state, changes) = (Arc::clone(&self.state), self.changes.clone());
        move |record| {
            if let Some(change) = lock(&state).read(&record.entry) {
                // Nobody may be watching.
                let _ = changes.send(change);
            }
        }
    }
}

/// Whether an id of the platform is this one, which may be written as UUIDs are: in capitals, without dashes, in braces.
pub(super) fn is_id(id: &str) -> impl Fn(&str) -> bool + '_ {
    let bare = id.strip_prefix('{').and_then(|id| id.strip_suffix('}')).unwrap_or(id).replace('-', "");
    let is_uuid = bare.len() == 32 && bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    let usual = is_uuid.then(|| {
        let bare = bare.to_ascii_lowercase();
        [&bare[..8], &bare[8..12], &bare[12..16], &bare[16..20], &bare[20..]].join("-")
    });
    move |known| known == id || usual.as_deref() == Some(known)
}

impl State {
    fn read(&mut self, entry: &Entry) -> Option<Change> {
        let call = match entry {
            Entry::Call(begin) => {
                self.make_room();
                self.calls.insert(begin.call, Seen::new(begin));
                Some(begin.call)
            }
            Entry::Message(message) => match message.call {
                Some(call) => {
                    let seen = self.calls.get_mut(&call)?;
                    if let (MessageKind::Unsent, Some(body)) = (message.what, &message.request) {
                        seen.apply(body.as_bytes());
                    }
                    seen.add(Row::Message(Arc::from(message.clone())));
                    Some(call)
                }
                None => {
                    if self.loose.len() >= LOOSE {
                        self.loose.pop_front();
                        self.let_go += 1;
                    }
                    self.loose.push_back(message.as_ref().clone());
                    None
                }
            },
            Entry::Plan(plan) => {
                self.calls.get_mut(&plan.call)?.plan(plan);
                Some(plan.call)
            }
            Entry::Attempt(attempt) => {
                let row = self.calls.get_mut(&attempt.call)?.webhook(attempt.webhook)?;
                row.attempts.push(attempt.clone());
                Some(attempt.call)
            }
            Entry::Fault(fault) => {
                let row = self.calls.get_mut(&fault.call)?.webhook(fault.webhook)?;
                row.faults.push(fault.clone());
                Some(fault.call)
            }
            Entry::Outcome(outcome) => {
                let row = self.calls.get_mut(&outcome.call)?.webhook(outcome.webhook)?;
                row.outcome = Some(outcome.outcome);
                Some(outcome.call)
            }
            Entry::Over(over) => {
                self.calls.get_mut(&over.call)?.is_over = true;
                Some(over.call)
            }
            _ => return None,
        };
        Some(Change { call })
    }

    fn make_room(&mut self) {
        let mut bytes: usize = self.calls.values().map(|seen| seen.bytes).sum();
        while self.calls.len() >= CALLS || bytes > ALL_BYTES {
            let over = self.calls.iter().find(|(_, seen)| seen.is_over).map(|(&call, _)| call);
            match over {
                Some(call) => bytes -= self.calls.remove(&call).map_or(0, |seen| seen.bytes),
                None => return,
            }
        }
    }
}

impl Seen {
    fn new(begin: &CallEntry) -> Self {
        let ids = [Some(begin.cmiuuid.clone()), begin.request_id.clone()];
        Self {
            begin: begin.clone(),
            state: CallState::default(),
            phases: Vec::new(),
            rows: Vec::new(),
            bytes: 0,
            ids: ids.into_iter().flatten().collect(),
            by_hand: 0,
            is_over: false,
            last_ms: begin.at_ms,
        }
    }

    fn view(&self, call: u64) -> CallView {
        CallView {
            call,
            begin: self.begin.clone(),
            phase: self.state.phase(),
            phases: self.phases.clone(),
            is_over: self.is_over,
            rows: self.rows.clone(),
        }
    }

    fn add(&mut self, row: Row) {
        self.last_ms = self.last_ms.max(row.at_ms().unwrap_or_default());
        let bytes = ROW_BYTES + row.bytes();
        let (rows, most) = match row.weight() {
            Weight::Message => (ROWS, CALL_BYTES),
            Weight::Webhook => (2 * ROWS, CALL_BYTES + WEBHOOK_BYTES),
            Weight::Cdr => (3 * ROWS, CALL_BYTES + 2 * WEBHOOK_BYTES),
        };
        if self.rows.len() < rows && self.bytes + bytes <= most {
            self.bytes += bytes;
            self.rows.push(row);
        }
    }

    fn plan(&mut self, plan: &PlanEntry) {
        self.apply(plan.body.as_bytes());
        self.add(Row::Webhook(Arc::new(WebhookRow {
            plan: plan.clone(),
            attempts: Vec::new(),
            faults: Vec::new(),
            outcome: None,
        })));
    }

    fn apply(&mut self, body: &[u8]) {
        let Ok(webhook) = Webhook::parse(body) else { return };
        self.state.apply(&webhook);
        let phase = self.state.phase();
        if !self.phases.contains(&phase) {
            self.phases.push(phase);
        }
        if let Some(id) = webhook.text("cmiuuid")
            && !self.ids.iter().any(|known| *known == id)
        {
            self.ids.push(id.into_owned());
        }
    }

    fn webhook(&mut self, seq: u32) -> Option<&mut WebhookRow> {
        self.rows.iter_mut().rev().find_map(|row| match row {
            // Whoever looks at it goes on with what it was.
            Row::Webhook(row) if row.plan.webhook == seq => Some(Arc::make_mut(row)),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests;
