//! Exploration: random hostile ways to deliver legal calls, and what the smallest one is that a receiver gets wrong.
//! Pure: a schedule is data, and whoever carries it out tells what came of it.
//!
//! A [`Schedule`] follows from the seed and its number ([`Schedules`]), becomes an ordinary [`Case`](super::check::Case)
//! with the effects that are right, and is judged like one ([`judged`]). One that fails goes to the [`Shrinker`], which
//! asks for smaller and smaller ones, each several times.

mod fault;
mod schedule;
mod shrink;
mod shrinker;
mod strategy;
mod variation;
mod words;

pub(crate) use fault::{Fault, faults, judged};
pub(crate) use schedule::Schedule;
pub(crate) use shrinker::{Rate, Shrinker};
pub(crate) use strategy::Schedules;

use super::check::{Check, Fixes, Observability};

/// What carries a schedule out as if it were a check.
pub(crate) static SCHEDULE: Check = Check {
    id: "EXP",
    title: "a random schedule",
    observability: Observability::Partly,
    source: "the checks of the catalogue, on deliveries that none of them thought of",
    why: "Whatever the platform may do, it does one day; what no check tries is found by customers.",
    fixes: Fixes::all("What the check of the same kind of fault says: duplicates DUP, order ORD, load CON."),
    judge: fault::judge,
    ..Check::BASE
};

/// The check that a failed schedule, `EXP-001`, is judged by.
pub(crate) fn of_id(id: &str) -> Option<&'static Check> {
    let number = id.strip_prefix(SCHEDULE.id)?.strip_prefix('-')?;
    number.parse::<u32>().is_ok().then_some(&SCHEDULE)
}

#[cfg(test)]
mod tests;
