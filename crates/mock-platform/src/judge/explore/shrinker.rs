use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use super::Schedule;
use super::shrink::Aim;

/// How often something failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) fails: u32,
    pub(crate) of: u32,
}

/// Makes a schedule that fails smaller, step by step. It says which schedule is to be carried out how often, is told
/// how often that failed, and keeps the smallest one that still does.
///
/// A race does not fail each time: a smaller schedule is given up only when it has not failed in many runs, more of them
/// the rarer the failure is so far. Where a step would only tidy up (gaps, concurrency, fields), it must not make the
/// failure much rarer.
#[derive(Debug)]
pub(crate) struct Shrinker {
    best: Schedule,
    rate: Rate,
    /// Whether the failure is that something takes too long, which has to be so each time.
    is_timing: bool,
    trial: Option<Trial>,
    /// Which of [`Aim::ALL`] is pursued.
    aim: usize,
    queue: VecDeque<Schedule>,
    /// What did not fail, or not often enough.
    rejected: BTreeSet<Schedule>,
    has_improved: bool,
    is_over: bool,
}

/// A schedule that is being tried.
#[derive(Debug)]
struct Trial {
    schedule: Schedule,
    /// `None` for the one that everything begins with.
    aim: Option<Aim>,
    rate: Rate,
}

/// Runs at a time.
const ROUND: u32 = 10;
/// Runs at a time, where each waits until something has taken too long.
const TIMING_ROUND: u32 = 3;
/// Runs of what has not failed yet, where what it came from fails now and then.
const PATIENCE: u32 = 50;

impl Shrinker {
    /// Begins with a schedule that failed once.
    pub(crate) fn new(schedule: Schedule, is_timing: bool) -> Self {
        let trial = Trial { schedule: schedule.clone(), aim: None, rate: Rate::default() };
        Self {
            best: schedule,
            rate: Rate::default(),
            is_timing,
            trial: Some(trial),
            aim: 0,
            queue: VecDeque::new(),
            rejected: BTreeSet::new(),
            has_improved: false,
            is_over: false,
        }
    }

    /// What to carry out next, and how often; `None` where nothing smaller is left to try.
    pub(crate) fn next(&mut self) -> Option<(&Schedule, u32)> {
        if self.trial.is_none() {
            self.trial = self.candidate();
        }
        let runs = if self.is_timing { TIMING_ROUND } else { ROUND };
        self.trial.as_ref().map(|trial| {
            // A second look at what has not failed yet is a long one.
            let is_again = trial.rate.of > 0;
            (&trial.schedule, if is_again { PATIENCE - ROUND } else { runs })
        })
    }

    /// How often that failed.
    pub(crate) fn tell(&mut self, rate: Rate) {
        let Some(mut trial) = self.trial.take() else { return };
        trial.rate.fails += rate.fails;
        trial.rate.of += rate.of;
        if self.accepts(&trial) {
            self.has_improved |= trial.aim.is_some();
            self.best = trial.schedule;
            self.rate = trial.rate;
            self.queue.clear();
            self.fill();
        } else if self.deserves_more(&trial) {
            self.trial = Some(trial);
        } else if trial.aim.is_some() {
            self.rejected.insert(trial.schedule);
        } else {
            self.rate = trial.rate;
            self.is_over = true;
        }
    }

    /// The smallest schedule so far that fails.
    pub(crate) fn best(&self) -> &Schedule {
        &self.best
    }

    /// How often it failed. Where it never did again, what was found at first cannot be brought about.
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether nothing smaller is left to try.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn accepts(&self, trial: &Trial) -> bool {
        let Rate { fails, of } = trial.rate;
        match trial.aim {
            _ if self.is_timing => fails == of,
            None | Some(Aim::Calls | Aim::Webhooks | Aim::Deliveries) => fails > 0,
            // At least half as often as before.
            Some(Aim::Gaps | Aim::Concurrency | Aim::Fields) => {
                fails > 0 && 2 * fails * self.rate.of >= of * self.rate.fails
            }
        }
    }

    fn deserves_more(&self, trial: &Trial) -> bool {
        let is_rare = trial.aim.is_none() || 10 * self.rate.fails < 9 * self.rate.of;
        !self.is_timing && trial.rate.fails == 0 && is_rare && trial.rate.of < PATIENCE
    }

    fn candidate(&mut self) -> Option<Trial> {
        while !self.is_over {
            if let Some(schedule) = self.queue.pop_front() {
                let aim = Aim::ALL.get(self.aim).copied();
                return Some(Trial { schedule, aim, rate: Rate::default() });
            }
            self.aim += 1;
            if self.aim >= Aim::ALL.len() {
                // What was too large a step before may be possible now.
                self.is_over = !std::mem::take(&mut self.has_improved);
                self.aim = 0;
            }
            self.fill();
        }
        None
    }

    fn fill(&mut self) {
        if let Some(aim) = Aim::ALL.get(self.aim) {
            let smaller = aim.smaller(&self.best);
            self.queue = smaller.into_iter().filter(|one| !self.rejected.contains(one)).collect();
        }
    }
}

/// For people: `fails 9 of 10`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fails {} of {}", self.fails, self.of)
    }
}
