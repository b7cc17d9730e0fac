//! WAV files of what was heard and said.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::voice::Voice;

/// One direction, written as it goes.
pub(super) struct Track {
    writer: WavWriter<BufWriter<File>>,
    left: usize,
}

impl Track {
    pub(super) fn create(path: &Path, rate: u32, most: usize) -> Result<Self, hound::Error> {
        Ok(Self { writer: WavWriter::create(path, spec(1, rate))?, left: most })
    }

    pub(super) fn write(&mut self, samples: &[i16]) -> Result<(), hound::Error> {
        let count = samples.len().min(self.left);
        self.left -= count;
        samples[..count].iter().try_for_each(|&sample| self.writer.write_sample(sample))
    }

    pub(super) fn finish(self) -> Result<(), hound::Error> {
        self.writer.finalize()
    }
}

/// Both directions in one file: the caller on the left, whom they hear on the right.
pub(in crate::platform) fn join(left: &Path, right: &Path, to: &Path) -> Result<(), hound::Error> {
    let (mut left, mut right) = (WavReader::open(left)?, WavReader::open(right)?);
    let mut writer = WavWriter::create(to, spec(2, left.spec().sample_rate))?;
    let (mut left, mut right) = (left.samples::<i16>(), right.samples::<i16>());
    loop {
        let (one, other) = (left.next().transpose()?, right.next().transpose()?);
        if one.is_none() && other.is_none() {
            return writer.finalize();
        }
        writer.write_sample(one.unwrap_or_default())?;
        writer.write_sample(other.unwrap_or_default())?;
    }
}

/// A recording of a talk without a stream.
pub(in crate::platform) fn talk(
    to: &Path,
    rate: u32,
    millis: u64,
    caller: &mut Voice,
    mut callee: Option<&mut Voice>,
) -> Result<(), hound::Error> {
    let mut writer = WavWriter::create(to, spec(2, rate))?;
    let (mut left, mut right) = (vec![0; rate as usize / 50], vec![0; rate as usize / 50]);
    for _ in 0..millis.div_ceil(20) {
        caller.fill(&mut left);
        if let Some(callee) = &mut callee {
            callee.fill(&mut right);
        }
        for (&one, &other) in left.iter().zip(&right) {
            writer.write_sample(one)?;
            writer.write_sample(other)?;
        }
    }
    writer.finalize()
}

fn spec(channels: u16, sample_rate: u32) -> WavSpec {
    WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_directions_are_joined() {
        let temporary = tempfile::tempdir().unwrap();
        let write = |name: &str, samples: &[i16]| {
            let path = temporary.path().join(name);
            let mut track = Track::create(&path, 8_000, 3).unwrap();
            track.write(samples).unwrap();
            track.finish().unwrap();
            path
        };
        let (left, right) = (write("a-heard.wav", &[1, 2, 3, 4]), write("a-said.wav", &[9]));
        let both = temporary.path().join("a.wav");
        join(&left, &right, &both).unwrap();
        let samples: Vec<i16> = WavReader::open(&both).unwrap().samples().map(Result::unwrap).collect();
        assert_eq!(samples, [1, 9, 2, 0, 3, 0], "cut to what may be");
    }
}
