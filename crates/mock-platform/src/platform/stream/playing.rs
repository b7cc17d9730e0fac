use std::collections::VecDeque;

/// What the application said and the caller has not heard yet.
#[derive(Debug)]
pub(super) struct Playing {
    queue: VecDeque<i16>,
    /// How many samples may wait.
    most: usize,
    /// How many are waited for before the first is played, so that what comes a little late makes no gap.
    delay: usize,
    /// How many samples' time was waited.
    waited: usize,
    is_started: bool,
}

impl Playing {
    pub(super) fn new(delay: usize, most: usize) -> Self {
        Self { queue: VecDeque::new(), most, delay, waited: 0, is_started: false }
    }

    /// More audio; how many samples there was no room for.
    pub(super) fn push(&mut self, samples: &[i16]) -> usize {
        let room = samples.len().min(self.most.saturating_sub(self.queue.len()));
        self.queue.extend(&samples[..room]);
        samples.len() - room
    }

    /// What is heard next, silence where nothing is there; how many samples are the application's.
    pub(super) fn take(&mut self, out: &mut [i16]) -> usize {
        out.fill(0);
        if !self.is_started {
            if self.queue.is_empty() {
                return 0;
            }
            if self.queue.len() < self.delay && self.waited < self.delay {
                self.waited += out.len();
                return 0;
            }
            self.is_started = true;
        }
        let count = self.queue.len().min(out.len());
        for (sample, queued) in out.iter_mut().zip(self.queue.drain(..count)) {
            *sample = queued;
        }
        if count < out.len() {
            self.stop();
        }
        count
    }

    /// Throws away what waits; how many samples.
    pub(super) fn clear(&mut self) -> usize {
        let count = self.queue.len();
        self.queue.clear();
        self.stop();
        count
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    fn stop(&mut self) {
        self.is_started = false;
        self.waited = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(playing: &mut Playing) -> (usize, [i16; 4]) {
        let mut out = [9; 4];
        (playing.take(&mut out), out)
    }

    #[test]
    fn it_waits_for_a_little_and_then_plays_without_a_gap() {
        let mut playing = Playing::new(8, 100);
        assert_eq!(playing.push(&[1, 2, 3, 4]), 0);
        assert_eq!(taken(&mut playing), (0, [0; 4]));
        assert_eq!(playing.push(&[5, 6, 7, 8]), 0);
        assert_eq!(taken(&mut playing), (4, [1, 2, 3, 4]));
        assert_eq!(taken(&mut playing), (4, [5, 6, 7, 8]));
        assert_eq!(taken(&mut playing), (0, [0; 4]));
    }

    #[test]
    fn a_short_piece_is_played_once_it_was_waited_for() {
        let mut playing = Playing::new(8, 100);
        playing.push(&[1, 2]);
        assert_eq!(taken(&mut playing).0, 0);
        assert_eq!(taken(&mut playing).0, 0);
        assert_eq!(taken(&mut playing), (2, [1, 2, 0, 0]));
    }

    #[test]
    fn no_more_waits_than_may_and_a_break_ends_it() {
        let mut playing = Playing::new(4, 6);
        assert_eq!(playing.push(&[1; 10]), 4);
        assert_eq!(taken(&mut playing).0, 4);
        assert_eq!(playing.clear(), 2);
        assert_eq!(taken(&mut playing), (0, [0; 4]));
    }
}
