use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use piopiy_events::{Kind, Profile, Webhook};

use super::variation::Variation;
use crate::judge::check::{Case, Composer, Count, Payload, Script, Step};
use crate::plan::{PlanOptions, Seed, Simulator};

/// Which webhooks of which calls are delivered, how often, in which order, and what beside what. The ids are not in it:
/// each time it is carried out they are fresh.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Schedule {
    /// The calls; of some of them nothing may be delivered.
    pub(super) calls: Vec<Call>,
    /// One after another; each begins when all deliveries of the one before are answered.
    pub(super) waves: Vec<Wave>,
    /// What is changed in a webhook, in each of its deliveries.
    pub(super) variations: BTreeMap<Place, BTreeSet<Variation>>,
}

/// A call of the simulator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) scenario: &'static str,
    /// Which call of the scenario.
    pub(super) index: u64,
    /// Its webhooks, in the order in which the platform would first send them.
    pub(super) webhooks: Vec<Named>,
}

/// What a webhook is, for people.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Named {
    pub(super) is_cdr: bool,
    pub(super) status: String,
    pub(super) leg: String,
}

/// Deliveries side by side.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Wave {
    /// Nothing for so long before.
    pub(super) pause_ms: u16,
    pub(super) attempts: Vec<Attempt>,
}

/// One delivery of a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Attempt {
    pub(super) place: Place,
    /// So long after the wave has begun.
    pub(super) after_ms: u16,
}

/// Which webhook of which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) call: usize,
    pub(super) webhook: usize,
}

/// How large a schedule is. What comes first weighs more than all that comes after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Size {
    pub(crate) calls: usize,
    pub(crate) webhooks: usize,
    pub(crate) deliveries: usize,
    /// All pauses and delays together.
    pub(crate) gaps_ms: u64,
    /// Deliveries that do not wait for another.
    pub(crate) beside: usize,
    /// Members that are changed.
    pub(crate) fields: usize,
}

impl Call {
    /// A call of a built-in scenario; `None` where there is no such scenario.
    pub(super) fn plan(profile: Profile, seed: Seed, scenario: &'static str, index: u64) -> Option<Self> {
        let plan = Simulator::builtin(scenario, PlanOptions::new(profile, seed)).ok()?;
        let webhooks = plan.call(index).webhooks.into_iter().map(|webhook| {
            let body = Webhook::parse(&webhook.body).ok();
            let text = |key: &str| {
                let text = body.as_ref().and_then(|body| Some(body.text(key)?.into_owned()));
                text.unwrap_or_default()
            };
            Named { is_cdr: webhook.kind == Some(Kind::Cdr), status: text("status"), leg: text("leg") }
        });
        Some(Self { scenario, index, webhooks: webhooks.collect() })
    }
}

impl Schedule {
    /// How large it is.
    pub(crate) fn size(&self) -> Size {
        let places = self.places();
        let gap = |wave: &Wave| {
            let delays = wave.attempts.iter().map(|attempt| u64::from(attempt.after_ms));
            u64::from(wave.pause_ms) + delays.sum::<u64>()
        };
        let changed = self.variations.iter().filter(|(place, _)| places.contains(place));
        Size {
            calls: places.iter().map(|place| place.call).collect::<BTreeSet<_>>().len(),
            webhooks: places.len(),
            deliveries: self.attempts().count(),
            gaps_ms: self.waves.iter().map(gap).sum(),
            beside: self.waves.iter().map(|wave| wave.attempts.len().saturating_sub(1)).sum(),
            fields: changed.map(|(_, variations)| variations.len()).sum(),
        }
    }

