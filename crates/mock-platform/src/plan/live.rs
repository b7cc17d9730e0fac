use std::borrow::Cow;
use std::sync::Arc;

use piopiy_events::{CallDirection, Kind, Profile};

use super::compiled::CompiledForms;
use super::filling::{Charge, Filling};
use super::ids::{CallIds, REQUEST_ID_LEN, RunIds, UUID_LEN};
use super::numbers::Digits;
use super::timeline::{Happening, Leg};
use super::words::{closing, stream_error};
use super::{Nonce, PlannedWebhook, Seed};

/// Makes the webhooks of live calls of one app: calls whose story nobody knows before it happens. The payloads are
/// those that the [`Simulator`](super::Simulator) would write.
///
/// # Examples
/// ```
/// use piopiy_events::{CallDirection, Profile, Webhook};
/// use piopiy_mock_platform::plan::{Happened, LiveCalls, Nonce, Seed};
///
/// let calls = LiveCalls::new(Profile::Global, 2_222_222, Seed(1), Nonce(2), 1_725_886_117_909);
/// let mut call = calls.call(0, CallDirection::Inbound, 447_700_900_123, 441_632_960_000, 0);
/// let answered = call.tell(&Happened::Answered, 1_200).unwrap();
/// assert_eq!(answered.name, "live.in_answered");
/// assert!(Webhook::parse(&answered.body).unwrap().validate(Profile::Global).findings.is_empty());
/// ```
#[derive(Debug, Clone)]
pub struct LiveCalls {
    profile: Profile,
    forms: Arc<CompiledForms>,
    ids: RunIds,
    epoch_ms: u64,
    price_per_minute: u64,
}

/// Something that happened in a live call. Legs are counted from 0, which is leg a.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Happened {
    /// A leg was dialled.
    Started(usize),
    /// A leg rings.
    Ringing(usize),
    /// Leg a was picked up.
    Answered,
    /// Another leg was picked up and joined to leg a.
    Bridged(usize),
    /// A leg was hung up.
    HungUp(usize),
    /// The WebSocket of an audio stream is open.
    StreamConnected,
    /// It was closed, with the close code of RFC 6455.
    StreamDisconnected {
        /// The code; 1006 where the connection broke.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// It could not be opened.
    StreamError {
        /// The code of `mod_audio_stream`, by inference.
        code: u16,
        /// What went wrong.
        error: String,
    },
    /// A leg's CDR is due.
    Record(usize),
}

impl LiveCalls {
    /// Calls of one app, whose ids follow from seed and nonce; `epoch_ms` is the wall time of virtual time 0.
    #[must_use]
    pub fn new(profile: Profile, appid: u64, seed: Seed, nonce: Nonce, epoch_ms: u64) -> Self {
        Self {
            profile,
            forms: Arc::new(CompiledForms::new(profile, appid, false)),
            ids: RunIds::new(seed, nonce),
            epoch_ms,
            price_per_minute: 0,
        }
    }

    /// Leaves out payloads that no page documents.
    #[must_use]
    pub fn documented_only(self, appid: u64) -> Self {
        Self { forms: Arc::new(CompiledForms::new(self.profile, appid, true)), ..self }
    }

    /// What a minute of talk costs: millionths of the account's currency.
    #[must_use]
    pub fn price_per_minute(self, millionths: u64) -> Self {
        Self { price_per_minute: millionths, ..self }
    }

    /// A call that starts at `at_ms`: virtual milliseconds from the start of the run.
    #[must_use]
    pub fn call(&self, index: u64, direction: CallDirection, from: u64, to: u64, at_ms: u64) -> LiveCall {
        let ids = self.ids.call(index);
        let account = if direction == CallDirection::Inbound { to } else { from };
        let leg = Leg { is_b: false, id: 0, to: Digits::new(to), start: at_ms, answer: None, end: at_ms };
        LiveCall {
            calls: self.clone(),
            index,
            seq: 0,
            direction,
            ids,
            from: Digits::new(from),
            account: Digits::new(account),
            legs: vec![leg],
            leg_ids: vec![ids.leg(0)],
            request: ids.request(),
            extra_params: Vec::new(),
            balance: 0,
        }
    }
}

/// One live call: what is known of it so far.
#[derive(Debug, Clone)]
pub struct LiveCall {
    calls: LiveCalls,
    index: u64,
    seq: u32,
    direction: CallDirection,
    ids: CallIds,
    from: Digits,
    account: Digits,
    legs: Vec<Leg>,
    leg_ids: Vec<[u8; UUID_LEN]>,
    request: [u8; REQUEST_ID_LEN],
    extra_params: Vec<u8>,
    balance: i128,
}

