//! Another party: dialled, rung, joined, and gone again.

use piopiy_events::pcmo::{Bridge, Connect, Endpoint};

use super::Call;
use super::acting::Next;
use super::collecting::{count, millis};
use super::passing::{Break, Passed};
use crate::deliver::ledger::{Lane, MessageKind};
use crate::plan::Happened;
use crate::plan::draw::Purpose;
use crate::platform::config::{Answers, Person};
use crate::platform::exchange::TransferStatus;

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
            let name = [&endpoint.user, &endpoint.uri, &endpoint.id].into_iter().flatten().next();
            let name = name.map(|name| name.text().into_owned());
            let digits = number.clone().or_else(|| name.clone().filter(|name| is_digits(name)));
            let number = digits.and_then(|digits| digits.parse().ok()).unwrap_or(self.setting.account);
            let label = name.unwrap_or_else(|| number.to_string());
            let person = self.setting.callee.as_ref().unwrap_or_else(|| self.config.person(number, false));
            Party { number, label, person: person.clone() }
        };
        endpoints.iter().take(MOST).map(party).collect()
    }

    async fn call_parties(&mut self, dial: Dial) -> Result<Next, Break> {
        if dial.parties.is_empty() {
            self.choose("there is nobody to be called", "the next action is carried out");
            self.settle_transfer(TransferStatus::Failed("invalid_number"));
            return Ok(Next::Go);
        }
        for _ in 0..dial.attempts.clamp(1, 10) {
            let rounds: Vec<Vec<Party>> = if dial.is_group {
                vec![dial.parties.clone()]
            } else {
                dial.parties.iter().map(|party| vec![party.clone()]).collect()
            };
            for round in rounds {
                if let Some((leg, party)) = self.ring(&round, dial.ring_ms).await? {
                    return self.talk(leg, &party, dial.talk_ms).await;
                }
            }
        }
        self.settle_transfer(TransferStatus::Failed("no_answer"));
        Ok(Next::Go)
    }

    /// Rings some at once; the first that picks up.
    async fn ring(&mut self, parties: &[Party], ring_ms: u64) -> Result<Option<(usize, Party)>, Break> {
        let mut legs = Vec::new();
        let rung = self.ring_all(parties, ring_ms, &mut legs).await;
        // An inbound call's leg b is one for all of them, and its CDR comes with leg a's.
        if !self.is_inbound() {
            let winner = rung.as_ref().ok().and_then(|found| found.as_ref().map(|(leg, _)| *leg));
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
    ) -> Result<Option<(usize, Party)>, Break> {
        let began = self.now_us();
        let mut outcomes = Vec::new();
        for (n, party) in parties.iter().enumerate() {
            if n > 0 {
                self.spend(SPREAD_MS).await?;
            }
            let leg = self.live.dial(party.number, self.now_us() / 1_000);
            legs.push(leg);
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
        for (after, picks_up, leg, party) in outcomes {
            self.spend_until(began + after * 1_000).await?;
            let what = match party.person.answers {
                Answers::Yes if picks_up => "picks up",
                Answers::Yes | Answers::No => "does not pick up",
                Answers::Busy => "is busy",
                Answers::Rejects => "turns the call away",
            };
            let label = format!("{} {what}", party.label);
            self.say(Lane::Callee, Lane::Platform, MessageKind::Person, label);
            if picks_up {
                return Ok(Some((leg, party.clone())));
            }
        }
        Ok(None)
    }

    /// Both talk until one hangs up, or the time is over.
    async fn talk(&mut self, leg: usize, party: &Party, talk_ms: u64) -> Result<Next, Break> {
        self.answer();
        self.happens(&Happened::Bridged(leg));
        self.bridged = Some(leg);
        self.settle_transfer(TransferStatus::Completed);
        self.joined(party.number, party.person.says.clone()).await;
        let hangs_up = party.person.hangs_up_after.map(|after| after.millis());
        let until = self.after_ms(hangs_up.unwrap_or(u64::MAX).min(talk_ms));
        while self.pass(Some(until)).await? != Passed::Time {}
        if hangs_up.is_some_and(|after| after <= talk_ms) {
            let label = format!("{} hangs up", party.label);
            self.say(Lane::Callee, Lane::Platform, MessageKind::Person, label);
        } else {
            self.say(Lane::Platform, Lane::Callee, MessageKind::Action, "the longest talk is over");
        }
        self.leave_bridge();
        Ok(Next::Go)
    }

    /// The other party is gone; leg a stays.
    pub(super) fn leave_bridge(&mut self) {
        let Some(leg) = self.bridged.take() else { return };
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
