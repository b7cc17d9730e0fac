use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use crate::platform::exchange::lock;

/// So many bars has a waveform.
pub(super) const BARS: u64 = 160;
/// So many bytes of each bar are looked at: at 8 kHz all of them, in the first five minutes.
const LOOKED_AT: u64 = 32 * 1024;
/// So many files are remembered.
const REMEMBERED: usize = 1_000;
/// So many chunks may come before the samples.
const MOST_CHUNKS: usize = 64;

/// What a file sounds like: the loudest sample of each of its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wave {
    pub(super) rate: u32,
    ms: u64,
    pub(super) peaks: Vec<u16>,
}

impl Wave {
    pub(super) fn seconds(&self) -> String {
        format!("{}.{}", self.ms / 1_000, self.ms % 1_000 / 100)
    }
}

/// What files sounded like when they were looked at: a page is drawn anew with whatever happens in its call.
#[derive(Debug, Default)]
pub(in crate::platform::console) struct Waves {
    known: Mutex<HashMap<PathBuf, (Stamp, Option<Wave>)>>,
}

/// By what one sees that a file is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    length: u64,
}

impl Waves {
    /// What a file sounds like; it is read where it is not what it was.
    pub(super) fn of(&self, path: &Path) -> Option<Wave> {
        self.read_with(path, read)
    }

    fn read_with(&self, path: &Path, read: impl FnOnce(File, u64) -> Option<Wave>) -> Option<Wave> {
        // A pipe would be waited for.
        let about = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?;
        let stamp = Stamp { modified: about.modified().ok(), length: about.len() };
        if let Some((known, wave)) = lock(&self.known).get(path)
            && *known == stamp
        {
            return wave.clone();
        }
        let wave = File::open(path).ok().and_then(|file| read(file, stamp.length));
        let mut known = lock(&self.known);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(path.to_owned(), (stamp, wave.clone()));
        wave
    }
}

/// Reads a WAV file of 16-bit samples; nothing where it is another.
fn read(mut file: impl Read + Seek, length: u64) -> Option<Wave> {
    let riff: [u8; 12] = bytes(&mut file)?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return None;
    }
    let (mut at, mut format) = (12_u64, None);
    for _ in 0..MOST_CHUNKS {
        file.seek(SeekFrom::Start(at)).ok()?;
        let head: [u8; 8] = bytes(&mut file)?;
        let said = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        at += 8;
        // Who still writes a file has not come to its end.
        let there = said.min(length.saturating_sub(at));
        match &head[..4] {
            b"fmt " => {
                let [kind, channels, rate, rate_high, _, _, _, bits] = bytes::<16>(&mut file)?
                    .as_chunks()
                    .0
                    .try_into()
                    .ok()
                    .map(|words: [[u8; 2]; 8]| words.map(|word| u32::from(u16::from_le_bytes(word))))?;
                format = (kind == 1 && bits == 16).then_some((rate | rate_high << 16, u64::from(channels)));
            }
            b"data" => {
                let (rate, channels) = format.filter(|(rate, channels)| *rate > 0 && *channels > 0)?;
                let samples = there / 2;
                let ms = samples / channels * 1_000 / u64::from(rate);
                return Some(Wave { rate, ms, peaks: peaks(file, at, samples)? });
            }
            _ => {}
        }
        at += said + said % 2;
    }
    None
}

/// The loudest sample of each part.
fn peaks(mut file: impl Read + Seek, from: u64, samples: u64) -> Option<Vec<u16>> {
    let part = samples.div_ceil(BARS).max(1);
    let mut peaks = Vec::new();
    let mut bytes = Vec::new();
    for first in (0..samples).step_by(usize::try_from(part).ok()?) {
        let wanted = 2 * part.min(samples - first);
        file.seek(SeekFrom::Start(from + 2 * first)).ok()?;
        bytes.clear();
        (&mut file).take(wanted.min(LOOKED_AT)).read_to_end(&mut bytes).ok()?;
        let loudest = bytes.as_chunks().0.iter().map(|pair| i16::from_le_bytes(*pair).unsigned_abs()).max();
        peaks.push(loudest.unwrap_or(0));
    }
    Some(peaks)
}

fn bytes<const N: usize>(file: &mut impl Read) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes).ok().map(|()| bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::{BARS, LOOKED_AT, Wave, Waves, read};

    fn wav(rate: u32, samples: &[i16]) -> Vec<u8> {
        let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
        file.extend(rate.to_le_bytes());
        file.extend((rate * 2).to_le_bytes());
        file.extend(b"\x02\0\x10\0data");
        file.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        file.extend(data);
        file
    }

    fn read_wave(file: &[u8]) -> Option<Wave> {
        read(Cursor::new(file), file.len() as u64)
    }

    #[test]
    fn a_wave_has_the_loudest_of_each_part() {
        let file = wav(8_000, &[0, 100, -300, 20, i16::MIN, 7, 0, 0]);
        let expected = Wave { rate: 8_000, ms: 1, peaks: vec![0, 100, 300, 20, 32_768, 7, 0, 0] };
        assert_eq!(read_wave(&file), Some(expected));
        let second = read_wave(&wav(44_100, &[1_000; 44_100])).unwrap();
        assert_eq!((second.rate, second.ms, second.peaks.len()), (44_100, 1_000, 160));
    }

    #[test]
    fn what_is_no_wave_has_no_picture() {
        let file = wav(8_000, &[1, 2, 3]);
        for end in 0..44 {
            assert_eq!(read_wave(&file[..end]), None, "{end}");
        }
        assert_eq!(read_wave(&file[..46]).unwrap().peaks, [1], "it is still written");
        assert_eq!(read_wave(b"RIFF\0\0\0\0WAVEdata\xff\xff\xff\xff"), None);
        let chunks = [b"RIFF\0\0\0\0WAVE".as_slice(), &b"LIST\0\0\0\0".repeat(1_000)].concat();
        assert_eq!(read_wave(&chunks), None);
    }

    #[test]
    fn of_a_long_file_a_part_of_each_part_is_read() {
        struct Counted(Cursor<Vec<u8>>, u64);
        impl std::io::Read for &mut Counted {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                let read = self.0.read(into)?;
                self.1 += read as u64;
                Ok(read)
            }
        }
        impl std::io::Seek for &mut Counted {
            fn seek(&mut self, to: std::io::SeekFrom) -> std::io::Result<u64> {
                self.0.seek(to)
            }
        }
        let file = wav(16_000, &vec![9; 10_000_000]);
        let length = file.len() as u64;
        let mut counted = Counted(Cursor::new(file), 0);
        assert_eq!(read(&mut counted, length).unwrap().peaks, [9; 160]);
        assert!(counted.1 <= BARS * LOOKED_AT + 100, "{} bytes were read", counted.1);
    }

    #[test]
    fn a_file_is_read_again_when_it_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let (path, waves) = (folder.path().join("a.wav"), Waves::default());
        std::fs::write(&path, wav(8_000, &[1, 2, 3])).unwrap();
        let first = waves.of(&path).unwrap();
        let known = waves.read_with(&path, |_, _| panic!("it is known"));
        assert_eq!(known, Some(first));
        std::fs::write(&path, wav(8_000, &[1, 2, 3, 4])).unwrap();
        assert_eq!(waves.of(&path).unwrap().peaks, [1, 2, 3, 4]);
        assert_eq!(waves.of(folder.path()), None);
    }
}
