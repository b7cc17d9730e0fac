//! What a running platform is like: apps, numbers, people, and what it does where nobody documents what PIOPIY does.

mod checked;
mod choices;
mod people;

use std::path::PathBuf;

use piopiy_events::Profile;
use serde::{Deserialize, Deserializer};

use super::rest::RestRules;
use super::stream::Streams;
use crate::deliver::{DeliveryOptions, Faults, Order, Pace, Redelivery, Target, TargetError};
use crate::plan::{Length, ScenarioError};

pub use choices::{AfterLast, BadAnswer, Choices, LegacyCodes, LegacyErrors, NoDigits, UnknownAction};
pub use people::{Answers, KnownPerson, Person};

/// What a running platform is like. Written as TOML, in the table `[platform]` of `piopiy-mock.toml`.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::platform::Config;
///
/// let text = r#"
/// [[platform.app]]
/// appid = 2222222
/// secret = "a secret"
/// token = "a token"
///
/// [[platform.number]]
/// number = 441632960000
/// app = 2222222
/// answer-url = "http://127.0.0.1:5000/answer"
/// "#;
/// let config = Config::parse("piopiy-mock.toml", text)?;
/// assert_eq!(config.numbers[0].number, 441_632_960_000);
///
/// let error = Config::parse("piopiy-mock.toml", "[platform]\nprofil = \"india\"").unwrap_err();
/// assert!(error.to_string().starts_with("piopiy-mock.toml:2:1: unknown key `profil`: did you mean `profile`?"));
/// # Ok::<(), piopiy_mock_platform::platform::ConfigError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Config {
    /// The profile of the payloads.
    #[serde(deserialize_with = "profile")]
    pub profile: Profile,
    /// What random choices follow from; a fresh one where none is given.
    pub seed: Option<u64>,
    /// How many times faster than wall time virtual time runs. Audio is always in real time.
    pub time_scale: f64,
    /// Leaves out payloads that no page documents.
    pub documented_only: bool,
    /// Hosts beyond this machine that URLs may point to, as `HOST` or `HOST:PORT`.
    pub allow_hosts: Vec<String>,
    /// Where `file_name` of a `play` is looked for.
    pub files: Option<PathBuf>,
    /// Where recordings are kept; a temporary folder where none is given.
    pub recordings: Option<PathBuf>,
    /// What a minute of talk costs: millionths of the account's currency.
    pub price_per_minute: u64,
    /// The balance of each app at the start: millionths.
    pub opening_balance: i64,
    /// The apps.
    #[serde(rename = "app")]
    pub apps: Vec<App>,
    /// The account's numbers.
    #[serde(rename = "number")]
    pub numbers: Vec<Number>,
    /// People who behave otherwise than everybody else.
    #[serde(rename = "person")]
    pub people: Vec<KnownPerson>,
    /// How people on leg a behave who have no entry of their own.
    pub caller: Person,
    /// How people on leg b behave who have no entry of their own.
    #[serde(deserialize_with = "people::callee")]
    pub callee: Person,
    /// How webhooks are delivered.
    pub delivery: Delivery,
    /// What goes wrong with them on purpose: probabilities per webhook.
    pub faults: FaultRates,
    /// What it does where nothing is documented.
    pub choices: Choices,
    /// What the REST APIs do on purpose, besides answering.
    pub rest: RestRules,
    /// How audio streams are carried.
    pub stream: Streams,
}

/// An app of the account.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct App {
    /// The `appid`.
    pub appid: u64,
    /// The secret of the first generation's requests.
    pub secret: String,
    /// The bearer token of v3; none where v3 is not to be used.
    #[serde(default)]
    pub token: Option<String>,
}

/// A number of the account.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Number {
    /// With its country code.
    pub number: u64,
    /// The app that it belongs to; the first one where none is given.
    #[serde(default)]
    pub app: Option<u64>,
    /// Who is asked what to do with a call.
    #[serde(default)]
    pub answer_url: Option<String>,
    /// Where live events go; CDRs too where they have no URL.
    #[serde(default)]
    pub event_url: Option<String>,
    /// Where CDRs go; live events too where they have no URL.
    #[serde(default)]
    pub cdr_url: Option<String>,
}

/// How webhooks are delivered.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Delivery {
    /// Whether a CDR is sent again: `until-ack`, `always`, `never`.
    pub cdr_policy: Redelivery,
    /// Whether a live event is.
    pub live_policy: Redelivery,
    /// When, from the start of the first attempt.
    pub schedule: Vec<Length>,
    /// How long an attempt waits for the answer.
    pub timeout: Length,
    /// Whether the webhooks of a call wait for one another: `per-call`, `free`.
    pub order: Order,
}

/// What goes wrong with webhooks on purpose: probabilities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "these are the faults there are; each may be set by whoever calls"
)]
pub struct FaultRates {
    /// Of a second copy.
    pub duplicate: f64,
    /// Of being sent behind the next one of its call.
    pub reorder: f64,
    /// Of being held back.
    pub delay: f64,
    /// Of never being sent.
    pub loss: f64,
}

/// Why there is no [`Config`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The text is not TOML, or has a key or a value that means nothing.
    #[error(transparent)]
    Text(#[from] ScenarioError),
    /// A URL may not be used.
    #[error("{key} cannot be used")]
    Url {
        /// The key.
        key: String,
        /// Why.
        source: TargetError,
    },
    /// The values are of the right type and mean nothing together.
    #[error("{0}")]
    Meaning(String),
}

impl Config {
    /// The appid, secret, token and number of a platform that nobody configured.
    pub const ZERO: (u64, &'static str, &'static str, u64) =
        (2_222_222, "mock-secret", "mock-token", 441_632_960_000);

