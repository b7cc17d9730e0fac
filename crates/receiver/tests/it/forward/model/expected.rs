//! What must be so, whatever was done: of the store as a list of what is new, of each destination as what the app has seen.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::AddAssign;
use std::time::Duration;

use bytes::Bytes;
use piopiy_events::{Kind, Webhook};
use piopiy_receiver::{Append, DeadLetter, DestinationStatus, Entry, ForwardFilter, Record};
use proptest::prelude::*;

use crate::support::stage::{End, Request};

/// What a forwarder did is saved a tenth of a second later, and orders are seen within half of that; the rest is what the time may
/// jump by while bytes are on their way.
pub(super) const LAG: Duration = Duration::from_millis(400);
pub(super) const TIMEOUT: Duration = Duration::from_secs(3);
pub(super) const MOST_ATTEMPTS: u32 = 3;
/// The first second in which something is received.
const FIRST_SECOND: i64 = 1_700_000_000;

/// A webhook by its call and its place in that; something to quarantine where there is none.
pub(super) type Sent = Option<(u8, u8)>;

/// Webhooks that a call has.
pub(super) const PLACES: u8 = 6;

pub(super) fn conversation(call: u8) -> String {
    format!("call-{call}")
}

/// One after another: legs of their own and one conversation, and an event that names its leg alone.
fn body((call, place): (u8, u8)) -> String {
    let conversation = conversation(call);
    let of = |leg: &str| {
        format!(r#""leg":"{leg}","cmiuuid":"{leg}-of-{call}","conversation_uuid":"{conversation}""#)
    };
    let event = |leg: &str, status: &str| {
        let of = of(leg);
        format!(
            r#"{{"type":"event","appid":2,"status":"{status}","time":{place},"direction":"inbound",{of}}}"#
        )
    };
    let cdr = |leg: &str| {
        let of = of(leg);
        format!(
            r#"{{"appid":2,"status":"answered","time":1632317071000,"duration":7,"direction":"inbound",{of}}}"#
        )
    };
    match place {
        0 => event("a", "started"),
        1 => event("a", "answered"),
        2 => {
            format!(r#"{{"appid":2,"leg":"b","status":"stream_connected","time":9,"cmiuuid":"a-of-{call}"}}"#)
        }
        3 => event("b", "bridged"),
        4 => cdr("a"),
        _ => cdr("b"),
    }
}

/// A record that must be there.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) sent: Sent,
    pub(super) second: i64,
    pub(super) webhook: Option<Webhook>,
    body: Bytes,
    /// What it calls its leg and its call.
    names: Vec<String>,
}

impl Kept {
    fn new(sent: Sent, second: i64) -> Self {
        let body: Bytes = sent.map_or_else(|| "no JSON".to_owned(), body).into();
        let webhook = sent.map(|_| Webhook::parse(&body).unwrap());
        let text = |key| webhook.as_ref()?.text(key).map(|text| text.into_owned());
        let names = ["cmiuuid", "conversation_uuid"].into_iter().filter_map(text).collect();
        Self { sent, second, webhook, body, names }
    }

    fn entry(&self) -> Entry {
        let (body, at) = (self.body.clone(), self.second * 1_000_000);
        match &self.webhook {
            Some(webhook) => Entry::webhook(&webhook.identity().unwrap(), body, at),
            None => Entry::quarantined("why".to_owned(), body, at),
        }
    }

    pub(super) fn has(&self, key: &str, text: &str) -> bool {
        self.webhook.as_ref().is_some_and(|webhook| webhook.text(key).is_some_and(|found| found == text))
    }

    /// Whether the two are of one call by what they say themselves.
    fn shares(&self, other: &Self) -> bool {
        self.names.iter().any(|name| other.names.contains(name))
    }
}

/// The store: what is new, in order.
#[derive(Debug, Default)]
pub(super) struct Records(pub(super) Vec<Kept>);

impl Records {
    /// Where the webhooks of a call are, of which this is a name: names lead to names.
    pub(super) fn of_call(&self, name: &str) -> BTreeSet<u64> {
        let mut names = BTreeSet::from([name.to_owned()]);
        loop {
            let known = names.len();
            let is_of_call = |kept: &&Kept| kept.names.iter().any(|name| names.contains(name));
            let more: Vec<String> =
                self.0.iter().filter(is_of_call).flat_map(|kept| kept.names.clone()).collect();
            let seqs = (1..).zip(&self.0).filter(|(_, kept)| is_of_call(kept)).map(|(seq, _)| seq).collect();
            names.extend(more);
            if names.len() == known {
                return seqs;
            }
        }
    }

    /// What is given to the store now, and what it must say.
    pub(super) fn append(&mut self, batch: &[Sent]) -> (Vec<Entry>, Vec<Append>) {
        let second = FIRST_SECOND + i64::try_from(self.0.len()).unwrap();
        let mut expected = Vec::new();
        let entries = batch.iter().map(|&sent| {
            let kept = Kept::new(sent, second);
            let entry = kept.entry();
            let before = self.0.iter().position(|other| sent.is_some() && other.sent == sent);
            expected.push(match before {
                Some(index) => Append::Duplicate { of: index as u64 + 1 },
                None => {
                    self.0.push(kept);
                    Append::Appended { seq: self.0.len() as u64 }
                }
            });
            entry
        });
        (entries.collect(), expected)
    }

    pub(super) fn check(&self, found: &[Record]) -> Result<(), TestCaseError> {
        let found: Vec<_> =
            found.iter().map(|it| (it.seq, it.received_at, it.body.clone(), it.reason.is_none())).collect();
        let expected = (1..).zip(&self.0);
        let expected: Vec<_> = expected
            .map(|(seq, kept)| (seq, kept.second * 1_000_000, kept.body.clone(), kept.webhook.is_some()))
            .collect();
        prop_assert_eq!(found, expected, "what was acknowledged is in the store, once");
        Ok(())
    }

    fn get(&self, seq: u64) -> &Kept {
        &self.0[usize::try_from(seq).unwrap() - 1]
    }
}

/// How many there are, where the last are not certain: what was just done may not be saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Range {
    least: u64,
    most: u64,
}

