//! The bodies of v3, as the vendor's SDKs check them (their copy of the server's schema): a table that bodies are
//! checked with and that the OpenAPI document is made of.

mod schema;

use serde_json::{Map, Value};

pub(in crate::platform::rest) use schema::schema;

/// The members of an object; there are no others.
pub(in crate::platform::rest) type Shape = &'static [Member];

#[derive(Debug, Clone, Copy)]
pub(in crate::platform::rest) struct Member {
    key: &'static str,
    required: bool,
    kind: Kind,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// A string of 7 to 16 digits, the first not 0.
    Phone,
    Uuid,
    /// A string of so many characters.
    Text(usize, usize),
    Whole(i64, i64),
    Number(f64, f64),
    Flag,
    Word(&'static [&'static str]),
    /// An `http` or `https` URL, as far as its beginning says.
    Url,
    /// Any value: SDK.md knows three types for it.
    Any,
    Object(Shape),
    /// The same, with further members that its `type` requires.
    Typed(Shape, Requires),
    /// An object of the user's own, whatever is in it.
    Headers,
    /// The user's own: names, and values that are text, numbers or yes and no.
    Variables,
    /// The same, at most ten, with short texts.
    Data,
    /// At least one of these words, and none twice.
    Words(&'static [&'static str]),
    Endpoints,
    /// At least one action; whether `connect` needs a `caller_id`.
    Pipeline(bool),
}

/// Which members each `type` requires.
type Requires = &'static [(&'static str, &'static [&'static str])];

/// What has no bound but that of the body.
const ANY_TEXT: Kind = Kind::Text(0, usize::MAX);
const COUNT: Kind = Kind::Whole(1, i64::MAX);

const fn needs(key: &'static str, kind: Kind) -> Member {
    Member { key, required: true, kind }
}

const fn may(key: &'static str, kind: Kind) -> Member {
    Member { key, required: false, kind }
}

const OPTIONS: Shape = &[
    may("max_duration_sec", Kind::Whole(30, 7_200)),
    may("record", Kind::Flag),
    may("ring_timeout_sec", Kind::Whole(5, 120)),
];

pub(in crate::platform::rest) const AI_CALL: Shape = &[
    needs("caller_id", Kind::Phone),
    needs("to_number", Kind::Phone),
    needs("agent_id", Kind::Uuid),
    may("options", Kind::Object(OPTIONS)),
    may("variables", Kind::Variables),
];

pub(in crate::platform::rest) const PCMO_CALL: Shape = &[
    needs("caller_id", Kind::Phone),
    needs("to_number", Kind::Phone),
    needs("app_id", ANY_TEXT),
    needs("pipeline", Kind::Pipeline(true)),
    may("options", Kind::Object(OPTIONS)),
    may("variables", Kind::Variables),
    may("agent_id", Kind::Uuid),
];

pub(in crate::platform::rest) const FLOW_CALL: Shape = &[
    needs("flow_id", Kind::Uuid),
    needs("org_id", Kind::Uuid),
    needs("caller_id", Kind::Phone),
    needs("to_number", Kind::Phone),
    needs("app_id", ANY_TEXT),
    may("options", Kind::Object(OPTIONS)),
    may("variables", Kind::Variables),
];

pub(in crate::platform::rest) const TRANSFER: Shape =
    &[needs("call_id", Kind::Uuid), needs("pipeline", Kind::Pipeline(true))];

pub(in crate::platform::rest) const HANG_UP: Shape =
    &[needs("call_id", Kind::Uuid), may("cause", Kind::Text(1, 64)), may("reason", Kind::Text(1, 256))];

pub(in crate::platform::rest) const HANG_UP_ACTION: Shape =
    &[may("cause", Kind::Text(1, 64)), may("reason", Kind::Text(1, 256))];

