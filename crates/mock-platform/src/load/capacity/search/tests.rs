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
}

#[test]
fn a_search_that_is_not_finished_does_not_say_that_it_is() {
    // 5,000 does once, 10,000 fails twice, and then the generator is not up to what lies between.
    let mut search = Search::new(5_000.0, 3);
    search.tried(5_000.0, true);
    (0..DECIDES).for_each(|_| search.tried(10_000.0, false));
    while let Step::Try(rate) = search.next() {
        if rate > 5_000.0 { search.inconclusive(rate) } else { search.tried(rate, true) }
    }
    let outcome = search.outcome();
    assert_eq!((outcome.passes, outcome.fails), (Some(5_000.0), Some(10_000.0)));
    assert!(!outcome.is_finished);
}

/// The same of a generator that is up to a rate, but for chance.
fn limited(first: f64, limit: f64, generator: f64, mut chance: impl FnMut() -> bool) -> (Outcome, usize) {
    let mut search = Search::new(first, 3);
    for trials in 0..200 {
        let Step::Try(rate) = search.next() else { return (search.outcome(), trials) };
        if rate > generator || chance() {
            search.inconclusive(rate);
        } else {
            search.tried(rate, rate <= limit);
        }
    }
    panic!("it does not end: {search:?}");
}

#[test]
fn a_generator_that_is_not_up_to_a_rate_does_not_end_the_search_below_it() {
    // 51,200 does and 102,400 is too much for the generator; the receiver takes 60,000.
    let (outcome, _) = limited(100.0, 60_000.0, 100_000.0, || false);
    let (passes, fails) = (outcome.passes.unwrap(), outcome.fails.unwrap());
    assert!(passes <= 60_000.0 && 60_000.0 < fails && fails <= passes * CLOSE * 1.0001, "{outcome:?}");
    assert!(outcome.is_finished && outcome.unsure.is_none(), "{outcome:?}");
    // It would have taken more than the generator can send: at least that.
    let (outcome, trials) = limited(100.0, 80_000.0, 60_000.0, || false);
    let (passes, unsure) = (outcome.passes.unwrap(), outcome.unsure.unwrap());
    assert!(passes <= 60_000.0 && 60_000.0 < unsure && unsure <= passes * CLOSE * 1.0001, "{outcome:?}");
    assert!(!outcome.is_finished && outcome.fails.is_none() && outcome.passed == 3, "{outcome:?}");
    assert!(trials < 30, "{trials}");
}

#[test]
fn a_hiccup_of_the_generator_is_no_limit() {
    let mut n = 0;
    let hiccup = || {
        n += 1;
        n % 6 == 3
    };
    let (outcome, _) = limited(100.0, 1_000.0, f64::INFINITY, hiccup);
    let (passes, fails) = (outcome.passes.unwrap(), outcome.fails.unwrap());
    assert!(passes <= 1_000.0 && 1_000.0 < fails && fails <= passes * CLOSE * 1.0001, "{outcome:?}");
    assert!(outcome.is_finished, "{outcome:?}");
}

#[test]
fn a_search_in_which_the_generator_is_the_bottleneck_has_an_end() {
    proptest!(|(
        first in 1.0..100_000.0, limit in 1.0..100_000.0, generator in 1.0..100_000.0, odds in 2..9_u64, seed in any::<u64>()
    )| {
        let (outcome, trials) = limited(first, limit, generator, || false);
        prop_assert!(trials < 80, "{trials}");
        prop_assert!(outcome.passes.is_none_or(|passes| passes <= limit.min(generator)), "{outcome:?}");
        prop_assert!(outcome.fails.is_none_or(|fails| limit < fails && fails <= generator), "{outcome:?}");
        // Whoever is up to little finds nothing of what takes more, and does not say that it did.
        prop_assert!(!outcome.is_finished || limit <= generator, "{outcome:?}");
        let mut state = seed;
        let chance = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % odds == 0
        };
        let (outcome, trials) = limited(first, limit, generator, chance);
        prop_assert!(trials < 120, "{trials}");
        prop_assert!(outcome.fails.is_none_or(|fails| limit < fails), "{outcome:?}");
    });
    let (never, trials) = limited(100.0, 1e6, 0.0, || false);
    assert_eq!((never.passes, never.fails, never.is_finished, trials), (None, None, false, OFTEN as usize));
    // Up to a rate, and then no more.
    let mut search = Search::new(10.0, 3);
    (0..2).for_each(|_| search.tried(10.0, false));
    search.tried(5.0, true);
    search.tried(9.9, true);
    (0..OFTEN).for_each(|_| search.inconclusive(9.9));
    assert_eq!((search.next(), search.outcome().passes), (Step::Done, Some(9.9)));
    assert!(!search.outcome().is_finished);
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
