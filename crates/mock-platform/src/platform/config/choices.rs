use serde::Deserialize;

use crate::plan::Length;

/// What the platform does where no page says what PIOPIY does. Each choice that was made is in the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
#[non_exhaustive]
pub struct Choices {
    /// How long an answer URL or an action URL may take: wall time.
    pub answer_timeout: Length,
    /// What becomes of a call whose answer URL is down, refuses, or answers what is no call flow.
    pub bad_answer: BadAnswer,
    /// What becomes of one whose answer is an empty call flow.
    pub empty_answer: BadAnswer,
    /// What becomes of an action that nobody documents.
    pub unknown_action: UnknownAction,
    /// What happens behind the last action.
    pub after_last_action: AfterLast,
    /// What happens where no digit was pressed.
    pub no_digits: NoDigits,
    /// How long a file is taken to be that is not there to be measured.
    pub unknown_file: Length,
    /// How long a text takes to be said, per character.
    pub per_character: Length,
    /// From the end of a leg until its CDR is sent.
    pub record_delay: Length,
    /// How long a call may last.
    pub longest_call: Length,
    /// Under which key the first generation of the REST API answers its code.
    pub legacy_codes: LegacyCodes,
    /// With which HTTP status it refuses.
    pub legacy_errors: LegacyErrors,
}

impl Default for Choices {
    fn default() -> Self {
        let ms = Length::from_millis;
        Self {
            answer_timeout: ms(10_000),
            bad_answer: BadAnswer::HangUp,
            empty_answer: BadAnswer::HangUp,
            unknown_action: UnknownAction::Skip,
            after_last_action: AfterLast::HangUp,
            no_digits: NoDigits::NextAction,
            unknown_file: ms(3_000),
            per_character: ms(60),
            record_delay: ms(500),
            longest_call: ms(5_400_000),
            legacy_codes: LegacyCodes::Both,
            legacy_errors: LegacyErrors::Http200,
        }
    }
}

/// What becomes of a call that nobody says what to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum BadAnswer {
    /// It is ended.
    HangUp,
    /// It goes on with what comes behind the action that asked; an answer URL has nothing behind it.
    NextAction,
}

/// What becomes of an action that nobody documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum UnknownAction {
    /// The next one is carried out.
    Skip,
    /// The call is ended.
    HangUp,
}

/// What happens behind the last action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AfterLast {
    /// The call is ended.
    HangUp,
    /// It lasts until somebody hangs up.
    Stay,
}

/// What happens where no digit was pressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoDigits {
    /// The next action is carried out.
    NextAction,
    /// The action URL is told of no digits, as an empty string.
    Post,
}

/// Under which key the first generation of the REST API answers its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LegacyCodes {
    /// `code`, as the pages say.
    Code,
    /// `cmi_code`, as the vendor's examples say.
    CmiCode,
    /// Both.
    Both,
}

/// With which HTTP status the first generation of the REST API refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum LegacyErrors {
    /// 200: the code is in the body, where the vendor's examples look for it.
    #[serde(rename = "http-200")]
    Http200,
    /// The code itself, as the pages call it an HTTP status.
    HttpStatus,
}
