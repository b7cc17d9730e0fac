use std::collections::BTreeMap;

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
    effects: u64,
    quarantined: u64,
    phantoms: Vec<String>,
    phantom: u64,
    looked: bool,
}

/// All deliveries with one identity.
#[derive(Debug, Clone)]
struct Distinct {
    identity: Identity,
    sent: bool,
    acknowledged: bool,
    effects: u64,
}

impl Expected {
    pub(super) fn plan(&mut self, plan: &PlanEntry) {
        let webhook = Webhook::parse(plan.body.as_bytes()).ok();
        let Some(identity) = webhook.and_then(|webhook| webhook.identity()) else { return };
        let same = self.by_cmiuuid.entry(identity.cmiuuid().to_owned()).or_default();
        let known = same.iter().copied().find(|&at| self.distinct[at].identity == identity);
        let at = known.unwrap_or_else(|| {
            same.push(self.distinct.len());
            self.distinct.push(Distinct { identity, sent: false, acknowledged: false, effects: 0 });
            self.distinct.len() - 1
        });
        self.by_delivery.insert((plan.call, plan.webhook), at);
    }

    pub(super) fn attempt(&mut self, call: u64, webhook: u32, acknowledged: bool, sent: bool) {
        if let Some(&at) = self.by_delivery.get(&(call, webhook)) {
            self.distinct[at].sent |= sent;
            self.distinct[at].acknowledged |= acknowledged;
        }
    }

    pub(super) fn observe(&mut self, effect: &Effect) {
        self.looked = true;
        self.effects += 1;
        let clues = effect.clues();
        let same = effect.cmiuuid.as_ref().and_then(|cmiuuid| self.by_cmiuuid.get(cmiuuid));
        let fitting = same.into_iter().flatten().copied().filter(|&at| {
            let distinct = &self.distinct[at];
            distinct.sent && clues.fit(&distinct.identity)
        });
        // An effect that does not say enough is taken for one that is still missing, rather than for a repeat.
        match fitting.min_by_key(|&at| self.distinct[at].effects) {
            Some(at) => self.distinct[at].effects += 1,
            None if effect.quarantined => self.quarantined += 1,
            None => {
                self.phantom += 1;
                if self.phantoms.len() < NAMED {
                    self.phantoms.push(format!(
                        "effect {}: {} {} of leg {}, {}",
                        effect.seq,
                        effect.kind.as_deref().unwrap_or("unknown"),
                        clues.status.as_deref().unwrap_or("?"),
                        clues.leg.as_deref().unwrap_or("?"),
                        effect.cmiuuid.as_deref().unwrap_or("no cmiuuid"),
                    ));
                }
            }
        }
    }

    /// That somebody looked, even if there was nothing to see.
    pub(super) fn looked(&mut self) {
        self.looked = true;
    }

    pub(super) fn observed(&self) -> Option<Observed> {
        if !self.looked {
            return None;
        }
        let named = |trouble: &dyn Fn(&Distinct) -> bool| -> Vec<String> {
            let found = self.distinct.iter().filter(|distinct| trouble(distinct));
            found.take(NAMED).map(|distinct| distinct.identity.to_string()).collect()
        };
        let count = |trouble: &dyn Fn(&Distinct) -> bool| -> u64 {
            self.distinct.iter().filter(|distinct| trouble(distinct)).count() as u64
        };
        let lost = |distinct: &Distinct| distinct.acknowledged && distinct.effects == 0;
        let duplicated = |distinct: &Distinct| distinct.effects > 1;
        Some(Observed {
            effects: self.effects,
            distinct: count(&|distinct| distinct.effects > 0),
            quarantined: self.quarantined,
            lost: count(&lost),
            duplicated: count(&duplicated),
            phantom: self.phantom,
            lost_webhooks: named(&lost),
            duplicated_webhooks: named(&duplicated),
            phantom_effects: self.phantoms.clone(),
        })
    }
}

impl Clues {
    pub(super) fn fit(&self, identity: &Identity) -> bool {
        let same = |said: &Option<String>, is: Option<&str>| said.is_none() || said.as_deref() == is;
        self.kind.is_none_or(|kind| kind == identity.kind())
            && same(&self.leg, identity.leg())
            && same(&self.status, Some(identity.status()))
            && (identity.kind() == Kind::Cdr || same(&self.time, identity.time()))
    }
}
