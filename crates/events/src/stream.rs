//! What an application says over a stream's WebSocket, as text frames. (What it hears is audio: binary frames of
//! 16-bit little-endian mono samples.)

use std::borrow::Cow;

use crate::json::{JsonType, escape, raw, scan};
use crate::open::open_object;
use crate::pcmo::Pcmo;
use crate::{Base64, Count, Limits, Nested, OpenObject as _, ParseError, Raw, Text};

/// A text frame from the application to the platform.
///
/// What it is follows from explicit rules, in this order:
/// 1. an array is a call flow;
/// 2. an object with the `type` `streamAudio` is audio;
/// 3. an object with the `action` `pause`, `resume`, `stop` or `break` is a command;
/// 4. any other JSON value is [`StreamMessage::Other`].
///
/// # Examples
/// ```
/// use piopiy_events::stream::{CommandKind, StreamMessage};
///
/// let StreamMessage::Command(command) = StreamMessage::parse(br#"{"action":"break"}"#)? else {
///     panic!("a command")
/// };
/// assert_eq!(command.kind(), Some(CommandKind::Break));
/// assert_eq!(
///     StreamMessage::raw_audio(8000, "AAAAAA==").to_json(),
///     r#"{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,"audioData":"AAAAAA=="}}"#,
/// );
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamMessage {
    /// Audio to play.
    Audio(Box<StreamAudio>),
    /// Pause, resume, stop or break.
    Command(Box<StreamCommand>),
    /// A call flow to carry out on the live call.
    Pcmo(Pcmo),
    /// Any other JSON value, as it came.
    Other(Raw),
}

open_object! {
    /// Audio to play to the call.
    pub struct StreamAudio {
        /// `streamAudio`. Source: stream-action-play-stream.
        message_type: Text = "type",
        /// The audio and its format. Source: stream-action-play-stream.
        data: Nested<AudioData> = "data",
    }
}

open_object! {
    /// Audio and its format.
    pub struct AudioData {
        /// `raw` (16-bit little-endian mono samples), `mp3`, `wav` or `ogg`. Source:
        /// stream-action-play-stream.
        audio_data_type: Text = "audioDataType",
        /// Samples per second: the number 8000 or 16000. Source: stream-action-play-stream.
        sample_rate: Count = "sampleRate",
        /// The audio as base64; the vendor's samples send at most 50 KiB at once. Source:
        /// stream-action-play-stream.
        audio_data: Base64 = "audioData",
    }
}

open_object! {
    /// A command to the stream.
    pub struct StreamCommand {
        /// `pause`, `resume`, `stop` or `break`. Source: streaming-action-stop.
        action: Text = "action",
    }
}

/// What a [`StreamCommand`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CommandKind {
    /// `pause`: holds the stream.
    Pause,
    /// `resume`: goes on with it.
    Resume,
    /// `stop`: closes it for good.
    Stop,
    /// `break`: ends what is being played.
    Break,
}

impl CommandKind {
    /// All commands.
    pub const ALL: [Self; 4] = [Self::Pause, Self::Resume, Self::Stop, Self::Break];

    /// `action` on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Stop => "stop",
            Self::Break => "break",
        }
    }

    fn of(action: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == action)
    }
}

impl StreamMessage {
    /// Reads a text frame within the default [`Limits`].
    ///
    /// # Errors
    /// Where the input is not one JSON document within the limits.
    pub fn parse(input: &[u8]) -> Result<Self, ParseError> {
        Self::parse_within(input, &Limits::default())
    }

    /// Reads a text frame within limits of the caller's; audio frames can be large.
    ///
    /// # Errors
    /// As [`StreamMessage::parse`].
    pub fn parse_within(input: &[u8], limits: &Limits) -> Result<Self, ParseError> {
        let (members, token) = scan::document(input, limits)?;
        let other = || Self::Other(Raw::from_token(token));
        Ok(match JsonType::of(token.as_bytes()[0]) {
            JsonType::Array => Self::Pcmo(Pcmo::of_elements(scan::elements(token))),
            JsonType::Object => {
                let text_of = |key: &str| {
                    let member = members.iter().find(|member| escape::spells(member.key, key))?;
                    Raw::from_token(member.value).text().map(Cow::into_owned)
                };
                if text_of("type").as_deref() == Some("streamAudio") {
                    Self::Audio(Box::new(StreamAudio::from_members(&members)))
                } else if text_of("action").is_some_and(|action| CommandKind::of(&action).is_some()) {
                    Self::Command(Box::new(StreamCommand::from_members(&members)))
                } else {
                    other()
                }
            }
            _ => other(),
        })
    }

    /// Raw audio (16-bit little-endian mono samples) at `sample_rate` hertz, as base64.
    #[must_use]
    pub fn raw_audio(sample_rate: i64, audio: &str) -> Self {
        let data = AudioData {
            audio_data_type: Some("raw".into()),
            sample_rate: Some(sample_rate.into()),
            audio_data: Some(audio.into()),
            ..AudioData::default()
        };
        Self::Audio(Box::new(StreamAudio {
            message_type: Some("streamAudio".into()),
            data: Some(data.into()),
            ..StreamAudio::default()
        }))
    }

    /// A command.
    #[must_use]
    pub fn command(kind: CommandKind) -> Self {
        Self::Command(Box::new(StreamCommand {
            action: Some(kind.as_str().into()),
            ..StreamCommand::default()
        }))
    }

    /// The frame as JSON, values as they came.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Audio(audio) => audio.to_json(),
            Self::Command(command) => command.to_json(),
            Self::Pcmo(pcmo) => pcmo.to_json(),
            Self::Other(raw) => raw.as_json().to_owned(),
        }
    }
}

impl StreamCommand {
    /// What the command says; `None` where it is none of the four.
    #[must_use]
    pub fn kind(&self) -> Option<CommandKind> {
        CommandKind::of(&self.action.as_ref()?.text())
    }
}

impl serde::Serialize for StreamMessage {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        raw::serialize_json(self.to_json(), serializer)
    }
}

impl<'de> serde::Deserialize<'de> for StreamMessage {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        raw::deserialize_json(deserializer, Self::parse_within)
    }
}