impl Range {
    const NONE: Self = Self { least: 0, most: 0 };
    const ONE: Self = Self { least: 1, most: 1 };
    const PERHAPS: Self = Self { least: 0, most: 1 };
    /// An order counts beside what it is about until it is taken.
    const PERHAPS_TWICE: Self = Self { least: 0, most: 2 };

    fn has(self, count: u64) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

impl AddAssign for Range {
    fn add_assign(&mut self, other: Self) {
        self.least += other.least;
        self.most += other.most;
    }
}

/// What one destination is expected to get.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) filter: ForwardFilter,
    /// When each was asked for again.
    pub(super) orders: BTreeMap<u64, Vec<Duration>>,
    /// So many requests were as they should be.
    pub(super) checked: usize,
}

/// What was seen of one destination until now.
pub(super) struct Seen<'a> {
    pub(super) records: &'a Records,
    pub(super) requests: &'a [Request],
    /// When it was killed.
    pub(super) kills: &'a [Duration],
    pub(super) now: Duration,
}

impl Seen<'_> {
    /// When the forwarder knew that this attempt was over, at the earliest; `None` where it was killed before.
    fn over(&self, request: &Request) -> Option<Duration> {
        let given_up = (request.came + TIMEOUT).saturating_sub(LAG);
        match request.end {
            Some((_, End::Killed)) => None,
            Some((at, End::Answered(_))) => Some(at),
            Some((at, End::Closed)) => Some(at.min(given_up)),
            None => Some(given_up),
        }
    }

    /// The same, at the latest.
    fn surely_over(&self, request: &Request) -> Option<Duration> {
        match request.end {
            Some((_, End::Killed)) => None,
            Some((at, _)) => Some(at),
            None => Some(request.came + TIMEOUT),
        }
    }

    /// When this attempt made a dead letter, at the earliest.
    fn died(&self, request: &Request) -> Option<Duration> {
        let is_last = request.attempt >= MOST_ATTEMPTS && request.acknowledged().is_none();
        self.over(request).filter(|_| is_last)
    }

    fn of(&self, seq: u64) -> impl DoubleEndedIterator<Item = &Request> {
        self.requests.iter().filter(move |request| request.seq == seq)
    }

    /// Whether a kill undid what happened then, perhaps.
    fn is_undone(&self, at: Duration) -> bool {
        self.kills.iter().any(|&kill| kill >= at && kill < at + LAG)
    }

    /// Whether what happened then is not certain to be in the state.
    fn is_recent(&self, at: Duration) -> bool {
        at + LAG >= self.now || self.is_undone(at)
    }

    fn was_killed_between(&self, from: Duration, to: Duration) -> bool {
        self.kills.iter().any(|kill| (from..=to).contains(kill))
    }
}

impl Expected {
    pub(super) fn new(kinds: Vec<Kind>) -> Self {
        let filter = ForwardFilter { kinds, ..ForwardFilter::default() };
        Self { filter, orders: BTreeMap::new(), checked: 0 }
    }

    pub(super) fn takes(&self, kept: &Kept) -> bool {
        kept.webhook.as_ref().is_some_and(|webhook| self.filter.takes(webhook))
    }

    fn orders(&self, seq: u64) -> &[Duration] {
        self.orders.get(&seq).map_or(&[], Vec::as_slice)
    }

    /// What holds at any time, of the requests that are new.
    pub(super) fn check(&self, seen: &Seen<'_>) -> Result<usize, TestCaseError> {
        for (index, request) in seen.requests.iter().enumerate().skip(self.checked) {
            let kept = seen.records.get(request.seq);
            prop_assert!(self.takes(kept), "not for it: {request:?}");
            prop_assert_eq!(&request.body, &kept.body, "as received: {:?}", request);
            prop_assert!((1..=MOST_ATTEMPTS).contains(&request.attempt), "{request:?}");
            self.check_order(seen, request)?;
            for other in &seen.requests[..index] {
                let is_of_it = kept.shares(seen.records.get(other.seq));
                let is_over =
                    seen.over(other).or(other.end.map(|(at, _)| at)).is_none_or(|at| at <= request.came);
                prop_assert!(!is_of_it || is_over, "{request:?} beside {other:?}");
            }
            if let Some(before) = seen.requests[..index].iter().rfind(|other| other.seq == request.seq) {
                self.check_again(seen, before, request)?;
            }
        }
        Ok(seen.requests.len())
    }

