use std::collections::BTreeSet;

use super::Schedule;
use super::schedule::{Attempt, Place, Wave};

/// What is made smaller, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aim {
    Calls,
    Webhooks,
    Deliveries,
    Gaps,
    Concurrency,
    Fields,
}

impl Aim {
    pub(super) const ALL: [Self; 6] =
        [Self::Calls, Self::Webhooks, Self::Deliveries, Self::Gaps, Self::Concurrency, Self::Fields];

    /// The schedules that are smaller in this respect and equal in those before, the smallest ones first. Each has a
    /// smaller [`Size`](super::schedule::Size), so that there is an end to it.
    pub(super) fn smaller(self, schedule: &Schedule) -> Vec<Schedule> {
        match self {
            Self::Calls => {
                let calls: BTreeSet<usize> = schedule.places().iter().map(|place| place.call).collect();
                without_some(&calls, schedule, |attempt| attempt.place.call)
            }
            Self::Webhooks => without_some(&schedule.places(), schedule, |attempt| attempt.place),
            Self::Deliveries => fewer_deliveries(schedule),
            Self::Gaps => smaller_gaps(schedule),
            Self::Concurrency => less_concurrency(schedule),
            Self::Fields => fewer_fields(schedule),
        }
    }
}

/// Sets to take away from `items`: halves, quarters, and so on down to single ones; never all of them.
fn chunks<T: Copy + Ord>(items: &BTreeSet<T>) -> Vec<BTreeSet<T>> {
    let items: Vec<T> = items.iter().copied().collect();
    let mut sets = Vec::new();
    let mut size = items.len().saturating_sub(1);
    while size > 0 {
        sets.extend(items.chunks(size).map(|chunk| chunk.iter().copied().collect()));
        size /= 2;
    }
    sets
}

fn without_some<T: Copy + Ord>(
    items: &BTreeSet<T>,
    schedule: &Schedule,
    of: impl Fn(&Attempt) -> T,
) -> Vec<Schedule> {
    let without = |gone: BTreeSet<T>| schedule.keeping(|_, attempt| !gone.contains(&of(attempt)));
    chunks(items).into_iter().map(without).collect()
}

/// Every webhook is still delivered.
fn fewer_deliveries(schedule: &Schedule) -> Vec<Schedule> {
    let places = schedule.places();
    let all: BTreeSet<usize> = (0..schedule.attempts().count()).collect();
    // One of each first: the first of its deliveries.
    let mut seen = BTreeSet::new();
    let firsts: BTreeSet<usize> =
        schedule.attempts().enumerate().filter(|(_, it)| seen.insert(it.place)).map(|(n, _)| n).collect();
    let fewest = schedule.keeping(|number, _| firsts.contains(&number));
    let fewer = chunks(&all).into_iter().map(|gone| schedule.keeping(|number, _| !gone.contains(&number)));
    std::iter::once(fewest)
        .chain(fewer)
        .filter(|smaller| smaller.places() == places && smaller.size() < schedule.size())
        .collect()
}

fn smaller_gaps(schedule: &Schedule) -> Vec<Schedule> {
    let change = |change: &dyn Fn(usize, &mut Wave)| {
        let mut changed = schedule.clone();
        for (number, wave) in changed.waves.iter_mut().enumerate() {
            change(number, wave);
        }
        changed
    };
    let without_delays = |wave: &mut Wave| {
        for attempt in &mut wave.attempts {
            attempt.after_ms = 0;
        }
    };
    let mut smaller = vec![
        change(&|_, wave| {
            wave.pause_ms = 0;
            without_delays(wave);
        }),
        change(&|_, wave| wave.pause_ms = 0),
        change(&|_, wave| without_delays(wave)),
    ];
    for at in 0..schedule.waves.len() {
        let only = |edit: &dyn Fn(&mut Wave)| {
            change(&|number, wave| {
                if number == at {
                    edit(wave);
                }
            })
        };
        smaller.push(only(&|wave| wave.pause_ms = 0));
        smaller.push(only(&|wave| wave.pause_ms /= 2));
        smaller.push(only(&without_delays));
        smaller.push(only(&|wave| wave.attempts.iter_mut().for_each(|attempt| attempt.after_ms /= 2)));
    }
    smaller.retain(|smaller| smaller.size() < schedule.size());
    smaller.dedup();
    smaller
}

fn less_concurrency(schedule: &Schedule) -> Vec<Schedule> {
    // One after another, then two by two, everywhere and wave by wave; then one of a wave behind the others.
    let splitting = |at: Option<usize>, size: usize| {
        [false, true].map(|keeps_gaps| {
            let waves = schedule.waves.iter().enumerate().flat_map(|(number, wave)| {
                let is_it = at.is_none_or(|at| at == number);
                if is_it { split(wave, size, keeps_gaps) } else { vec![wave.clone()] }
            });
            Schedule { waves: waves.collect(), ..schedule.clone() }
        })
    };
    let mut smaller: Vec<Schedule> = [1, 2].into_iter().flat_map(|size| splitting(None, size)).collect();
    for (at, wave) in schedule.waves.iter().enumerate() {
        smaller.extend([1, 2].into_iter().flat_map(|size| splitting(Some(at), size)));
        for moved in 0..wave.attempts.len() {
            let mut apart = schedule.clone();
            let mut attempt = apart.waves[at].attempts.remove(moved);
            attempt.after_ms = 0;
            apart.waves[at].begin_at_once();
            apart.waves.insert(at + 1, Wave { pause_ms: 0, attempts: vec![attempt] });
            apart.waves.retain(|wave| !wave.attempts.is_empty());
            smaller.push(apart);
        }
    }
    smaller.retain(|smaller| smaller.size() < schedule.size());
    smaller.dedup();
    smaller
}

/// A wave as several of `size` deliveries each, with pauses between them in place of their delays, or without.
fn split(wave: &Wave, size: usize, keeps_gaps: bool) -> Vec<Wave> {
    let mut attempts = wave.attempts.clone();
    attempts.sort_by_key(|attempt| attempt.after_ms);
    let mut waves: Vec<Wave> = Vec::new();
    let mut begun = 0;
    for chunk in attempts.chunks(size) {
        let begins = chunk.first().map_or(0, |attempt| attempt.after_ms);
        let gap = if keeps_gaps { begins - begun } else { 0 };
        let pause_ms = if waves.is_empty() { wave.pause_ms } else { gap };
        let mut wave = Wave { pause_ms, attempts: chunk.to_vec() };
        wave.begin_at_once();
        waves.push(wave);
        begun = begins;
    }
    waves
}

fn fewer_fields(schedule: &Schedule) -> Vec<Schedule> {
    let fields: BTreeSet<(Place, _)> = schedule
        .variations
        .iter()
        .flat_map(|(place, variations)| variations.iter().map(|variation| (*place, *variation)))
        .collect();
    let without = |gone: &BTreeSet<(Place, _)>| {
        let mut fewer = schedule.clone();
        for (place, variations) in &mut fewer.variations {
            variations.retain(|variation| !gone.contains(&(*place, *variation)));
        }
        fewer.variations.retain(|_, variations| !variations.is_empty());
        fewer
    };
    let mut smaller: Vec<Schedule> = std::iter::once(&fields).chain(&chunks(&fields)).map(without).collect();
    smaller.retain(|smaller| smaller.size() < schedule.size());
    smaller
}
