//! One live call: a task of its own, from the first ring to the last CDR.

mod acting;
mod asking;
mod bridging;
mod collecting;
mod ending;
mod idle;
mod outbox;
mod passing;
mod streaming;
mod transferring;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures_util::FutureExt as _;
use piopiy_events::CallDirection;
use piopiy_events::pcmo::{Action, Pcmo, Stream};
use tokio::sync::mpsc;
use tokio::task::JoinError;

use super::config::{Answers, Config, Person};
use super::exchange::{Exchange, TransferStatus};
use super::stream::{Speaker, StreamSession};
use crate::deliver::Target;
use crate::deliver::ledger::{Entry, Lane, MessageEntry, MessageKind, OverEntry};
use crate::plan::draw::{Draws, Purpose};
use crate::plan::{Happened, LiveCall, Quantiles};
use bridging::Talk;
use outbox::Outbox;
use passing::Break;
use transferring::Before;
pub(super) use transferring::Transferring;

/// What a call begins with.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) direction: CallDirection,
    pub(super) appid: u64,
    pub(super) from: u64,
    pub(super) to: u64,
    /// Whose webhook URLs hold.
    pub(super) account: u64,
    /// Whoever is on leg a.
    pub(super) person: Person,
    /// Whoever is on leg b, where they are not who the configuration says.
    pub(super) callee: Option<Person>,
    pub(super) flow: Option<Pcmo>,
    pub(super) answer_url: Option<Target>,
    pub(super) extra_params: Option<String>,
    pub(super) ring_ms: Option<u64>,
    pub(super) talk_ms: u64,
    pub(super) record: bool,
    /// Whether the number that is shown is none of the app's.
    pub(super) is_foreign: bool,
}

/// Who ends a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ender {
    /// Whoever is on leg a.
    Caller,
    /// Whoever is on leg b: the call flow goes on.
    Callee,
    /// The call flow, or a limit.
    Platform,
    /// The API.
    Api,
}

/// What is done to a call that may be on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hold {
    /// It is put on hold.
    On,
    /// It is taken back.
    Off,
    /// The other of the two.
    Toggle,
}

/// What is done to a live call from outside.
#[derive(Debug)]
pub(super) enum Command {
    Digits(String),
    HangUp(Ender),
    Hold(Hold),
    Transfer { flow: Pcmo, transfer: Transferring },
    DropStream(Option<u16>),
}

/// How many actions of one call are carried out: a flow that leads to itself would go on for ever.
const MOST_ACTIONS: u32 = 5_000;
/// How long an outbound call rings where nobody said.
const RING_MS: u64 = 40_000;

/// What a call hears, and where it says whether anybody is on leg b.
pub(super) type Line = (mpsc::UnboundedReceiver<Command>, Arc<AtomicBool>);

pub(super) async fn run(
    exchange: Exchange,
    config: Arc<Config>,
    live: LiveCall,
    setting: Setting,
    (commands, on_leg_b): Line,
) {
    let index = live.index();
    let (outbox, sent) =
        Outbox::open(exchange.clone(), live.profile(), index, (setting.appid, setting.account));
    let call = Call {
        draws: Draws::new(exchange.seed().0, index),
        exchange: exchange.clone(),
        config,
        live,
        commands,
        on_leg_b,
        outbox,
        digits: String::new(),
        pressing: VecDeque::new(),
        asked: 0,
        carried_out: 0,
        drawn: 0,
        dialled: 0,
        stream: None,
        bridged: None,
        on_hold: false,
        is_recorded: setting.record,
        picked_up_us: None,
        stream_on_answer: None,
        is_on_stream: false,
        is_handed_over: false,
        streams: 0,
        talked_to: None,
        tracks: None,
        hang_up_at_us: None,
        ends_at_us: None,
        transfer: None,
        came_to: None,
        before: None,
        waiting: None,
        setting,
    };
    let whole = async move {
        let mut call = call;
        call.whole().await;
    };
    to_its_end(&exchange, index, whole, sent).await;
}