    /// All that was before it in its call was delivered or given up.
    fn check_order(&self, seen: &Seen<'_>, request: &Request) -> Result<(), TestCaseError> {
        let kept = seen.records.get(request.seq);
        let before = (1..request.seq).filter(|&seq| {
            let other = seen.records.get(seq);
            self.takes(other) && kept.shares(other)
        });
        for earlier in before {
            let is_done = |other: &Request| {
                let done = other.acknowledged().or(seen.died(other));
                done.is_some_and(|at| at <= request.came)
            };
            prop_assert!(seen.of(earlier).any(is_done), "{request:?} before {earlier}");
        }
        Ok(())
    }

    /// A webhook came after it had come before.
    fn check_again(&self, seen: &Seen<'_>, before: &Request, request: &Request) -> Result<(), TestCaseError> {
        let Some(over) = seen.surely_over(before) else { return Ok(()) };
        // The order may have been there before the attempt began, and have been taken only then.
        let is_ordered =
            self.orders(request.seq).iter().any(|&at| at + LAG >= before.came && at <= request.came);
        let is_undone = seen.is_undone(over) && seen.was_killed_between(over, request.came);
        if before.acknowledged().is_some() || seen.died(before).is_some() {
            prop_assert!(
                is_ordered || is_undone,
                "again, with neither order nor crash: {before:?} {request:?}"
            );
        }
        if !is_ordered && !is_undone {
            prop_assert_eq!(
                request.attempt,
                before.attempt + 1,
                "each attempt counts: {:?} {:?}",
                before,
                request
            );
        }
        Ok(())
    }

    /// What the state must say.
    pub(super) fn check_state(
        &self,
        seen: &Seen<'_>,
        status: &DestinationStatus,
    ) -> Result<(), TestCaseError> {
        let (mut waiting, mut dead) = (Range::default(), Range::default());
        for seq in (1..=status.read_through).filter(|&seq| self.takes(seen.records.get(seq))) {
            let (is_waiting, is_dead) = self.place(seen, seq);
            waiting += is_waiting;
            dead += is_dead;
        }
        // What is asked for and not for it is an order until it is seen.
        let recent = |at: &Duration| seen.is_recent(*at);
        let in_vain = self
            .orders
            .iter()
            .filter(|(seq, at)| !self.takes(seen.records.get(**seq)) && at.iter().any(recent));
        waiting.most += in_vain.count() as u64;
        prop_assert!(waiting.has(status.unsettled), "{waiting:?} wait: {status:?} at {:?}", seen.now);
        prop_assert!(dead.has(status.dead), "{dead:?} were given up: {status:?} at {:?}", seen.now);
        Ok(())
    }

    /// How often a webhook that was read counts among those that wait, and among the dead.
    fn place(&self, seen: &Seen<'_>, seq: u64) -> (Range, Range) {
        let last =
            seen.of(seq).rfind(|request| request.acknowledged().is_some() || seen.died(request).is_some());
        let settled = last.and_then(|request| Some((request, seen.surely_over(request)?)));
        let ordered = self.orders(seq).iter().max().copied();
        match (settled, ordered) {
            (_, Some(order)) if seen.is_recent(order) => (Range::PERHAPS_TWICE, Range::PERHAPS),
            (Some((_, at)), _) if seen.is_recent(at) => (Range::PERHAPS, Range::PERHAPS),
            (Some((_, at)), Some(order)) if order > at + LAG => (Range::ONE, Range::NONE),
            // Whether the order was seen before the attempt ended, nobody can tell from here.
            (Some((last, _)), Some(order)) if order + LAG >= last.came => (Range::PERHAPS, Range::PERHAPS),
            (Some((last, _)), _) if last.acknowledged().is_some() => (Range::NONE, Range::NONE),
            (Some(_), _) => (Range::NONE, Range::ONE),
            (None, _) => (Range::ONE, Range::NONE),
        }
    }

    /// What holds once nothing is to be done any more: each was delivered, or is a dead letter.
    pub(super) fn check_end(&self, seen: &Seen<'_>, letters: &[DeadLetter]) -> Result<(), TestCaseError> {
        for (seq, kept) in (1..).zip(&seen.records.0).filter(|(_, kept)| self.takes(kept)) {
            let is_delivered = seen.of(seq).any(|request| request.acknowledged().is_some());
            let letter = letters.iter().find(|letter| letter.seq == seq);
            prop_assert!(is_delivered || letter.is_some(), "neither delivered nor dead: {seq} {kept:?}");
        }
        for letter in letters {
            let has_died = seen.of(letter.seq).any(|request| seen.died(request).is_some());
            prop_assert!(has_died && letter.attempts == MOST_ATTEMPTS, "{letter:?}");
        }
        Ok(())
    }
}
