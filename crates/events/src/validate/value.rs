//! Whether a value looks as its form has it.

use crate::json::JsonType;
use crate::{Form, FormField, FormValue, OpenObject as _, Raw, WsDetail, WsStatus};

/// Whether the value of a field is as the form has it, JSON type included.
pub(super) fn fits(field: &FormField, value: &Raw, form: &Form) -> bool {
    let json = value.as_json();
    let text = if value.json_type() == JsonType::String { value.text() } else { None };
    let text_is = |test: &dyn Fn(&str) -> bool| text.as_deref().is_some_and(test);
    let whole = whole(value);
    match field.value {
        FormValue::Status => text_is(&|text| text == form.status),
        FormValue::Direction => text_is(&|text| text == form.direction),
        FormValue::Leg => text_is(&|text| form.legs.contains(&text)),
        FormValue::Type => text_is(&|text| text == form.kind.as_str()),
        FormValue::AppId => whole.is_some_and(|id| id > 0),
        FormValue::EpochMillis => {
            whole.is_some_and(|time| (1_000_000_000_000..10_000_000_000_000).contains(&time))
        }
        FormValue::EpochSeconds => whole.is_some_and(|time| (1_000_000_000..10_000_000_000).contains(&time)),
        FormValue::Phone => whole.is_some() && (7..=15).contains(&json.len()),
        FormValue::PhoneText => text_is(&|text| digits(text) && (7..=15).contains(&text.len())),
        FormValue::PhoneNational => text_is(&|text| digits(text) && text.starts_with('0')),
        FormValue::Seconds => whole.is_some(),
        FormValue::Zero => json == "0",
        FormValue::Decimal => text_is(&decimal),
        FormValue::Uuid => text_is(&uuid),
        FormValue::RequestId => {
            text_is(&|text| text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        }
        FormValue::Text => text.is_some(),
        FormValue::True => json == "true",
        FormValue::WsConnected => text_is(&|text| report(text, "connected", None)),
        FormValue::WsDisconnected => text_is(&|text| report(text, "disconnected", Some("reason"))),
        FormValue::WsError => text_is(&|text| report(text, "error", Some("error"))),
    }
}

/// A plain number. [`Raw::integer`] reads digit strings and 12.0 too.
fn whole(value: &Raw) -> Option<i64> {
    digits(value.as_json()).then(|| value.integer()).flatten()
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn decimal(text: &str) -> bool {
    let magnitude = text.strip_prefix('-').unwrap_or(text);
    magnitude.split_once('.').is_some_and(|(whole, part)| digits(whole) && digits(part) && part.len() == 6)
}

fn uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

/// Whether a text is a documented report on a WebSocket: these members and no others.
fn report(text: &str, status: &str, words: Option<&str>) -> bool {
    let Ok(report) = WsStatus::new(text).report() else { return false };
    let is_status = report.get("status").and_then(Raw::text).is_some_and(|text| text == status);
    let message_fits = match (&report.message, words) {
        (None, None) => true,
        (Some(message), Some(words)) => message.get().is_ok_and(|message| detail(&message, words)),
        _ => false,
    };
    is_status && message_fits && report.unknown().next().is_none()
}

fn detail(message: &WsDetail, words: &str) -> bool {
    message.get("code").is_some_and(|code| whole(code).is_some())
        && message.get(words).is_some_and(|value| value.json_type() == JsonType::String)
        && message.members().len() == 2
}

/// In words: what the field of this form looks like.
pub(super) fn expected(field: &FormField, form: &Form) -> String {
    match field.value {
        FormValue::Status => format!("{:?}", form.status),
        FormValue::Direction => format!("{:?}", form.direction),
        FormValue::Leg => form.legs.iter().map(|leg| format!("{leg:?}")).collect::<Vec<_>>().join(" or "),
        FormValue::Type => format!("{:?}", form.kind.as_str()),
        other => other.describe().to_owned(),
    }
}

impl FormValue {
    /// In words: what a value of this form looks like.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Self::Status => "the event's status",
            Self::Direction => "the leg's direction",
            Self::Leg => "the leg",
            Self::Type => "\"cdr\" or \"event\"",
            Self::AppId => "a positive whole number",
            Self::EpochMillis => "milliseconds since 1970, a number of 13 digits",
            Self::EpochSeconds => "seconds since 1970, a number of 10 digits",
            Self::Phone => "a phone number, as a number of 7 to 15 digits",
            Self::PhoneText => "a phone number, as a string of 7 to 15 digits",
            Self::PhoneNational => "a phone number, as a string of digits that begins with 0",
            Self::Seconds => "a whole number of seconds",
            Self::Zero => "the number 0",
            Self::Decimal => "an amount, as a string with six decimals",
            Self::Uuid => "a UUID in lower case",
            Self::RequestId => "a string of 43 letters and digits",
            Self::Text => "a string",
            Self::True => "true",
            Self::WsConnected => r#"a string: {"status":"connected"}"#,
            Self::WsDisconnected => {
                r#"a string: {"status":"disconnected","message":{"code":number,"reason":string}}"#
            }
            Self::WsError => r#"a string: {"status":"error","message":{"code":number,"error":string}}"#,
        }
    }
}