pub(in crate::platform::rest) const TRANSFER_ACTION: Shape = &[
    may("to_number", Kind::Phone),
    may("sip_uri", ANY_TEXT),
    may("caller_id", Kind::Phone),
    // The SDK sends whatever whole number it is given, and no page has a bound.
    may("timeout_sec", COUNT),
    may("confirm", Kind::Flag),
    may("hold_audio", Kind::Any),
    may("transfer_summary", ANY_TEXT),
    may("sip_headers", Kind::Headers),
    may("variables", Kind::Variables),
    // The SDK sends `connect` without a `caller_id` here.
    may("pipeline", Kind::Pipeline(false)),
];

const RECORDING: Shape = &[
    may("enabled", Kind::Flag),
    may("channels", Kind::Word(&["dual", "single"])),
    may("format", Kind::Word(&["mp3", "wav"])),
];

const CONNECT_OPTIONS: Shape = &[
    may("max_duration_sec", Kind::Whole(10, 7_200)),
    may("ring_timeout_sec", Kind::Whole(5, 120)),
    may("machine_detection", Kind::Flag),
    may("recording", Kind::Object(RECORDING)),
    may("waiting_music", ANY_TEXT),
];

const CONNECT_PARAMS: [Shape; 2] = [
    &[
        may("caller_id", Kind::Phone),
        may("strategy", Kind::Word(&["sequential", "simultaneous"])),
        may("options", Kind::Object(CONNECT_OPTIONS)),
        may("metadata", Kind::Variables),
    ],
    &[
        needs("caller_id", Kind::Phone),
        may("strategy", Kind::Word(&["sequential", "simultaneous"])),
        may("options", Kind::Object(CONNECT_OPTIONS)),
        may("metadata", Kind::Variables),
    ],
];

const PROMPT: Kind = Kind::Typed(
    &[
        needs("type", Kind::Word(&["file", "say"])),
        may("file_name", ANY_TEXT),
        may("say", ANY_TEXT),
        may("voice_id", ANY_TEXT),
        may("language", ANY_TEXT),
        may("speed", Kind::Number(0.5, 2.0)),
    ],
    &[("file", &["file_name"]), ("say", &["say", "language", "voice_id", "speed"])],
);

const DTMF: Shape = &[
    may("min_digits", COUNT),
    may("max_digits", COUNT),
    may("finish_on_key", Kind::Text(0, 1)),
    may("first_digit_timeout", COUNT),
    may("inter_digit_timeout", COUNT),
    may("flush_buffer", Kind::Flag),
];

const RETRIES: Shape =
    &[may("max", Kind::Whole(0, i64::MAX)), may("no_input_prompt", PROMPT), may("invalid_prompt", PROMPT)];

const ON_RESULT: Kind = Kind::Typed(
    &[needs("type", Kind::Word(&["url", "pcmo"])), may("url", Kind::Url), may("ref", ANY_TEXT)],
    &[("url", &["url"]), ("pcmo", &["ref"])],
);

/// The actions of a pipeline; `action` is among the members of none.
const ACTIONS: [(&str, [Shape; 2]); 7] = {
    const PLAY: Shape = &[needs("file_name", ANY_TEXT)];
    const ASK: Shape = &[
        needs("prompt", PROMPT),
        needs("input", Kind::Words(&["dtmf", "speech"])),
        needs("on_result", ON_RESULT),
        may("dtmf", Kind::Object(DTMF)),
        may("retries", Kind::Object(RETRIES)),
    ];
    const INPUT: Shape = &[needs("on_result", ON_RESULT), may("dtmf", Kind::Object(DTMF))];
    const PARAM: Shape = &[needs("data", Kind::Data)];
    const RECORD: Shape =
        &[may("format", Kind::Word(&["mp3", "wav"])), may("channels", Kind::Word(&["single", "dual"]))];
    const CONNECT: [Shape; 2] = [
        &[needs("params", Kind::Object(CONNECT_PARAMS[0])), needs("endpoints", Kind::Endpoints)],
        &[needs("params", Kind::Object(CONNECT_PARAMS[1])), needs("endpoints", Kind::Endpoints)],
    ];
    [
        ("connect", CONNECT),
        ("play", [PLAY; 2]),
        ("play_get_input", [ASK; 2]),
        ("param", [PARAM; 2]),
        ("record", [RECORD; 2]),
        ("hangup", [&[]; 2]),
        ("input", [INPUT; 2]),
    ]
};

