//! LEARN: what captured webhooks have that the model has never produced. Pure: texts in, differences out.
//!
//! The model is what the forms of all profiles say ([`Form`](piopiy_events::Form)), and, for the order of things, what
//! simulated calls are like. Nothing of a number, a name or an id comes out: digits are masked, and values are told only
//! where the wire has a word from a short list.

mod capture;
mod known;

use std::collections::BTreeMap;
use std::fmt;

use piopiy_events::{JsonType, Kind, Webhook};
use serde::Serialize;

pub use capture::{Capture, CaptureError};
use known::Known;

/// Something that the model has never produced.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Novelty {
    /// What is new about it.
    pub what: What,
    /// In which webhooks: `event answered`, `cdr missed`.
    pub within: String,
    /// The field, for all but orders.
    pub field: Option<String>,
    /// What is new, masked.
    pub found: String,
}

/// What kind of thing is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum What {
    /// A body that is no webhook, or of no known kind.
    Webhook,
    /// A field.
    Field,
    /// The type of a field.
    Type,
    /// A word where the wire has few.
    Value,
    /// What follows what on one leg of a call.
    Order,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Webhook => "webhook",
            Self::Field => "field",
            Self::Type => "type",
            Self::Value => "value",
            Self::Order => "order",
        })
    }
}

/// What is new in captured webhooks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Learned {
    /// How many webhooks were looked at.
    pub webhooks: u64,
    /// What is new, and how often it was seen.
    pub new: Vec<Counted>,
}

/// Something new, and how often it was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counted {
    /// What.
    #[serde(flatten)]
    pub novelty: Novelty,
    /// How often.
    pub count: u64,
    /// Where first, as `FILE:LINE`.
    pub first: String,
}

/// Compares captures with the model; the order of webhooks counts within each capture.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::judge::learn::{Capture, learn};
///
/// let body = r#"{"cmiuuid":"x","leg":"a","status":"misssed","duration":0}"#;
/// let learned = learn(&[Capture::parse("bodies.jsonl", body)?]);
/// assert_eq!(learned.new[0].novelty.found, "misssed");
/// # Ok::<(), piopiy_mock_platform::judge::learn::CaptureError>(())
/// ```
#[must_use]
pub fn learn(captures: &[Capture]) -> Learned {
    let known = Known::of_the_model();
    let mut found = Found::default();
    let mut webhooks = 0;
    for capture in captures {
        let mut legs: BTreeMap<String, Vec<(Step, String)>> = BTreeMap::new();
        let mut seen = std::collections::BTreeSet::new();
        for (line, body) in capture.bodies() {
            webhooks += 1;
            let place = format!("{}:{line}", capture.place());
            let webhook = Webhook::parse(body.as_bytes());
            let Some((webhook, kind)) =
                webhook.ok().and_then(|webhook| Some((webhook.clone(), webhook.kind()?)))
            else {
                let fields = fields_of(body).join(", ");
                found.add(What::Webhook, "", None, format!("no event and no CDR; fields: {fields}"), &place);
                continue;
            };
            let status = webhook.text("status").unwrap_or_default().into_owned();
            compare(&known, &webhook, kind, &status, &place, &mut found);
            // Repeats say nothing about the order.
            if let Some(identity) = webhook.identity()
                && seen.insert(identity.key())
            {
                let leg = format!("{}/{}", identity.cmiuuid(), identity.leg().unwrap_or_default());
                legs.entry(leg).or_default().push(((kind, status), place));
            }
        }
        for steps in legs.values() {
            for pair in steps.windows(2) {
                let ((before, _), (after, place)) = (&pair[0], &pair[1]);
                // A word that is new by itself was told already.
                let are_known = known.has_status(before.0, &before.1) && known.has_status(after.0, &after.1);
                if are_known && !known.follows(before, after) {
                    let told = format!("{} after {}", named(after.0, &after.1), named(before.0, &before.1));
                    found.add(What::Order, "one leg", None, told, place);
                }
            }
        }
    }
    Learned {
        webhooks,
        new: found.0.into_iter().map(|(novelty, (count, first))| Counted { novelty, count, first }).collect(),
    }
}

/// One thing that happens on a leg.
type Step = (Kind, String);

#[derive(Default)]
struct Found(BTreeMap<Novelty, (u64, String)>);

impl Found {
    fn add(&mut self, what: What, within: &str, field: Option<&str>, found: String, place: &str) {
        let novelty = Novelty { what, within: within.to_owned(), field: field.map(masked), found };
        self.0.entry(novelty).or_insert_with(|| (0, place.to_owned())).0 += 1;
    }
}

fn compare(known: &Known, webhook: &Webhook, kind: Kind, status: &str, place: &str, found: &mut Found) {
    if !known.has_status(kind, status) {
        // Which fields it has cannot be compared with anything then, but for those that all have.
        let told = word(status);
        found.add(What::Value, kind.as_str(), Some("status"), told, place);
    }
    let within = named(kind, status);
    for (key, value) in webhook.members() {
        let Some(types) = known.types(kind, status, &key) else {
            found.add(What::Field, &within, Some(&key), type_name(value.json_type()).to_owned(), place);
            continue;
        };
        if !types.contains(&value.json_type()) {
            found.add(What::Type, &within, Some(&key), type_name(value.json_type()).to_owned(), place);
        } else if let Some(words) = known.words(kind, &key)
            && key != "status"
            && let Some(text) = value.text()
            && !words.contains(text.as_ref())
        {
            found.add(What::Value, &within, Some(&key), word(&text), place);
        }
    }
}

fn named(kind: Kind, status: &str) -> String {
    format!("{} {}", kind.as_str(), word(status))
}

fn type_name(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Null => "null",
        JsonType::Boolean => "boolean",
        JsonType::Number => "number",
        JsonType::String => "string",
        JsonType::Array => "array",
        JsonType::Object => "object",
    }
}

/// The names of the members of an object, masked.
fn fields_of(body: &str) -> Vec<String> {
    let members = serde_json::from_str::<BTreeMap<String, serde::de::IgnoredAny>>(body);
    members
        .map_or_else(|_| vec!["none".to_owned()], |members| members.keys().map(|key| masked(key)).collect())
}

/// A word as it may be told: short and of letters. Anything else may be a name or a number.
fn word(text: &str) -> String {
    const LONGEST: usize = 40;
    let is_word = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.');
    if text.is_empty() {
        "(empty)".to_owned()
    } else if text.len() <= LONGEST && text.chars().all(is_word) {
        text.to_owned()
    } else {
        format!("(a text of {} characters)", text.chars().count())
    }
}

/// A name of a field, without digits, and cut.
fn masked(key: &str) -> String {
    const LONGEST: usize = 60;
    let digits = key.bytes().filter(u8::is_ascii_digit).count();
    let is_hex = key.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if digits >= 4 && ((is_hex && key.len() >= 16) || (key.len() >= 24 && !key.contains('_'))) {
        return "(an id)".to_owned();
    }
    key.chars().take(LONGEST).map(|c| if c.is_ascii_digit() { '#' } else { c }).collect()
}

#[cfg(test)]
mod tests;
