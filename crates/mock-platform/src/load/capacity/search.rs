//! Which rate is tried next. Pure.

/// A search between rates that do and rates that do not.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// Each rate that was tried: how often, and how often it did not do.
    tried: Vec<(f64, u32, u32)>,
    next: f64,
    repeats: u32,
    /// Rates at which the generator was the bottleneck, and how often, where none as high has said anything since.
    unsure: Vec<(f64, u32)>,
    /// How often it was the bottleneck one time after the other, and in all.
    inconclusive: u32,
    inconclusive_in_all: u32,
    /// The rate since which the receiver is gone.
    gone_at: Option<f64>,
    is_done: bool,
    /// It is done, and knows what was asked for.
    is_finished: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    Try(f64),
    Done,
}

/// What a search has found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Outcome {
    /// The largest rate that did, how often, and of how many.
    pub(super) passes: Option<f64>,
    pub(super) passed: u32,
    pub(super) tried: u32,
    /// The lowest above it that did not, how often, and of how many.
    pub(super) fails: Option<f64>,
    pub(super) failed: u32,
    pub(super) tried_above: u32,
    /// The lowest rate between the two at which the generator was the bottleneck.
    pub(super) unsure: Option<f64>,
    /// Whether the two are as close as they are to be, and the rate was tried as often.
    pub(super) is_finished: bool,
}

/// The two rates are so close in the end.
const CLOSE: f64 = 1.02;
/// Nobody asks for more.
const MOST: f64 = 1e7;
/// Nor for less.
const LEAST: f64 = 0.1;
/// A generator that is the bottleneck so often where nothing else was found, or at a rate that did before, stays it.
const OFTEN: u32 = 4;
/// Nor does a search go on for longer than this in which it is so now and then.
const MOST_UNSURE: u32 = 12;
/// Two of three decide that a rate does not do, and two that the generator is not up to it: one may be a hiccup.
const DECIDES: u32 = 2;

impl Search {
    pub(super) fn new(first: f64, repeats: u32) -> Self {
        let repeats = repeats.max(1);
        Self {
            tried: Vec::new(),
            next: first,
            repeats,
            unsure: Vec::new(),
            inconclusive: 0,
            inconclusive_in_all: 0,
            gone_at: None,
            is_done: false,
            is_finished: false,
        }
    }

    pub(super) fn next(&self) -> Step {
        if self.is_done { Step::Done } else { Step::Try(self.next) }
    }

    /// What came of the trial.
    pub(super) fn tried(&mut self, rate: f64, did: bool) {
        self.count(rate, did);
        self.inconclusive = 0;
        // Where it was up to a rate, it is up to less.
        self.unsure.retain(|(unsure, _)| !(same(*unsure, rate) || (did && *unsure < rate)));
        self.go_on(true);
    }

    /// The receiver is gone since it was tried at that rate, and with it whoever could be tried.
    pub(super) fn gone(&mut self, rate: f64) {
        match self.tried.iter_mut().find(|(known, ..)| same(*known, rate)) {
            Some((.., failures)) => *failures = (*failures).max(1),
            None => self.count(rate, false),
        }
        self.gone_at = Some(rate);
        self.is_done = true;
    }

    /// A trial that seemed to do did not, as is known now. What is tried next follows when the trial that is on is over.
    pub(super) fn revoked(&mut self, rate: f64) {
        if let Some((.., failures)) = self.tried.iter_mut().find(|(known, ..)| same(*known, rate)) {
            *failures += 1;
        }
    }

    /// The trial said nothing: the generator was the bottleneck. What it is up to lies below, so that is where the search goes on.
    pub(super) fn inconclusive(&mut self, rate: f64) {
        self.inconclusive += 1;
        self.inconclusive_in_all += 1;
        match self.unsure.iter_mut().find(|(known, _)| same(*known, rate)) {
            Some((_, times)) => *times += 1,
            None => self.unsure.push((rate, 1)),
        }
        let is_below = self.passes().is_some_and(|(passes, ..)| rate > passes && !same(rate, passes));
        let is_often = self.inconclusive >= OFTEN && !is_below;
        if is_often || self.inconclusive_in_all >= MOST_UNSURE {
            self.is_done = true;
        } else {
            self.go_on(false);
        }
    }

    pub(super) fn outcome(&self) -> Outcome {
        let (passes, fails) = (self.passes(), self.fails());
        Outcome {
            passes: passes.map(|(rate, ..)| rate),
            passed: passes.map_or(0, |(_, tries, failures)| tries - failures),
            tried: passes.map_or(0, |(_, tries, _)| tries),
            fails: fails.map(|(rate, ..)| rate),
            failed: fails.map_or(0, |(.., failures)| failures),
            tried_above: fails.map_or(0, |(_, tries, _)| tries),
            unsure: self.ceiling().map(|(rate, _)| rate),
            is_finished: self.is_finished,
        }
    }

