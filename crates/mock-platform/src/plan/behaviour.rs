//! What the people in a call and the platform do, and when: the legs and what happens on them, not yet in any
//! profile's words.

use piopiy_events::CallDirection;

use super::distribution::Quantiles;
use super::draw::{Draws, Purpose};
use super::numbers::{Digits, Owner, number};
use super::scenario::{CallMix, Region, Scenario};
use super::story::{Party, Plot, Story};
use super::timeline::{Entry, Happening, Leg, Timeline};
use super::weights::Weights;
use super::words::{CLOSINGS, STREAM_ERRORS};

/// The rules of a scenario, made ready for drawing.
#[derive(Debug, Clone)]
pub(crate) struct Behaviour {
    calls: Weights,
    hang_up: Weights,
    closings: Weights,
    ring: Quantiles,
    talk: Quantiles,
    patience: Quantiles,
    no_answer: Quantiles,
    bridge_after: Quantiles,
    bridge_ring: Quantiles,
    stream_after: Quantiles,
    record_delay: Quantiles,
    attempts: u64,
    unanswered_below: u64,
    group_size: u64,
    most_streams: u64,
    account_numbers: u64,
    regions: Vec<Region>,
}

impl Behaviour {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let times = &scenario.times;
        Self {
            calls: Weights::new(&scenario.calls.weights()),
            hang_up: Weights::new(&scenario.hang_up.weights()),
            closings: Weights::new(&scenario.streams.close.weights()),
            ring: Quantiles::new(&times.ring),
            talk: Quantiles::new(&times.talk),
            patience: Quantiles::new(&times.patience),
            no_answer: Quantiles::new(&times.no_answer),
            bridge_after: Quantiles::new(&times.bridge_after),
            bridge_ring: Quantiles::new(&times.bridge_ring),
            stream_after: Quantiles::new(&times.stream_after),
            record_delay: Quantiles::new(&times.record_delay),
            attempts: u64::from(scenario.bridge.attempts),
            unanswered_below: (scenario.bridge.no_answer * 2f64.powi(64)) as u64,
            group_size: u64::from(scenario.bridge.group_size),
            most_streams: u64::from(scenario.streams.most),
            account_numbers: scenario.numbers.account,
            regions: scenario.numbers.regions.clone(),
        }
    }

    /// Whether calls of a kind happen, by its place in [`CallMix::KINDS`].
    pub(crate) fn has_kind(&self, kind: usize) -> bool {
        self.calls.has(kind)
    }

    /// The same rules, for calls of one kind.
    pub(crate) fn of_kind(&self, kind: usize) -> Self {
        Self { calls: Weights::only(kind), ..self.clone() }
    }

    /// The most seconds of talk that a call can be billed for, over all its legs.
    pub(crate) fn most_billed_seconds(&self) -> u64 {
        let before_bridge = self.attempts
            * (self.bridge_after.longest()
                + self.no_answer.longest().max(self.bridge_ring.longest())
                + 2_000);
        let streams = self.most_streams * 10;
        // Leg a lasts through the bridging, then both legs through the talk; a second each for rounding and lags.
        (2 * self.talk.longest() + before_bridge + self.stream_after.longest() + streams) / 1_000 + 10
    }

    /// The most leg ids that a call has.
    pub(crate) fn most_leg_ids(&self) -> u64 {
        1 + self.attempts * self.group_size.max(1)
    }

    /// Plays a call that starts at `start`.
    pub(crate) fn play(
        &self,
        draws: Draws,
        profile: piopiy_events::Profile,
        start: u64,
        timeline: &mut Timeline,
    ) {
        let (direction, plot) = CallMix::KINDS[self.calls.at(draws.bits(Purpose::Kind, 0))];
        timeline.legs.clear();
        timeline.entries.clear();
        timeline.story = Story {
            direction,
            plot,
            answered: false,
            bridged: false,
            attempts: 0,
            streams: 0,
            hung_up_by: None,
        };
        let pool = |owner, purpose, n| {
            let bits = draws.bits(purpose, n);
            number(profile, &self.regions, owner, self.account_numbers, bits)
        };
        timeline.account = pool(Owner::Account, Purpose::AccountNumber, 0);
        let customer = pool(Owner::Customer, Purpose::CustomerNumber, 0);
        let inbound = direction == CallDirection::Inbound;
        let (from, to) = if inbound { (customer, timeline.account) } else { (timeline.account, customer) };
        timeline.from = from;
        timeline.legs.push(Leg { is_b: false, id: 0, to, start, answer: None, end: start });
        let agent = |n| pool(Owner::Agent, Purpose::AgentNumber, n);
        let mut scene = Scene { rules: self, draws, inbound, agent: &agent, timeline };
        scene.play(start);
        // Nearly sorted already; equal times keep their order.
        timeline.entries.sort_by_key(|entry| entry.at_ms);
    }
}

/// A call while it is played.
struct Scene<'a> {
    rules: &'a Behaviour,
    draws: Draws,
    inbound: bool,
    agent: &'a dyn Fn(u64) -> Digits,
    timeline: &'a mut Timeline,
}

