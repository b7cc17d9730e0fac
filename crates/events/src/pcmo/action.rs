use std::borrow::Cow;

use super::{
    Bridge, Clear, Connect, Endpoint, Hangup, Input, Param, Play, PlayGetInput, Record, Speak, Stream,
};
use crate::json::{escape, scan};
use crate::{Field, Limits, List, OpenObject, Raw, Text};

/// The generation of the API that an action's keys belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Generation {
    /// `appid` and `secret`, v1 and v2: call flows.
    Legacy,
    /// Bearer token, v3: pipelines.
    V3,
}

/// An action that is documented, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct DocumentedAction {
    /// `action` on the wire.
    pub name: &'static str,
    /// The fields of both generations.
    pub fields: &'static [Field],
}

macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)*) => {
        /// One step of a call flow. `action` decides which, by its exact text.
        ///
        /// # Examples
        /// ```
        /// use piopiy_events::pcmo::{Action, Generation};
        ///
        /// let action = Action::bridge(19_170_000_000, &[440_000_000_000]);
        /// assert_eq!(
        ///     action.to_json(),
        ///     r#"{"action":"bridge","from":19170000000,"connect":[{"type":"pstn","number":440000000000}]}"#,
        /// );
        /// assert_eq!(action.generation(), Some(Generation::Legacy));
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Action {
            $($(#[doc = $doc])+ $variant(Box<$variant>),)*
            /// Any other JSON value, as it came: an unknown action, or no object at all.
            Other(Raw),
        }

        impl Action {
            /// The documented actions.
            pub const DOCUMENTED: &'static [DocumentedAction] = &[
                $(DocumentedAction { name: $name, fields: $variant::FIELDS }),*
            ];

            /// Takes any JSON value.
            #[must_use]
            pub fn from_raw(raw: Raw) -> Self {
                let Ok(members) = scan::object(raw.as_json().as_bytes(), &Limits::NONE) else {
                    return Self::Other(raw);
                };
                let action = members.iter().find(|member| escape::spells(member.key, "action"));
                match action.and_then(|member| Raw::from_token(member.value).text().map(Cow::into_owned)) {
                    $(Some(name) if name == $name => Self::$variant(Box::new($variant::from_members(&members))),)*
                    _ => Self::Other(raw),
                }
            }

            /// The `action`, where the value has one.
            #[must_use]
            pub fn name(&self) -> Option<Cow<'static, str>> {
                match self {
                    $(Self::$variant(_) => Some(Cow::Borrowed($name)),)*
                    Self::Other(raw) => {
                        let members = scan::object(raw.as_json().as_bytes(), &Limits::NONE).ok()?;
                        let action = members.iter().find(|member| escape::spells(member.key, "action"))?;
                        Raw::from_token(action.value).text().map(|text| Cow::Owned(text.into_owned()))
                    }
                }
            }

            /// The value of a member, documented or not.
            #[must_use]
            pub fn get(&self, key: &str) -> Option<Raw> {
                match self {
                    $(Self::$variant(object) => object.get(key).cloned(),)*
                    Self::Other(raw) => {
                        let members = scan::object(raw.as_json().as_bytes(), &Limits::NONE).ok()?;
                        let member = members.iter().find(|member| escape::spells(member.key, key))?;
                        Some(Raw::from_token(member.value))
                    }
                }
            }

            /// Appends the action as JSON, values as they came.
            pub fn write_json(&self, out: &mut String) {
                match self {
                    $(Self::$variant(object) => object.write_json(out),)*
                    Self::Other(raw) => out.push_str(raw.as_json()),
                }
            }
        }

        $(
            impl From<$variant> for Action {
                fn from(action: $variant) -> Self {
                    Self::$variant(Box::new(action))
                }
            }

            impl $variant {
                /// The action without any option.
                #[must_use]
                pub fn new() -> Self {
                    Self { action: Some(Text::new($name)), ..Self::default() }
                }
            }
        )*
    };
}

actions! {
    /// Plays a file.
    Play = "play",
    /// Says a text.
    Speak = "speak",
    /// Calls telephone numbers and joins them to the call.
    Bridge = "bridge",
    /// Legacy: calls SIP users. v3: calls telephone numbers, SIP addresses or agents.
    Connect = "connect",
    /// Collects digits.
    Input = "input",
    /// Plays a file or says a text, and collects digits or speech.
    PlayGetInput = "play_get_input",
    /// Records the call.
    Record = "record",
    /// Ends the call.
    Hangup = "hangup",
    /// Gives the call parameters of the user's own.
    Param = "param",
    /// Opens an audio stream over a WebSocket.
    Stream = "stream",
    /// Drops the actions that are left; only in the overview's table, with no sample.
    Clear = "clear",
}