impl LiveCall {
    /// Which call of the run.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The profile of its webhooks.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.calls.profile
    }

    /// Who called whom.
    #[must_use]
    pub fn direction(&self) -> CallDirection {
        self.direction
    }

    /// The `cmiuuid` of a leg.
    #[must_use]
    pub fn leg_id(&self, leg: usize) -> &str {
        self.leg_ids.get(leg).map_or("", |id| text(id))
    }

    /// The `request_id` of an outbound call.
    #[must_use]
    pub fn request_id(&self) -> &str {
        text(&self.request)
    }

    /// What the webhooks give as the time of something that happens at `at_ms`: milliseconds since 1970.
    #[must_use]
    pub fn wall_ms(&self, at_ms: u64) -> u64 {
        self.calls.epoch_ms.saturating_add(at_ms)
    }

    /// Whether a leg was picked up.
    #[must_use]
    pub fn is_answered(&self, leg: usize) -> bool {
        self.legs.get(leg).is_some_and(|leg| leg.answer.is_some())
    }

    /// What comes back as `extra_params` from now on.
    pub fn set_extra_params(&mut self, params: &str) {
        self.extra_params = escaped(params);
    }

    /// Another party is dialled at `at_ms`. On an inbound call all of them share one leg b, which has leg a's id and
    /// number (what the documented sample has).
    pub fn dial(&mut self, to: u64, at_ms: u64) -> usize {
        let inbound = self.direction == CallDirection::Inbound;
        if inbound && self.legs.len() > 1 {
            return 1;
        }
        let id = if inbound { 0 } else { self.legs.len() as u64 };
        let (to, start) =
            if inbound { (self.legs[0].to, self.legs[0].start) } else { (Digits::new(to), at_ms) };
        self.legs.push(Leg { is_b: true, id, to, start, answer: None, end: at_ms });
        self.leg_ids.push(self.ids.leg(id));
        self.legs.len() - 1
    }

    /// A leg is over at `at_ms`: its CDR may be asked for.
    pub fn end(&mut self, leg: usize, at_ms: u64) {
        // The documented record of an inbound call's leg b has leg a's end: whoever ends leg a ends it again.
        if let Some(leg) = self.legs.get_mut(leg) {
            leg.end = at_ms;
        }
    }

    /// Whether another party was dialled.
    #[must_use]
    pub fn has_leg_b(&self) -> bool {
        self.legs.len() > 1
    }

    /// What a leg costs, as far as it has come: millionths.
    #[must_use]
    pub fn cost(&self, leg: usize) -> u64 {
        self.legs.get(leg).map_or(0, |leg| self.charge(leg).rate)
    }

    /// The account's balance that the next CDR tells: millionths.
    pub fn set_balance(&mut self, millionths: i128) {
        self.balance = millionths;
    }

    /// The webhook that tells of it; `None` where the profile has none. What was picked up is remembered.
    pub fn tell(&mut self, happened: &Happened, at_ms: u64) -> Option<PlannedWebhook> {
        let (happening, leg, ws_message) = match happened {
            Happened::Started(leg) => (Happening::Started, *leg, Vec::new()),
            Happened::Ringing(leg) => (Happening::Ringing, *leg, Vec::new()),
            Happened::Answered => {
                self.picked_up(0, at_ms);
                (Happening::Answered, 0, Vec::new())
            }
            Happened::Bridged(leg) => {
                self.picked_up(*leg, at_ms);
                (Happening::Bridged, *leg, Vec::new())
            }
            Happened::HungUp(leg) => (Happening::Hangup, *leg, Vec::new()),
            Happened::StreamConnected => (Happening::StreamConnected, 0, Vec::new()),
            Happened::StreamDisconnected { code, reason } => {
                (Happening::StreamDisconnected, 0, escaped(&closing(*code, reason)))
            }
            Happened::StreamError { code, error } => {
                (Happening::StreamError, 0, escaped(&stream_error(*code, error)))
            }
            Happened::Record(leg) => {
                let happening = if self.is_answered(*leg) { Happening::Talked } else { Happening::Missed };
                (happening, *leg, Vec::new())
            }
        };
        self.write(happening, leg, &ws_message, at_ms)
    }

    fn picked_up(&mut self, leg: usize, at_ms: u64) {
        if let Some(leg) = self.legs.get_mut(leg) {
            leg.answer.get_or_insert(at_ms);
        }
    }

    fn write(
        &mut self,
        happening: Happening,
        leg: usize,
        ws_message: &[u8],
        at_ms: u64,
    ) -> Option<PlannedWebhook> {
        let leg_of = self.legs.get(leg)?;
        let forms = Arc::clone(&self.calls.forms);
        let form = forms.get(self.direction, happening, leg_of.is_b, !self.extra_params.is_empty())?;
        let told_of = if form.form.kind == Kind::Cdr { leg_of.start } else { at_ms };
        let outbound = self.direction == CallDirection::Outbound;
        let conversation: &[u8] =
            if outbound && self.profile() != Profile::India { &self.request } else { &self.leg_ids[0] };
        let mut body = Vec::with_capacity(512);
        let filling = Filling {
            time: self.calls.epoch_ms.saturating_add(told_of),
            start: self.seconds(leg_of.start),
            answer: self.seconds(leg_of.answer.unwrap_or(leg_of.start)),
            end: self.seconds(leg_of.end),
            charge: if happening == Happening::Talked { self.charge(leg_of) } else { Charge::default() },
            balance: self.balance,
            from: &self.from,
            to: &leg_of.to,
            account: &self.account,
            leg_id: &self.leg_ids[leg],
            conversation,
            request: &self.request,
            extra_params: &self.extra_params,
            ws_message,
        };
        filling.write(form, &mut body);
        let (name, kind, evidence) = (form.form.name, form.form.kind, form.form.evidence);
        let seq = self.next_seq();
        Some(PlannedWebhook::new(self.index, seq, at_ms, Cow::Borrowed(name), Some(kind), evidence, body))
    }

    fn next_seq(&mut self) -> u32 {
        let seq = self.seq;
        self.seq += 1;
        seq
    }

    fn charge(&self, leg: &Leg) -> Charge {
        let talked = leg.answer.map(|answer| self.seconds(leg.end).saturating_sub(self.seconds(answer)));
        talked.map_or_else(Charge::default, |talked| Charge::of(self.calls.price_per_minute, talked))
    }

    fn seconds(&self, at_ms: u64) -> u64 {
        self.calls.epoch_ms.saturating_add(at_ms) / 1_000
    }
}

