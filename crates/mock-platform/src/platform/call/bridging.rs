//! Another party: dialled, rung, joined, and gone again.

use std::sync::atomic::Ordering;

use piopiy_events::pcmo::{Bridge, Connect, Endpoint};

use super::Call;
use super::acting::Next;
use super::collecting::{count, millis};
use super::passing::Break;
use crate::deliver::ledger::{Lane, MessageKind};
use crate::plan::Happened;
use crate::plan::draw::Purpose;
use crate::platform::config::{Answers, Person};
use crate::platform::exchange::TransferStatus;

/// Somebody on leg b.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) leg: usize,
    label: String,
    /// Until when both talk: virtual microseconds.
    pub(super) until_us: u64,
    /// Whether it is they who hang up then.
    hangs_up: bool,
}

/// The leg that was picked up, and by whom; or why none was, in a word of the REST API.
type Rung = Result<(usize, Party), &'static str>;

/// Who is called, and how.
struct Dial {
    parties: Vec<Party>,
    /// All at once.
    is_group: bool,
    attempts: u64,
    ring_ms: u64,
    talk_ms: u64,
}

#[derive(Debug, Clone)]
struct Party {
    number: u64,
    label: String,
    person: Person,
}

/// Documented: ring time, talk time.
const RING_SECONDS: i64 = 40;
const TALK_SECONDS: i64 = 5_400;
/// How far apart the members of a group are dialled: virtual milliseconds.
const SPREAD_MS: u64 = 10;
/// The most parties of one action.
const MOST: usize = 50;
/// The most that are dialled in one call: as many as one action may dial.
const MOST_DIALLED: usize = 500;

impl Call {
    pub(super) async fn bridge(&mut self, bridge: &Bridge) -> Result<Next, Break> {
        let parties = bridge.connect.as_ref().and_then(|list| list.get().ok()).unwrap_or_default();
        let dial = Dial {
            parties: self.parties(&parties),
            is_group: bridge.ring_type.as_ref().is_some_and(|ring| ring.text() == "group"),
            attempts: count(bridge.attempts.as_ref(), 1),
            ring_ms: millis(bridge.timeout.as_ref(), RING_SECONDS),
            talk_ms: millis(bridge.duration.as_ref(), TALK_SECONDS),
        };
        self.call_parties(dial).await
    }

    pub(super) async fn connect(&mut self, connect: &Connect) -> Result<Next, Break> {
        let params = connect.params.as_ref().and_then(|params| params.get().ok()).unwrap_or_default();
        let options = params.options.as_ref().and_then(|options| options.get().ok()).unwrap_or_default();
        let list = connect.endpoints.as_ref().or_else(|| connect.users());
        let parties = list.and_then(|list| list.get().ok()).unwrap_or_default();
        let is_group = params.strategy.as_ref().is_some_and(|strategy| strategy.text() == "simultaneous")
            || connect.ring_type.as_ref().is_some_and(|ring| ring.text() == "group");
        let is_recorded = options.recording.as_ref().and_then(|recording| recording.get().ok());
        self.is_recorded |= connect.record.as_ref().and_then(piopiy_events::Flag::is_set).unwrap_or(false)
            || is_recorded.is_some_and(|recording| {
                recording.enabled.as_ref().and_then(piopiy_events::Flag::is_set).unwrap_or(false)
            });
        let ring = options.ring_timeout_sec.as_ref().or(connect.timeout.as_ref());
        let talk = options.max_duration_sec.as_ref().or(connect.duration.as_ref());
        let dial = Dial {
            parties: self.parties(&parties),
            is_group,
            attempts: count(connect.attempts.as_ref(), 1),
            ring_ms: millis(ring, RING_SECONDS),
            talk_ms: millis(talk, TALK_SECONDS),
        };
        self.call_parties(dial).await
    }

    /// Those that can be called. A SIP user or an agent is no number: digits in the name are taken for one, else the
    /// account's own stands for it in webhooks.
    fn parties(&self, endpoints: &[Endpoint]) -> Vec<Party> {
        let party = |endpoint: &Endpoint| {
            let number = endpoint.number.as_ref().and_then(|number| number.digits());
            let names = match endpoint.endpoint_type.as_ref().map(|kind| kind.text()).as_deref() {
                // What else it has with it is of another type.
                Some("pstn") => [&None, &None, &None],
                Some("agent") => [&endpoint.id, &None, &None],
                _ => [&endpoint.user, &endpoint.uri, &endpoint.id],
            };
            let name = names.into_iter().flatten().next();
            let name = name.map(|name| name.text().into_owned());
            let digits = number.clone().or_else(|| name.clone().filter(|name| is_digits(name)));
            let number = digits.and_then(|digits| digits.parse().ok()).unwrap_or(self.setting.account);
            let label = name.unwrap_or_else(|| number.to_string());
            let person = self.setting.callee.clone().unwrap_or_else(|| self.config.person(number, false));
            Party { number, label, person }
        };
        endpoints.iter().take(MOST).map(party).collect()
    }

    async fn call_parties(&mut self, dial: Dial) -> Result<Next, Break> {
        if dial.parties.is_empty() {
            self.choose("there is nobody to be called", "the next action is carried out");
            return Ok(self.nobody_came("invalid_number"));
        }
        let mut why = "no_answer";
        for _ in 0..dial.attempts.clamp(1, 10) {
            let rounds: Vec<Vec<Party>> = if dial.is_group {
                vec![dial.parties.clone()]
            } else {
                dial.parties.iter().map(|party| vec![party.clone()]).collect()
            };
            for round in rounds {
                if self.dialled >= MOST_DIALLED {
                    self.choose(format!("{MOST_DIALLED} parties were dialled"), "nobody else is called");
                    return Ok(self.nobody_came("unreachable"));
                }
                match self.ring(&round, dial.ring_ms).await? {
                    Ok((leg, party)) => return self.talk(leg, &party, dial.talk_ms).await,
                    Err(last) => why = last,
                }
            }
        }
        Ok(self.nobody_came(why))
    }

