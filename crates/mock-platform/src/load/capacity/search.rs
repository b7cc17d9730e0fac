//! Which rate is tried next. Pure.

/// A search between rates that do and rates that do not.
#[derive(Debug, Clone)]
pub(super) struct Search {
    /// Each rate that was tried: how often, and how often it did not do.
    tried: Vec<(f64, u32, u32)>,
    next: f64,
    repeats: u32,
    /// How often the generator was the bottleneck, one time after the other.
    inconclusive: u32,
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
    /// Whether the two are as close as they are to be, and the rate was tried as often.
    pub(super) is_finished: bool,
}

/// The two rates are so close in the end.
const CLOSE: f64 = 1.02;
/// Nobody asks for more.
const MOST: f64 = 1e7;
/// Nor for less.
const LEAST: f64 = 0.1;
/// A generator that is the bottleneck so often stays it.
pub(super) const OFTEN: u32 = 4;
/// Two of three decide that a rate does not do: one may be a hiccup.
const DECIDES: u32 = 2;

impl Search {
    pub(super) fn new(first: f64, repeats: u32) -> Self {
        let repeats = repeats.max(1);
        Self {
            tried: Vec::new(),
            next: first,
            repeats,
            inconclusive: 0,
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
        self.go_on();
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

    /// The trial said nothing.
    pub(super) fn inconclusive(&mut self) {
        self.inconclusive += 1;
        self.is_done |= self.inconclusive >= OFTEN;
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

    fn go_on(&mut self) {
        // One that failed once and has not yet passed or failed again.
        let open = self.tried.iter().find(|(_, tries, failures)| *failures == 1 && *tries < 3);
        let open = open.filter(|(rate, ..)| self.fails().is_none_or(|(fails, ..)| *rate < fails));
        if let Some((rate, ..)) = open {
            self.next = *rate;
            return;
        }
        self.next = match (self.passes(), self.fails()) {
            (None, None) => self.next,
            (Some((passes, ..)), None) if passes < MOST => (passes * 2.0).min(MOST),
            (None, Some((fails, ..))) if fails > LEAST => (fails / 2.0).max(LEAST),
            (Some((passes, ..)), Some((fails, ..))) if fails > passes * CLOSE => rounded(passes, fails),
            (Some((passes, tries, failures)), _) if tries - failures < self.repeats => passes,
            _ => {
                (self.is_done, self.is_finished) = (true, true);
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The trials of a receiver that does up to a rate, but for chance.
    fn search(first: f64, limit: f64, mut chance: impl FnMut() -> bool) -> (Outcome, usize) {
        let mut search = Search::new(first, 3);
        for trials in 0..200 {
            let Step::Try(rate) = search.next() else { return (search.outcome(), trials) };
            search.tried(rate, rate <= limit && !chance());
        }
        panic!("it does not end: {search:?}");
    }

    #[test]
    fn a_limit_is_found_from_wherever_the_search_begins() {
        proptest!(|(first in 1.0..100_000.0, limit in 1.0..100_000.0)| {
            let (outcome, trials) = search(first, limit, || false);
            let (passes, fails) = (outcome.passes.unwrap(), outcome.fails.unwrap());
            prop_assert!(passes <= limit && limit < fails && fails <= passes * CLOSE * 1.0001, "{outcome:?}");
            prop_assert!(outcome.is_finished && outcome.passed == outcome.tried);
            prop_assert!(outcome.passed >= 3 && outcome.failed >= 2 && outcome.tried_above <= 3);
            prop_assert!(trials < 70, "{trials}");
        });
    }

    #[test]
    fn a_hiccup_now_and_then_misleads_nobody() {
        let mut n = 0;
        let hiccup = || {
            n += 1;
            n % 7 == 3
        };
        let (outcome, _) = search(100.0, 1_000.0, hiccup);
        let (passes, fails) = (outcome.passes.unwrap(), outcome.fails.unwrap());
        assert!(passes <= 1_000.0 && passes > 950.0 && fails > 1_000.0, "{outcome:?}");
    }

    #[test]
    fn a_rate_that_was_found_to_fail_later_is_tried_again_and_not_believed() {
        let mut search = Search::new(100.0, 3);
        search.tried(100.0, true);
        assert_eq!(search.next(), Step::Try(200.0));
        search.revoked(100.0);
        search.tried(200.0, false);
        assert_eq!(search.next(), Step::Try(100.0), "one failure is open");
        search.tried(100.0, false);
        assert_eq!(search.next(), Step::Try(50.0));
        assert_eq!((search.outcome().passes, search.outcome().fails), (None, Some(100.0)));
    }

    #[test]
    fn what_never_does_and_what_always_does_have_an_end() {
        let (never, _) = search(100.0, 0.0, || false);
        assert_eq!((never.passes, never.fails), (None, Some(LEAST)));
        let (always, _) = search(100.0, f64::INFINITY, || false);
        assert_eq!((always.passes, always.fails), (Some(MOST), None));
        let mut search = Search::new(10.0, 3);
        search.tried(10.0, true);
        (0..OFTEN).for_each(|_| search.inconclusive());
        assert_eq!(search.next(), Step::Done);
        assert_eq!((search.outcome().passes, search.outcome().fails), (Some(10.0), None));
        assert!(!search.outcome().is_finished);
    }

    #[test]
    fn a_search_that_is_not_finished_does_not_say_that_it_is() {
        // 5,000 does once, 10,000 fails twice, and then the generator is not up to what lies between.
        let mut search = Search::new(5_000.0, 3);
        search.tried(5_000.0, true);
        (0..DECIDES).for_each(|_| search.tried(10_000.0, false));
        (0..OFTEN).for_each(|_| search.inconclusive());
        assert_eq!(search.next(), Step::Done);
        let outcome = search.outcome();
        assert_eq!((outcome.passes, outcome.fails), (Some(5_000.0), Some(10_000.0)));
        assert!(!outcome.is_finished);
    }

    #[test]
    fn a_failure_among_the_trials_of_the_largest_rate_is_told() {
        let mut search = Search::new(100.0, 3);
        search.tried(100.0, false);
        (0..3).for_each(|_| search.tried(100.0, true));
        (0..DECIDES).for_each(|_| search.tried(101.0, false));
        let outcome = search.outcome();
        assert_eq!((outcome.passes, outcome.passed, outcome.tried), (Some(100.0), 3, 4));
    }

    #[test]
    fn a_rate_that_the_receiver_did_not_survive_is_too_much_at_once() {
        let mut search = Search::new(2_000.0, 3);
        search.tried(2_000.0, true);
        search.tried(4_000.0, false);
        search.gone(4_000.0);
        assert_eq!(search.next(), Step::Done);
        let outcome = search.outcome();
        assert_eq!((outcome.passes, outcome.passed, outcome.tried), (Some(2_000.0), 1, 1));
        assert_eq!((outcome.fails, outcome.failed, outcome.tried_above), (Some(4_000.0), 1, 1));
        assert!(!outcome.is_finished);
        // Whether the trial seemed to do, or said nothing.
        let mut search = Search::new(100.0, 3);
        search.tried(100.0, true);
        search.gone(100.0);
        assert_eq!((search.outcome().passes, search.outcome().fails), (None, Some(100.0)));
        let mut search = Search::new(100.0, 3);
        search.gone(100.0);
        assert_eq!((search.outcome().failed, search.outcome().tried_above), (1, 1));
    }
}