/// Carries a call out, and forgets it once its last webhook is out, whatever becomes of it.
async fn to_its_end(
    exchange: &Exchange,
    index: u64,
    whole: impl Future<Output = ()>,
    sent: impl Future<Output = Result<(), JoinError>>,
) {
    // Nothing of the call is looked at behind a panic.
    if AssertUnwindSafe(whole).catch_unwind().await.is_err() {
        let (from, to) = (Lane::Platform, Lane::Platform);
        let mut message = MessageEntry::new(exchange.now_ms(), from, to, MessageKind::Action, "breaks off");
        message.call = Some(index);
        message.error = Some("a defect of piopiy-mock: please report what it wrote to stderr".to_owned());
        exchange.tell(message);
    }
    let _ = sent.await;
    exchange.forget(index);
    let over = OverEntry::new(index, exchange.now_ms());
    exchange.ledger().append(Entry::Over(over));
}

pub(super) struct Call {
    exchange: Exchange,
    config: Arc<Config>,
    live: LiveCall,
    setting: Setting,
    commands: mpsc::UnboundedReceiver<Command>,
    on_leg_b: Arc<AtomicBool>,
    outbox: Outbox,
    draws: Draws,
    /// Pressed and not yet asked for.
    digits: String,
    /// What the person on leg a is about to press, and when: virtual microseconds.
    pressing: VecDeque<(u64, char)>,
    /// How often the person was asked to press something.
    asked: usize,
    /// How many actions were carried out.
    carried_out: u32,
    /// How many draws were made, of any purpose.
    drawn: u64,
    /// How many parties were dialled.
    dialled: usize,
    stream: Option<StreamSession>,
    /// Whom leg a talks to.
    bridged: Option<Talk>,
    on_hold: bool,
    is_recorded: bool,
    /// When leg a was picked up: virtual microseconds.
    picked_up_us: Option<u64>,
    /// A stream that is opened when the other party picks up.
    stream_on_answer: Option<Stream>,
    /// Whether its end is what the flow waits for.
    is_on_stream: bool,
    /// Whether it was hung up, for somebody else is called.
    is_handed_over: bool,
    /// How many streams there were.
    streams: u32,
    /// Whoever is on leg b, and what they say.
    talked_to: Option<Speaker>,
    /// Both directions of the last stream.
    tracks: Option<(PathBuf, PathBuf)>,
    /// When the person on leg a hangs up: virtual microseconds.
    hang_up_at_us: Option<u64>,
    /// When the platform does.
    ends_at_us: Option<u64>,
    /// The transfer that is carried out.
    transfer: Option<String>,
    /// Why nobody took it.
    came_to: Option<&'static str>,
    /// What is gone back to, where nobody takes it.
    before: Option<Before>,
    /// A call flow that came while it rang: it is carried out once somebody picks up.
    waiting: Option<(Pcmo, Transferring)>,
}

impl Call {
    async fn whole(&mut self) {
        if let Some(params) = self.setting.extra_params.clone() {
            self.live.set_extra_params(&params);
        }
        let ended = match self.setting.direction {
            CallDirection::Inbound => self.inbound().await,
            CallDirection::Outbound => self.outbound().await,
        };
        match ended {
            Ok(()) | Err(Break::Over) => {}
            // It came while the application was asked.
            Err(Break::Flow { flow, transfer }) => {
                let queue = self.turn_to(VecDeque::new(), flow, transfer);
                self.carry_out(queue).await;
            }
        }
        self.end().await;
    }

    async fn inbound(&mut self) -> Result<(), Break> {
        let called = format!("calls {}", self.setting.to);
        self.say(Lane::Caller, Lane::Platform, MessageKind::Person, called);
        // Nobody has picked up yet: who waits too long gives up.
        self.hang_up_at_us = Some(self.after_ms(self.setting.person.patience.millis()));
        let flow = self.first_flow().await?;
        self.carry_out(flow.into()).await;
        Ok(())
    }

    async fn outbound(&mut self) -> Result<(), Break> {
        if self.setting.is_foreign {
            let label = format!("{} is no number of app {}", self.setting.from, self.setting.appid);
            self.choose(label, "it is shown; webhooks go where those of the app's first number go");
        }
        let dials = format!("dials {}", self.setting.to);
        self.say(Lane::Platform, Lane::Caller, MessageKind::Person, dials);
        self.happens(&Happened::Started(0));
        let longest = self.setting.ring_ms.unwrap_or(RING_MS);
        let person = self.setting.person.clone();
        let after = self.draw(&person.answers_after, Purpose::Person);
        let began = self.now_us();
        let rings = 300.min(after.min(longest) / 2);
        self.spend(rings).await?;
        if matches!(person.answers, Answers::Yes | Answers::No) {
            self.happens(&Happened::Ringing(0));
        }
        let (picks_up, wait, what) = match person.answers {
            Answers::Yes if after <= longest => (true, after, "picks up"),
            Answers::Yes | Answers::No => (false, longest, "does not pick up"),
            Answers::Busy => (false, rings, "is busy"),
            Answers::Rejects => (false, after.min(longest), "turns the call away"),
        };
        self.spend_until(began + wait * 1_000).await?;
        self.say(Lane::Caller, Lane::Platform, MessageKind::Person, what);
        if !picks_up {
            return Ok(());
        }
        self.answer();
        let queue = self.begins_with().await?;
        self.carry_out(queue).await;
        Ok(())
    }

