use std::collections::BTreeSet;

use proptest::prelude::*;

use crate::json::escape;
use crate::{Raw, Webhook};

/// Numbers that break readers which go through floating point, and what else JSON allows to look odd.
const NUMBERS: &[&str] = &[
    "0",
    "-0",
    "12.0",
    "1e400",
    "-1E-400",
    "0.1e+3",
    "9007199254740993",
    "123456789012345678901234567890",
    "1725975496000",
    "-1",
    "4.5000",
    "-9223372036854775808",
    "9223372036854775807",
    "1725975496",
];

/// The insides of strings: escapes, surrogates alone and in pairs, what looks like another type.
const STRINGS: &[&str] = &[
    "",
    "a",
    "missed",
    "answered",
    "STREAM_DISCONNECTED",
    "cdr",
    "event",
    "c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0",
    "04471000000",
    " 918035731375",
    "null",
    "\\u0000",
    "\\ud83d\\ude00",
    "\\ud800",
    "\\udfff",
    "\\\\ud800",
    "\u{fffd}",
    "\\u0061",
    "\\u0063dr",
    "\\u0065vent",
    "\\u0061nswered",
    "\\u006fut_bridged",
    "in\\u0062ound",
    "12\\u0033",
    "\\\"\\\\\\/\\b\\f\\n\\r\\t",
    "\u{e9}\u{1f600}\u{2028}",
    "}]",
    "\u{7f}",
];

/// The insides of keys: documented ones, one of them spelt with an escape, and others.
const KEYS: &[&str] = &[
    "status",
    "cmiuuid",
    "leg",
    "time",
    "duration",
    "type",
    "appid",
    "from",
    "to",
    "direction",
    "extra_params",
    "conversation_uuid",
    "start_time",
    "answer_time",
    "end_time",
    "ws_status",
    "\\u0073tatus",
    "le\\u0067",
    "x",
    "",
    "X-Ray",
    "a/b",
    "a~b",
    "\\n",
    "\\ud800",
    "\\udfff",
    "\u{fffd}",
    "\u{e9}",
    "__proto__",
];

/// Any JSON value, up to four levels deep: odd numbers, odd strings, white space inside.
pub fn any_json() -> BoxedStrategy<Raw> {
    let leaf = prop_oneof![
        2 => prop::sample::select(&["null", "true", "false", "{}", "[]"][..]).prop_map(str::to_owned),
        3 => prop::sample::select(NUMBERS).prop_map(str::to_owned),
        2 => any::<i64>().prop_map(|number| number.to_string()),
        4 => prop::sample::select(STRINGS).prop_map(|inner| format!("\"{inner}\"")),
        1 => prop::collection::vec(prop::char::any(), 0..6)
            .prop_map(|chars| Raw::string(&chars.into_iter().collect::<String>()).as_json().to_owned()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            (prop::collection::vec(inner.clone(), 0..4), white_space())
                .prop_map(|(items, space)| format!("[{space}{}]", items.join(&format!(",{space}")))),
            (members(inner), white_space()).prop_map(|(members, space)| object_of(&members, space)),
        ]
    })
    .prop_map(|token| Raw::from_token(&token))
    .boxed()
}

/// Any JSON object, as text: documented and unknown keys, in any order, with any values.
pub fn any_object() -> BoxedStrategy<String> {
    let value = any_json().prop_map(|value| value.as_json().to_owned());
    (members(value.boxed()), white_space()).prop_map(|(members, space)| object_of(&members, space)).boxed()
}

/// Any JSON object as a webhook; many are unrecognised.
pub fn any_webhook() -> BoxedStrategy<Webhook> {
    any_object().prop_filter_map("an object", |json| Webhook::parse(json.as_bytes()).ok()).boxed()
}

fn white_space() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["", "", " ", "\r\n\t"][..])
}

/// Members with keys that differ, however they are spelt.
fn members(value: BoxedStrategy<String>) -> impl Strategy<Value = Vec<(&'static str, String)>> {
    prop::collection::vec((prop::sample::select(KEYS), value), 0..12).prop_map(|mut members| {
        let mut seen = BTreeSet::new();
        members.retain(|(key, _)| seen.insert(escape::compared(key).into_owned()));
        members
    })
}

fn object_of(members: &[(&'static str, String)], space: &str) -> String {
    let members: Vec<_> =
        members.iter().map(|(key, value)| format!("{space}\"{key}\"{space}:{value}")).collect();
    format!("{{{}{space}}}", members.join(","))
}