    /// Reads the table `[platform]` of a configuration file; what else is in the file is not looked at. `name` is what
    /// errors call it.
    ///
    /// # Errors
    /// Where the text is not TOML, has an unknown key, or a value that means nothing; the error names the file, and the
    /// line and the column where it is one place that is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Self, ConfigError> {
        Self::parse_with(name, text, |_| ())
    }

    /// Reads it, and changes it before it is checked: what a command line says comes before the file.
    ///
    /// # Errors
    /// As [`Config::parse`].
    pub fn parse_with(name: &str, text: &str, change: impl FnOnce(&mut Self)) -> Result<Self, ConfigError> {
        #[derive(Deserialize)]
        struct File {
            #[serde(default)]
            platform: Config,
        }
        let file: File = toml::from_str(text).map_err(|source| ScenarioError::toml(name, text, &source))?;
        let mut config = file.platform.completed();
        change(&mut config);
        config.check().map_err(|error| error.of(name))?;
        Ok(config)
    }

    /// What is needed for a call, where it was left out: one app, one number.
    #[must_use]
    pub fn completed(mut self) -> Self {
        let (appid, secret, token, number) = Self::ZERO;
        if self.apps.is_empty() {
            self.apps.push(App { appid, secret: secret.to_owned(), token: Some(token.to_owned()) });
        }
        if self.numbers.is_empty() {
            self.numbers.push(Number { number, app: None, answer_url: None, event_url: None, cdr_url: None });
        }
        self
    }

    /// A URL that may be asked.
    ///
    /// # Errors
    /// If it is no `http` URL, or its host is neither on this machine nor allowed.
    pub fn target(&self, url: &str) -> Result<Target, TargetError> {
        Target::parse(url, &self.allow_hosts)?.without_tls()
    }

    /// A `ws` or `wss` URL that audio may be streamed to.
    ///
    /// # Errors
    /// As [`Config::target`].
    pub fn stream_target(&self, url: &str) -> Result<Target, TargetError> {
        let target = Target::parse_websocket(url, &self.allow_hosts)?;
        // What the file has was checked with the rest.
        let trust = self.stream.trust().ok().flatten();
        Ok(match trust {
            Some(trust) if target.is_tls() => target.trusting(trust),
            _ => target,
        })
    }

    /// The app with an id.
    #[must_use]
    pub fn app(&self, appid: u64) -> Option<&App> {
        self.apps.iter().find(|app| app.appid == appid)
    }

    /// The account's number, if it is one.
    #[must_use]
    pub fn number(&self, number: u64) -> Option<&Number> {
        self.numbers.iter().find(|known| known.number == number)
    }

    /// The account's number, if it is one of an app.
    #[must_use]
    pub fn number_of(&self, appid: u64, number: u64) -> Option<&Number> {
        self.number(number).filter(|number| self.app_of(number).is_some_and(|app| app.appid == appid))
    }

    /// The app of a number of the account.
    #[must_use]
    pub fn app_of(&self, number: &Number) -> Option<&App> {
        match number.app {
            Some(appid) => self.app(appid),
            None => self.apps.first(),
        }
    }

    /// How whoever has a number behaves; `leg_a` says whose habits hold where they have none of their own.
    #[must_use]
    pub fn person(&self, number: u64, leg_a: bool) -> Person {
        let others = if leg_a { &self.caller } else { &self.callee };
        let known = self.people.iter().find(|person| person.number == number);
        known.map_or_else(|| others.clone(), |known| known.like(others))
    }

    /// How webhooks are delivered.
    #[must_use]
    pub fn delivery_options(&self) -> DeliveryOptions {
        DeliveryOptions {
            cdr_policy: self.delivery.cdr_policy,
            live_policy: self.delivery.live_policy,
            schedule_ms: self.delivery.schedule.iter().map(|length| length.millis()).collect(),
            timeout_ms: self.delivery.timeout.millis(),
            order: self.delivery.order,
            pace: Pace::scaled(self.time_scale),
            faults: self.faults.faults(self.seed.unwrap_or_default()),
            ..DeliveryOptions::default()
        }
    }
}

impl FaultRates {
    /// With the usual windows.
    #[must_use]
    pub fn faults(self, seed: u64) -> Faults {
        let mut faults = Faults::seeded(seed);
        faults.duplicate = self.duplicate;
        faults.reorder = self.reorder;
        faults.delay = self.delay;
        faults.loss = self.loss;
        faults
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: Profile::default(),
            seed: None,
            time_scale: 1.0,
            documented_only: false,
            allow_hosts: Vec::new(),
            files: None,
            recordings: None,
            price_per_minute: 12_000,
            opening_balance: 900_000_000,
            apps: Vec::new(),
            numbers: Vec::new(),
            people: Vec::new(),
            caller: Person::caller(),
            callee: Person::callee(),
            delivery: Delivery::default(),
            faults: FaultRates::default(),
            choices: Choices::default(),
            rest: RestRules::default(),
            stream: Streams::default(),
        }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        let options = DeliveryOptions::default();
        Self {
            cdr_policy: options.cdr_policy,
            live_policy: options.live_policy,
            schedule: options.schedule_ms.iter().map(|&millis| Length::from_millis(millis)).collect(),
            timeout: Length::from_millis(options.timeout_ms),
            order: options.order,
        }
    }
}

/// Secrets are never shown.
impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("appid", &self.appid).finish_non_exhaustive()
    }
}

/// URLs may hold secrets.
impl std::fmt::Debug for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Number").field("number", &self.number).field("app", &self.app).finish_non_exhaustive()
    }
}

fn profile<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Profile, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests;
