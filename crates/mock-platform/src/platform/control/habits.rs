//! How somebody on the telephone behaves in one call.

use std::path::{Component, Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::refusal::Refusal;
use super::requests::{MOST_KEYS, keys};
use crate::plan::{Distribution, Length};
use crate::platform::config::{Answers, Person};

/// What somebody does otherwise.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Habits {
    /// `yes`, `no`, `busy` or `rejects`, where they are called.
    #[schemars(with = "Option<String>")]
    answers: Option<Answers>,
    /// How long it rings before, such as `2s`.
    #[schemars(with = "Option<String>")]
    answers_after: Option<Distribution>,
    /// What they press when they are asked: one text for each time.
    digits: Option<Vec<String>>,
    /// How long they take for each key.
    #[schemars(with = "Option<String>")]
    digit_after: Option<Distribution>,
    /// How long after the pick-up they hang up.
    #[schemars(with = "Option<String>")]
    hangs_up_after: Option<Length>,
    /// How long they wait for somebody to pick up.
    #[schemars(with = "Option<String>")]
    patience: Option<Length>,
    /// What they say in an audio stream: the name of a WAV, MP3 or Ogg file of the folder `files` of `[platform]`.
    says: Option<String>,
}

impl Habits {
    /// Whoever it is, with these habits; `files` is where `says` is looked for.
    pub(super) fn of(self, mut person: Person, files: Option<&Path>) -> Result<Person, Refusal> {
        if let Some(digits) = self.digits {
            if digits.len() > MOST_KEYS {
                return Err(Refusal::meaningless(format!("`person.digits` has more than {MOST_KEYS} texts")));
            }
            digits.iter().try_for_each(|text| keys(text))?;
            person.digits = digits;
        }
        person.answers = self.answers.unwrap_or(person.answers);
        person.answers_after = self.answers_after.unwrap_or(person.answers_after);
        person.digit_after = self.digit_after.unwrap_or(person.digit_after);
        person.hangs_up_after = self.hangs_up_after.or(person.hangs_up_after);
        person.patience = self.patience.unwrap_or(person.patience);
        if let Some(name) = self.says {
            person.says = Some(file_of(&name, files)?);
        }
        Ok(person)
    }
}

/// A file that is there, and that no name leads out of the folder for.
fn file_of(name: &str, files: Option<&Path>) -> Result<PathBuf, Refusal> {
    let wrong = |what: String| Refusal::meaningless(format!("`says`: {what}"));
    let folder = files
        .ok_or_else(|| wrong("set `files` in [platform] to the folder that the file is in".to_owned()))?;
    let is_inside = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let path = folder.join(name);
    if name.is_empty() || !is_inside || !path.is_file() {
        return Err(wrong(format!("{name:?} is no file of the folder `files`")));
    }
    Ok(path)
}
