use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::draw::Draw;
use crate::plan::PlannedWebhook;

/// How often, and how far, deliveries go wrong on purpose. All probabilities are per webhook.
///
/// What goes wrong follows from the seed, the call and the webhook alone; each fault is named in the ledger.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::{DeliveryOptions, Faults};
///
/// let mut options = DeliveryOptions::default();
/// options.faults = Faults::chaos(7);
/// assert!(options.faults.loss > 0.0);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Faults {
    /// The seed of the draws.
    #[serde(with = "super::ledger::hex_u64")]
    #[schemars(with = "String")]
    pub seed: u64,
    /// The probability of a second copy, at once or up to `duplicate_within_ms` later.
    pub duplicate: f64,
    /// The probability that a webhook is sent behind later ones of its call.
    pub reorder: f64,
    /// The probability that a webhook is held back; later ones of the call wait behind it, where order is kept.
    pub delay: f64,
    /// The probability that a webhook is never sent.
    pub loss: f64,
    /// The latest start of a second copy: virtual milliseconds from the start of the first.
    pub duplicate_within_ms: u64,
    /// The most webhooks that one is sent behind.
    pub reorder_window: u32,
    /// The longest delay: virtual milliseconds.
    pub delay_within_ms: u64,
}

impl Faults {
    /// Everything at once: one webhook in ten is doubled, one in ten out of order, one in ten late, one in twenty lost.
    #[must_use]
    pub fn chaos(seed: u64) -> Self {
        Self { seed, duplicate: 0.1, reorder: 0.1, delay: 0.1, loss: 0.05, ..Self::windows() }
    }

    /// No faults, with the default windows and the seed given.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self { seed, ..Self::windows() }
    }

    fn windows() -> Self {
        Self { duplicate_within_ms: 2_000, reorder_window: 3, delay_within_ms: 20_000, ..Self::default() }
    }

    pub(crate) fn probabilities(&self) -> [(&'static str, f64); 4] {
        [("duplicate", self.duplicate), ("reorder", self.reorder), ("delay", self.delay), ("loss", self.loss)]
    }

    /// What goes wrong with the webhook at `position` of `webhooks`, the webhooks of one call in order.
    pub(super) fn of(&self, webhooks: &[PlannedWebhook], position: usize) -> Vec<Fault> {
        let call = webhooks[position].call;
        self.of_place(call, &|at| webhooks[at].seq, webhooks.len(), position)
    }

    /// What goes wrong with the webhook at `position` of the `count` webhooks of a call, each of which has its place for a number.
    pub(crate) fn of_nth(&self, call: u64, count: usize, position: usize) -> Vec<Fault> {
        self.of_place(call, &|at| at as u32, count, position)
    }

    fn of_place(&self, call: u64, seq: &dyn Fn(usize) -> u32, count: usize, position: usize) -> Vec<Fault> {
        let draw = |purpose| Draw::new(self.seed, call, seq(position), purpose);
        let mut faults = Vec::new();
        if draw("loss").chance(self.loss) {
            return vec![Fault::Loss];
        }
        if let Some(behind) = self.reorders_behind(call, seq, count, position) {
            faults.push(Fault::Reorder { behind: seq(behind) });
        }
        if draw("delay").chance(self.delay) {
            faults.push(Fault::Delay { by_ms: 1 + draw("delay.by").below(self.delay_within_ms) });
        }
        if draw("duplicate").chance(self.duplicate) {
            // Half of them at once, since a receiver that looks before it writes fails only then.
            let later = draw("duplicate.later").chance(0.5);
            let after_ms =
                if later { draw("duplicate.after").below(self.duplicate_within_ms + 1) } else { 0 };
            faults.push(Fault::Duplicate { after_ms });
        }
        faults
    }
}

/// Live calls: the webhooks behind one are not known yet.
impl Faults {
    /// What goes wrong with one webhook, apart from its place among others.
    pub(crate) fn of_one(&self, webhook: &PlannedWebhook) -> Vec<Fault> {
        self.of(std::slice::from_ref(webhook), 0)
    }

    /// Whether it is sent behind the next one of its call.
    pub(crate) fn holds_back(&self, webhook: &PlannedWebhook) -> bool {
        Draw::new(self.seed, webhook.call, webhook.seq, "reorder").chance(self.reorder)
    }
}

impl Faults {
    /// Behind which webhook the one at `position` is sent; only one that stays where it is: behind one that is lost, or
    /// is itself sent later, there would be no telling that it was moved.
    fn reorders_behind(
        &self,
        call: u64,
        seq: &dyn Fn(usize) -> u32,
        count: usize,
        position: usize,
    ) -> Option<usize> {
        if self.reorder <= 0.0 {
            return None;
        }
        // From the back, as whether one moves depends on a later one.
        let mut stays = vec![true; count];
        let mut behind = None;
        for at in (position..count).rev() {
            let draw = |purpose| Draw::new(self.seed, call, seq(at), purpose);
            let window = (count - at - 1).min(self.reorder_window as usize) as u64;
            let wanted = window > 0 && draw("reorder").chance(self.reorder);
            let target = at + 1 + usize::try_from(draw("reorder.behind").below(window)).unwrap_or(0);
            behind = (wanted && stays[target]).then_some(target);
            stays[at] = behind.is_none() && !draw("loss").chance(self.loss);
        }
        behind
    }
}