    /// Carries out a call flow, and whatever takes its place, until the call is over.
    async fn carry_out(&mut self, mut queue: VecDeque<Action>) {
        loop {
            self.settle_failed(&mut queue);
            let done = if self.before.is_none() && self.bridged.is_some() {
                // Nobody took a warm transfer.
                self.talk_on().await
            } else if self.before.is_none() && self.is_on_stream {
                self.stream_on().await
            } else {
                self.next(&mut queue).await
            };
            match done {
                Ok(acting::Next::Go) => {}
                Ok(acting::Next::Instead(flow)) => {
                    self.forget_stream_on_answer();
                    queue = flow.into();
                }
                Ok(acting::Next::HangUp) => {
                    self.settle_transfer(TransferStatus::Completed);
                    return;
                }
                Err(Break::Over) => return,
                Err(Break::Flow { flow, transfer }) => queue = self.turn_to(queue, flow, transfer),
            }
        }
    }

    async fn next(&mut self, queue: &mut VecDeque<Action>) -> Result<acting::Next, Break> {
        let Some(action) = queue.pop_front() else {
            // Whoever was to be called was: what failed is settled already.
            self.settle_transfer(TransferStatus::Completed);
            self.forget_stream_on_answer();
            return self.behind_the_last().await;
        };
        self.carried_out += 1;
        if self.carried_out > MOST_ACTIONS {
            self.choose(format!("more than {MOST_ACTIONS} actions"), "the call is ended");
            return Err(Break::Over);
        }
        self.act(action, queue.front()).await
    }

    /// Leg a is picked up, where it was not.
    fn answer(&mut self) {
        if self.live.is_answered(0) {
            return;
        }
        self.happens(&Happened::Answered);
        self.picked_up_us = Some(self.now_us());
        let hangs_up = self.setting.person.hangs_up_after;
        self.hang_up_at_us = hangs_up.map(|after| self.after_ms(after.millis()));
        self.ends_at_us = Some(self.after_ms(self.setting.talk_ms));
    }

    /// Sends the webhook that tells of it, if the profile has one.
    fn happens(&mut self, happened: &Happened) {
        let now_ms = self.now_us() / 1_000;
        if let Some(webhook) = self.live.tell(happened, now_ms) {
            self.outbox.send(webhook);
        }
    }

    fn message(&self, from: Lane, to: Lane, what: MessageKind, label: impl Into<String>) -> MessageEntry {
        let mut message = MessageEntry::new(self.now_us() / 1_000, from, to, what, label);
        message.call = Some(self.live.index());
        message
    }

    fn say(&self, from: Lane, to: Lane, what: MessageKind, label: impl Into<String>) {
        self.exchange.tell(self.message(from, to, what, label));
    }

    /// Tells of something that no page documents, and of the choice that was made.
    fn choose(&self, label: impl Into<String>, choice: &str) {
        let mut message = self.message(Lane::Platform, Lane::Platform, MessageKind::Action, label);
        message.choice = Some(choice.to_owned());
        self.exchange.tell(message);
    }

    fn now_us(&self) -> u64 {
        self.exchange.shared().clock.now_us()
    }

    fn after_ms(&self, millis: u64) -> u64 {
        self.now_us().saturating_add(millis.saturating_mul(1_000))
    }

    /// A random length: milliseconds. The same seed and call give the same ones in the same order.
    fn draw(&mut self, from: &crate::plan::Distribution, purpose: Purpose) -> u64 {
        self.drawn += 1;
        Quantiles::new(from).at(self.draws.bits(purpose, self.drawn))
    }
}

/// However a call ends, its recordings may make room from then on.
impl Drop for Call {
    fn drop(&mut self) {
        self.release_recordings();
    }
}

#[cfg(test)]
mod tests;
