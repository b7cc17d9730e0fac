//! Scenarios: what kinds of calls there are, how people behave in them, and what the account is like.

mod builtin;
mod error;
mod length;
mod sections;
mod stage;

use serde::Deserialize;

use super::{Stage, Stages, digest};
pub use error::ScenarioError;
pub use length::{Distribution, Length, Shape};
pub use sections::{
    Account, Arrivals, Bridge, CallMix, CloseCodes, ExtraParams, HangUp, Numbers, Region, Spacing, Streams,
    Times,
};

/// A scenario: the rules that a plan's calls are drawn by. Written as TOML; a table that is left out is that of
/// `default.toml`, and so is a key that is left out, but for tables of weights, which stand for themselves.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::plan::Scenario;
///
/// let scenario = Scenario::parse("mine.toml", "[calls]\ninbound-missed = 1\n[times]\npatience = \"8s\"")?;
/// assert_eq!(scenario.calls.inbound_missed, 1);
///
/// let error = Scenario::parse("mine.toml", "[calls]\ninbound-mised = 1").unwrap_err();
/// assert!(error.to_string().starts_with("mine.toml:2:1: unknown key `inbound-mised`: did you mean `inbound-missed`?"));
/// # Ok::<(), piopiy_mock_platform::plan::ScenarioError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Scenario {
    /// What it is, in one sentence.
    pub description: String,
    /// The kinds of calls and their weights.
    pub calls: CallMix,
    /// When calls start.
    pub arrivals: Arrivals,
    /// How the rate of a load goes on, from `arrivals.per-second` on or from the rate that the load is told; whatever else sends calls lets
    /// them start at one rate.
    pub stages: Vec<Stage>,
    /// How long things take.
    pub times: Times,
    /// Who hangs up.
    pub hang_up: HangUp,
    /// How another party is put through.
    pub bridge: Bridge,
    /// How audio streams behave.
    pub streams: Streams,
    /// The account that is called and calls.
    pub account: Account,
    /// Whose phone numbers there are.
    pub numbers: Numbers,
    /// How `extra_params` is written.
    pub extra_params: ExtraParams,
    /// Its name: that of the built-in scenario, or of the file.
    #[serde(skip)]
    pub name: String,
    /// The text that it was read from.
    #[serde(skip)]
    pub text: String,
}

impl Scenario {
    /// What two scenarios share that say the same, whatever they are called and however they are written.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::plan::Scenario;
    ///
    /// let [one, same, other] = ["[account]\nappid = 7", "# Mine.\naccount = { appid = 7 }", "account.appid = 8"]
    ///     .map(|text| Scenario::parse("mine.toml", text).unwrap());
    /// assert_eq!(one.digest(), same.digest());
    /// assert_ne!(one.digest(), other.digest());
    /// ```
    #[must_use]
    pub fn digest(&self) -> String {
        let unnamed =
            Self { name: String::new(), text: String::new(), description: String::new(), ..self.clone() };
        digest(format!("{unnamed:?}").into_bytes())
    }

    /// Reads a scenario from TOML. The name is what errors call the file.
    ///
    /// # Errors
    /// Where the text is not TOML, has an unknown key, or a value that means nothing; the error names the file, the
    /// line and the column.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScenarioError> {
        let mut scenario: Self =
            toml::from_str(text).map_err(|source| ScenarioError::toml(name, text, &source))?;
        scenario.check().map_err(|reason| ScenarioError::meaning(name, reason))?;
        name.clone_into(&mut scenario.name);
        text.clone_into(&mut scenario.text);
        Ok(scenario)
    }

    /// A built-in scenario.
    ///
    /// # Errors
    /// Where none has the name; the error suggests the closest one.
    ///
    /// # Examples
    /// ```
    /// let scenario = piopiy_mock_platform::plan::Scenario::builtin("busy-hour")?;
    /// assert_eq!(scenario.name, "busy-hour");
    /// # Ok::<(), piopiy_mock_platform::plan::ScenarioError>(())
    /// ```
    pub fn builtin(name: &str) -> Result<Self, ScenarioError> {
        let text = builtin::text(name).ok_or_else(|| ScenarioError::unknown(name, builtin::names()))?;
        Self::parse(name, text)
    }

    /// The names of the built-in scenarios: those of `fixtures/scenarios`.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        builtin::names()
    }

    /// What the types cannot say.
    fn check(&self) -> Result<(), String> {
        let weights = [
            ("calls", self.calls.total()),
            ("hang-up", self.hang_up.total()),
            ("streams.close", self.streams.close.total()),
            ("extra-params", self.extra_params.total()),
        ];
        if let Some((table, _)) = weights.iter().find(|(_, total)| *total == 0) {
            return Err(format!("[{table}] has no weight above 0: nothing could be drawn"));
        }
        let rate = self.arrivals.per_second;
        if !(1e-6..=1e6).contains(&rate) {
            return Err(format!("arrivals.per-second is {rate}: it must be from 0.000001 to 1000000"));
        }
        if !self.stages.is_empty() && Stages::new(rate, &self.stages).arrivals() <= 0.0 {
            return Err("stages: nothing arrives in any of them".to_owned());
        }
        if !(0.0..=1.0).contains(&self.bridge.no_answer) {
            return Err(format!("bridge.no-answer is {}: a probability, from 0 to 1", self.bridge.no_answer));
        }
        let counts = [
            ("bridge.loop", u64::from(self.bridge.attempts), 1, 10),
            ("bridge.group-size", u64::from(self.bridge.group_size), 2, 10),
            ("streams.most", u64::from(self.streams.most), 1, 5),
            ("numbers.account", self.numbers.account, 1, 100),
            ("account.appid", self.account.appid, 1, i64::MAX as u64),
        ];
        for (key, value, least, most) in counts {
            if !(least..=most).contains(&value) {
                return Err(format!("{key} is {value}: it must be from {least} to {most}"));
            }
        }
        if self.numbers.regions.is_empty() {
            return Err("numbers.regions is empty: name \"uk\", \"us\" or both".to_owned());
        }
        Ok(())
    }
}
