use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use piopiy_events::{Identity, Kind, Webhook};

use super::effect::Clues;
use super::{Effect, Observed};
use crate::deliver::ledger::PlanEntry;

/// How many identities a summary names of each kind of trouble.
const NAMED: usize = 20;

/// What may have an effect, and which effects were seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Expected {
    /// One for each identity, in the order in which they were planned.
    distinct: Vec<Distinct>,
    by_cmiuuid: BTreeMap<String, Vec<usize>>,
    by_delivery: BTreeMap<(u64, u32), usize>,
    /// Deliveries of bodies that have no identity, with the `cmiuuid` where there is one.
    nameless: BTreeMap<(u64, u32), Option<String>>,
    /// Those `cmiuuid`s that were sent.
    nameless_sent: BTreeSet<Option<String>>,
    /// The effects, in the order in which they were seen.
    seen: Vec<Seen>,
    looked: bool,
}

/// All deliveries with one identity.
#[derive(Debug, Clone)]
struct Distinct {
    identity: Identity,
    sent: bool,
    acknowledged: bool,
}

/// An effect that was seen.
#[derive(Debug, Clone)]
struct Seen {
    seq: u64,
    kind: Option<String>,
    clues: Clues,
    quarantined: bool,
}

impl Expected {
    pub(super) fn plan(&mut self, plan: &PlanEntry) {
        let webhook = Webhook::parse(plan.body.as_bytes()).ok();
        let Some(identity) = webhook.as_ref().and_then(Webhook::identity) else {
            let cmiuuid = webhook.and_then(|webhook| Some(webhook.text("cmiuuid")?.into_owned()));
            self.nameless.insert((plan.call, plan.webhook), cmiuuid);
            return;
        };
        let same = self.by_cmiuuid.entry(identity.cmiuuid().to_owned()).or_default();
        let known = same.iter().copied().find(|&at| self.distinct[at].identity == identity);
        let at = known.unwrap_or_else(|| {
            same.push(self.distinct.len());
            self.distinct.push(Distinct { identity, sent: false, acknowledged: false });
            self.distinct.len() - 1
        });
        self.by_delivery.insert((plan.call, plan.webhook), at);
    }

    pub(super) fn attempt(&mut self, call: u64, webhook: u32, acknowledged: bool, sent: bool) {
        if let Some(&at) = self.by_delivery.get(&(call, webhook)) {
            self.distinct[at].sent |= sent;
            self.distinct[at].acknowledged |= acknowledged;
        } else if let Some(cmiuuid) = self.nameless.get(&(call, webhook)).filter(|_| sent) {
            self.nameless_sent.insert(cmiuuid.clone());
        }
    }

    pub(super) fn observe(&mut self, effect: &Effect) {
        self.looked = true;
        self.seen.push(Seen {
            seq: effect.seq,
            kind: effect.kind.clone(),
            clues: effect.clues(),
            quarantined: effect.quarantined,
        });
    }

    /// That somebody looked, even if there was nothing to see.
    pub(super) fn looked(&mut self) {
        self.looked = true;
    }

    pub(super) fn observed(&self) -> Option<Observed> {
        if !self.looked {
            return None;
        }
        let (counts, others) = self.attributed();
        let named = |trouble: &dyn Fn(usize) -> bool| -> Vec<String> {
            let found = (0..self.distinct.len()).filter(|&at| trouble(at));
            found.take(NAMED).map(|at| self.distinct[at].identity.to_string()).collect()
        };
        let count = |trouble: &dyn Fn(usize) -> bool| -> u64 {
            (0..self.distinct.len()).filter(|&at| trouble(at)).count() as u64
        };
        let lost = |at: usize| self.distinct[at].acknowledged && counts[at] == 0;
        let duplicated = |at: usize| counts[at] > 1;
        let (mut quarantined, mut unattributed, mut phantom) = (0, 0, 0);
        let mut phantom_effects = Vec::new();
        for seen in others {
            if seen.quarantined {
                quarantined += 1;
            } else if !self.nameless_sent.is_empty() && !seen.clues.say_an_identity() {
                unattributed += 1;
            } else {
                phantom += 1;
                if phantom_effects.len() < NAMED {
                    phantom_effects.push(seen.to_string());
                }
            }
        }
        Some(Observed {
            effects: self.seen.len() as u64,
            distinct: count(&|at| counts[at] > 0),
            quarantined,
            unattributed,
            lost: count(&lost),
            duplicated: count(&duplicated),
            phantom,
            lost_webhooks: named(&lost),
            duplicated_webhooks: named(&duplicated),
            phantom_effects,
        })
    }
}

