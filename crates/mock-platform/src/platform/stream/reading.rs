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
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

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
            Some(Ok(Message::Text(text))) => player.understand(text).await,
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

/// A longer message is read beside whoever keeps time.
const LONG: usize = 64 << 10;
/// The longest call flow.
const LONGEST_FLOW: usize = 1 << 20;

/// A message that was read.
enum Read {
    Raw { bytes: Vec<u8>, rate: u32 },
    File { bytes: Vec<u8>, kind: String },
    Done(Heard),
}

impl Player {
    async fn understand(&mut self, text: Utf8Bytes) -> Heard {
        let read = if text.len() > LONG {
            beside(move || parse(text.as_bytes())).await
        } else {
            Ok(parse(text.as_bytes()))
        };
        let samples = match read {
            Ok(Read::Done(heard)) => return heard,
            Ok(Read::Raw { bytes, rate }) => self.raw(bytes, rate).await,
            Ok(Read::File { bytes, kind }) => self.file(bytes, &kind).await,
            Err(why) => Err(why),
        };
        samples.map_or_else(|why| Heard::Odd(format!("sends audio that is not played: {why}")), Heard::Audio)
    }

    async fn file(&self, bytes: Vec<u8>, kind: &str) -> Result<Vec<i16>, String> {
        let clip = Clip::decode(bytes, kind).await.map_err(|error| causes(&error))?;
        Ok(clip.at_rate(self.rate).await.map_err(|error| causes(&error))?.samples)
    }

    async fn raw(&mut self, bytes: Vec<u8>, rate: u32) -> Result<Vec<i16>, String> {
        if !bytes.len().is_multiple_of(2) {
            return Err(format!("{} bytes are no whole number of 16-bit samples", bytes.len()));
        }
        let mut resampler = self.raw.take().filter(|(known, _)| *known == rate);
        if resampler.is_none() {
            resampler = Resampler::new(rate, self.rate).map(|resampler| (rate, resampler));
        }
        let is_long = bytes.len() > LONG;
        let make = move || {
            let samples: Vec<i16> =
                bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
            let samples = match &mut resampler {
                Some((_, resampler)) => resampler.push(&samples),
                None => samples,
            };
            (resampler, samples)
        };
        let (resampler, samples) = if is_long { beside(make).await? } else { make() };
        self.raw = resampler;
        Ok(samples)
    }
}

/// Does what takes long where nobody keeps time.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())
}

fn parse(text: &[u8]) -> Read {
    let limits = Limits { max_bytes: LARGEST, ..Limits::default() };
    Read::Done(match StreamMessage::parse_within(text, &limits) {
        Ok(StreamMessage::Audio(audio)) => {
            let data = audio.data.as_ref().and_then(|data| data.get().ok()).unwrap_or_default();
            match audio_of(&data) {
                Ok(audio) => return audio,
                Err(why) => Heard::Odd(format!("sends audio that is not played: {why}")),
            }
        }
        Ok(StreamMessage::Command(command)) => match command.kind() {
            Some(kind) => Heard::Command(kind),
            None => Heard::Odd("sends a command that nobody documents".to_owned()),
        },
        Ok(StreamMessage::Pcmo(_)) if text.len() > LONGEST_FLOW => {
            Heard::Odd(format!("sends a call flow that is longer than {LONGEST_FLOW} bytes"))
        }
        Ok(StreamMessage::Pcmo(flow)) => Heard::Flow(flow),
        Ok(_) => Heard::Odd("sends JSON that nobody documents".to_owned()),
        Err(error) => Heard::Odd(format!("sends what is no JSON: {error}")),
    })
}

fn audio_of(data: &AudioData) -> Result<Read, String> {
    let text = data.audio_data.as_ref().map(|text| text.text()).ok_or("it has no audioData")?;
    let bytes = STANDARD.decode(text.trim().as_bytes()).map_err(|_| "audioData is no base64")?;
    let kind = data.audio_data_type.as_ref().map(|kind| kind.text().into_owned()).unwrap_or_default();
    let rate = data.sample_rate.as_ref().and_then(|rate| rate.text().parse::<u32>().ok());
    match (&*kind, rate) {
        ("raw", Some(rate @ (8_000 | 16_000))) => Ok(Read::Raw { bytes, rate }),
        ("raw", Some(other)) => Err(format!("sampleRate is {other}: 8000 and 16000 are documented")),
        ("raw", None) => Err("it has no sampleRate".to_owned()),
        ("wav" | "mp3" | "ogg", _) => Ok(Read::File { bytes, kind }),
        (other, _) => Err(format!("audioDataType is {other:?}: raw, wav, mp3 and ogg are documented")),
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
        Player { rate, raw: None }.understand(text.into()).await
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
