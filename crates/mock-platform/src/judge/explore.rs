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

use super::check::Check;

/// What carries a schedule out as if it were a check.
pub(crate) static SCHEDULE: Check = Check { id: "EXPLORE", title: "a random schedule", ..Check::BASE };

#[cfg(test)]
mod tests;
