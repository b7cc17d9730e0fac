use std::io::Cursor;

use symphonia::core::codecs::audio::AudioDecoderOptions;
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, TrackType};
use symphonia::core::io::MediaSourceStream;
use symphonia::core::meta::MetadataOptions;

use super::resample::resampled;

/// Audio of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::platform) struct Clip {
    pub(in crate::platform) samples: Vec<i16>,
    /// Samples per second.
    pub(in crate::platform) rate: u32,
    /// Whether there was more of it than may be.
    pub(in crate::platform) is_cut: bool,
}

/// Why bytes are no audio.
#[derive(Debug, thiserror::Error)]
pub(in crate::platform) enum DecodeError {
    #[error("it cannot be decoded (PCM WAV, MP3 and Ogg Vorbis can)")]
    Format(#[from] Error),
    #[error("it has no audio")]
    Empty,
    #[error("it has {0} samples per second, which nobody can play")]
    Rate(u32),
    #[error("decoding it failed")]
    Task(#[from] tokio::task::JoinError),
}

/// The longest audio that is taken: seconds.
const LONGEST: usize = 600;

impl Clip {
    /// Reads WAV, MP3 or Ogg, beside whoever keeps time.
    pub(in crate::platform) async fn decode(bytes: Vec<u8>, kind: &str) -> Result<Self, DecodeError> {
        let kind = kind.to_owned();
        tokio::task::spawn_blocking(move || decode(bytes, &kind)).await?
    }

    /// The same at another rate.
    pub(in crate::platform) fn at_rate(self, rate: u32) -> Self {
        let samples = resampled(self.samples, self.rate, rate);
        Self { samples, rate, ..self }
    }

    pub(in crate::platform) fn millis(&self) -> u64 {
        self.samples.len() as u64 * 1_000 / u64::from(self.rate.max(1))
    }
}

/// `kind` is how its name would end.
fn decode(bytes: Vec<u8>, kind: &str) -> Result<Clip, DecodeError> {
    let mut hint = Hint::new();
    hint.with_extension(kind);
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), Default::default());
    let mut format = symphonia::default::get_probe().probe(
        &hint,
        source,
        FormatOptions::default(),
        MetadataOptions::default(),
    )?;
    let track = format.default_track(TrackType::Audio).ok_or(DecodeError::Empty)?;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let mut decoder = symphonia::default::get_codecs()
        .make_audio_decoder(parameters.ok_or(DecodeError::Empty)?, &AudioDecoderOptions::default())?;
    let id = track.id;
    let mut clip = Clip { samples: Vec::new(), rate: 0, is_cut: false };
    let mut samples: Vec<i16> = Vec::new();
    // What comes behind a fault is left out; what came before is audio.
    while let Ok(Some(packet)) = format.next_packet() {
        if packet.track_id != id {
            continue;
        }
        let audio = match decoder.decode(&packet) {
            Ok(audio) => audio,
            Err(Error::DecodeError(_)) => continue,
            Err(_) => break,
        };
        if clip.rate == 0 {
            clip.rate = audio.spec().rate();
            if !(1_000..=384_000).contains(&clip.rate) {
                return Err(DecodeError::Rate(clip.rate));
            }
        }
        let channels = audio.spec().channels().count().max(1);
        samples.resize(audio.samples_interleaved(), 0);
        audio.copy_to_slice_interleaved(&mut samples);
        clip.samples.extend(samples.chunks_exact(channels).map(mixed));
        let most = LONGEST * clip.rate as usize;
        if clip.samples.len() > most {
            clip.samples.truncate(most);
            clip.is_cut = true;
            break;
        }
    }
    if clip.samples.is_empty() { Err(DecodeError::Empty) } else { Ok(clip) }
}

#[expect(clippy::cast_possible_truncation, reason = "the mean of 16-bit numbers is one")]
fn mixed(channels: &[i16]) -> i16 {
    let sum: i64 = channels.iter().map(|&sample| i64::from(sample)).sum();
    (sum / channels.len().max(1) as i64) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(channels: u16, rate: u32, samples: &[i16]) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        let spec = hound::WavSpec {
            channels,
            sample_rate: rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    #[test]
    fn a_wav_of_one_channel_comes_out_sample_by_sample() {
        let samples: Vec<i16> = (0..5_000).map(|n: i16| n.wrapping_mul(7_919)).collect();
        let clip = decode(wav(1, 8_000, &samples), "wav").unwrap();
        assert_eq!(clip, Clip { samples, rate: 8_000, is_cut: false });
        assert_eq!(clip.millis(), 625);
    }

    #[test]
    fn channels_are_mixed() {
        let clip = decode(wav(2, 16_000, &[100, 300, -100, -300, i16::MAX, i16::MAX]), "wav").unwrap();
        assert_eq!(clip.samples, [200, -200, i16::MAX]);
    }

    #[test]
    fn what_is_no_audio_is_told() {
        for bytes in [&b""[..], b"RIFF", b"not audio, by any measure", &[0xff; 4_096], &wav(1, 8_000, &[])] {
            assert!(decode(bytes.to_vec(), "wav").is_err());
        }
    }
}