    /// Rings some at once; the first that picks up.
    async fn ring(&mut self, parties: &[Party], ring_ms: u64) -> Result<Rung, Break> {
        let mut legs = Vec::new();
        let rung = self.ring_all(parties, ring_ms, &mut legs).await;
        // An inbound call's leg b is one for all of them, and its CDR comes with leg a's.
        if !self.is_inbound() {
            let winner = rung.as_ref().ok().and_then(|found| found.as_ref().ok()).map(|(leg, _)| *leg);
            for leg in legs.into_iter().filter(|leg| Some(*leg) != winner) {
                self.close_leg(leg);
            }
        }
        rung
    }

    async fn ring_all(
        &mut self,
        parties: &[Party],
        ring_ms: u64,
        legs: &mut Vec<usize>,
    ) -> Result<Rung, Break> {
        let began = self.now_us();
        let mut outcomes = Vec::new();
        for (n, party) in parties.iter().enumerate() {
            if n > 0 {
                self.spend(SPREAD_MS).await?;
            }
            let leg = self.live.dial(party.number, self.now_us() / 1_000);
            legs.push(leg);
            self.dialled += 1;
            self.say(Lane::Platform, Lane::Callee, MessageKind::Person, format!("dials {}", party.label));
            self.happens(&Happened::Started(leg));
            if !self.is_inbound() && matches!(party.person.answers, Answers::Yes | Answers::No) {
                self.happens(&Happened::Ringing(leg));
            }
            let after = self.draw(&party.person.answers_after, Purpose::Person);
            outcomes.push(match party.person.answers {
                Answers::Yes if after <= ring_ms => (after, true, leg, party),
                Answers::Yes | Answers::No => (ring_ms, false, leg, party),
                Answers::Busy => (500.min(ring_ms), false, leg, party),
                Answers::Rejects => (after.min(ring_ms), false, leg, party),
            });
        }
        outcomes.sort_by_key(|(after, picks_up, ..)| (*after, !picks_up));
        let mut last = "no_answer";
        for (after, picks_up, leg, party) in outcomes {
            self.spend_until(began + after * 1_000).await?;
            let what;
            (what, last) = match party.person.answers {
                Answers::Yes if picks_up => ("picks up", last),
                Answers::Yes | Answers::No => ("does not pick up", "no_answer"),
                Answers::Busy => ("is busy", "busy"),
                Answers::Rejects => ("turns the call away", "rejected"),
            };
            let label = format!("{} {what}", party.label);
            self.say(Lane::Callee, Lane::Platform, MessageKind::Person, label);
            if picks_up {
                return Ok(Ok((leg, party.clone())));
            }
        }
        Ok(Err(last))
    }

    /// Both talk until one hangs up, or the time is over.
    async fn talk(&mut self, leg: usize, party: &Party, talk_ms: u64) -> Result<Next, Break> {
        self.answer();
        self.leave_before();
        // Whoever reads that they are there may have them hang up.
        self.on_leg_b.store(true, Ordering::Relaxed);
        self.happens(&Happened::Bridged(leg));
        let hangs_up = party.person.hangs_up_after.map(|after| after.millis());
        self.bridged = Some(Talk {
            leg,
            label: party.label.clone(),
            until_us: self.after_ms(hangs_up.unwrap_or(u64::MAX).min(talk_ms)),
            hangs_up: hangs_up.is_some_and(|after| after <= talk_ms),
        });
        self.settle_transfer(TransferStatus::Completed);
        self.joined(party.number, party.person.says.clone()).await;
        self.talk_on().await
    }

    /// Waits until the other party is gone.
    pub(super) async fn talk_on(&mut self) -> Result<Next, Break> {
        while self.bridged.is_some() {
            self.pass(None).await?;
        }
        Ok(Next::Go)
    }

    /// The time of the talk is over.
    pub(super) fn end_talk(&mut self) {
        if self.bridged.as_ref().is_some_and(|talk| talk.hangs_up) {
            return self.callee_hangs_up();
        }
        self.say(Lane::Platform, Lane::Callee, MessageKind::Action, "the longest talk is over");
        self.leave_bridge();
    }

    /// Whoever is on leg b goes; leg a stays.
    pub(super) fn callee_hangs_up(&mut self) {
        match &self.bridged {
            Some(talk) => {
                let label = format!("{} hangs up", talk.label);
                self.say(Lane::Callee, Lane::Platform, MessageKind::Person, label);
                self.leave_bridge();
            }
            None => self.choose("nobody is on leg b who could hang up", "nothing changes"),
        }
    }

    /// The other party is gone; leg a stays.
    pub(super) fn leave_bridge(&mut self) {
        let Some(Talk { leg, .. }) = self.bridged.take() else { return };
        self.on_leg_b.store(false, Ordering::Relaxed);
        self.parted();
        self.happens(&Happened::HungUp(leg));
        if !self.is_inbound() {
            self.close_leg(leg);
        }
    }

    /// The leg is over, and its CDR is sent.
    fn close_leg(&mut self, leg: usize) {
        self.live.end(leg, self.now_us() / 1_000);
        self.record(leg);
    }
}

fn is_digits(name: &str) -> bool {
    !name.is_empty() && name.len() <= 15 && name.bytes().all(|byte| byte.is_ascii_digit())
}
