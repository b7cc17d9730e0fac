//! From one sampling rate to another: a windowed sinc, with a table of it for each phase that occurs.

use std::f64::consts::PI;

/// Samples on each side of one that it is made of, at the lower of the two rates.
const REACH: usize = 16;

/// Changes the rate of audio that comes in pieces. What comes out is late by [`REACH`] samples of the lower rate.
#[derive(Debug)]
pub(super) struct Resampler {
    /// How far the next output is behind the first sample kept: in units of `1 / step_out` input samples.
    at: usize,
    /// Input samples per output sample are `step_in / step_out`.
    step_in: usize,
    step_out: usize,
    /// Input samples on each side.
    reach: usize,
    /// For each phase, the weights of the samples around.
    table: Vec<Vec<f32>>,
    kept: Vec<f32>,
}

impl Resampler {
    /// None where nothing has to be changed.
    pub(super) fn new(from: u32, to: u32) -> Option<Self> {
        if from == to || from == 0 || to == 0 {
            return None;
        }
        let divisor = gcd(from, to);
        let (step_in, step_out) = ((from / divisor) as usize, (to / divisor) as usize);
        let cutoff = f64::from(to.min(from)) / f64::from(from);
        let reach = (REACH as f64 / cutoff).ceil() as usize;
        let phase = |phase: usize| {
            let offset = phase as f64 / step_out as f64;
            let weights: Vec<f64> = (0..2 * reach)
                .map(|n| {
                    let x = n as f64 - (reach as f64 - 1.0) - offset;
                    cutoff * sinc(x * cutoff) * window(x / reach as f64)
                })
                .collect();
            let sum: f64 = weights.iter().sum();
            weights.iter().map(|weight| (weight / sum) as f32).collect()
        };
        let table = (0..step_out).map(phase).collect();
        Some(Self { at: 0, step_in, step_out, reach, table, kept: vec![0.0; reach - 1] })
    }

    /// What can be said of the audio so far.
    pub(super) fn push(&mut self, samples: &[i16]) -> Vec<i16> {
        self.kept.extend(samples.iter().map(|&sample| f32::from(sample)));
        let mut out = Vec::with_capacity(samples.len() * self.step_out / self.step_in + 1);
        let mut first = 0;
        while let Some(around) = self.kept.get(first..first + 2 * self.reach) {
            let sum: f32 =
                self.table[self.at].iter().zip(around).map(|(weight, sample)| weight * sample).sum();
            out.push(rounded(sum));
            self.at += self.step_in;
            first += self.at / self.step_out;
            self.at %= self.step_out;
        }
        self.kept.drain(..first.min(self.kept.len()));
        out
    }
}

/// A whole piece at another rate, as long as it was.
pub(super) fn resampled(samples: Vec<i16>, from: u32, to: u32) -> Vec<i16> {
    let Some(mut resampler) = Resampler::new(from, to) else { return samples };
    let length = (samples.len() as u64 * u64::from(to)).div_ceil(u64::from(from)) as usize;
    let mut out = resampler.push(&samples);
    out.extend(resampler.push(&vec![0; 2 * resampler.reach]));
    out.resize(length, 0);
    out
}

#[expect(clippy::cast_possible_truncation, reason = "it is brought into bounds before")]
fn rounded(sample: f32) -> i16 {
    sample.round().clamp(f32::from(i16::MIN), f32::from(i16::MAX)) as i16
}

fn sinc(x: f64) -> f64 {
    if x.abs() < 1e-9 { 1.0 } else { libm::sin(PI * x) / (PI * x) }
}

/// Blackman's, from -1 to 1.
fn window(x: f64) -> f64 {
    if x.abs() >= 1.0 {
        return 0.0;
    }
    0.42 + 0.5 * libm::cos(PI * x) + 0.08 * libm::cos(2.0 * PI * x)
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hertz: f64, count: usize) -> Vec<i16> {
        let sample =
            |n: usize| rounded((8_000.0 * libm::sin(2.0 * PI * hertz * n as f64 / f64::from(rate))) as f32);
        (0..count).map(sample).collect()
    }

    /// How far two are apart, in decibels below a full tone of 8000.
    fn apart(one: &[i16], other: &[i16]) -> f64 {
        let error: f64 = one.iter().zip(other).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
        10.0 * ((error / one.len() as f64) / (8_000.0_f64.powi(2) / 2.0)).max(1e-12).log10()
    }

    #[test]
    fn a_tone_stays_what_it_is() {
        for (from, to) in
            [(8_000, 16_000), (16_000, 8_000), (44_100, 8_000), (22_050, 16_000), (48_000, 8_000)]
        {
            let out = resampled(tone(from, 1_000.0, from as usize), from, to);
            assert_eq!(out.len(), to as usize, "{from} to {to}");
            let edge = to as usize / 50;
            let error = apart(&out[edge..to as usize - edge], &tone(to, 1_000.0, to as usize)[edge..]);
            assert!(error < -50.0, "{from} to {to}: {error} dB");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_is_gone() {
        let out = resampled(tone(16_000, 6_000.0, 16_000), 16_000, 8_000);
        let loudest = out[200..7_800].iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(loudest < 40, "{loudest}");
    }

    #[test]
    fn pieces_make_the_same_as_the_whole() {
        let samples = tone(16_000, 700.0, 3_210);
        let mut resampler = Resampler::new(16_000, 8_000).unwrap();
        let whole = resampler.push(&samples);
        let mut resampler = Resampler::new(16_000, 8_000).unwrap();
        let pieces: Vec<i16> = samples.chunks(37).flat_map(|piece| resampler.push(piece)).collect();
        assert_eq!(pieces, whole);
        assert!(Resampler::new(8_000, 8_000).is_none());
    }
}
