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
    #[error("it is Opus, which cannot be decoded here (PCM WAV, MP3 and Ogg Vorbis can)")]
    Opus,
    #[error("it has no audio")]
    Empty,
    #[error("it has {0} samples per second, which nobody can play")]
    Rate(u32),
    #[error("decoding it failed")]
    Task(#[from] tokio::task::JoinError),
}

/// The longest audio that is taken: seconds.
const LONGEST: usize = 600;
/// The most samples of it: as many at the highest rate that is common.
const MOST: usize = LONGEST * 48_000;
/// Rates that there are.
const RATES: std::ops::RangeInclusive<u32> = 1_000..=192_000;

impl Clip {
    /// Reads WAV, MP3 or Ogg, beside whoever keeps time.
    pub(in crate::platform) async fn decode(bytes: Vec<u8>, kind: &str) -> Result<Self, DecodeError> {
        let kind = kind.to_owned();
        tokio::task::spawn_blocking(move || decode(bytes, &kind)).await?
    }

    /// The same at another rate, made beside whoever keeps time.
    pub(in crate::platform) async fn at_rate(self, rate: u32) -> Result<Self, DecodeError> {
        let made = tokio::task::spawn_blocking(move || {
            let samples = resampled(self.samples, self.rate, rate);
            Self { samples, rate, ..self }
        });
        Ok(made.await?)
    }

    pub(in crate::platform) fn millis(&self) -> u64 {
        self.samples.len() as u64 * 1_000 / u64::from(self.rate.max(1))
    }
}

/// `kind` is how its name would end.
fn decode(bytes: Vec<u8>, kind: &str) -> Result<Clip, DecodeError> {
    if bytes.starts_with(b"OggS") && bytes.get(28..36) == Some(b"OpusHead") {
        return Err(DecodeError::Opus);
    }
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
            if !RATES.contains(&clip.rate) {
                return Err(DecodeError::Rate(clip.rate));
            }
        }
        let channels = audio.spec().channels().count().max(1);
        samples.resize(audio.samples_interleaved(), 0);
        audio.copy_to_slice_interleaved(&mut samples);
        clip.samples.extend(samples.chunks_exact(channels).map(mixed));
        let most = MOST.min(LONGEST * clip.rate as usize);
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
    fn what_is_behind_ten_minutes_is_left_out() {
        let clip = decode(wav(1, 1_000, &[7; 600_001]), "wav").unwrap();
        assert_eq!((clip.millis(), clip.is_cut), (600_000, true));
        assert!(!decode(wav(1, 1_000, &[7; 600_000]), "wav").unwrap().is_cut);
    }

    #[test]
    fn channels_are_mixed() {
        let clip = decode(wav(2, 16_000, &[100, 300, -100, -300, i16::MAX, i16::MAX]), "wav").unwrap();
        assert_eq!(clip.samples, [200, -200, i16::MAX]);
    }

    const MP3: &[u8] = include_bytes!("../../../../../fixtures/audio/tone-440.mp3");
    const VORBIS: &[u8] = include_bytes!("../../../../../fixtures/audio/tone-1000.ogg");
    const OPUS: &[u8] = include_bytes!("../../../../../fixtures/audio/tone-700-opus.ogg");

    #[tokio::test]
    async fn mp3_and_vorbis_come_out_as_long_as_they_are_and_with_their_tone() {
        for (bytes, kind, rate, hertz) in [(MP3, "mp3", 22_050, 440.0), (VORBIS, "ogg", 44_100, 1_000.0)] {
            // What a file is follows from what is in it.
            for kind in [kind, "wav", ""] {
                let clip = Clip::decode(bytes.to_vec(), kind).await.unwrap();
                assert_eq!(
                    (clip.rate, clip.samples.len(), clip.is_cut),
                    (rate, rate as usize, false),
                    "{kind}"
                );
            }
            for rate in [8_000, 16_000] {
                let clip = Clip::decode(bytes.to_vec(), kind).await.unwrap().at_rate(rate).await.unwrap();
                assert_eq!((clip.samples.len(), clip.millis()), (rate as usize, 1_000), "{kind}");
                // Encoders are not exact, at the edges least.
                let middle = &clip.samples[rate as usize / 10..rate as usize * 9 / 10];
                let share = share_of(middle, rate, hertz);
                assert!(share > 0.99, "{kind} at {rate}: {hertz} Hz are {share} of it");
                let peak = middle.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
                assert!((7_200..8_800).contains(&peak), "{kind} at {rate}: as loud as {peak}");
            }
        }
    }

    /// How much of the energy is at a frequency: Goertzel's.
    fn share_of(samples: &[i16], rate: u32, hertz: f64) -> f64 {
        let turn = 2.0 * libm::cos(2.0 * std::f64::consts::PI * hertz / f64::from(rate));
        let (mut one, mut two) = (0.0, 0.0);
        for &sample in samples {
            (one, two) = (f64::from(sample) + turn * one - two, one);
        }
        let energy: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
        2.0 * (one * one + two * two - turn * one * two) / (energy * samples.len() as f64)
    }

    #[test]
    fn opus_is_told_by_its_name() {
        assert!(matches!(decode(OPUS.to_vec(), "ogg"), Err(DecodeError::Opus)));
    }

    #[test]
    fn what_ends_early_or_is_damaged_makes_no_panic() {
        for bytes in [MP3, VORBIS, OPUS, &wav(2, 8_000, &[7; 400])] {
            for end in (0..bytes.len()).step_by(97) {
                let _ = decode(bytes[..end].to_vec(), "ogg");
            }
            for at in (0..bytes.len()).step_by(61) {
                let mut damaged = bytes.to_vec();
                damaged[at] ^= 0xff;
                if let Ok(clip) = decode(damaged, "mp3") {
                    assert!(RATES.contains(&clip.rate) && clip.samples.len() <= MOST);
                }
            }
        }
    }

    #[test]
    fn what_is_no_audio_is_told() {
        for bytes in [&b""[..], b"RIFF", b"not audio, by any measure", &[0xff; 4_096], &wav(1, 8_000, &[])] {
            assert!(decode(bytes.to_vec(), "wav").is_err());
        }
    }
}
