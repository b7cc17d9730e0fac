use std::fmt;

use crate::json::JsonType;
use crate::{CallDirection, Form, FormField, FormValue, Kind, Profile, Raw, Webhook};

/// A deviation of a payload from the documented form.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The JSON pointer of the member; empty for the whole payload.
    pub pointer: String,
    /// What the documentation has, and what the payload has instead.
    pub message: String,
    /// The page, or what a guess was made from.
    pub source: &'static str,
}

/// What validation says: the form that fits best, and where the payload deviates from it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Validation {
    /// The form that the payload was compared with; `None` where the profile has none of this kind and status.
    pub form: Option<&'static Form>,
    /// The deviations, in the order of the form's fields, then of the payload's members.
    pub findings: Vec<Finding>,
}

impl Webhook {
    /// Compares the payload with the documented forms of a profile: field by field, then what the fields say of
    /// each other. Strict where [`Webhook::parse`] is tolerant.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::{Profile, Webhook};
    ///
    /// let webhook = Webhook::parse(br#"{"appid":2222224,"direction":"inbound","from":"440000000000","leg":"b",
    ///     "status":"stream_connected","time":1725975496000,"cmiuuid":"c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0",
    ///     "ws_status":"{\"status\":\"connected\"}"}"#)?;
    /// let validation = webhook.validate(Profile::Global);
    /// assert_eq!(validation.findings.len(), 1);
    /// assert_eq!(validation.findings[0].pointer, "/from");
    /// # Ok::<(), piopiy_events::ParseError>(())
    /// ```
    #[must_use]
    pub fn validate(&self, profile: Profile) -> Validation {
        let Some(kind) = self.kind() else {
            let reason = match self {
                Self::Unrecognised(object) => object.reason().to_string(),
                _ => String::new(),
            };
            let message = format!("neither a live event nor a CDR: {reason}");
            return Validation { form: None, findings: vec![whole(message)] };
        };
        let status = self.text("status").unwrap_or_default();
        let candidates = Form::all(profile).iter().filter(|form| form.kind == kind && form.status == status);
        let best = candidates
            .map(|form| (form, compare(self, form)))
            .min_by_key(|(form, findings)| (findings.len(), form.call == CallDirection::Outbound));
        match best {
            Some((form, findings)) => Validation { form: Some(form), findings },
            None => {
                let known: Vec<&str> = statuses(profile, kind);
                let message =
                    format!("{profile} has no {kind} with status {status:?}; it has {}", known.join(", "));
                let pointer = "/status".to_owned();
                Validation { form: None, findings: vec![Finding { pointer, ..whole(message) }] }
            }
        }
    }
}

fn whole(message: String) -> Finding {
    Finding {
        pointer: String::new(),
        message,
        source: "https://doc.telecmi.com/piopiy/docs/webhooks-overview",
    }
}

fn statuses(profile: Profile, kind: Kind) -> Vec<&'static str> {
    let mut statuses: Vec<_> =
        Form::all(profile).iter().filter(|form| form.kind == kind).map(|form| form.status).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses
}

fn compare(webhook: &Webhook, form: &'static Form) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |pointer: String, message: String| {
        findings.push(Finding { pointer, message, source: form.source });
    };
    for field in form.fields {
        let pointer = || format!("/{}", field.key);
        match webhook.get(field.key) {
            Some(value) if fits(field, value, form) => {}
            Some(value) => {
                find(pointer(), format!("expected {}, found {}", expected(field, form), shown(value)));
            }
            None if field.required => find(pointer(), format!("absent, expected {}", expected(field, form))),
            None => {}
        }
    }
    webhook.each_key(&mut |key| {
        if !form.fields.iter().any(|field| field.key == key) {
            let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            find(pointer, format!("{} of {} has no such field", form.name, form.profile));
        }
    });
    for (pointer, message) in contradictions(webhook) {
        find(pointer.to_owned(), message);
    }
    findings
}

/// What fields of one payload say against each other.
fn contradictions(webhook: &Webhook) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let Some(cdr) = webhook.as_cdr() else { return found };
    let seconds = |value: &Option<crate::EpochSeconds>| value.as_ref().and_then(crate::EpochSeconds::seconds);
    let (start, answer, end) = (seconds(&cdr.start_time), seconds(&cdr.answer_time), seconds(&cdr.end_time));
    if let (Some(start), Some(end)) = (start, end)
        && end < start
    {
        found.push(("/end_time", format!("{end} is before start_time {start}")));
    }
    let answered = cdr.status.as_ref().is_some_and(|status| status.text() == "answered");
    if answered && let (Some(answer), Some(end)) = (answer, end) {
        let talk = end - answer;
        if let Some(duration) = cdr.duration.as_ref().and_then(crate::Seconds::seconds)
            && duration != talk
        {
            found.push(("/duration", format!("{duration} is not end_time - answer_time = {talk}")));
        }
        if start.is_some_and(|start| answer < start) {
            found.push(("/answer_time", format!("{answer} is before start_time")));
        }
    }
    found
}

fn fits(field: &FormField, value: &Raw, form: &Form) -> bool {
    let json = value.as_json();
    let text = if value.json_type() == JsonType::String { value.text() } else { None };
    let text_is = |test: &dyn Fn(&str) -> bool| text.as_deref().is_some_and(test);
    // `integer` reads digit strings and 12.0 too: what is documented is a plain number.
    let whole = (json.bytes().all(|byte| byte.is_ascii_digit())).then(|| value.integer()).flatten();
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
        FormValue::WsConnected => text_is(&|text| text == r#"{"status":"connected"}"#),
        FormValue::WsDisconnected => text_is(&|text| ws_message(text, "disconnected", "reason")),
        FormValue::WsError => text_is(&|text| ws_message(text, "error", "error")),
    }
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

/// Whether a text is the JSON that the stream's WebSocket is described by.
fn ws_message(text: &str, status: &str, words: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct WsMessage {
        status: String,
        message: std::collections::BTreeMap<String, serde_json::Value>,
    }
    serde_json::from_str::<WsMessage>(text).is_ok_and(|parsed| {
        parsed.status == status
            && parsed.message.len() == 2
            && parsed.message.get("code").is_some_and(serde_json::Value::is_u64)
            && parsed.message.get(words).is_some_and(serde_json::Value::is_string)
    })
}

fn expected(field: &FormField, form: &Form) -> String {
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
            Self::WsConnected => r#"the string {"status":"connected"}"#,
            Self::WsDisconnected => {
                r#"a string: {"status":"disconnected","message":{"code":number,"reason":string}}"#
            }
            Self::WsError => r#"a string: {"status":"error","message":{"code":number,"error":string}}"#,
        }
    }
}

fn shown(value: &Raw) -> String {
    const MOST: usize = 60;
    let json = value.as_json();
    match json.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", &json[..cut]),
        None => json.to_owned(),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "(payload)" } else { &self.pointer };
        write!(f, "{pointer}: {} [{}]", self.message, self.source)
    }
}
