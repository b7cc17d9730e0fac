use super::{RunEntry, SCHEMA};
use crate::deliver::{DeliveryOptions, Targets, wall_ms};
use crate::plan::{GENERATOR, PlanOptions};

impl RunEntry {
    /// The header of a run that begins now, with a new run id. Without targets, each call has its own.
    #[must_use]
    pub fn new(
        scenario: &str,
        plan: &PlanOptions,
        targets: Option<&Targets>,
        options: &DeliveryOptions,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            run_id: format!("{:016x}", fresh()),
            ts_ms: wall_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            generator: GENERATOR.to_owned(),
            profile: plan.profile,
            seed: plan.seed.0,
            nonce: plan.nonce.0,
            scenario: scenario.to_owned(),
            epoch_ms: plan.epoch_ms,
            live_to: targets.map(|targets| targets.live.shown()),
            cdr_to: targets.map(|targets| targets.cdr.shown()),
            options: options.clone(),
            replay_of: None,
        }
    }

    /// The header of a run that does `replayed` again, with a new run id.
    #[must_use]
    pub fn replaying(replayed: &Self, targets: &Targets, options: &DeliveryOptions) -> Self {
        Self {
            run_id: format!("{:016x}", fresh()),
            ts_ms: wall_ms(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            live_to: Some(targets.live.shown()),
            cdr_to: Some(targets.cdr.shown()),
            options: options.clone(),
            replay_of: Some(replayed.run_id.clone()),
            ..replayed.clone()
        }
    }
}

/// A number that no other run has, for ids and seeds: random bits of the operating system.
#[must_use]
pub fn fresh() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
