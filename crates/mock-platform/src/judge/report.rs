//! What a run of checks says in the end, and the forms in which it is written. Pure: a report becomes text.
//!
//! To add a kind: a file below here with a [`Reporter`], and its line in [`KINDS`].

mod account;
mod comparison;
mod exploration;
pub mod github;
pub(crate) mod html;
mod human;
mod json;
mod jsonl;
mod junit;
mod markdown;
mod record;
mod recording;
mod rows;
mod schema;
mod tap;
mod unlock;

use std::borrow::Cow;

use piopiy_events::Profile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::check::{Check, Group, Observability, Outcome, Severity, Verdict};

pub(crate) use account::one_line;
pub use comparison::Comparison;
pub use exploration::{Exploration, Find};
pub use human::{Human, TextStyle};
pub use jsonl::{LineWriter, lines_schema};
pub use markdown::markdown_within;
pub use record::{AttemptRecord, CaseFinding, CaseRecord, ConnectionEnd, Ladder, Role, Rung, WebhookRecord};
pub(crate) use recording::records;
pub use schema::schema;

/// The document that a [`CheckReport`] is, and its version.
pub const SCHEMA: &str = "piopiy-mock.check/v1";

/// Makes a report text.
pub trait Reporter: Sync {
    /// The whole document.
    fn render(&self, report: &CheckReport) -> String;

    /// The document that compares several runs; `None` where this kind has no place for that.
    fn compare(&self, _comparison: &Comparison<'_>) -> Option<String> {
        None
    }
}

/// The kinds of `--report KIND=PATH`.
pub const KINDS: &[(&str, &dyn Reporter)] = &[
    ("json", &json::Json),
    ("html", &html::Html),
    ("jsonl", &jsonl::JsonLines),
    ("junit", &junit::Junit),
    ("markdown", &markdown::Markdown),
    ("tap", &tap::Tap),
    ("text", &Human),
];

/// The reporter of a kind.
#[must_use]
pub fn reporter(kind: &str) -> Option<&'static dyn Reporter> {
    KINDS.iter().find(|(name, _)| *name == kind).map(|(_, reporter)| *reporter)
}

/// What came of a run of checks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CheckReport {
    /// Which document this is, and its version.
    pub schema: Cow<'static, str>,
    /// Different for each run.
    pub run_id: String,
    /// The version of the suite.
    pub version: Cow<'static, str>,
    /// When it began, in milliseconds since 1970.
    #[serde(default)]
    pub started_ms: u64,
    /// `0x…`
    pub seed: String,
    /// `0x…`
    pub nonce: String,
    /// The URL.
    pub target: String,
    /// The revision of the wire.
    #[serde(with = "profile_name")]
    #[schemars(with = "String", extend("enum" = Profile::ALL.map(Profile::as_str)))]
    pub profile: Profile,
    /// How effects were seen: `none`, `verify-cmd`, `observe-file` or `observe-url`.
    pub observation: Cow<'static, str>,
    /// The median answer time of a plain webhook, in microseconds.
    pub baseline_us: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The command that does it again.
    pub rerun: String,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// Why the checks could not be run at all.
    #[serde(default)]
    pub error: Option<String>,
    /// The ids of those that were selected and not run, as the run was over before.
    #[serde(default)]
    pub not_run: Vec<Cow<'static, str>>,
    /// In the order of the catalogue.
    pub checks: Vec<CheckResult>,
    /// What random schedules have come to; absent where none were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exploration: Option<Exploration>,
    /// Counts.
    pub summary: CheckSummary,
    /// What could not be written of what failed checks leave behind, and why.
    #[serde(skip)]
    pub unwritten: Vec<String>,
}

/// What came of one check.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct CheckResult {
    /// Its id.
    pub id: Cow<'static, str>,
    /// What was sent, in a few words.
    pub title: Cow<'static, str>,
    /// Its group.
    pub group: Group,
    /// Its severity.
    pub severity: Severity,
    /// What has to be seen to judge it.
    pub observability: Observability,
    /// Verdict and detail.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Whether the list of known failures is wrong about it.
    pub is_stale_known_failure: bool,
    /// What to add to the command line to see what could not be seen; empty where that would not help.
    #[serde(default)]
    pub unlock: Vec<String>,
    /// When it was judged, in microseconds from the begin of the run.
    #[serde(default)]
    pub judged_us: u64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// What was sent and answered, case by case; the first few connections of each.
    pub evidence: Vec<CaseRecord>,
    /// What does it again.
    pub reproducer: Reproducer,
}

/// What does a check again.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Reproducer {
    /// With the suite.
    pub command: String,
    /// The folder with everything that it takes, where one was written.
    #[serde(default)]
    pub folder: Option<String>,
    /// With curl, in one line, where it can express it.
    #[serde(default)]
    pub curl: Option<String>,
}

/// How many checks ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct CheckSummary {
    /// All that were selected.
    pub selected: u64,
    /// As they should be.
    pub passed: u64,
    /// Of those, how many by their answers alone.
    pub passed_by_answers_alone: u64,
    /// Wrong.
    pub failed: u64,
    /// Of those, how many are a MUST.
    pub failed_must: u64,
    /// Not as they should be, and allowed.
    pub warned: u64,
    /// Not seen.
    pub not_observed: u64,
    /// Asking for what the receiver does not claim to have.
    pub not_applicable: u64,
    /// Undecided.
    pub inconclusive: u64,
    /// Broken on this side.
    pub errors: u64,
    /// Wrong, and known to be.
    pub known_failures: u64,
}

/// A profile is written as its name.
mod profile_name {
    use piopiy_events::Profile;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(profile: &Profile, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(profile.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Profile, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl CheckSummary {
    /// Counts results.
    #[must_use]
    pub fn of(checks: &[CheckResult]) -> Self {
        let mut summary = Self { selected: checks.len() as u64, ..Self::default() };
        for check in checks {
            match check.outcome.verdict {
                Verdict::Pass => {
                    summary.passed += 1;
                    summary.passed_by_answers_alone += u64::from(check.outcome.by_answers_alone);
                }
                Verdict::Fail => {
                    summary.failed += 1;
                    summary.failed_must += u64::from(check.severity == Severity::Must);
                }
                Verdict::Warn => summary.warned += 1,
                Verdict::NotObserved => summary.not_observed += 1,
                Verdict::NotApplicable => summary.not_applicable += 1,
                Verdict::Inconclusive => summary.inconclusive += 1,
                Verdict::Error => summary.errors += 1,
                Verdict::KnownFailure => summary.known_failures += 1,
            }
        }
        summary
    }
}

impl CheckResult {
    /// The result of a check.
    pub(crate) fn new(check: &Check, outcome: Outcome, evidence: Vec<CaseRecord>, command: String) -> Self {
        Self {
            id: check.id.into(),
            title: check.title.into(),
            group: check.group(),
            severity: check.severity,
            observability: check.observability,
            is_stale_known_failure: false,
            unlock: unlock::named_in(&outcome),
            outcome,
            judged_us: 0,
            took_ms: 0,
            evidence,
            reproducer: Reproducer { command, folder: None, curl: None },
        }
    }
}
