use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Outcome, Verdict, find};

/// Failures that are known, and until when they are put up with.
#[derive(Debug, Clone, Default)]
pub struct KnownFailures(BTreeMap<&'static str, KnownFailure>);

/// One failure that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownFailure {
    /// Why it is put up with.
    pub reason: String,
    /// The last day on which it is, as `2026-12-31`; `None` for no end.
    pub until: Option<String>,
}

/// Why a file of known failures cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownFailuresError {
    /// It is no TOML, or has other keys.
    #[error(
        "{place} does not list known failures: each is a [[known]] with id, reason and, if you like, until"
    )]
    Toml {
        /// The file.
        place: String,
        /// What is wrong, and where.
        source: Box<toml::de::Error>,
    },
    /// There is no such check.
    #[error("{place}: there is no check {id:?}; `piopiy-mock checks` lists them")]
    UnknownCheck {
        /// The file.
        place: String,
        /// The id.
        id: String,
    },
    /// A day that is none.
    #[error("{place}: until = {until:?} of {id} is no day; write it like 2026-12-31")]
    Day {
        /// The file.
        place: String,
        /// The id.
        id: String,
        /// What was given.
        until: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    reason: String,
    /// A date of TOML, or one in quotes.
    until: Option<toml::Value>,
}

impl KnownFailures {
    /// Reads the text of a file; `place` is its name.
    ///
    /// # Errors
    /// If it is no such list, or names a check that there is not.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::judge::check::KnownFailures;
    ///
    /// let text = "[[known]]\nid = 'DUP-002'\nreason = 'the new store comes in May'\nuntil = '2026-05-31'\n";
    /// assert!(KnownFailures::parse("known.toml", text).is_ok());
    /// assert!(KnownFailures::parse("known.toml", &text.replace("DUP-002", "DUP-999")).is_err());
    /// ```
    pub fn parse(place: &str, text: &str) -> Result<Self, KnownFailuresError> {
        let place = || place.to_owned();
        let file: File = toml::from_str(text)
            .map_err(|source| KnownFailuresError::Toml { place: place(), source: Box::new(source) })?;
        let mut known = BTreeMap::new();
        for Entry { id, reason, until } in file.known {
            let Some(check) = find(&id) else {
                return Err(KnownFailuresError::UnknownCheck { place: place(), id });
            };
            let until = until.map(|until| until.as_str().map_or_else(|| until.to_string(), str::to_owned));
            if let Some(until) = until.clone().filter(|until| !is_day(until)) {
                return Err(KnownFailuresError::Day { place: place(), id, until });
            }
            known.insert(check.id, KnownFailure { reason, until });
        }
        Ok(Self(known))
    }

    /// The verdict where a failure is known: known, unless it passed or its time is up. `today` is `2026-12-31`.
    /// True where the list is no longer right, which fails a run whatever the check's severity.
    pub(crate) fn excuse(&self, id: &str, outcome: &mut Outcome, today: &str) -> bool {
        let Some(known) = self.0.get(id) else { return false };
        match outcome.verdict {
            Verdict::Fail if known.until.as_deref().is_some_and(|until| until < today) => {
                let until = known.until.as_deref().unwrap_or_default();
                outcome.detail = format!("known until {until}, which is over: {}", outcome.detail);
                true
            }
            Verdict::Fail => {
                outcome.verdict = Verdict::KnownFailure;
                outcome.detail = format!("{} ({})", outcome.detail, known.reason);
                false
            }
            Verdict::Pass => {
                outcome.verdict = Verdict::Fail;
                outcome.detail = "known to fail, and passes now: take it off the list".to_owned();
                true
            }
            _ => false,
        }
    }
}

/// `2026-12-31`, in the calendar: such days compare as text.
fn is_day(text: &str) -> bool {
    let date = text.parse::<toml::value::Datetime>();
    date.is_ok_and(|date| date.date.is_some() && date.time.is_none() && date.offset.is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(verdict: Verdict, today: &str, expected: Verdict) {
        let text = "[[known]]\nid = 'dup-002'\nreason = 'later'\nuntil = '2026-05-31'\n";
        let known = KnownFailures::parse("known.toml", text).unwrap();
        let mut outcome = Outcome::new(verdict, "409");
        let is_stale = known.excuse("DUP-002", &mut outcome, today);
        assert_eq!((outcome.verdict, is_stale), (expected, expected == Verdict::Fail));
    }

    #[test]
    fn what_is_known_is_excused_until_its_day() {
        check(Verdict::Fail, "2026-05-31", Verdict::KnownFailure);
        check(Verdict::Fail, "2026-06-01", Verdict::Fail);
        check(Verdict::Pass, "2026-05-01", Verdict::Fail);
        check(Verdict::NotObserved, "2026-05-01", Verdict::NotObserved);
    }

    #[test]
    fn a_day_may_be_a_date_of_toml() {
        let known = |until| format!("[[known]]\nid = 'DUP-002'\nreason = ''\nuntil = {until}\n");
        let day =
            |text: String| KnownFailures::parse("known.toml", &text).unwrap().0["DUP-002"].until.clone();
        assert_eq!(day(known("2028-02-29")), day(known("'2028-02-29'")));
        assert_eq!(day(known("2028-02-29")).as_deref(), Some("2028-02-29"));
    }

    #[test]
    fn mistakes_in_the_list_are_told() {
        let error = |text: &str| KnownFailures::parse("known.toml", text).unwrap_err().to_string();
        assert!(error("[[known]]\nid = 'DUP-002'\n").contains("[[known]]"));
        assert!(error("[[known]]\nid = 'DUP-999'\nreason = ''\n").contains("no check \"DUP-999\""));
        for until in
            ["'May'", "'2026-13-01'", "'2026-02-30'", "'2026-05-31T10:00:00'", "2026-05-31T10:00:00Z", "3"]
        {
            let text = format!("[[known]]\nid = 'DUP-002'\nreason = ''\nuntil = {until}\n");
            assert!(error(&text).contains("is no day"), "{until}");
        }
    }
}
