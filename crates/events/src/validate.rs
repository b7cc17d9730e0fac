mod contradictions;
mod value;

use std::fmt;

use crate::{CallDirection, Form, Kind, Profile, Raw, Webhook};

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
            Some(value) if value::fits(field, value, form) => {}
            Some(value) => {
                find(pointer(), format!("expected {}, found {}", value::expected(field, form), shown(value)));
            }
            None if field.required => {
                find(pointer(), format!("absent, expected {}", value::expected(field, form)));
            }
            None => {}
        }
    }
    webhook.each_key(&mut |key| {
        if !form.fields.iter().any(|field| field.key == key) {
            let pointer = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
            find(pointer, format!("{} of {} has no such field", form.name, form.profile));
        }
    });
    for (pointer, message) in contradictions::of(webhook, form) {
        find(pointer.to_owned(), message);
    }
    findings
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
