//! What people say: a file, or bursts that are like speech.

use std::f64::consts::PI;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::decode::{Clip, DecodeError};
use crate::plan::draw::split_mix;

/// Whose voice it is.
#[derive(Debug, Clone)]
pub(in crate::platform) struct Speaker {
    /// A file of what they say.
    pub(in crate::platform) says: Option<PathBuf>,
    /// What the bursts follow from, where there is no file.
    pub(in crate::platform) seed: u64,
}

/// A voice, sample by sample.
#[derive(Debug)]
pub(in crate::platform) enum Voice {
    File { samples: Arc<[i16]>, at: usize },
    Bursts(Bursts),
}

/// Why what somebody says cannot be read.
#[derive(Debug, thiserror::Error)]
pub(in crate::platform) enum VoiceError {
    #[error("{} cannot be read", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is no file", path.display())]
    NoFile { path: PathBuf },
    #[error("{} is longer than {LARGEST} bytes", path.display())]
    Large { path: PathBuf },
    #[error("{} cannot be used", path.display())]
    Decode { path: PathBuf, source: DecodeError },
}

/// The largest file that is read.
pub(in crate::platform) const LARGEST: u64 = 64 << 20;

impl Voice {
    pub(in crate::platform) async fn of(speaker: &Speaker, rate: u32) -> Result<Self, VoiceError> {
        let Some(path) = &speaker.says else { return Ok(Self::bursts(speaker.seed, rate)) };
        let unused = |source| VoiceError::Decode { path: path.clone(), source };
        let clip = read(path).await?.at_rate(rate).await.map_err(unused)?;
        Ok(Self::File { samples: clip.samples.into(), at: 0 })
    }

    pub(in crate::platform) fn bursts(seed: u64, rate: u32) -> Self {
        Self::Bursts(Bursts::new(seed, rate))
    }

    /// What comes next; silence where a file is over.
    pub(in crate::platform) fn fill(&mut self, out: &mut [i16]) {
        match self {
            Self::File { samples, at } => {
                let left = &samples[*at..];
                let count = left.len().min(out.len());
                out[..count].copy_from_slice(&left[..count]);
                out[count..].fill(0);
                *at += count;
            }
            Self::Bursts(bursts) => out.iter_mut().for_each(|sample| *sample = bursts.next()),
        }
    }
}

/// Reads an audio file.
pub(in crate::platform) async fn read(path: &Path) -> Result<Clip, VoiceError> {
    let unread = |source| VoiceError::Read { path: path.to_owned(), source };
    let about = tokio::fs::metadata(path).await.map_err(unread)?;
    if !about.is_file() {
        // A pipe would be waited for.
        return Err(VoiceError::NoFile { path: path.to_owned() });
    }
    if about.len() > LARGEST {
        return Err(VoiceError::Large { path: path.to_owned() });
    }
    let bytes = tokio::fs::read(path).await.map_err(unread)?;
    let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or("wav");
    Clip::decode(bytes, kind).await.map_err(|source| VoiceError::Decode { path: path.to_owned(), source })
}

const HARMONICS: usize = 5;
const WAVE: usize = 4_096;

/// Speech-like: words of harmonics whose pitch falls, syllables in them, pauses between.
#[derive(Debug)]
pub(in crate::platform) struct Bursts {
    seed: u64,
    rate: u32,
    /// How many words and pauses there were.
    segment: u64,
    left: u32,
    length: u32,
    /// Where in its wave the voice is, and how fast it goes: 32 bits are one turn.
    phase: u32,
    turn: u32,
    is_word: bool,
}

impl Bursts {
    fn new(seed: u64, rate: u32) -> Self {
        Self { seed, rate, segment: 0, left: 0, length: 1, phase: 0, turn: 0, is_word: true }
    }

    fn next(&mut self) -> i16 {
        if self.left == 0 {
            self.begin();
        }
        self.left -= 1;
        if !self.is_word {
            return 0;
        }
        let wave = wave();
        self.phase = self.phase.wrapping_add(self.turn);
        // A syllable lasts 200 ms; each swells and fades.
        let syllable = self.rate / 5;
        let within = (self.length - self.left) % syllable;
        let swell = wave[(within as usize * WAVE / 2 / syllable as usize) % WAVE];
        let mut sum = 0;
        for harmonic in 1..=HARMONICS as u32 {
            let phase = self.phase.wrapping_mul(harmonic) >> 20;
            sum += wave[phase as usize] / harmonic as i32;
        }
        // At most 2.3 × 4096 × 4096.
        i16::try_from((sum * swell.abs()) >> 12).unwrap_or(i16::MAX)
    }

    fn begin(&mut self) {
        let bits = split_mix(self.seed, self.segment);
        self.is_word = self.segment.is_multiple_of(2);
        self.segment += 1;
        let millis = if self.is_word { 600 + bits % 1_400 } else { 300 + bits % 700 };
        let hertz = 95 + (bits >> 32) % 120;
        // Both are small.
        self.length = u32::try_from(millis * u64::from(self.rate) / 1_000).unwrap_or(1);
        self.left = self.length;
        self.turn = u32::try_from((hertz << 32) / u64::from(self.rate)).unwrap_or(1);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a sine is not above 1")]
fn wave() -> &'static [i32; WAVE] {
    static TABLE: OnceLock<[i32; WAVE]> = OnceLock::new();
    TABLE.get_or_init(|| {
        std::array::from_fn(|n| (4_096.0 * libm::sin(2.0 * PI * n as f64 / WAVE as f64)).round() as i32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_follow_from_the_seed_and_have_pauses() {
        let hear = |seed| {
            let mut out = vec![0; 80_000];
            Voice::bursts(seed, 8_000).fill(&mut out);
            out
        };
        let heard = hear(7);
        assert_eq!(heard, hear(7));
        assert_ne!(heard, hear(8));
        let loud = heard.iter().filter(|sample| sample.unsigned_abs() > 500).count();
        let still = heard.chunks(160).filter(|frame| frame.iter().all(|&sample| sample == 0)).count();
        assert!(loud > 10_000, "{loud} loud samples");
        assert!(still > 50, "{still} silent frames");
    }

    #[tokio::test]
    async fn a_file_is_followed_by_silence_and_a_missing_one_is_told() {
        let mut voice = Voice::File { samples: vec![1, 2, 3].into(), at: 0 };
        let mut out = [9; 5];
        voice.fill(&mut out);
        assert_eq!(out, [1, 2, 3, 0, 0]);
        let speaker = Speaker { says: Some("/no/such/file.wav".into()), seed: 0 };
        assert!(Voice::of(&speaker, 8_000).await.unwrap_err().to_string().contains("/no/such/file.wav"));
    }
}
