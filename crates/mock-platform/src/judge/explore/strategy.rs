use std::collections::{BTreeMap, BTreeSet};

use piopiy_events::Profile;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::{select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::Schedule;
use super::schedule::{Attempt, Call, Place, Wave};
use super::variation::{VARIATIONS, Variation};
use crate::plan::Seed;

/// Random schedules, in an order that follows from the seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Schedules {
    profile: Profile,
    seed: Seed,
}

/// What is called; all of it is legal.
const SCENARIOS: [&str; 11] = [
    "inbound-answered",
    "inbound-missed",
    "inbound-abandoned",
    "inbound-bridged",
    "inbound-group-loop",
    "inbound-streamed",
    "outbound-answered",
    "outbound-missed",
    "outbound-bridged",
    "outbound-streamed",
    "stream-error",
];
/// Deliveries side by side, at most.
const MOST_BESIDE: usize = 8;
/// Deliveries of a schedule, at most; but each webhook that is not lost has one.
const MOST_DELIVERIES: usize = 32;

impl Schedules {
    pub(crate) fn new(profile: Profile, seed: Seed) -> Self {
        Self { profile, seed }
    }

    /// The schedule with this number, always the same one.
    pub(crate) fn nth(self, number: u64) -> Option<Schedule> {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.seed.0.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        // Shrinking is ours: what proptest would make smaller are the numbers, not the schedule.
        schedules(self.profile, self.seed).new_tree(&mut runner).ok().map(|tree| tree.current())
    }
}

/// How a whole schedule is.
#[derive(Debug, Clone)]
struct Manner {
    /// How far a delivery may come behind its turn; 100 is one place.
    disorder: u32,
    /// How many in 100 deliveries do not wait for the one before.
    joins: u8,
    /// Whether webhooks of one call may be on their way at the same time.
    crosses: bool,
}

/// What becomes of one webhook.
#[derive(Debug, Clone)]
struct Fate {
    is_lost: bool,
    copies: Vec<Copy>,
    variations: Vec<Variation>,
}

/// One delivery.
#[derive(Debug, Clone)]
struct Copy {
    late: u32,
    joins: u8,
    pause_ms: u16,
    after_ms: u16,
}

fn schedules(profile: Profile, seed: Seed) -> impl Strategy<Value = Schedule> {
    let call = (select(&SCENARIOS[..]), any::<u16>());
    let calls = prop_oneof![3 => vec(call.clone(), 1), 2 => vec(call.clone(), 2), 1 => vec(call, 3)];
    let planned = calls.prop_map(move |calls| {
        let plan = |(scenario, index): (&'static str, u16)| Call::plan(profile, seed, scenario, index.into());
        calls.into_iter().filter_map(plan).collect::<Vec<_>>()
    });
    planned
        .prop_flat_map(|calls| {
            let webhooks = calls.iter().map(|call| call.webhooks.len()).sum::<usize>();
            (Just(calls), manner(), vec(fate(), webhooks))
        })
        .prop_map(|(calls, manner, fates)| arranged(calls, &manner, fates))
}

fn manner() -> impl Strategy<Value = Manner> {
    let disorder = prop_oneof![2 => Just(0), 2 => Just(250), 1 => Just(10_000)];
    let joins = prop_oneof![1 => Just(0), 2 => Just(40), 1 => Just(90)];
    (disorder, joins, any::<bool>()).prop_map(|(disorder, joins, crosses)| Manner {
        disorder,
        joins,
        crosses,
    })
}

fn fate() -> impl Strategy<Value = Fate> {
    let copies = prop_oneof![
        5 => vec(copy(), 1),
        3 => vec(copy(), 2..=4),
        // All at the same time.
        1 => (copy(), 2..=MOST_BESIDE).prop_map(|(copy, count)| {
            let follower = Copy { joins: 0, after_ms: 0, ..copy.clone() };
            std::iter::once(copy).chain(std::iter::repeat_n(follower, count - 1)).collect()
        }),
    ];
    let variations = prop_oneof![
        3 => Just(Vec::new()),
        1 => subsequence(VARIATIONS, 1..=3),
    ];
    (0..10_u8, copies, variations).prop_map(|(lost, copies, variations)| Fate {
        is_lost: lost == 0,
        copies,
        variations,
    })
}

fn copy() -> impl Strategy<Value = Copy> {
    let pause_ms = prop_oneof![4 => Just(0), 1 => 1..=30_u16];
    let after_ms = prop_oneof![3 => Just(0), 2 => 1..=20_u16];
    (0..10_000_u32, 0..100_u8, pause_ms, after_ms).prop_map(|(late, joins, pause_ms, after_ms)| Copy {
        late,
        joins,
        pause_ms,
        after_ms,
    })
}

/// Puts the deliveries into an order and into waves.
fn arranged(calls: Vec<Call>, manner: &Manner, mut fates: Vec<Fate>) -> Schedule {
    let places: Vec<Place> = calls
        .iter()
        .enumerate()
        .flat_map(|(call, planned)| (0..planned.webhooks.len()).map(move |webhook| Place { call, webhook }))
        .collect();
    // A schedule that loses everything would deliver nothing.
    if fates.iter().all(|fate| fate.is_lost)
        && let Some(first) = fates.first_mut()
    {
        first.is_lost = false;
    }
    let mut due: Vec<(u64, Place, Copy)> = Vec::new();
    let mut variations = BTreeMap::new();
    let mut spare = MOST_DELIVERIES.saturating_sub(places.len());
    for (place, fate) in places.into_iter().zip(fates).filter(|(_, fate)| !fate.is_lost) {
        let copies = fate.copies.len().min(1 + spare);
        spare -= copies - 1;
        for copy in fate.copies.into_iter().take(copies) {
            let turn = place.webhook as u64 * 100;
            due.push((turn + u64::from(copy.late % (manner.disorder + 1)), place, copy));
        }
        if !fate.variations.is_empty() {
            variations.insert(place, fate.variations.into_iter().collect::<BTreeSet<_>>());
        }
    }
    due.sort_by_key(|(turn, place, _)| (*turn, *place));
    let mut waves: Vec<Wave> = Vec::new();
    for (_, place, copy) in due {
        let crosses = |wave: &Wave| {
            wave.attempts.iter().any(|other| other.place.call == place.call && other.place != place)
        };
        let joined = waves.last_mut().filter(|wave| {
            copy.joins < manner.joins
                && wave.attempts.len() < MOST_BESIDE
                && (manner.crosses || !crosses(wave))
        });
        match joined {
            Some(wave) => wave.attempts.push(Attempt { place, after_ms: copy.after_ms }),
            None => {
                let attempts = vec![Attempt { place, after_ms: 0 }];
                waves.push(Wave { pause_ms: copy.pause_ms, attempts });
            }
        }
    }
    Schedule { calls, waves, variations }
}
