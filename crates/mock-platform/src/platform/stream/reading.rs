//! What an application sends, made into what is to be done.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use piopiy_events::Limits;
use piopiy_events::pcmo::Pcmo;
use piopiy_events::stream::{AudioData, CommandKind, StreamMessage};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::error::{CapacityError, ProtocolError};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::decode::Clip;
use super::dial::{LARGEST, Socket};
use super::resample::Resampler;

/// What an application sent.
#[derive(Debug)]
pub(super) enum Heard {
    /// At the stream's rate.
    Audio(Vec<i16>),
    Command(CommandKind),
    Flow(Pcmo),
    /// Something that cannot be used.
    Odd(String),
    /// It is over; whether it was the application's close frame.
    Over {
        code: u16,
        reason: String,
    },
}

/// Reads until the connection is over.
pub(super) async fn read(mut stream: SplitStream<Socket>, rate: u32, heard: mpsc::Sender<Heard>) {
    let mut player = Player { rate, raw: None };
    loop {
        let one = match stream.next().await {
            Some(Ok(Message::Text(text))) => player.understand(text.as_bytes()).await,
            Some(Ok(Message::Binary(bytes))) => Heard::Odd(format!(
                "sends {} bytes that are no text: no page says what they mean",
                bytes.len()
            )),
            Some(Ok(Message::Close(frame))) => match frame {
                Some(frame) => Heard::Over { code: frame.code.into(), reason: frame.reason.to_string() },
                None => Heard::Over { code: 1005, reason: "No status received".to_owned() },
            },
            // It is answered by the library.
            Some(Ok(_)) => continue,
            Some(Err(error)) => broken(&error),
            None => Heard::Over { code: 1006, reason: "Abnormal closure".to_owned() },
        };
        let is_over = matches!(one, Heard::Over { .. });
        if heard.send(one).await.is_err() || is_over {
            break;
        }
    }
    // The answer to a close frame goes out while it is read on.
    while let Some(Ok(_)) = stream.next().await {}
}

/// What a connection that broke is closed with.
fn broken(error: &Error) -> Heard {
    let (code, reason) = match error {
        Error::Capacity(CapacityError::MessageTooLong { .. }) => (1009, "Message too big"),
        Error::Utf8(_) => (1007, "Invalid payload"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => (1006, "Abnormal closure"),
        Error::Protocol(_) => (1002, "Protocol error"),
        _ => (1006, "Abnormal closure"),
    };
    Heard::Over { code, reason: reason.to_owned() }
}

struct Player {
    rate: u32,
    /// For raw audio of another rate: it comes in pieces.
    raw: Option<(u32, Resampler)>,
}

impl Player {
    async fn understand(&mut self, text: &[u8]) -> Heard {
        let limits = Limits { max_bytes: LARGEST, ..Limits::default() };
        match StreamMessage::parse_within(text, &limits) {
            Ok(StreamMessage::Audio(audio)) => {
                let data = audio.data.as_ref().and_then(|data| data.get().ok()).unwrap_or_default();
                match self.audio(&data).await {
                    Ok(samples) => Heard::Audio(samples),
                    Err(why) => Heard::Odd(format!("sends audio that is not played: {why}")),
                }
            }
            Ok(StreamMessage::Command(command)) => match command.kind() {
                Some(kind) => Heard::Command(kind),
                None => Heard::Odd("sends a command that nobody documents".to_owned()),
            },
            Ok(StreamMessage::Pcmo(flow)) => Heard::Flow(flow),
            Ok(_) => Heard::Odd("sends JSON that nobody documents".to_owned()),
            Err(error) => Heard::Odd(format!("sends what is no JSON: {error}")),
        }
    }

    async fn audio(&mut self, data: &AudioData) -> Result<Vec<i16>, String> {
        let text = data.audio_data.as_ref().map(|text| text.text()).ok_or("it has no audioData")?;
        let bytes = STANDARD.decode(text.trim().as_bytes()).map_err(|_| "audioData is no base64")?;
        let kind = data.audio_data_type.as_ref().map(|kind| kind.text().into_owned()).unwrap_or_default();
        let rate = data.sample_rate.as_ref().and_then(|rate| rate.text().parse::<u32>().ok());
        match &*kind {
            "raw" => {
                let rate = match rate {
                    Some(8_000) => 8_000,
                    Some(16_000) => 16_000,
                    Some(other) => {
                        return Err(format!("sampleRate is {other}: 8000 and 16000 are documented"));
                    }
                    None => return Err("it has no sampleRate".to_owned()),
                };
                self.raw(&bytes, rate)
            }
            "wav" | "mp3" | "ogg" => {
                let clip = Clip::decode(bytes, &kind).await.map_err(|error| causes(&error))?;
                Ok(clip.at_rate(self.rate).await.map_err(|error| causes(&error))?.samples)
            }
            other => Err(format!("audioDataType is {other:?}: raw, wav, mp3 and ogg are documented")),
        }
    }

    fn raw(&mut self, bytes: &[u8], rate: u32) -> Result<Vec<i16>, String> {
        let (pairs, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return Err(format!("{} bytes are no whole number of 16-bit samples", bytes.len()));
        }
        let samples: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        if self.raw.as_ref().is_none_or(|(known, _)| *known != rate) {
            self.raw = Resampler::new(rate, self.rate).map(|resampler| (rate, resampler));
        }
        Ok(match &mut self.raw {
            Some((_, resampler)) => resampler.push(&samples),
            None => samples,
        })
    }
}

/// An error with what caused it.
pub(in crate::platform) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn hear(rate: u32, text: &str) -> Heard {
        Player { rate, raw: None }.understand(text.as_bytes()).await
    }

    fn raw(rate: i64, samples: &[i16]) -> String {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        StreamMessage::raw_audio(rate, &STANDARD.encode(bytes)).to_json()
    }

    #[tokio::test]
    async fn raw_audio_of_the_rate_comes_out_as_it_is() {
        let Heard::Audio(samples) = hear(8_000, &raw(8_000, &[1, -2, i16::MIN])).await else {
            panic!("audio")
        };
        assert_eq!(samples, [1, -2, i16::MIN]);
        let Heard::Audio(samples) = hear(8_000, &raw(16_000, &[0; 640])).await else { panic!("audio") };
        assert!((300..=320).contains(&samples.len()), "{}", samples.len());
    }

    #[tokio::test]
    async fn what_cannot_be_used_is_told() {
        for (text, part) in [
            ("{", "no JSON"),
            ("7", "nobody documents"),
            (r#"{"action":"dance"}"#, "nobody documents"),
            (&raw(44_100, &[1]), "sampleRate is 44100"),
            (
                r#"{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,"audioData":"AA=="}}"#,
                "16-bit",
            ),
            (
                r#"{"type":"streamAudio","data":{"audioDataType":"raw","sampleRate":8000,"audioData":"?"}}"#,
                "base64",
            ),
            (r#"{"type":"streamAudio","data":{"audioDataType":"flac","audioData":"AAAA"}}"#, "flac"),
            (r#"{"type":"streamAudio","data":{"audioDataType":"mp3","audioData":"AAAA"}}"#, "decoded"),
            (r#"{"type":"streamAudio"}"#, "no audioData"),
        ] {
            let Heard::Odd(what) = hear(8_000, text).await else { panic!("{text}") };
            assert!(what.contains(part), "{text}: {what}");
        }
    }
}
