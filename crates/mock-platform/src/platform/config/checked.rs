use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{Config, ConfigError};

impl Config {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// Where a URL may not be used, an app or a number is there twice or missing, or a rate is none.
    pub fn check(&self) -> Result<(), ConfigError> {
        let meaning = |text: String| Err(ConfigError::Meaning(text));
        if !(self.time_scale.is_finite() && self.time_scale > 0.0) {
            return meaning(format!("platform.time-scale is {}: it must be above 0", self.time_scale));
        }
        let mut seen = BTreeSet::new();
        if let Some(app) = self.apps.iter().find(|app| !seen.insert(app.appid)) {
            return meaning(format!("[[platform.app]]: {} is there twice", app.appid));
        }
        let mut tokens = BTreeSet::new();
        for app in &self.apps {
            // Whoever sends none would be let in.
            if app.secret.is_empty() || app.token.as_deref() == Some("") {
                let text = "its secret or its token is empty; leave `token` out where v3 is not to be used";
                return meaning(format!("[[platform.app]] {}: {text}", app.appid));
            }
            if app.token.as_ref().is_some_and(|token| !tokens.insert(token)) {
                return meaning(format!("[[platform.app]]: {} has the token of another app", app.appid));
            }
        }
        let mut numbers = BTreeSet::new();
        for number in &self.numbers {
            if !numbers.insert(number.number) {
                return meaning(format!("[[platform.number]]: {} is there twice", number.number));
            }
            if number.app.is_some_and(|app| !seen.contains(&app)) {
                return meaning(format!(
                    "[[platform.number]]: {} has an app that there is not",
                    number.number
                ));
            }
        }
        self.check_urls(&[])?;
        self.check_words().map_err(ConfigError::Meaning)?;
        self.stream.check().map_err(|what| ConfigError::Meaning(format!("[platform.stream] {what}")))?;
        self.delivery_options().check().map_err(|error| ConfigError::Meaning(format!("platform: {error}")))
    }

    /// Checks every URL; none may lead to where the platform itself listens.
    pub(in crate::platform) fn check_urls(&self, own: &[SocketAddr]) -> Result<(), ConfigError> {
        for number in &self.numbers {
            for (key, url) in [
                ("answer-url", &number.answer_url),
                ("event-url", &number.event_url),
                ("cdr-url", &number.cdr_url),
            ] {
                let target = url.as_ref().map(|url| self.target(url)?.apart_from(own)).transpose();
                target.map_err(|source| ConfigError::Url {
                    key: format!("[[platform.number]] {}: {key}", number.number),
                    source,
                })?;
            }
        }
        Ok(())
    }

    /// Entries that would never hold, for nothing is called so.
    fn check_words(&self) -> Result<(), String> {
        for host in &self.allow_hosts {
            if host.is_empty() || host.contains(['/', '@', '*']) || host.contains(char::is_whitespace) {
                return Err(format!("platform.allow-hosts: {host:?} is no host: write HOST or HOST:PORT"));
            }
        }
        self.rest.check().map_err(|what| format!("[[platform.rest.fail]]: {what}"))?;
        let mut known = BTreeSet::new();
        for person in &self.people {
            if !known.insert(person.number) {
                return Err(format!("[[platform.person]]: {} is there twice", person.number));
            }
            check_digits("[[platform.person]]", person.digits.as_deref().unwrap_or_default())?;
        }
        check_digits("[platform.caller]", &self.caller.digits)?;
        check_digits("[platform.callee]", &self.callee.digits)
    }
}

fn check_digits(table: &str, digits: &[String]) -> Result<(), String> {
    let is_key = |key: char| key.is_ascii_digit() || key == '*' || key == '#';
    match digits.iter().find(|text| !text.chars().all(is_key)) {
        Some(text) => Err(format!("{table} digits: {text:?} cannot be pressed: keys are 0 to 9, * and #")),
        None => Ok(()),
    }
}

impl ConfigError {
    /// With the name of the file that it is in.
    pub(super) fn of(self, name: &str) -> Self {
        match self {
            Self::Meaning(text) => Self::Meaning(format!("{name}: {text}")),
            Self::Url { key, source } => Self::Url { key: format!("{name}: {key}"), source },
            // It has it.
            Self::Text(source) => Self::Text(source),
        }
    }
}
