//! Reports of runs in which no check was judged, or none yet.

use super::{CheckOptions, CheckRunError, Observation};
use crate::deliver::{Target, wall_ms};
use crate::judge::check::Check;
use crate::judge::report::{CheckReport, CheckSummary, Exploration, SCHEMA};

/// The report of a run that could not begin.
#[must_use]
pub fn broken(
    target: &Target,
    checks: &[&'static Check],
    options: &CheckOptions,
    error: &CheckRunError,
) -> CheckReport {
    let mut text = error.to_string();
    let causes = std::iter::successors(std::error::Error::source(error), |error| error.source());
    for cause in causes {
        text.push_str(&format!(": {cause}"));
    }
    CheckReport {
        started_ms: wall_ms(),
        error: Some(text),
        not_run: checks.iter().map(|check| check.id.into()).collect(),
        ..head(target, options)
    }
}

/// The report of a run for which nothing was selected.
#[must_use]
pub fn empty(target: &Target, options: &CheckOptions) -> CheckReport {
    CheckReport { started_ms: wall_ms(), ..head(target, options) }
}

/// The report of a run that was stopped before it had begun.
pub(super) fn unstarted(head: CheckReport, checks: &[&'static Check], options: &CheckOptions) -> CheckReport {
    CheckReport {
        started_ms: wall_ms(),
        interrupted: true,
        not_run: checks.iter().map(|check| check.id.into()).collect(),
        exploration: options.explore.as_ref().map(|_| Exploration::default()),
        ..head
    }
}

/// A report of no checks yet.
pub(super) fn head(target: &Target, options: &CheckOptions) -> CheckReport {
    CheckReport {
        schema: SCHEMA.into(),
        run_id: format!("{:016x}", options.seed.0.rotate_left(32) ^ options.nonce.0),
        version: env!("CARGO_PKG_VERSION").into(),
        started_ms: 0,
        seed: options.seed.to_string(),
        nonce: options.nonce.to_string(),
        target: target.shown(),
        profile: options.profile,
        observation: options.observation.as_ref().map_or("none", Observation::name).into(),
        baseline_us: 0,
        took_ms: 0,
        rerun: format!("{} --seed {}{}", options.again, options.seed, options.again_tail),
        interrupted: false,
        error: None,
        not_run: Vec::new(),
        checks: Vec::new(),
        exploration: None,
        summary: CheckSummary::default(),
        unwritten: Vec::new(),
    }
}
