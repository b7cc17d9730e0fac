use std::path::PathBuf;

use serde::{Deserialize, Deserializer};

use crate::plan::{Distribution, Length, Shape};

/// How somebody on the telephone behaves. What is random follows from the seed and the call.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Person {
    /// What they do when they are called.
    pub answers: Answers,
    /// How long it rings before.
    pub answers_after: Distribution,
    /// What they press when they are asked: one text for each time.
    pub digits: Vec<String>,
    /// How long they take for each key.
    pub digit_after: Distribution,
    /// A WAV, MP3 or Ogg file of what they say in an audio stream; made-up speech where none is given.
    pub says: Option<PathBuf>,
    /// How long after the pick-up they hang up; never where it is not given.
    pub hangs_up_after: Option<Length>,
    /// How long they wait for somebody to pick up, where they called.
    pub patience: Length,
}

/// Somebody who behaves otherwise than everybody else: in what is given here, and in nothing more.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[non_exhaustive]
pub struct KnownPerson {
    /// Whose habits these are.
    pub number: u64,
    /// What they do when they are called.
    pub answers: Option<Answers>,
    /// How long it rings before.
    pub answers_after: Option<Distribution>,
    /// What they press when they are asked: one text for each time.
    pub digits: Option<Vec<String>>,
    /// How long they take for each key.
    pub digit_after: Option<Distribution>,
    /// A file of what they say in an audio stream.
    pub says: Option<PathBuf>,
    /// How long after the pick-up they hang up.
    pub hangs_up_after: Option<Length>,
    /// How long they wait for somebody to pick up, where they called.
    pub patience: Option<Length>,
}

impl KnownPerson {
    /// Whoever has a number, with no habits of their own yet.
    #[must_use]
    pub fn new(number: u64) -> Self {
        Self {
            number,
            answers: None,
            answers_after: None,
            digits: None,
            digit_after: None,
            says: None,
            hangs_up_after: None,
            patience: None,
        }
    }

    /// How they behave where everybody else behaves like that.
    pub(super) fn like(&self, others: &Person) -> Person {
        Person {
            answers: self.answers.unwrap_or(others.answers),
            answers_after: self.answers_after.unwrap_or(others.answers_after),
            digits: self.digits.as_ref().unwrap_or(&others.digits).clone(),
            digit_after: self.digit_after.unwrap_or(others.digit_after),
            says: self.says.as_ref().or(others.says.as_ref()).cloned(),
            hangs_up_after: self.hangs_up_after.or(others.hangs_up_after),
            patience: self.patience.unwrap_or(others.patience),
        }
    }
}

/// What somebody does who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Answers {
    /// Picks up.
    Yes,
    /// Lets it ring.
    No,
    /// Is on the telephone already.
    Busy,
    /// Turns it away.
    Rejects,
}

impl Person {
    /// Somebody on leg a.
    #[must_use]
    pub fn caller() -> Self {
        let ms = Length::from_millis;
        let uniform = |from, to| Distribution::new(Shape::Uniform { from: ms(from), to: ms(to) });
        Self {
            answers: Answers::Yes,
            answers_after: uniform(1_000, 4_000),
            digits: Vec::new(),
            digit_after: uniform(200, 600),
            says: None,
            hangs_up_after: None,
            patience: ms(120_000),
        }
    }

    /// The same, pressing keys when they are asked: one text for each time.
    #[must_use]
    pub fn pressing<T: Into<String>>(mut self, digits: impl IntoIterator<Item = T>) -> Self {
        self.digits = digits.into_iter().map(Into::into).collect();
        self
    }

    /// Somebody on leg b: hangs up after a while.
    #[must_use]
    pub fn callee() -> Self {
        Self { hangs_up_after: Some(Length::from_millis(10_000)), ..Self::caller() }
    }
}

impl Default for Person {
    fn default() -> Self {
        Self::caller()
    }
}

/// Whoever is on leg b hangs up after a while, whatever else is said of them.
pub(super) fn callee<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Person, D::Error> {
    let person = Person::deserialize(deserializer)?;
    let hangs_up_after = person.hangs_up_after.or(Person::callee().hangs_up_after);
    Ok(Person { hangs_up_after, ..person })
}
