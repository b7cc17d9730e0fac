use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use piopiy_events::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Faults;

/// Virtual milliseconds from the start of a CDR's first attempt to each of its attempts: 0, 5, 15 and 30 minutes.
///
/// Source: the delivery table of `webhooks-overview`.
pub const CDR_SCHEDULE_MS: [u64; 4] = [0, 300_000, 900_000, 1_800_000];

/// How webhooks are delivered.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::{DeliveryOptions, Pace, Redelivery};
///
/// let mut options = DeliveryOptions::default();
/// options.cdr_policy = Redelivery::Always;
/// options.pace = Pace::jump();
/// assert_eq!(options.schedule_ms, [0, 300_000, 900_000, 1_800_000]);
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct DeliveryOptions {
    /// Whether a live event is sent again. The documentation speaks of CDRs alone, hence `never`.
    pub live_policy: Redelivery,
    /// Whether a CDR is sent again.
    pub cdr_policy: Redelivery,
    /// When the attempts of one delivery are due: virtual milliseconds from the start of its first attempt. The
    /// first is 0 and they do not fall.
    pub schedule_ms: Vec<u64>,
    /// How virtual time runs against wall time.
    pub pace: Pace,
    /// Whether the webhooks of a call wait for one another.
    pub order: Order,
    /// How long an attempt waits for the answer: milliseconds of wall time, whatever the pace.
    pub timeout_ms: u64,
    /// The most attempts in flight at once.
    pub concurrency: usize,
    /// The most connections in use or kept idle, per host. As HTTP/1.1 carries one request at a time, no more than
    /// this many attempts are in flight either.
    pub connections: usize,
    /// The most bytes of an answer's body that are read; the rest goes with its connection.
    pub answer_limit: u64,
    /// What goes wrong on purpose.
    pub faults: Faults,
}

impl Default for DeliveryOptions {
    fn default() -> Self {
        Self {
            live_policy: Redelivery::Never,
            cdr_policy: Redelivery::UntilAck,
            schedule_ms: CDR_SCHEDULE_MS.to_vec(),
            pace: Pace::default(),
            order: Order::PerCall,
            timeout_ms: 10_000,
            concurrency: 64,
            connections: 64,
            answer_limit: 64 * 1024,
            faults: Faults::default(),
        }
    }
}

impl DeliveryOptions {
    /// The redelivery policy of a payload; what is no webhook is treated as a live event.
    #[must_use]
    pub fn policy(&self, kind: Option<Kind>) -> Redelivery {
        match kind {
            Some(Kind::Cdr) => self.cdr_policy,
            _ => self.live_policy,
        }
    }

    /// The attempt time-out.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// The most attempts in flight at once, connections considered; at least 1.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.concurrency.min(self.connections).max(1)
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// If the schedule is empty, does not begin at 0 or falls, the time scale is not a positive number, the time-out or
    /// a limit is 0, or a probability is not between 0 and 1.
    pub fn check(&self) -> Result<(), InvalidOptions> {
        if self.schedule_ms.first() != Some(&0) || !self.schedule_ms.is_sorted() {
            return Err(InvalidOptions::Schedule(self.schedule_ms.clone()));
        }
        if !(self.pace.scale.is_finite() && self.pace.scale > 0.0) {
            return Err(InvalidOptions::Scale(self.pace.scale));
        }
        let counts = [
            ("time-out", self.timeout_ms > 0),
            ("number of attempts in flight", self.concurrency > 0),
            ("number of connections", self.connections > 0),
        ];
        if let Some((what, _)) = counts.into_iter().find(|(_, is_fine)| !is_fine) {
            return Err(InvalidOptions::Zero(what));
        }
        for (fault, probability) in self.faults.probabilities() {
            if !(0.0..=1.0).contains(&probability) {
                return Err(InvalidOptions::Probability { fault, probability });
            }
        }
        Ok(())
    }
}

/// Why [`DeliveryOptions`] cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidOptions {
    /// The schedule is empty, does not begin at 0, or falls.
    #[error("the schedule {0:?} must begin at 0 and may not fall")]
    Schedule(Vec<u64>),
    /// The time scale is zero, negative or no number.
    #[error("the time scale must be a positive number, not {0}")]
    Scale(f64),
    /// Nothing could be sent, or answered.
    #[error("the {0} must be above 0")]
    Zero(&'static str),
    /// A probability outside 0 to 1.
    #[error("the probability of `{fault}` must be between 0 and 1, not {probability}")]
    Probability {
        /// The fault.
        fault: &'static str,
        /// What was asked for.
        probability: f64,
    },
}

/// Whether a webhook is sent again: the documentation allows two readings of its CDR table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Redelivery {
    /// On schedule until an attempt is acknowledged. An attempt waits for the answer to the one before it.
    UntilAck,
    /// Every attempt of the schedule, acknowledged or not.
    Always,
    /// One attempt.
    Never,
}

/// Whether the webhooks of a call wait for one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Order {
    /// The first attempt of a webhook starts when the first attempt of the call's webhook before it is over.
    PerCall,
    /// Every webhook starts when it is due.
    Free,
}

/// How virtual time runs against wall time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
#[non_exhaustive]
pub struct Pace {
    /// Virtual seconds per second of wall time.
    pub scale: f64,
    /// Whether gaps in which nothing is in flight are skipped.
    pub jump: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self { scale: 1.0, jump: false }
    }
}

impl Pace {
    /// Virtual time runs `scale` times as fast as wall time.
    #[must_use]
    pub fn scaled(scale: f64) -> Self {
        Self { scale, jump: false }
    }

    /// Gaps are skipped: as fast as the receiver answers.
    #[must_use]
    pub fn jump() -> Self {
        Self { scale: 1.0, jump: true }
    }
}

macro_rules! named {
    ($type:ty, $what:literal, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// The name, as on the command line and in the ledger.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = String;

            fn from_str(name: &str) -> Result<Self, String> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(format!(concat!("unknown ", $what, " {:?}: it is one of {}"), name, [$($name),+].join(", "))),
                }
            }
        }
    };
}

named!(Redelivery, "redelivery policy", UntilAck = "until-ack", Always = "always", Never = "never");
named!(Order, "order", PerCall = "per-call", Free = "free");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_unknown_ones_are_told() {
        for policy in [Redelivery::UntilAck, Redelivery::Always, Redelivery::Never] {
            assert_eq!(policy.as_str().parse(), Ok(policy));
        }
        assert_eq!(
            "sometimes".parse::<Order>(),
            Err("unknown order \"sometimes\": it is one of per-call, free".to_owned())
        );
    }

    #[test]
    fn options_that_make_no_sense_are_refused() {
        let mut options = DeliveryOptions::default();
        assert_eq!(options.check(), Ok(()));
        options.schedule_ms = vec![0, 10, 5];
        assert!(matches!(options.check(), Err(InvalidOptions::Schedule(_))));
        options = DeliveryOptions::default();
        options.pace.scale = 0.0;
        assert!(matches!(options.check(), Err(InvalidOptions::Scale(_))));
        for spoil in [
            |options: &mut DeliveryOptions| options.timeout_ms = 0,
            |options: &mut DeliveryOptions| options.concurrency = 0,
            |options: &mut DeliveryOptions| options.connections = 0,
        ] {
            let mut options = DeliveryOptions::default();
            spoil(&mut options);
            assert!(matches!(options.check(), Err(InvalidOptions::Zero(_))));
        }
        options = DeliveryOptions::default();
        options.faults.loss = 1.5;
        assert!(matches!(options.check(), Err(InvalidOptions::Probability { fault: "loss", .. })));
    }
}