    fn count(&mut self, rate: f64, did: bool) {
        let at = self.tried.iter().position(|(known, ..)| same(*known, rate)).unwrap_or_else(|| {
            self.tried.push((rate, 0, 0));
            self.tried.len() - 1
        });
        let (_, tries, failures) = &mut self.tried[at];
        *tries += 1;
        *failures += u32::from(!did);
    }

    /// The lowest rate that does not do.
    fn fails(&self) -> Option<(f64, u32, u32)> {
        // One that it did not survive needs no second.
        let is_last = |rate: f64| self.gone_at.is_some_and(|gone| same(gone, rate));
        let failing = self.tried.iter().filter(|(rate, _, failures)| *failures >= DECIDES || is_last(*rate));
        failing.copied().min_by(|one, other| one.0.total_cmp(&other.0))
    }

    /// The largest rate below it that did, whether or not it has been tried often enough.
    fn passes(&self) -> Option<(f64, u32, u32)> {
        let limit = self.fails().map_or(f64::INFINITY, |(rate, ..)| rate);
        let passing = self
            .tried
            .iter()
            .filter(|(rate, tries, failures)| *rate < limit && tries > failures && *failures < DECIDES);
        passing.copied().max_by(|one, other| one.0.total_cmp(&other.0))
    }

    /// The lowest rate above the one that did, and below the one that did not, to which the generator was not up; how often.
    fn ceiling(&self) -> Option<(f64, u32)> {
        let low = self.passes().map_or(0.0, |(rate, ..)| rate);
        let high = self.fails().map_or(f64::INFINITY, |(rate, ..)| rate);
        let between = self.unsure.iter().filter(|(rate, _)| *rate > low && *rate < high && !same(*rate, low));
        between.copied().min_by(|one, other| one.0.total_cmp(&other.0))
    }

    /// `may_retry`: whether the generator was up to the last trial, and may be to one to which it was not.
    fn go_on(&mut self, may_retry: bool) {
        // One that failed once and has not yet passed or failed again.
        let is_decided =
            |rate: f64| self.unsure.iter().any(|(known, times)| same(*known, rate) && *times >= DECIDES);
        let open = self
            .tried
            .iter()
            .find(|(rate, tries, failures)| *failures == 1 && *tries < 3 && !is_decided(*rate));
        let open = open.filter(|(rate, ..)| self.fails().is_none_or(|(fails, ..)| *rate < fails));
        if let Some((rate, ..)) = open {
            self.next = *rate;
            return;
        }
        let (passes, fails) = (self.passes(), self.fails());
        let is_found = passes.zip(fails).is_some_and(|((passes, ..), (fails, ..))| fails <= passes * CLOSE);
        let ceiling = self.ceiling().filter(|_| !is_found);
        let is_finished = ceiling.is_none();
        self.next = match (passes, fails, ceiling) {
            (Some((passes, ..)), _, Some((unsure, times)))
                if times < DECIDES && (may_retry || unsure <= passes * CLOSE) =>
            {
                unsure
            }
            (Some((passes, ..)), _, Some((unsure, _))) if unsure > passes * CLOSE => rounded(passes, unsure),
            (None, _, Some((unsure, _))) if unsure > LEAST => (unsure / 2.0).max(LEAST),
            (None, None, None) => self.next,
            (Some((passes, ..)), None, None) if passes < MOST => (passes * 2.0).min(MOST),
            (None, Some((fails, ..)), None) if fails > LEAST => (fails / 2.0).max(LEAST),
            (Some((passes, ..)), Some((fails, ..)), None) if fails > passes * CLOSE => rounded(passes, fails),
            (Some((passes, tries, failures)), ..) if tries - failures < self.repeats => passes,
            _ => {
                (self.is_done, self.is_finished) = (true, is_finished);
                return;
            }
        };
    }
}

fn same(one: f64, other: f64) -> bool {
    (one - other).abs() <= one.abs() * 1e-9
}

/// Between two rates, where each is as far by factor, and no longer a number than it has to be.
fn rounded(low: f64, high: f64) -> f64 {
    let middle = libm::sqrt(low * high);
    let rough = libm::round(middle);
    if rough > low * 1.001 && rough < high * 0.999 { rough } else { middle }
}

#[cfg(test)]
mod tests;