/// One thing that goes wrong with one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// A second copy is sent.
    Duplicate {
        /// Virtual milliseconds from the start of the first copy to that of the second; 0 sends both at once.
        after_ms: u64,
    },
    /// It is sent behind a later webhook of its call.
    Reorder {
        /// Which webhook of the call it is sent behind.
        behind: u32,
    },
    /// It is held back.
    Delay {
        /// Virtual milliseconds.
        by_ms: u64,
    },
    /// It is never sent.
    Loss,
}

impl Fault {
    /// The name in the ledger.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Duplicate { .. } => "duplicate",
            Self::Reorder { .. } => "reorder",
            Self::Delay { .. } => "delay",
            Self::Loss => "loss",
        }
    }
}

/// A webhook in the order and at the time that its faults give it.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) webhook: PlannedWebhook,
    pub(super) due_ms: u64,
    pub(super) faults: Vec<Fault>,
}

impl Slot {
    pub(super) fn is_lost(&self) -> bool {
        self.faults.contains(&Fault::Loss)
    }

    pub(super) fn duplicate_after_ms(&self) -> Option<u64> {
        self.faults.iter().find_map(|fault| match fault {
            Fault::Duplicate { after_ms } => Some(*after_ms),
            _ => None,
        })
    }
}

/// Puts the webhooks of one call into the order, and at the times, that their faults give them.
pub(super) fn arrange(webhooks: Vec<PlannedWebhook>, faults: Vec<Vec<Fault>>) -> Vec<Slot> {
    let places: Vec<(u32, u64)> = webhooks.iter().map(|webhook| (webhook.seq, webhook.at_ms)).collect();
    let delayed_by = |faults: &[Fault]| -> u64 {
        faults.iter().map(|fault| if let Fault::Delay { by_ms } = fault { *by_ms } else { 0 }).sum()
    };
    let delays: Vec<u64> = faults.iter().map(|faults| delayed_by(faults)).collect();
    let mut slots: Vec<((u64, usize, bool), Slot)> = webhooks
        .into_iter()
        .zip(faults)
        .enumerate()
        .map(|(position, (webhook, faults))| {
            let mut due_ms = webhook.at_ms;
            let mut place = (position, false);
            for fault in &faults {
                match fault {
                    Fault::Reorder { behind } => {
                        if let Some(later) = places.iter().position(|(seq, _)| seq == behind) {
                            // Later than it even where each is sent when it is due.
                            let behind_ms = places[later].1.saturating_add(delays[later]).saturating_add(1);
                            due_ms = due_ms.max(behind_ms);
                            place = (later, true);
                        }
                    }
                    Fault::Delay { by_ms } => due_ms = due_ms.saturating_add(*by_ms),
                    Fault::Duplicate { .. } | Fault::Loss => {}
                }
            }
            let planned_ms = places[place.0].1;
            ((planned_ms, place.0, place.1), Slot { webhook, due_ms, faults })
        })
        .collect();
    slots.sort_by_key(|(key, _)| *key);
    slots.into_iter().map(|(_, slot)| slot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use piopiy_events::{Evidence, Kind};

    fn call(index: u64, count: u32) -> Vec<PlannedWebhook> {
        let webhook = |seq: u32| {
            let kind = Some(Kind::LiveEvent);
            PlannedWebhook::new(
                index,
                seq,
                u64::from(seq) * 100,
                "live.x".into(),
                kind,
                Evidence::Documented,
                vec![],
            )
        };
        (0..count).map(webhook).collect()
    }

    fn order(slots: &[Slot]) -> Vec<(u32, u64)> {
        slots.iter().map(|slot| (slot.webhook.seq, slot.due_ms)).collect()
    }

    #[test]
    fn a_reordered_webhook_is_sent_behind_the_one_named() {
        let faults = vec![vec![Fault::Reorder { behind: 2 }], vec![], vec![], vec![]];
        assert_eq!(order(&arrange(call(0, 4), faults)), [(1, 100), (2, 200), (0, 201), (3, 300)]);
    }

    #[test]
    fn a_delayed_webhook_keeps_its_place() {
        let faults = vec![vec![Fault::Delay { by_ms: 150 }], vec![]];
        assert_eq!(order(&arrange(call(0, 2), faults)), [(0, 150), (1, 100)]);
    }

    #[test]
    fn the_last_webhook_of_a_call_has_none_to_be_sent_behind() {
        let faults = Faults { reorder: 1.0, ..Faults::seeded(1) };
        assert_eq!(faults.of(&call(0, 1), 0), []);
        assert!(matches!(faults.of(&call(0, 2), 0)[..], [Fault::Reorder { behind: 1 }]));
    }

    #[test]
    fn the_same_seed_gives_the_same_faults_in_the_probabilities_asked_for() {
        let draw = |seed| -> Vec<Vec<Fault>> {
            let faults = Faults::chaos(seed);
            (0..2_000)
                .flat_map(|index| {
                    let call = call(index, 5);
                    (0..5).map(|position| faults.of(&call, position)).collect::<Vec<_>>()
                })
                .collect()
        };
        let once = draw(7);
        assert_eq!(once, draw(7));
        assert_ne!(once, draw(8));
        let lost = once.iter().flatten().filter(|fault| **fault == Fault::Loss).count();
        assert!((400..600).contains(&lost), "{lost} of 10,000 at 1 in 20");
    }
}