/// Ids are ASCII.
fn text(id: &[u8]) -> &str {
    std::str::from_utf8(id).unwrap_or_default()
}

/// A text as the inside of a JSON string.
fn escaped(text: &str) -> Vec<u8> {
    let mut quoted = serde_json::Value::from(text).to_string().into_bytes();
    quoted.pop();
    quoted.remove(0);
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use piopiy_events::{Calls, Phase, Webhook};

    /// Everything that can be told of a call of this direction, in an order in which it may happen.
    fn told(profile: Profile, direction: CallDirection) -> Vec<PlannedWebhook> {
        let calls =
            LiveCalls::new(profile, 7, Seed(1), Nonce(2), 1_725_886_117_909).price_per_minute(450_000);
        let mut call = calls.call(3, direction, 447_700_900_123, 441_632_960_000, 1_000);
        call.set_extra_params("{\"say\":\"\u{e9}\\ \"}");
        let mut webhooks = Vec::new();
        let mut tell = |call: &mut LiveCall, happened: Happened, at_ms| {
            webhooks.extend(call.tell(&happened, at_ms));
        };
        tell(&mut call, Happened::Started(0), 1_000);
        tell(&mut call, Happened::Ringing(0), 1_500);
        tell(&mut call, Happened::Answered, 3_000);
        tell(&mut call, Happened::StreamConnected, 3_100);
        let closed = Happened::StreamDisconnected { code: 1011, reason: "went \"wrong\"".to_owned() };
        tell(&mut call, closed, 4_000);
        tell(&mut call, Happened::StreamError { code: 6, error: "Connection failed".to_owned() }, 4_100);
        let leg = call.dial(442_079_460_000, 5_000);
        tell(&mut call, Happened::Started(leg), 5_000);
        tell(&mut call, Happened::Bridged(leg), 9_000);
        tell(&mut call, Happened::HungUp(0), 12_000);
        tell(&mut call, Happened::HungUp(leg), 12_010);
        call.end(0, 12_000);
        call.end(leg, 12_000);
        call.set_balance(1_000_000);
        tell(&mut call, Happened::Record(0), 12_500);
        tell(&mut call, Happened::Record(leg), 12_600);
        webhooks
    }

    #[test]
    fn everything_that_is_told_is_valid_and_folds_to_a_call_that_was_answered() {
        for profile in Profile::ALL {
            for direction in [CallDirection::Inbound, CallDirection::Outbound] {
                let webhooks = told(profile, direction);
                let mut calls = Calls::default();
                for webhook in &webhooks {
                    let parsed = Webhook::parse(&webhook.body).unwrap();
                    let findings = parsed.validate(profile).findings;
                    assert!(findings.is_empty(), "{profile} {}: {findings:?}", webhook.name);
                    calls.apply(&parsed);
                }
                let phases: Vec<_> = calls.states().values().map(piopiy_events::CallState::phase).collect();
                assert_eq!(phases, [Phase::EndedAnswered], "{profile} {direction}");
                let seqs: Vec<u32> = webhooks.iter().map(|webhook| webhook.seq).collect();
                assert_eq!(seqs, (0..webhooks.len() as u32).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_leg_that_nobody_picked_up_is_missed_and_costs_nothing() {
        let calls = LiveCalls::new(Profile::Global, 7, Seed(1), Nonce(2), 0).price_per_minute(450_000);
        let mut call = calls.call(0, CallDirection::Outbound, 441_632_960_000, 447_700_900_123, 0);
        call.end(0, 30_000);
        assert_eq!(call.cost(0), 0);
        let record = call.tell(&Happened::Record(0), 31_000).unwrap();
        assert_eq!(record.name, "cdr.outbound.missed");
        assert!(String::from_utf8_lossy(&record.body).contains(r#""call_rate":0"#));
    }
}