impl Action {
    /// Plays a file from the platform's storage.
    #[must_use]
    pub fn play_file(name: &str) -> Self {
        Play { file_name: Some(name.into()), ..Play::new() }.into()
    }

    /// Plays a file from a web server (mp3 or wav).
    #[must_use]
    pub fn play_url(url: &str) -> Self {
        Play { file_url: Some(url.into()), ..Play::new() }.into()
    }

    /// Says a text.
    #[must_use]
    pub fn speak(text: &str) -> Self {
        Speak { text: Some(text.into()), ..Speak::new() }.into()
    }

    /// Calls telephone numbers, showing `from`, and joins the first that answers.
    #[must_use]
    pub fn bridge(from: i64, numbers: &[i64]) -> Self {
        Bridge {
            from: Some(from.into()),
            connect: Some(numbers.iter().map(|&number| Endpoint::pstn(number)).collect()),
            ..Bridge::new()
        }
        .into()
    }

    /// v3: calls endpoints one after the other. Without a `caller_id` in its `params`, which a flow that places a call has to have
    /// (`/voice/pcmo/call` refuses it otherwise): a transfer shows that of the call.
    #[must_use]
    pub fn connect(endpoints: &[Endpoint]) -> Self {
        Connect {
            params: Some(super::ConnectParams::default().into()),
            endpoints: Some(List::new(endpoints)),
            ..Connect::new()
        }
        .into()
    }

    /// Legacy: collects up to `max_digit` digits and posts them to `action_url`.
    #[must_use]
    pub fn input(max_digit: i64, action_url: &str) -> Self {
        Input { max_digit: Some(max_digit.into()), action_url: Some(action_url.into()), ..Input::new() }
            .into()
    }

    /// Opens an audio stream to a WebSocket server; `listen_mode` is `caller`, `callee` or `both`.
    #[must_use]
    pub fn stream(ws_url: &str, listen_mode: &str) -> Self {
        Stream { ws_url: Some(ws_url.into()), listen_mode: Some(listen_mode.into()), ..Stream::new() }.into()
    }

    /// Legacy: gives the call a text that comes back as `extra_params`.
    #[must_use]
    pub fn param(text: &str) -> Self {
        Param { text: Some(text.into()), ..Param::new() }.into()
    }

    /// Records the call.
    #[must_use]
    pub fn record() -> Self {
        Record::new().into()
    }

    /// Ends the call.
    #[must_use]
    pub fn hangup() -> Self {
        Hangup::new().into()
    }

    /// The action as JSON, values as they came.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }

    /// Which generation the keys belong to; `None` where they belong to both (`{"action":"hangup"}`) or to none.
    ///
    /// `speak`, `bridge`, `stream` and `clear` are legacy. Of the others, the first rule that holds decides: a key
    /// that only v3 has (`params`, `endpoints`; `prompt`, `input`, `on_result`, `dtmf`, `retries`; `format`,
    /// `channels`; `data`) means v3; a key that only the legacy generation has (`call`, `connect`, `from`;
    /// `action_url`, `max_digit`; `file_url`; `text`) means legacy.
    #[must_use]
    pub fn generation(&self) -> Option<Generation> {
        let (legacy, v3) = match self {
            Self::Speak(_) | Self::Bridge(_) | Self::Stream(_) | Self::Clear(_) => {
                return Some(Generation::Legacy);
            }
            Self::Play(play) => (play.file_url.is_some(), false),
            Self::Connect(connect) => (
                connect.call.is_some() || connect.connect.is_some() || connect.from.is_some(),
                connect.params.is_some() || connect.endpoints.is_some(),
            ),
            Self::Input(input) => (
                input.action_url.is_some() || input.max_digit.is_some(),
                input.on_result.is_some() || input.dtmf.is_some(),
            ),
            Self::PlayGetInput(input) => (
                input.action_url.is_some() || input.max_digit.is_some() || input.file_url.is_some(),
                input.prompt.is_some()
                    || input.input.is_some()
                    || input.on_result.is_some()
                    || input.dtmf.is_some()
                    || input.retries.is_some(),
            ),
            Self::Record(record) => (false, record.format.is_some() || record.channels.is_some()),
            Self::Param(param) => (param.text.is_some(), param.data.is_some()),
            Self::Hangup(_) | Self::Other(_) => (false, false),
        };
        match (v3, legacy) {
            (true, _) => Some(Generation::V3),
            (false, true) => Some(Generation::Legacy),
            (false, false) => None,
        }
    }
}

impl crate::Document for Action {
    const SHAPE: crate::Shape = crate::Shape::Action;

    fn read(json: &str) -> Result<Self, crate::ParseError> {
        json.parse().map(Self::from_raw)
    }

    fn write(&self, out: &mut String) {
        self.write_json(out);
    }
}