/// What an endpoint of another type may have with it, whatever it is.
const UNREAD: [Member; 3] = [may("number", Kind::Any), may("uri", Kind::Any), may("id", Kind::Any)];
const HEADERS: Member = may("headers", Kind::Headers);

/// Those that can be called; `type` is among the members of none.
const ENDPOINTS: [(&str, Shape); 3] = [
    ("pstn", &[needs("number", Kind::Phone), UNREAD[1], UNREAD[2], HEADERS]),
    ("sip", &[UNREAD[0], needs("uri", ANY_TEXT), UNREAD[2], HEADERS]),
    ("agent", &[UNREAD[0], UNREAD[1], needs("id", Kind::Uuid), HEADERS]),
];

/// Whether a body is of a shape; where it is not, and what is wanted there.
pub(in crate::platform::rest) fn check(shape: Shape, body: &Map<String, Value>) -> Result<(), String> {
    members(shape, body, None, "")
}

fn members(shape: Shape, object: &Map<String, Value>, besides: Option<&str>, at: &str) -> Result<(), String> {
    if let Some(missing) = shape.iter().find(|member| member.required && !object.contains_key(member.key)) {
        return Err(format!("{at}/{} is required", missing.key));
    }
    for (key, value) in object {
        if besides == Some(key.as_str()) {
            continue;
        }
        let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        match shape.iter().find(|member| member.key == key) {
            Some(member) => fits(member.kind, value, &at)?,
            None => return Err(format!("{at} is not known here")),
        }
    }
    Ok(())
}

fn fits(kind: Kind, value: &Value, at: &str) -> Result<(), String> {
    let wants = |what: &str| Err(format!("{at} must be {what}"));
    let text = value.as_str();
    match kind {
        Kind::Any => Ok(()),
        Kind::Phone if text.is_some_and(is_phone) => Ok(()),
        Kind::Phone => wants("a string of 7 to 16 digits, the first not 0"),
        Kind::Uuid if text.is_some_and(is_uuid) => Ok(()),
        Kind::Uuid => wants("a UUID"),
        Kind::Text(least, most) => match text.map(|text| text.chars().count()) {
            Some(length) if (least..=most).contains(&length) => Ok(()),
            _ if most == usize::MAX => wants("a string"),
            _ => wants(&format!("a string of {least} to {most} characters")),
        },
        // As a JSON Schema has it, 60.0 is a whole number.
        Kind::Whole(least, most) => match whole(value) {
            Some(number) if (least..=most).contains(&number) => Ok(()),
            _ if most == i64::MAX => wants(&format!("a whole number of at least {least}")),
            _ => wants(&format!("a whole number from {least} to {most}")),
        },
        Kind::Number(least, most) => match value.as_f64() {
            Some(number) if (least..=most).contains(&number) => Ok(()),
            _ => wants(&format!("a number from {least} to {most}")),
        },
        Kind::Url
            if text.is_some_and(|text| ["http://", "https://"].iter().any(|it| text.starts_with(it))) =>
        {
            Ok(())
        }
        Kind::Url => wants("a URL that begins with http:// or https://"),
        Kind::Flag if value.is_boolean() => Ok(()),
        Kind::Flag => wants("true or false"),
        Kind::Word(words) if text.is_some_and(|text| words.contains(&text)) => Ok(()),
        Kind::Word(words) => wants(&format!("one of {}", words.join(", "))),
        Kind::Object(shape) => match value.as_object() {
            Some(object) => members(shape, object, None, at),
            None => wants("an object"),
        },
        Kind::Typed(shape, requires) => {
            let Some(object) = value.as_object() else { return wants("an object") };
            members(shape, object, None, at)?;
            let kind = object.get("type").and_then(Value::as_str);
            let required = requires.iter().find(|(name, _)| Some(*name) == kind).map(|(_, keys)| *keys);
            let missing = required.unwrap_or_default().iter().find(|key| !object.contains_key(**key));
            missing.map_or(Ok(()), |key| Err(format!("{at}/{key} is required")))
        }
        Kind::Headers if value.is_object() => Ok(()),
        Kind::Headers => wants("an object"),
        Kind::Variables | Kind::Data => variables(kind, value, at),
        Kind::Words(words) => match value.as_array() {
            Some(items) if !items.is_empty() => {
                if let Some(n) = (1..items.len()).find(|&n| items[..n].contains(&items[n])) {
                    return Err(format!("{at}/{n} is there twice"));
                }
                let mut items = items.iter().enumerate();
                items.try_for_each(|(n, item)| fits(Kind::Word(words), item, &format!("{at}/{n}")))
            }
            _ => wants("an array of at least one word"),
        },
        Kind::Endpoints => endpoints(value, at),
        Kind::Pipeline(needs_caller) => pipeline(needs_caller, value, at),
    }
}

