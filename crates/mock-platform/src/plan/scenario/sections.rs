use serde::{Deserialize, Deserializer};

use super::length::{Distribution, Length, Shape};

const fn ms(millis: u64) -> Length {
    Length::from_millis(millis)
}

/// A table of weights: a key that is left out weighs nothing, a table that is left out is the default.
macro_rules! weights {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident = $default:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_meta])* #[serde(default)] pub $field: u32,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            pub(crate) fn weights(&self) -> [u32; [$(stringify!($field)),*].len()] {
                [$(self.$field),*]
            }

            pub(crate) fn total(&self) -> u64 {
                self.weights().into_iter().map(u64::from).sum()
            }
        }
    };
}

weights! {
    /// The kinds of calls, each with its weight among the others.
    CallMix {
        /// A customer calls, the platform picks up and plays something.
        inbound_answered = 18,
        /// A customer calls, the bridged party never picks up, the call was never answered.
        inbound_missed = 8,
        /// A customer calls and gives up before anyone picks up.
        inbound_abandoned = 6,
        /// A customer calls and is put through to one number.
        inbound_bridged = 14,
        /// A customer calls and is put through to the first of a group that picks up.
        inbound_group = 4,
        /// A customer calls and is connected to an audio stream.
        inbound_streamed = 10,
        /// A customer calls and the audio stream cannot be opened.
        inbound_stream_error = 2,
        /// The account calls, the customer picks up and hears something.
        outbound_answered = 12,
        /// The account calls and nobody picks up.
        outbound_missed = 8,
        /// The account calls, and puts the customer through to one number.
        outbound_bridged = 8,
        /// The account calls, and puts the customer through to a group.
        outbound_group = 2,
        /// The account calls, and connects the customer to an audio stream.
        outbound_streamed = 7,
        /// The account calls, and the audio stream cannot be opened.
        outbound_stream_error = 1,
    }
}

weights! {
    /// Who hangs up, each with a weight.
    HangUp {
        /// Who called: the customer on an inbound call.
        caller = 3,
        /// Who was called.
        callee = 2,
    }
}

weights! {
    /// How an audio stream's WebSocket closes, each with a weight.
    CloseCodes {
        /// 1000, normal closure.
        normal = 12,
        /// 1001, going away: the server shuts down.
        going_away = 2,
        /// 1005, no status received: a close frame without a code.
        no_status = 1,
        /// 1006, abnormal closure: the connection broke. The one that the documentation shows.
        abnormal = 4,
        /// 1011, internal error.
        internal_error = 1,
    }
}

weights! {
    /// How `extra_params` is written, each with a weight.
    ExtraParams {
        /// `{"key":"value"}`.
        json = 5,
        /// `{key: value}`.
        pseudo_json = 2,
        /// `{ 'Name': 'Akil', 'ID':8915726 }`.
        single_quoted = 2,
        /// Not at all.
        absent = 3,
    }
}

/// When calls start.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Arrivals {
    /// How they lie in time.
    pub spacing: Spacing,
    /// Calls per second.
    pub per_second: f64,
}

/// How arrivals lie in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Spacing {
    /// At random. The calls of a scenario are 64 in every 64 mean gaps; those of a load are 65,536 in as many.
    Poisson,
    /// Evenly.
    Constant,
}

impl Default for Arrivals {
    fn default() -> Self {
        Self { spacing: Spacing::Poisson, per_second: 1.0 }
    }
}

/// How long things take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Times {
    /// From the start of leg a until it is picked up.
    pub ring: Distribution,
    /// From the pick-up (bridged: from the bridge) until someone hangs up.
    pub talk: Distribution,
    /// How long a caller waits for an answer.
    pub patience: Distribution,
    /// How long a leg rings that nobody picks up.
    pub no_answer: Distribution,
    /// From the pick-up until another party is dialled, and between attempts.
    pub bridge_after: Distribution,
    /// How long that party rings until it picks up.
    pub bridge_ring: Distribution,
    /// From the pick-up until an audio stream connects, and between streams.
    pub stream_after: Distribution,
    /// From the end of a leg until its CDR is sent.
    pub record_delay: Distribution,
}

impl Default for Times {
    fn default() -> Self {
        let lognormal =
            |median, p95| Distribution::new(Shape::Lognormal { median: ms(median), p95: ms(p95) });
        let uniform = |from, to| Distribution::new(Shape::Uniform { from: ms(from), to: ms(to) });
        Self {
            ring: lognormal(5_000, 15_000).within(500, 40_000),
            talk: lognormal(60_000, 300_000).within(1_000, 1_800_000),
            patience: Distribution::new(Shape::Exponential { mean: ms(45_000) }).within(1_000, 120_000),
            no_answer: uniform(15_000, 30_000),
            bridge_after: uniform(200, 2_000),
            bridge_ring: lognormal(6_000, 14_000).within(500, 15_000),
            stream_after: uniform(50, 800),
            record_delay: uniform(200, 2_000),
        }
    }
}

/// How another party is put through.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Bridge {
    /// How often it is tried: `loop` of the bridge action, 1 to 10.
    #[serde(rename = "loop")]
    pub attempts: u32,
    /// How likely one attempt is to remain unanswered, from 0 to 1.
    pub no_answer: f64,
    /// How many numbers ring at once where a group does, 2 to 10.
    pub group_size: u32,
}

impl Default for Bridge {
    fn default() -> Self {
        Self { attempts: 2, no_answer: 0.25, group_size: 3 }
    }
}

/// How audio streams behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Streams {
    /// A call has one to this many, one after the other; at most 5.
    pub most: u32,
    /// How their WebSockets close.
    pub close: CloseCodes,
}

impl Default for Streams {
    fn default() -> Self {
        Self { most: 2, close: CloseCodes::default() }
    }
}

/// The account that is called and calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Account {
    /// Its app id.
    pub appid: u64,
    /// What a minute of a leg costs, in millionths; written as text with at most six decimals.
    #[serde(deserialize_with = "millionths")]
    pub price_per_minute: u64,
    /// What it has before the first call, in millionths; written as text with at most six decimals.
    #[serde(deserialize_with = "millionths")]
    pub opening_balance: u64,
}

impl Default for Account {
    fn default() -> Self {
        Self { appid: 2_222_224, price_per_minute: 12_000, opening_balance: 900_000_000_000 }
    }
}

fn millionths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    use serde::de::Error as _;
    let text = String::deserialize(deserializer)?;
    let amount = piopiy_events::Money::new(&text).millionths();
    amount
        .and_then(|amount| u64::try_from(amount).ok())
        .filter(|amount| *amount <= 1_000_000_000_000_000)
        .ok_or_else(|| {
            D::Error::custom(format!("`{text}` is no amount: write at most six decimals, such as \"0.012\""))
        })
}

/// Whose phone numbers there are. All are from ranges reserved for fiction or documentation.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Numbers {
    /// How many numbers the account has in each region, 1 to 100.
    pub account: u64,
    /// Where the numbers of the global profiles are from.
    pub regions: Vec<Region>,
}

/// Where numbers of the global profiles are from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Region {
    /// The United Kingdom: Ofcom's numbers for drama.
    Uk,
    /// North America: 555-0100 to 555-0199.
    Us,
}

impl Default for Numbers {
    fn default() -> Self {
        Self { account: 4, regions: vec![Region::Uk, Region::Us] }
    }
}