const LEG_A: u32 = 0;

impl Scene<'_> {
    fn play(&mut self, start: u64) {
        if !self.inbound {
            self.happens(start, Happening::Started, LEG_A);
        }
        let ring = self.time(&self.rules.ring, Purpose::Ring, 0).max(2);
        match self.timeline.story.plot {
            Plot::Missed => return self.missed(start),
            Plot::Abandoned => {
                let end = start + self.time(&self.rules.patience, Purpose::Patience, 0).max(1);
                return self.record(LEG_A, None, end, end);
            }
            Plot::Answered | Plot::Bridged | Plot::Group | Plot::Streamed | Plot::StreamError => {}
        }
        if !self.inbound {
            self.rings(LEG_A, start, ring);
        }
        let answer = start + ring;
        self.timeline.story.answered = true;
        self.timeline.legs[0].answer = Some(answer);
        self.happens(answer, Happening::Answered, LEG_A);
        match self.timeline.story.plot {
            Plot::Bridged | Plot::Group => self.bridge(answer),
            Plot::Streamed => self.stream(answer),
            Plot::StreamError => {
                let error = self.draws.below(Purpose::StreamError, 0, STREAM_ERRORS.len() as u64);
                let after = self.time(&self.rules.stream_after, Purpose::StreamAfter, 0);
                self.timeline.entries.push(Entry {
                    at_ms: answer + after,
                    happening: Happening::StreamError,
                    leg: LEG_A,
                    word: error as u32,
                });
                self.talk_and_end(answer + after);
            }
            _ => self.talk_and_end(answer),
        }
    }

    /// Nobody picks up. On an inbound call the platform has dialled another party the while.
    fn missed(&mut self, start: u64) {
        if !self.inbound {
            let end = start + self.time(&self.rules.no_answer, Purpose::NoAnswer, 0).max(2);
            self.rings(LEG_A, start, end - start);
            return self.record(LEG_A, None, end, end);
        }
        let mut at = start;
        for attempt in 0..self.rules.attempts {
            at += self.time(&self.rules.bridge_after, Purpose::BridgeAfter, attempt);
            self.timeline.story.attempts += 1;
            let leg = self.leg_b(at, attempt);
            self.happens(at, Happening::Started, leg);
            at += self.time(&self.rules.no_answer, Purpose::NoAnswer, attempt).max(2);
        }
        self.timeline.legs[1].start = start;
        self.record(LEG_A, None, at, at);
        self.record(1, None, at, at);
    }

    /// Dials another party, or a group, until one picks up, the attempts are used up or the caller gives up.
    fn bridge(&mut self, answer: u64) {
        let group = self.timeline.story.plot == Plot::Group;
        let size = if group { self.rules.group_size } else { 1 };
        let gives_up = answer + self.time(&self.rules.patience, Purpose::Patience, 0).max(1);
        let mut at = answer;
        for attempt in 0..self.rules.attempts {
            at += self.time(&self.rules.bridge_after, Purpose::BridgeAfter, attempt);
            if at >= gives_up {
                at = gives_up;
                break;
            }
            self.timeline.story.attempts += 1;
            let unanswered = self.draws.bits(Purpose::IsUnanswered, attempt) < self.rules.unanswered_below;
            let wait = if unanswered {
                self.time(&self.rules.no_answer, Purpose::NoAnswer, attempt)
            } else {
                self.time(&self.rules.bridge_ring, Purpose::BridgeRing, attempt)
            };
            // All members are dialled, a few milliseconds apart, before one can pick up.
            let dialled = at + 20 * size;
            let over = (at + wait).max(dialled);
            let picked_up = !unanswered && over < gives_up;
            let ends = over.min(gives_up.max(dialled));
            let winner = self.draws.below(Purpose::GroupWinner, attempt, size);
            let mut winning_leg = None;
            for member in 0..size {
                let n = attempt * size + member;
                let spread =
                    if member == 0 { 0 } else { member * 10 + self.draws.below(Purpose::GroupSpread, n, 10) };
                let leg = self.leg_b(at + spread, n);
                self.happens(at + spread, Happening::Started, leg);
                if !self.inbound {
                    self.rings(leg, at + spread, ends - at - spread);
                }
                if picked_up && member == winner {
                    winning_leg = Some(leg);
                } else if !self.inbound {
                    self.record(leg, None, ends, ends);
                }
            }
            if let Some(leg) = winning_leg {
                return self.bridged(leg, over);
            }
            at = ends;
            if at >= gives_up {
                break;
            }
        }
        // Nobody is on the line but the caller: it gives up, or the platform says sorry and ends the call.
        let end = if at >= gives_up {
            self.timeline.story.hung_up_by = Some(if self.inbound { Party::Caller } else { Party::Callee });
            at
        } else {
            at + 1_000 + self.draws.below(Purpose::WrapUp, 0, 1_000)
        };
        self.happens(end, Happening::Hangup, LEG_A);
        self.record(LEG_A, self.timeline.legs[0].answer, end, end);
        if self.inbound && self.timeline.legs.len() > 1 {
            self.timeline.legs[1].start = self.timeline.legs[0].start;
            self.record(1, None, end, end);
        }
    }

    /// Leg b has picked up: both talk, one hangs up, the other leg follows within a moment.
    fn bridged(&mut self, leg: u32, at: u64) {
        self.timeline.story.bridged = true;
        self.happens(at, Happening::Bridged, leg);
        let (end, by) = self.hang_up(at);
        let lag = 1 + self.draws.below(Purpose::HangUpLag, 0, 60);
        // The customer has leg a: on an outbound call that is the callee.
        let a_first = (by == Party::Caller) == self.inbound;
        let (end_a, end_b) = if a_first { (end, end + lag) } else { (end + lag, end) };
        let (first, second) = if a_first { (LEG_A, leg) } else { (leg, LEG_A) };
        self.happens(end, Happening::Hangup, first);
        self.happens(end + lag, Happening::Hangup, second);
        self.record(LEG_A, self.timeline.legs[0].answer, end_a, end + lag);
        if self.inbound {
            // The documented record of leg b has leg a's start and end.
            self.timeline.legs[1].start = self.timeline.legs[0].start;
            self.record(leg, Some(at), end_a, end + lag);
        } else {
            self.record(leg, Some(at), end_b, end + lag);
        }
    }

    /// One audio stream after the other, until someone hangs up; the last one closes with the call.
    fn stream(&mut self, answer: u64) {
        let count = 1 + self.draws.below(Purpose::StreamCount, 0, self.rules.most_streams);
        let (end, _) = self.hang_up(answer);
        // Each stream has its share of the call; room for both of its ends is made where the talk is too short.
        let end = end.max(answer + 10 * count);
        let share = (end - answer) / count;
        for n in 0..count {
            let after = self.time(&self.rules.stream_after, Purpose::StreamAfter, n);
            let connected = answer + n * share + after.clamp(1, share / 2);
            let disconnected = if n + 1 == count { end } else { answer + (n + 1) * share - 1 };
            let closing = self.rules.closings.at(self.draws.bits(Purpose::StreamClose, n));
            self.happens(connected, Happening::StreamConnected, LEG_A);
            self.timeline.entries.push(Entry {
                at_ms: disconnected,
                happening: Happening::StreamDisconnected,
                leg: LEG_A,
                word: closing.min(CLOSINGS.len() - 1) as u32,
            });
        }
        self.timeline.story.streams = count as u32;
        self.happens(end, Happening::Hangup, LEG_A);
        self.record(LEG_A, Some(answer), end, end);
    }

    fn talk_and_end(&mut self, from: u64) {
        let (end, _) = self.hang_up(from);
        self.happens(end, Happening::Hangup, LEG_A);
        self.record(LEG_A, self.timeline.legs[0].answer, end, end);
    }

    /// When someone hangs up after a talk, and who.
    fn hang_up(&mut self, from: u64) -> (u64, Party) {
        let end = from + self.time(&self.rules.talk, Purpose::Talk, 0).max(1);
        let by = match self.rules.hang_up.at(self.draws.bits(Purpose::HangUpBy, 0)) {
            0 => Party::Caller,
            _ => Party::Callee,
        };
        self.timeline.story.hung_up_by = Some(by);
        (end, by)
    }

    /// The leg of the n-th number dialled: on an inbound call all share one leg b, with leg a's id and numbers.
    fn leg_b(&mut self, start: u64, n: u64) -> u32 {
        if self.inbound && self.timeline.legs.len() > 1 {
            return 1;
        }
        let (id, to) = if self.inbound { (0, self.timeline.legs[0].to) } else { (1 + n, (self.agent)(n)) };
        self.timeline.legs.push(Leg { is_b: true, id, to, start, answer: None, end: start });
        (self.timeline.legs.len() - 1) as u32
    }

    /// The leg rings a moment after it was started; only some profiles say so.
    fn rings(&mut self, leg: u32, start: u64, most: u64) {
        let after = 300 + self.draws.below(Purpose::Ringing, u64::from(leg), 1_200);
        self.happens(start + after.min(most / 2), Happening::Ringing, leg);
    }

    fn happens(&mut self, at_ms: u64, happening: Happening, leg: u32) {
        self.timeline.entries.push(Entry { at_ms, happening, leg, word: 0 });
    }

    /// The leg ends; its CDR is sent a while after `over`.
    fn record(&mut self, leg: u32, answer: Option<u64>, end: u64, over: u64) {
        let ended = &mut self.timeline.legs[leg as usize];
        (ended.answer, ended.end) = (answer, end);
        let delay = self.time(&self.rules.record_delay, Purpose::RecordDelay, u64::from(leg));
        let happening = if answer.is_some() { Happening::Talked } else { Happening::Missed };
        self.happens(over + delay, happening, leg);
    }

    fn time(&self, quantiles: &Quantiles, purpose: Purpose, n: u64) -> u64 {
        quantiles.at(self.draws.bits(purpose, n))
    }
}
