use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::{Identity, Kind, StatusKind, Webhook};

/// What is known of one call: the set of webhooks seen of it, and what follows.
///
/// The order in which webhooks arrive, and how often, changes nothing: the state is a function of the set.
///
/// # Examples
/// ```
/// use piopiy_events::{CallState, Phase, Webhook};
///
/// let answered = Webhook::parse(br#"{"cmiuuid":"x","leg":"a","status":"in_answered","time":1}"#)?;
/// let cdr = Webhook::parse(br#"{"cmiuuid":"x","leg":"a","status":"answered","duration":5}"#)?;
/// let mut call = CallState::default();
/// assert!(call.apply(&cdr));
/// assert!(call.apply(&answered));
/// assert!(!call.apply(&cdr), "a repeat is no news");
/// assert_eq!(call.phase(), Phase::EndedAnswered);
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallState {
    seen: BTreeSet<Identity>,
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Nothing but its existence is known.
    Offered,
    /// It was started, or rings.
    Ringing,
    /// It was answered.
    Active,
    /// An audio stream is open.
    Streaming,
    /// Another party is on the line.
    Bridged,
    /// It is over and was answered.
    EndedAnswered,
    /// It is over and never was.
    EndedMissed,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Offered,
        Self::Ringing,
        Self::Active,
        Self::Streaming,
        Self::Bridged,
        Self::EndedAnswered,
        Self::EndedMissed,
    ];
}

impl CallState {
    /// Takes a webhook in; true where it is new, false where it was seen before or is unrecognised.
    pub fn apply(&mut self, webhook: &Webhook) -> bool {
        webhook.identity().is_some_and(|identity| self.insert(identity))
    }

    /// Takes a webhook in by its identity; true where it is new.
    pub fn insert(&mut self, identity: Identity) -> bool {
        self.seen.insert(identity)
    }

    /// Whether a webhook of this identity was seen.
    pub(crate) fn has(&self, identity: &Identity) -> bool {
        self.seen.contains(identity)
    }

    /// Takes in all that another state of the same call has seen.
    pub fn merge(&mut self, other: &Self) {
        self.seen.extend(other.seen.iter().cloned());
    }

    /// The webhooks seen, in the order of their identities.
    pub fn seen(&self) -> impl ExactSizeIterator<Item = &Identity> {
        self.seen.iter()
    }

    /// Where the call stands: the first of these that holds.
    ///
    /// 1. leg a's CDR: [`EndedAnswered`](Phase::EndedAnswered) where one says `answered`, or says neither `answered`
    ///    nor `missed` and anything was answered; else [`EndedMissed`](Phase::EndedMissed);
    /// 2. leg a's hang-up: the same by whether anything was answered;
    /// 3. a leg b that was bridged and is not over: [`Bridged`](Phase::Bridged);
    /// 4. more streams connected than disconnected: [`Streaming`](Phase::Streaming);
    /// 5. anything answered: [`Active`](Phase::Active);
    /// 6. anything started or ringing: [`Ringing`](Phase::Ringing);
    /// 7. [`Offered`](Phase::Offered).
    ///
    /// A webhook without a leg counts as leg a's.
    ///
    /// A leg b is over with a CDR that does not say `missed`, or with as many hang-ups as there were bridgings (or, if
    /// that is more, answers). Attempts to reach leg b can share one `cmiuuid`: what ended an attempt that was never
    /// picked up does not end a later one that was.
    #[must_use]
    pub fn phase(&self) -> Phase {
        let facts: Vec<Fact<'_>> = self.seen.iter().map(Fact::of).collect();
        let any = |test: &dyn Fn(&Fact<'_>) -> bool| facts.iter().any(test);
        let answered = any(&|fact| matches!(fact.status, StatusKind::Answered | StatusKind::Bridged));
        let ended = if answered { Phase::EndedAnswered } else { Phase::EndedMissed };
        let of_a = |fact: &Fact<'_>| fact.is_leg_a;
        if any(&|fact| of_a(fact) && fact.is_cdr) {
            let says = |kind: StatusKind<'static>| {
                any(&move |fact: &Fact<'_>| of_a(fact) && fact.is_cdr && fact.status == kind)
            };
            return match (says(StatusKind::Answered), says(StatusKind::Missed)) {
                (true, _) => Phase::EndedAnswered,
                (false, true) => Phase::EndedMissed,
                (false, false) => ended,
            };
        }
        if any(&|fact| of_a(fact) && fact.status == StatusKind::Hangup) {
            return ended;
        }
        let mut legs: BTreeMap<&str, LegB> = BTreeMap::new();
        for fact in facts.iter().filter(|fact| !fact.is_leg_a) {
            legs.entry(fact.cmiuuid).or_default().take(fact);
        }
        if legs.values().any(LegB::talks) {
            return Phase::Bridged;
        }
        let count = |kind: StatusKind<'static>| facts.iter().filter(|fact| fact.status == kind).count();
        if count(StatusKind::StreamConnected) > count(StatusKind::StreamDisconnected) {
            return Phase::Streaming;
        }
        if answered {
            return Phase::Active;
        }
        if any(&|fact| matches!(fact.status, StatusKind::Started | StatusKind::Ringing)) {
            return Phase::Ringing;
        }
        Phase::Offered
    }
}

/// What one webhook says about its call.
struct Fact<'a> {
    cmiuuid: &'a str,
    is_leg_a: bool,
    is_cdr: bool,
    status: StatusKind<'a>,
}

impl<'a> Fact<'a> {
    fn of(identity: &'a Identity) -> Self {
        let status = StatusKind::of(identity.status());
        let is_leg_a = matches!(identity.leg(), None | Some("a"));
        Self { cmiuuid: identity.cmiuuid(), is_leg_a, is_cdr: identity.kind() == Kind::Cdr, status }
    }
}

/// What happened on the leg b of one `cmiuuid`.
#[derive(Default)]
struct LegB {
    bridged: usize,
    answered: usize,
    hung_up: usize,
    /// A CDR says that it was picked up.
    is_over: bool,
}

impl LegB {
    fn take(&mut self, fact: &Fact<'_>) {
        match fact.status {
            StatusKind::Missed if fact.is_cdr => {}
            _ if fact.is_cdr => self.is_over = true,
            StatusKind::Bridged => self.bridged += 1,
            StatusKind::Answered => self.answered += 1,
            StatusKind::Hangup => self.hung_up += 1,
            _ => {}
        }
    }

    /// Leg b's `answered` is how profiles without a bridged event say it.
    fn talks(&self) -> bool {
        !self.is_over && self.hung_up < self.bridged.max(self.answered)
    }
}

impl Phase {
    /// The word for it: `offered`, `ringing`, `active`, `streaming`, `bridged`, `ended_answered`, `ended_missed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Offered => "offered",
            Self::Ringing => "ringing",
            Self::Active => "active",
            Self::Streaming => "streaming",
            Self::Bridged => "bridged",
            Self::EndedAnswered => "ended_answered",
            Self::EndedMissed => "ended_missed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