impl Expected {
    /// How many effects each identity has, and the effects that are of none.
    ///
    /// An effect need not say all of an identity. So effects are given to identities such that as many as possible,
    /// and first of all those acknowledged, have one; what is left over is a repeat of something that it fits.
    fn attributed(&self) -> (Vec<u64>, Vec<&Seen>) {
        let mut counts = vec![0; self.distinct.len()];
        let mut by_cmiuuid: BTreeMap<&str, Vec<&Seen>> = BTreeMap::new();
        let mut others = Vec::new();
        for seen in &self.seen {
            let cmiuuid = seen.clues.cmiuuid.as_deref();
            match cmiuuid.filter(|cmiuuid| self.by_cmiuuid.contains_key(*cmiuuid)) {
                Some(cmiuuid) => by_cmiuuid.entry(cmiuuid).or_default().push(seen),
                None => others.push(seen),
            }
        }
        for (cmiuuid, effects) in by_cmiuuid {
            let mut same: Vec<usize> = self.by_cmiuuid[cmiuuid].clone();
            same.retain(|&at| self.distinct[at].sent);
            same.sort_by_key(|&at| !self.distinct[at].acknowledged);
            let fits: Vec<Vec<usize>> = same
                .iter()
                .map(|&at| {
                    let fits = |effect: &usize| effects[*effect].clues.fit(&self.distinct[at].identity);
                    (0..effects.len()).filter(fits).collect()
                })
                .collect();
            let owners = matching(&fits, effects.len());
            for owner in owners.iter().flatten() {
                counts[same[*owner]] += 1;
            }
            for (effect, _) in owners.iter().enumerate().filter(|(_, owner)| owner.is_none()) {
                let clues = &effects[effect].clues;
                let is_nameless = !clues.say_an_identity() && self.nameless_sent.contains(&clues.cmiuuid);
                let fitting = (0..same.len()).filter(|&at| !is_nameless && fits[at].contains(&effect));
                // One webhook that is doubled twice is less of an accusation than two.
                match fitting.max_by_key(|&at| counts[same[at]]) {
                    Some(at) => counts[same[at]] += 1,
                    None => others.push(effects[effect]),
                }
            }
        }
        others.sort_by_key(|seen| seen.seq);
        (counts, others)
    }
}

/// Gives each of `effects` to one of those that it fits, at most one to each, such that as many as possible have one;
/// whoever comes first goes without last. Returns the owner of each effect (Kuhn's algorithm).
fn matching(fits: &[Vec<usize>], effects: usize) -> Vec<Option<usize>> {
    fn find(
        from: usize,
        fits: &[Vec<usize>],
        owners: &mut [Option<usize>],
        tried: &mut BTreeSet<usize>,
    ) -> bool {
        if let Some(&free) = fits[from].iter().find(|&&effect| owners[effect].is_none()) {
            owners[free] = Some(from);
            return true;
        }
        for &effect in &fits[from] {
            if let Some(owner) = owners[effect]
                && tried.insert(effect)
                && find(owner, fits, owners, tried)
            {
                owners[effect] = Some(from);
                return true;
            }
        }
        false
    }
    let mut owners = vec![None; effects];
    for from in 0..fits.len() {
        find(from, fits, &mut owners, &mut BTreeSet::new());
    }
    owners
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "effect {}: {} {} of leg {}, {}",
            self.seq,
            self.kind.as_deref().unwrap_or("unknown"),
            self.clues.status.as_deref().unwrap_or("?"),
            self.clues.leg.as_deref().unwrap_or("?"),
            self.clues.cmiuuid.as_deref().unwrap_or("no cmiuuid"),
        )
    }
}

impl Clues {
    /// Whether it is clear which webhook the effect is of, if it was ever sent.
    fn say_an_identity(&self) -> bool {
        self.kind.is_some() && self.cmiuuid.is_some() && self.status.is_some()
    }

    /// A time may be kept in another notation than the one that was sent.
    fn is_of_time(&self, identity: &Identity) -> bool {
        match (self.time.as_deref(), identity.time()) {
            (Some(kept), Some(sent)) => kept == sent || super::check::value::may_be_same_instant(sent, kept),
            (kept, sent) => kept.is_none() || kept == sent,
        }
    }

    pub(crate) fn fit(&self, identity: &Identity) -> bool {
        let same = |said: &Option<String>, is: Option<&str>| said.is_none() || said.as_deref() == is;
        self.kind.is_none_or(|kind| kind == identity.kind())
            && same(&self.leg, identity.leg())
            && same(&self.status, Some(identity.status()))
            && (identity.kind() == Kind::Cdr || self.is_of_time(identity))
    }
}