fn variables(kind: Kind, value: &Value, at: &str) -> Result<(), String> {
    let Some(object) = value.as_object() else { return Err(format!("{at} must be an object")) };
    let is_data = matches!(kind, Kind::Data);
    if is_data && object.len() > 10 {
        return Err(format!("{at} may have at most 10 members"));
    }
    for (key, value) in object {
        if !is_name(key) {
            return Err(format!("{at}: {key:?} is no name: letters, digits and _, no digit first"));
        }
        let fine = value.is_number() || value.is_boolean() || value.is_string();
        if !fine || (is_data && value.as_str().is_some_and(|text| text.chars().count() > 256)) {
            return Err(format!("{at}/{key} must be a text, a number, true or false"));
        }
    }
    Ok(())
}

fn endpoints(value: &Value, at: &str) -> Result<(), String> {
    let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
        return Err(format!("{at} must be an array of at least one endpoint"));
    };
    let mut agents = 0;
    for (n, item) in items.iter().enumerate() {
        let at = format!("{at}/{n}");
        let Some(object) = item.as_object() else { return Err(format!("{at} must be an object")) };
        let kind = object.get("type").and_then(Value::as_str);
        let Some((name, shape)) = ENDPOINTS.iter().find(|(name, _)| Some(*name) == kind) else {
            return Err(format!("{at}/type must be one of pstn, sip, agent"));
        };
        members(shape, object, Some("type"), &at)?;
        match *name {
            "agent" => agents += 1,
            _ if agents > 0 => return Err(format!("{at}: agents come last")),
            _ => {}
        }
    }
    if agents > 2 { Err(format!("{at} may have at most 2 agents")) } else { Ok(()) }
}

fn pipeline(needs_caller: bool, value: &Value, at: &str) -> Result<(), String> {
    let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
        return Err(format!("{at} must be an array of at least one action"));
    };
    for (n, item) in items.iter().enumerate() {
        let at = format!("{at}/{n}");
        let Some(object) = item.as_object() else { return Err(format!("{at} must be an object")) };
        let name = object.get("action").and_then(Value::as_str);
        let Some((_, shapes)) = ACTIONS.iter().find(|(known, _)| Some(*known) == name) else {
            let known: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
            return Err(format!("{at}/action must be one of {}", known.join(", ")));
        };
        members(shapes[usize::from(needs_caller)], object, Some("action"), &at)?;
    }
    Ok(())
}

#[expect(clippy::cast_possible_truncation, reason = "it saturates, and what is checked has bounds")]
pub(super) fn whole(value: &Value) -> Option<i64> {
    let of_float = || value.as_f64().filter(|number| number.fract() == 0.0).map(|number| number as i64);
    value.as_i64().or_else(of_float)
}

fn is_phone(text: &str) -> bool {
    (7..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0')
}

/// As the Python SDK takes it: with or without dashes, in braces or not.
fn is_uuid(text: &str) -> bool {
    let bare = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let digits = bare.replace('-', "");
    digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_name(text: &str) -> bool {
    let starts = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    starts && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests;
