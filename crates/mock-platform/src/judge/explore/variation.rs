use piopiy_events::{JsonType, Raw};

use crate::judge::check::Payload;

/// A change of a webhook that a right receiver takes all the same, as a check of the catalogue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Variation {
    /// The check that says so; its severity is MUST.
    pub(super) check: &'static str,
    /// The member; empty where it is about all of them.
    key: &'static str,
    change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// Gives the member a value, JSON text; one that is not there stays away.
    Replace(&'static str),
    /// Adds the member, or gives it a value.
    Add(&'static str),
    /// Leaves the member out.
    Omit,
    /// Writes a number as a text.
    Quote,
    /// Gives the member another name.
    Rename(&'static str),
    /// Writes the members the other way round.
    Reverse,
    /// Writes white space between and around the members.
    Spread,
}

/// Members whose stored values have to be those that were sent.
pub(super) const STORED: [&str; 13] = [
    "from",
    "to",
    "appid",
    "time",
    "start_time",
    "end_time",
    "answer_time",
    "duration",
    "callerid",
    "call_rate",
    "balance",
    "vn",
    "extra_params",
];

pub(super) const VARIATIONS: &[Variation] = &[
    of("SCH-001", "something_new", Change::Add("\"x\"")),
    of("SCH-001", "something_new", Change::Add("1.5")),
    of("SCH-001", "something_new", Change::Add("null")),
    of("SCH-001", "something_new", Change::Add(r#"{"a":{"b":[1]}}"#)),
    of("SCH-001", "something_new", Change::Add("[1,[],{}]")),
    of("SCH-005", "from", Change::Quote),
    of("SCH-005", "to", Change::Quote),
    of("SCH-005", "appid", Change::Quote),
    of("SCH-005", "time", Change::Quote),
    of("SCH-005", "start_time", Change::Quote),
    of("SCH-005", "end_time", Change::Quote),
    of("SCH-005", "duration", Change::Quote),
    of("SCH-006", "callerid", Change::Replace("\"04471000000\"")),
    of("SCH-006", "call_rate", Change::Replace("0.45")),
    of("SCH-007", "from", Change::Replace("\"+440000000001\"")),
    of("SCH-007", "from", Change::Replace("\"0440000001\"")),
    of("SCH-007", "from", Change::Replace("999999999999999")),
    of("SCH-007", "from", Change::Replace("\"sip:alice@example.com\"")),
    of("SCH-007", "from", Change::Replace("\"anonymous\"")),
    of("PIO-002", "call_rate", Change::Replace("0")),
    of("PIO-002", "call_rate", Change::Replace("\"0.450000\"")),
    of("PIO-002", "balance", Change::Replace("899.000001")),
    of("PIO-003", "appid", Change::Rename("app_id")),
    of("PIO-005", "extra_params", Change::Omit),
    of("PIO-005", "extra_params", Change::Add(r#""{\"key\":\"value\"}""#)),
    of("PIO-005", "extra_params", Change::Add(r#""{ 'Name': 'Akil', 'ID':8915726 }""#)),
    of("PIO-005", "extra_params", Change::Add(r#""{k=v}""#)),
    of("PIO-005", "extra_params", Change::Add(r#"{"key":"value"}"#)),
    of("JSN-009", "", Change::Spread),
    of("JSN-025", "", Change::Reverse),
];

const fn of(check: &'static str, key: &'static str, change: Change) -> Variation {
    Variation { check, key, change }
}

impl Variation {
    /// The webhook, changed. Where there is nothing to change it stays as it is.
    pub(super) fn apply(self, payload: Payload) -> Payload {
        let Some(webhook) = payload.webhook() else { return payload };
        let value = webhook.get(self.key).cloned();
        match (self.change, value) {
            (Change::Replace(to), Some(_)) | (Change::Add(to), _) => payload.with(self.key, to),
            (Change::Omit, Some(_)) => payload.without(self.key),
            (Change::Quote, Some(number)) if number.json_type() == JsonType::Number => {
                payload.with(self.key, Raw::string(&number.plain()).as_json())
            }
            (Change::Rename(to), Some(value)) => payload.without(self.key).with(to, value.as_json()),
            (Change::Reverse | Change::Spread, _) => {
                let member = |(key, value): &(String, Raw)| {
                    format!("{}:{}", Raw::string(key).as_json(), value.as_json())
                };
                let mut members: Vec<String> = webhook.members().iter().map(member).collect();
                if self.change == Change::Reverse {
                    members.reverse();
                    return payload.of_bytes(format!("{{{}}}", members.join(",")));
                }
                payload.of_bytes(format!("\r\n {{\n\t{}\n}}\n", members.join(" ,\r\n\t")))
            }
            _ => payload,
        }
    }

    /// What is changed, for people.
    pub(super) fn words(self) -> String {
        let Self { check, key, change } = self;
        let what = match change {
            Change::Replace(value) | Change::Add(value) => format!("`{key}` {value}"),
            Change::Omit => format!("no `{key}`"),
            Change::Quote => format!("`{key}` as a text"),
            Change::Rename(to) => format!("`{key}` named `{to}`"),
            Change::Reverse => "its members the other way round".to_owned(),
            Change::Spread => "white space between its members".to_owned(),
        };
        format!("{what} ({check})")
    }
}
