//! Checks: what a receiver has to stand, and how each is judged. Pure: stimuli are data, judging is a function.
//!
//! To add a check (`docs/writing-a-check.md` has it whole, with an example):
//! 1. Put a `Check { id, title, …, ..Check::BASE }` into the table of its group: `check/<group>.rs`, or a file below it.
//! 2. `stimulus`: a function that makes `Case`s from a `Composer`; every case takes fresh payloads, and says with
//!    `Case::expect` which effects are right.
//! 3. `judge`: a function from `Evidence` to `Findings`; most are one of those in `criteria`. The standing oracles
//!    (5xx, hang, canary, leak, isolation) are applied to every case besides.
//! 4. Give the gallery, `fixtures/receivers/gallery/src/<group>.rs`, a flaw that the check kills: a row and a hook.
//! 5. `piopiy-mock explain ID` shows what people will read: why, source, stimulus, and how to fix it.

mod avl;
mod case;
pub(crate) mod case_file;
mod composer;
mod concurrent;
pub(crate) mod criteria;
mod discrepancy;
mod dup;
mod evidence;
mod findings;
mod growth;
mod gzip;
mod jsn;
mod known;
mod lat;
mod minimal;
pub(crate) mod oracles;
mod ord;
mod payload;
mod pio;
mod registry;
mod request;
mod rty;
mod sch;
mod script;
mod sec;
mod signing;
mod surroundings;
mod trn;
mod usage;
pub(crate) mod value;
mod verdict;

pub(crate) use case::{Case, Count, Expected, Flow, Signal, Step};
pub(crate) use case_file::{Again, Failed};
pub use case_file::{CaseFile, CaseFileError};
pub(crate) use composer::Composer;
pub use composer::Sources;
pub use discrepancy::{Discrepancy, DiscrepancyKind};
pub(crate) use evidence::{
    Answer, CaseEvidence, End, Evidence, Flowed, Sample, Seen, Shows, Terms, Transcript,
};
pub use findings::Outcome;
pub(crate) use findings::{Findings, conclude};
pub use known::{KnownFailure, KnownFailures, KnownFailuresError};
pub(crate) use minimal::minimal;
pub(crate) use payload::{Payload, PayloadId};
pub use registry::{all, find};
pub(crate) use request::{Framing, Request};
pub(crate) use script::{Action, Opening, Script, Sent, Split, shown};
pub(crate) use signing::{Form, Signature, Signed};
pub use signing::{SigningKey, SigningKeyError};
pub(crate) use surroundings::Turn;
pub use surroundings::{Hook, Time};
pub(crate) use usage::{ProcessUsage, Usage};
pub use verdict::{Group, Malformed, Observability, Severity, Tag, Verdict};

