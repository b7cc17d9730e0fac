use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A name that is none of the known ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is none of {known}")]
pub struct UnknownName {
    name: String,
    known: String,
}

macro_rules! names {
    ($(#[$meta:meta])* $type:ident { $($(#[$doc:meta])* $variant:ident = $name:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum $type { $($(#[$doc])* #[serde(rename = $name)] $variant,)+ }

        impl $type {
            /// Each of them, in order.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$variant),+];

            /// The name, as it is written everywhere.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
                    UnknownName { name: text.to_owned(), known: [$($name),+].join(", ") }
                })
            }
        }
    };
}

names! {
    /// What came of a check.
    Verdict {
        /// As it should be.
        Pass = "pass",
        /// Wrong.
        Fail = "fail",
        /// Not as it should be, and allowed.
        Warn = "warn",
        /// It could not be seen.
        NotObserved = "not_observed",
        /// It asks for something that this receiver does not claim to have.
        NotApplicable = "not_applicable",
        /// It was seen now and then, or could not be brought about.
        Inconclusive = "inconclusive",
        /// The suite itself, or the way to the receiver, broke.
        Error = "error",
        /// Wrong, and known to be.
        KnownFailure = "known_failure",
    }
}

names! {
    /// How what a receiver did differs from what was planned and acknowledged.
    DiscrepancyKind {
        /// Acknowledged, and no effect.
        Lost = "lost",
        /// More effects than one.
        Duplicated = "duplicated",
        /// An effect with an id of this run that no webhook explains.
        Phantom = "phantom",
        /// Stored with another value than it was sent with.
        Corrupted = "corrupted",
        /// A call that stands where it stood before: something old was written over something new.
        StaleOverwrite = "stale_overwrite",
        /// Acknowledged before it was safe: gone with the process, or with the store.
        PrematureAck = "premature_ack",
        /// Sent and not answered: it may have had its effect or not. Never a failure.
        Ambiguous = "ambiguous",
    }
}

names! {
    /// What failing a check means.
    Severity {
        /// Webhooks are lost, doubled or changed, or the receiver breaks.
        Must = "must",
        /// The receiver works worse than it could.
        Should = "should",
        /// For information; it never fails.
        May = "may",
    }
}

names! {
    /// What has to be seen to judge a check.
    Observability {
        /// The answers alone.
        Answers = "H",
        /// The answers show the gross failure, the effects the quiet one.
        Partly = "H*",
        /// The effects.
        Effects = "P",
    }
}

names! {
    /// When a check is run, and beside what.
    Tag {
        /// Waits for about a minute; with `--all`.
        Slow = "slow",
        /// Waits for some seconds, beside others.
        Waits = "waits",
        /// Takes many minutes; with `--soak`.
        Soak = "soak",
        /// Needs much of the receiver, and is run alone.
        Load = "load",
        /// Measures time, and is run alone.
        Latency = "latency",
        /// Lets time pass at the receiver, where that can be done: with `--real-time` or `--hook-clock`.
        Time = "time",
        /// May break the receiver, and is run alone.
        Destructive = "destructive",
    }
}

names! {
    /// What checks are about.
    Group {
        /// Transport and the semantics of HTTP.
        Trn = "TRN",
        /// Content types and the decoding of JSON.
        Jsn = "JSN",
        /// Tolerance to what the schema does not say.
        Sch = "SCH",
        /// Peculiarities of the platform, as documented.
        Pio = "PIO",
        /// Order of webhooks.
        Ord = "ORD",
        /// Duplicates.
        Dup = "DUP",
        /// Redelivery and acknowledgement.
        Rty = "RTY",
        /// Latency of acknowledgement.
        Lat = "LAT",
        /// Concurrency and load.
        Con = "CON",
        /// Security.
        Sec = "SEC",
        /// Availability.
        Avl = "AVL",
    }
}

impl Group {
    /// What it is about, for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Trn => "transport and HTTP",
            Self::Jsn => "content type and JSON",
            Self::Sch => "schema tolerance",
            Self::Pio => "peculiarities of the platform",
            Self::Ord => "ordering",
            Self::Dup => "duplicates",
            Self::Rty => "redelivery and acknowledgement",
            Self::Lat => "latency",
            Self::Con => "concurrency and load",
            Self::Sec => "security",
            Self::Avl => "availability",
        }
    }
}

names! {
    /// What is right for a body that cannot be understood.
    Malformed {
        /// Refused, or kept aside.
        Either = "either",
        /// Refused with 4xx.
        Reject = "reject",
        /// Acknowledged and kept aside.
        Quarantine = "quarantine",
    }
}