    /// As a case: what is sent, and which effects are right. The receiver is `known` to have effects for live events with
    /// these statuses.
    pub(crate) fn case(
        &self,
        name: impl Into<String>,
        composer: &mut Composer,
        known: &BTreeSet<String>,
    ) -> Case {
        let places = self.places();
        let mut payloads: BTreeMap<Place, Payload> = BTreeMap::new();
        for (at, call) in self.calls.iter().enumerate() {
            if !places.iter().any(|place| place.call == at) {
                continue;
            }
            let (_, planned) = composer.call_at(call.scenario, call.index);
            for (webhook, payload) in planned.into_iter().enumerate() {
                let place = Place { call: at, webhook };
                let variations = self.variations.get(&place).into_iter().flatten();
                payloads
                    .insert(place, variations.fold(payload, |payload, variation| variation.apply(payload)));
            }
        }
        let mut case = Case { has_open_end: !self.has_clear_ends(), ..Case::new(name) };
        for place in &places {
            let Some(payload) = payloads.get(place) else { continue };
            let is_kept = payload
                .identity()
                .is_none_or(|identity| identity.kind() == Kind::Cdr || known.contains(identity.status()));
            case = case.expect(payload, if is_kept { Count::Once } else { Count::OnceIfKnown });
        }
        for wave in &self.waves {
            if wave.pause_ms > 0 {
                case = case.step(Step::Pause(millis(wave.pause_ms)));
            }
            let is_alone = wave.attempts.len() == 1;
            let script = |attempt: &Attempt| {
                let request = composer.post(payloads.get(&attempt.place)?);
                Some(if is_alone {
                    Script::default().request(&request).answered()
                } else {
                    Script::default().request_released(&request, millis(attempt.after_ms)).answered()
                })
            };
            case = case.scripts(wave.attempts.iter().filter_map(script).collect());
        }
        case
    }

    /// Whether it is clear which webhook of each call is the last to be new to the receiver: where two of one call are on
    /// their way at the same time, neither need show in the other's `state`.
    pub(super) fn has_clear_ends(&self) -> bool {
        let mut delivered = BTreeSet::new();
        let mut is_clear: BTreeMap<usize, bool> = BTreeMap::new();
        for wave in &self.waves {
            let fresh: BTreeSet<Place> = wave
                .attempts
                .iter()
                .map(|attempt| attempt.place)
                .filter(|it| !delivered.contains(it))
                .collect();
            for place in &fresh {
                let beside = fresh.iter().filter(|other| other.call == place.call).count();
                is_clear.insert(place.call, beside == 1);
            }
            delivered.extend(fresh);
        }
        is_clear.values().all(|is_clear| *is_clear)
    }

    /// Its deliveries, in order.
    pub(super) fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.waves.iter().flat_map(|wave| &wave.attempts)
    }

    /// The webhooks that are delivered at all.
    pub(super) fn places(&self) -> BTreeSet<Place> {
        self.attempts().map(|attempt| attempt.place).collect()
    }

    /// What a webhook is.
    pub(super) fn named(&self, place: Place) -> Option<&Named> {
        self.calls.get(place.call)?.webhooks.get(place.webhook)
    }

    /// Only the deliveries that `is_kept` says, by their number.
    pub(super) fn keeping(&self, is_kept: impl Fn(usize, &Attempt) -> bool) -> Self {
        let mut kept = self.clone();
        let mut number = 0;
        for wave in &mut kept.waves {
            wave.attempts.retain(|attempt| {
                number += 1;
                is_kept(number - 1, attempt)
            });
            wave.begin_at_once();
        }
        kept.waves.retain(|wave| !wave.attempts.is_empty());
        let places = kept.places();
        kept.variations.retain(|place, _| places.contains(place));
        kept
    }
}

impl Wave {
    /// Lets the first of its deliveries begin with it.
    pub(super) fn begin_at_once(&mut self) {
        let first = self.attempts.iter().map(|attempt| attempt.after_ms).min().unwrap_or(0);
        for attempt in &mut self.attempts {
            attempt.after_ms -= first;
        }
    }
}

fn millis(ms: u16) -> Duration {
    Duration::from_millis(ms.into())
}