/// One conformance case, as it is written down once.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Check {
    /// `TRN-001`: stable for ever, retired and never given to another.
    pub id: &'static str,
    /// What is sent, in a few words.
    pub title: &'static str,
    /// What failing it means.
    pub severity: Severity,
    /// What has to be seen to judge it.
    pub observability: Observability,
    /// When it is run, and beside what.
    pub tags: &'static [Tag],
    /// What has to be there for it to be run at all.
    pub needs: &'static [Need],
    /// Where it is written: an RFC and its section, or a page of the platform's documentation.
    pub source: &'static str,
    /// What goes wrong for people where a receiver fails it.
    pub why: &'static str,
    /// How to put it right.
    pub fixes: Fixes,
    pub(crate) stimulus: fn(&mut Composer) -> Vec<Case>,
    /// More cases once those before are over, until there are none: for searches.
    pub(crate) then: Option<fn(&mut Composer, &Evidence<'_>) -> Vec<Case>>,
    pub(crate) judge: fn(&Evidence<'_>) -> Findings,
}

/// How to put a failure right, by framework.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "the three frameworks of the documentation's readers")]
pub struct Fixes {
    /// Rust, axum.
    pub axum: &'static str,
    /// JavaScript, Express.
    pub express: &'static str,
    /// Python, Flask.
    pub flask: &'static str,
}

impl Fixes {
    /// The same advice for all three.
    pub(crate) const fn all(advice: &'static str) -> Self {
        Self { axum: advice, express: advice, flask: advice }
    }
}

/// Something that a check cannot be run without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Need {
    /// The suite starts, kills and restarts the receiver.
    Process,
    /// A second instance behind the same store.
    SecondUrl,
    /// Time that passes at the receiver: waited for as long as the platform does, or by moving its clock.
    Time,
    /// A command for one thing that the receiver depends on.
    Hook(Hook),
    /// A URL with `https`.
    Https,
    /// A URL with `http`: what is asked for cannot be done by TLS.
    Http,
    /// A capability that the owner declares.
    Capability(&'static str),
}

impl Need {
    /// What the thing is, where its name does not say that.
    #[must_use]
    pub fn convention(self) -> Option<&'static str> {
        match self {
            Self::Hook(hook) => Some(hook.convention()),
            Self::Time => Some(
                "lets half an hour pass: by waiting, or by moving the receiver's clock, which a hook does (run with \
                 PIOPIY_HOOK=on or off and with PIOPIY_CLOCK_OFFSET, the seconds ahead of the true time); not where webhooks \
                 are signed, for a signature grows old",
            ),
            Self::Capability("reconcile") => Some(
                "reconcile=/PATH of the receiver, or reconcile=CMD: either lists the cmiuuid of each call whose CDR is overdue",
            ),
            Self::Process | Self::SecondUrl | Self::Https | Self::Http | Self::Capability(_) => None,
        }
    }

    /// What to add to the command line.
    #[must_use]
    pub fn unlock(self) -> String {
        match self {
            Self::Process => "-- CMD".to_owned(),
            Self::SecondUrl => "--second-url".to_owned(),
            Self::Time => "--real-time or --hook-clock".to_owned(),
            Self::Https => "an https:// URL".to_owned(),
            Self::Http => "an http:// URL".to_owned(),
            Self::Hook(hook) => hook.option().to_owned(),
            Self::Capability(name) => format!("--capabilities with {name}"),
        }
    }
}

impl Check {
    /// What a check has that says nothing else.
    pub(crate) const BASE: Self = Self {
        id: "",
        title: "",
        severity: Severity::Must,
        observability: Observability::Answers,
        tags: &[],
        needs: &[],
        source: "",
        why: "",
        fixes: Fixes::all(""),
        stimulus: |_| Vec::new(),
        then: None,
        judge: |_| Findings::default(),
    };

    /// Its group: the first part of its id.
    #[must_use]
    pub fn group(&self) -> Group {
        Group::ALL.into_iter().find(|group| self.id.starts_with(group.as_str())).unwrap_or(Group::Trn)
    }

    /// Whether nothing else may be sent meanwhile.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.tags.iter().any(|tag| matches!(tag, Tag::Destructive | Tag::Latency | Tag::Load))
            || self.restarts()
    }

    /// Whether it does nothing for most of its time, and so takes nobody's place.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.tags.iter().any(|tag| matches!(tag, Tag::Slow | Tag::Waits | Tag::Time))
    }

    /// Whether it lets time pass at the receiver, where that can be done.
    #[must_use]
    pub fn passes_time(&self) -> bool {
        self.tags.contains(&Tag::Time)
    }

    /// Whether it stops the receiver or takes something away from it.
    #[must_use]
    pub fn restarts(&self) -> bool {
        self.needs.iter().any(|need| matches!(need, Need::Process | Need::Hook(_)))
    }

    /// What it sends, as text: each case, with the bytes of its first requests.
    #[must_use]
    pub fn describe(&self, sources: &Sources) -> Vec<(String, String)> {
        let cases = (self.stimulus)(&mut Composer::new(self.id, 0, sources.clone()));
        cases.iter().map(|case| (case.name.clone(), case.describe())).collect()
    }
}
