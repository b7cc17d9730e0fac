use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use piopiy_events::Profile;

use super::Observation;
use crate::deliver::{Target, fresh};
use crate::judge::check::{CaseFile, Hook, KnownFailures, Malformed, Severity, SigningKey};
use crate::plan::{Nonce, Seed};

/// How checks are run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct CheckOptions {
    /// The revision of the wire.
    pub profile: Profile,
    /// What values follow from, and the order of the checks.
    pub seed: Seed,
    /// What ids follow from.
    pub nonce: Nonce,
    /// What is right for a body that cannot be understood.
    pub malformed: Malformed,
    /// How long an answer may take.
    pub ack_limit: Duration,
    /// How long a receiver may put up with a connection that gets nowhere. All long waits are measured in it: what a check
    /// calls a minute is as long as this, so that a shorter one shortens them all alike.
    pub slow_limit: Duration,
    /// Different webhooks that a store for duplicates is filled with (DUP-013).
    pub unique_ids: u32,
    /// How effects are seen; `None` for not at all.
    pub observation: Option<Observation>,
    /// How long nothing must change at the receiver before it is believed to be done.
    pub settle: Duration,
    /// How long a receiver is waited for that does not listen yet.
    pub wait_for: Duration,
    /// How long a receiver may take to listen that the suite has started.
    pub start_limit: Duration,
    /// The command that starts the receiver, where the suite may start and kill it.
    pub command: Option<Vec<String>>,
    /// Another instance of the receiver.
    pub second: Option<Target>,
    /// Whether to wait as long as the platform does, where the receiver's clock cannot be moved.
    pub real_time: bool,
    /// Shell commands that change the receiver's surroundings. Each is run with [`Hook::TURN`] `on` to make its change and
    /// with `off` to undo it ([`Hook::Down`] is undone by [`Hook::Up`]); [`Hook::Clock`] with [`Hook::CLOCK_OFFSET`], too.
    /// What is on when a case is over, or the run, is undone, whatever came.
    pub hooks: BTreeMap<Hook, String>,
    /// What the receiver claims to have, as `name` or `name=value`.
    pub capabilities: BTreeSet<String>,
    /// What webhooks are signed with, where the receiver asks for that (capability `signature`).
    pub signing_key: Option<SigningKey>,
    /// Further header lines of every request.
    pub headers: Vec<(String, String)>,
    /// How long all that a check sends may take; one that waits by itself for many minutes has an hour at least.
    pub check_limit: Duration,
    /// The run ends with so many failures at or above [`fail_on`](Self::fail_on).
    pub max_fail: Option<usize>,
    /// The lowest severity whose failure counts for [`max_fail`](Self::max_fail).
    pub fail_on: Severity,
    /// Failures that are put up with.
    pub known: KnownFailures,
    /// How long random schedules are tried, besides the checks; `None` for not at all.
    pub explore: Option<ExploreOptions>,
    /// Where the folder of each check that failed, or was inconclusive, is written to; `None` for nowhere.
    pub failures: Option<PathBuf>,
    /// Whether a failed check is sent again with the ids that it had; see [`replay_case`](super::replay_case).
    pub exact_ids: bool,
    /// The command that runs the suite like this, without seed and selection: for reproducers.
    pub again: String,
    /// What that command ends with, behind what is added: ` -- CMD`, or nothing.
    pub again_tail: String,
}

/// How random schedules are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExploreOptions {
    /// How long new ones are tried.
    pub time: Duration,
    /// How many at most; `None` for as many as there is time for.
    pub most: Option<u64>,
    /// How long those that fail are made smaller, all of them together.
    pub shrink_time: Duration,
}

impl Default for ExploreOptions {
    fn default() -> Self {
        let minute = Duration::from_secs(60);
        Self { time: minute, most: None, shrink_time: minute }
    }
}

impl CheckOptions {
    /// What a failed check was run with, and fresh ids.
    #[must_use]
    pub fn of(file: &CaseFile) -> Self {
        let [profile, seed, _] = file.origin();
        let default = Self::default();
        Self {
            // For the report alone: what is sent follows from neither.
            profile: profile.parse().unwrap_or(default.profile),
            seed: seed.parse().unwrap_or(default.seed),
            nonce: Nonce(fresh()),
            malformed: file.malformed(),
            ack_limit: file.ack_limit(),
            capabilities: file.capabilities().clone(),
            ..default
        }
    }
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            seed: Seed(0),
            nonce: Nonce(0),
            malformed: Malformed::Either,
            ack_limit: Duration::from_secs(5),
            slow_limit: Duration::from_secs(60),
            unique_ids: 1_000_000,
            observation: None,
            settle: Duration::from_millis(500),
            wait_for: Duration::ZERO,
            start_limit: Duration::from_secs(30),
            command: None,
            second: None,
            real_time: false,
            hooks: BTreeMap::new(),
            capabilities: BTreeSet::new(),
            signing_key: None,
            headers: Vec::new(),
            check_limit: Duration::from_secs(600),
            max_fail: None,
            fail_on: Severity::Must,
            known: KnownFailures::default(),
            explore: None,
            failures: None,
            exact_ids: false,
            again: "piopiy-mock check".to_owned(),
            again_tail: String::new(),
        }
    }
}
