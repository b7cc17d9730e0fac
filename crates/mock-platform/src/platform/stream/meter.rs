use std::collections::VecDeque;

use crate::deliver::ledger::StreamFigures;

/// Silence of the application that ends within this is a gap; a longer one is a pause between two things it says.
const GAP_MS: u64 = 500;
/// How long before a word it was silent, for the word to be the beginning of something.
const STILL_FRAMES: u32 = 10;
/// As loud as this on average is speech.
const LOUD: u64 = 200;
/// A break after more than this answers nothing that the caller said.
const BARGE_MS: u64 = 5_000;

/// Measures an application. All times are milliseconds since it was connected.
#[derive(Debug)]
pub(super) struct Meter {
    figures: StreamFigures,
    rate: u32,
    played: u64,
    discarded: u64,
    cut: u64,
    /// When there was nothing more to play.
    dry_at: Option<u64>,
    is_playing: bool,
    /// For how many frames the caller was silent.
    still: u32,
    /// When the caller began to speak into what is played: each time that may still be what is broken off for, the first in front.
    barged_at: VecDeque<u64>,
}

impl Meter {
    pub(super) fn new(rate: u32) -> Self {
        Self {
            figures: StreamFigures::default(),
            rate,
            played: 0,
            discarded: 0,
            cut: 0,
            dry_at: None,
            is_playing: false,
            still: STILL_FRAMES,
            barged_at: VecDeque::new(),
        }
    }

    /// Audio came; so many samples wait now, and so many had no room.
    pub(super) fn came(&mut self, now_ms: u64, queued: usize, cut: usize) {
        self.figures.first_audio_ms.get_or_insert(now_ms);
        self.figures.ahead_ms = self.figures.ahead_ms.max(self.millis(queued as u64));
        self.cut += cut as u64;
        if let Some(dry) = self.dry_at.take() {
            let silent = now_ms.saturating_sub(dry);
            if silent <= GAP_MS {
                self.figures.gaps += 1;
                self.figures.longest_gap_ms = self.figures.longest_gap_ms.max(silent);
            } else {
                // What they spoke into came to its own end.
                self.barged_at.clear();
            }
        }
    }

    /// A frame was played; so many samples of it were the application's, of so many.
    pub(super) fn played(&mut self, now_ms: u64, count: usize, of: usize) {
        self.played += count as u64;
        if self.is_playing && count < of {
            self.dry_at = Some(now_ms);
            self.is_playing = false;
        } else if count > 0 {
            self.is_playing = count == of;
        }
    }

    /// A frame was sent.
    pub(super) fn sent(&mut self, now_ms: u64, frame: &[i16], is_taken: bool) {
        self.figures.frames += 1;
        self.figures.unread_frames += u64::from(!is_taken);
        let sum: u64 = frame.iter().map(|sample| u64::from(sample.unsigned_abs())).sum();
        if sum / (frame.len().max(1) as u64) < LOUD {
            self.still = self.still.saturating_add(1);
        } else {
            if self.still >= STILL_FRAMES && self.is_playing {
                self.forget_before(now_ms);
                self.barged_at.push_back(now_ms);
            }
            self.still = 0;
        }
    }

    /// The application broke off; so many samples were not played.
    pub(super) fn broke(&mut self, now_ms: u64, discarded: usize) {
        self.figures.breaks += 1;
        self.discarded += discarded as u64;
        // Silence is meant.
        self.dry_at = None;
        self.is_playing = false;
        self.forget_before(now_ms);
        // Whoever is not heeded speaks again, and waits since the first time.
        if let Some(first) = self.barged_at.front() {
            let after = now_ms.saturating_sub(*first);
            self.figures.break_ms = Some(self.figures.break_ms.unwrap_or(0).max(after));
        }
        self.barged_at.clear();
    }

    /// Forgets words that nothing answers any more.
    fn forget_before(&mut self, now_ms: u64) {
        self.barged_at.retain(|at| now_ms.saturating_sub(*at) <= BARGE_MS);
    }

    pub(super) fn figures(&self, now_ms: u64) -> StreamFigures {
        let mut figures = self.figures.clone();
        figures.lasted_ms = now_ms;
        figures.played_ms = self.millis(self.played);
        figures.discarded_ms = self.millis(self.discarded);
        figures.cut_ms = self.millis(self.cut);
        figures
    }

    fn millis(&self, samples: u64) -> u64 {
        samples * 1_000 / u64::from(self.rate.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_silence_is_a_gap_and_a_long_one_is_none() {
        let mut meter = Meter::new(8_000);
        meter.came(212, 1_600, 0);
        meter.played(220, 160, 160);
        meter.played(240, 0, 160);
        meter.came(300, 160, 0);
        meter.played(300, 160, 160);
        meter.played(320, 80, 160);
        meter.came(2_000, 160, 8_000);
        let figures = meter.figures(3_000);
        assert_eq!((figures.first_audio_ms, figures.gaps, figures.longest_gap_ms), (Some(212), 1, 60));
        assert_eq!((figures.ahead_ms, figures.played_ms, figures.cut_ms), (200, 50, 1_000));
    }

    #[test]
    fn a_break_is_measured_from_the_callers_first_word() {
        let mut meter = Meter::new(8_000);
        meter.came(0, 8_000, 0);
        meter.played(20, 160, 160);
        meter.sent(1_000, &[2_000; 160], true);
        meter.sent(1_020, &[2_000; 160], true);
        meter.broke(1_180, 4_000);
        let figures = meter.figures(2_000);
        assert_eq!((figures.breaks, figures.break_ms, figures.discarded_ms), (1, Some(180), 500));
    }

    /// What a break took after words at these instants into something that is played on and on.
    fn break_after(words: &[u64], at: u64) -> Option<u64> {
        let mut meter = Meter::new(8_000);
        for now in (0..at).step_by(20) {
            meter.came(now, 8_000, 0);
            meter.played(now, 160, 160);
            meter.sent(now, &[if words.contains(&now) { 2_000 } else { 0 }; 160], true);
        }
        meter.broke(at, 4_000);
        meter.figures(at).break_ms
    }

    #[test]
    fn who_has_to_say_it_again_waits_since_the_first_time() {
        assert_eq!(break_after(&[1_000], 1_200), Some(200));
        assert_eq!(break_after(&[1_000, 2_000, 3_000], 3_200), Some(2_200));
        // What nobody heeded for so long was not meant as one.
        assert_eq!(break_after(&[1_000, 7_000], 7_300), Some(300));
        assert_eq!(break_after(&[1_000], 7_000), None);
        assert_eq!(break_after(&[1_000, 5_900], 6_100), Some(200));
    }

    #[test]
    fn what_was_said_into_something_that_has_ended_is_no_wait() {
        let mut meter = Meter::new(8_000);
        meter.came(0, 160, 0);
        meter.played(0, 160, 160);
        meter.sent(20, &[2_000; 160], true);
        meter.played(20, 0, 160);
        meter.came(1_000, 160, 0);
        meter.played(1_000, 160, 160);
        meter.broke(1_100, 0);
        assert_eq!(meter.figures(2_000).break_ms, None);
    }
}
