//! Schedules, and their shrinking, against receivers that are kept in memory.

mod receiver;

use std::collections::BTreeSet;
use std::time::Duration;

use piopiy_events::Profile;

use self::receiver::{Flaw, Receiver};
use super::schedule::Size;
use super::shrink::Aim;
use super::{Fault, Rate, Schedule, Schedules, Shrinker, faults, judged};
use crate::judge::check::{
    CaseEvidence, Composer, Count, Evidence, Malformed, Sources, Step, Terms, criteria,
};
use crate::plan::{Nonce, Seed};

const SEED: Seed = Seed(0x5eed);

fn schedules() -> impl Iterator<Item = Schedule> {
    let schedules = Schedules::new(Profile::Global, SEED);
    (0..).map(move |number| schedules.nth(number).unwrap())
}

fn composer(run: u32) -> Composer {
    let sources = Sources::new(Profile::Global, SEED, Nonce(7), "127.0.0.1:5000", "/webhook/cdr");
    Composer::new("test", run, sources)
}

fn terms() -> Terms {
    Terms {
        baseline: Duration::from_millis(1),
        ack_limit: Duration::from_secs(5),
        malformed: Malformed::Either,
        is_observed: true,
        shows: crate::judge::check::Shows {
            fields: true,
            state: true,
            quarantine: Some(true),
            ..crate::judge::check::Shows::default()
        },
        start_limit: Duration::from_secs(30),
        is_local_name: false,
        takes_pings: false,
    }
}

/// What explores a receiver, as the program does, but without a network.
struct Explorer {
    receiver: Receiver,
    known: BTreeSet<String>,
    runs: u32,
}

impl Explorer {
    fn new(flaw: Flaw) -> Self {
        Self { receiver: Receiver::new(flaw), known: BTreeSet::new(), runs: 0 }
    }

    fn run(&mut self, schedule: &Schedule) -> (CaseEvidence, Vec<Fault>) {
        let mut composer = composer(self.runs);
        self.runs += 1;
        let evidence = self.receiver.take(schedule.case("", &mut composer, &self.known));
        let terms = terms();
        let shown = criteria::shown(&Evidence { cases: std::slice::from_ref(&evidence), terms: &terms });
        self.known.extend(shown);
        let faults = faults(&judged(&evidence, &terms));
        (evidence, faults)
    }

    /// The first schedule that fails so.
    fn found(&mut self, word: &str) -> Option<Schedule> {
        schedules().take(300).find(|schedule| self.run(schedule).1.iter().any(|fault| fault.word == word))
    }

    fn shrunk(&mut self, schedule: Schedule, word: &str) -> Shrinker {
        let mut shrinker = Shrinker::new(schedule, false);
        while let Some((schedule, runs)) = shrinker.next() {
            let schedule = schedule.clone();
            let mut fails = 0;
            for _ in 0..runs {
                fails += u32::from(self.run(&schedule).1.iter().any(|fault| fault.word == word));
            }
            shrinker.tell(Rate { fails, of: runs });
        }
        assert!(shrinker.is_over());
        shrinker
    }
}

#[test]
fn the_same_seed_gives_the_same_schedules_and_another_gives_others() {
    let of =
        |seed| (0..20).map(|number| Schedules::new(Profile::Global, seed).nth(number)).collect::<Vec<_>>();
    assert_eq!(of(SEED), of(SEED));
    assert_ne!(of(SEED), of(Seed(1)));
}

#[test]
fn schedules_have_all_that_is_hostile() {
    let sizes: Vec<(Schedule, Size)> =
        schedules().take(300).map(|schedule| (schedule.clone(), schedule.size())).collect();
    let count = |test: &dyn Fn(&Schedule, &Size) -> bool| {
        sizes.iter().filter(|(schedule, size)| test(schedule, size)).count()
    };
    assert!(count(&|_, size| size.calls > 1) > 50, "calls");
    assert!(count(&|_, size| size.deliveries > size.webhooks) > 100, "duplicates");
    assert!(count(&|_, size| size.beside > 1) > 50, "concurrency");
    assert!(count(&|_, size| size.gaps_ms > 0) > 50, "gaps");
    assert!(count(&|_, size| size.fields > 0) > 50, "mutated fields");
    let is_disordered = |schedule: &Schedule, _: &Size| {
        let order: Vec<_> = schedule.attempts().map(|attempt| attempt.place).collect();
        order.windows(2).any(|pair| pair[0].call == pair[1].call && pair[0] > pair[1])
    };
    assert!(count(&is_disordered) > 50, "reorderings");
    assert!(count(&|schedule, _| schedule.has_clear_ends()) > 100, "ends that can be judged");
    assert!(sizes.iter().all(|(_, size)| (1..=64).contains(&size.deliveries)));
}

#[test]
fn a_case_sends_what_its_schedule_says_and_expects_each_webhook_once() {
    for (number, schedule) in schedules().take(200).enumerate() {
        let known = BTreeSet::new();
        let case = schedule.case("", &mut composer(number as u32), &known);
        let size = schedule.size();
        let identities: BTreeSet<_> =
            case.expected.iter().map(|expected| expected.payload.identity().unwrap().key()).collect();
        assert_eq!(identities.len(), size.webhooks, "{schedule}");
        assert_eq!(case.expected.len(), size.webhooks);
        let sent: Vec<_> = case
            .steps
            .iter()
            .filter_map(|step| match step {
                Step::Connections(scripts) => Some(scripts),
                _ => None,
            })
            .flatten()
            .flat_map(|script| script.requests.iter().map(|sent| sent.of.unwrap()))
            .collect();
        assert_eq!(sent.len(), size.deliveries);
        let expected: BTreeSet<_> = case.expected.iter().map(|expected| expected.payload.id).collect();
        assert_eq!(sent.into_iter().collect::<BTreeSet<_>>(), expected);
        for expected in &case.expected {
            let is_cdr = expected.payload.identity().unwrap().kind() == piopiy_events::Kind::Cdr;
            assert_eq!(expected.count, if is_cdr { Count::Once } else { Count::OnceIfKnown });
        }
    }
}

#[test]
fn each_run_has_ids_of_its_own() {
    let schedule = schedules().next().unwrap();
    let ids = |run| {
        let case = schedule.case("", &mut composer(run), &BTreeSet::new());
        case.expected.into_iter().map(|expected| expected.payload.cmiuuid).collect::<BTreeSet<_>>()
    };
    assert_eq!(ids(0), ids(0));
    assert!(ids(0).is_disjoint(&ids(1)));
}

#[test]
fn every_step_of_shrinking_is_smaller() {
    for schedule in schedules().take(60) {
        let size = schedule.size();
        for aim in Aim::ALL {
            for smaller in aim.smaller(&schedule) {
                assert!(smaller.size() < size, "{aim:?}: {smaller} of {schedule}");
                assert!(smaller.attempts().count() > 0);
                assert!(smaller.waves.iter().all(|wave| !wave.attempts.is_empty()));
            }
        }
    }
}

/// Shrinks by a rule in place of a receiver.
fn by_rule(schedule: Schedule, rule: impl Fn(&Schedule) -> bool) -> Shrinker {
    let mut shrinker = Shrinker::new(schedule, false);
    while let Some((schedule, of)) = shrinker.next() {
        let fails = if rule(schedule) { of } else { 0 };
        shrinker.tell(Rate { fails, of });
    }
    shrinker
}

#[test]
fn shrinking_ends_at_the_smallest_and_keeps_what_it_has_to() {
    for schedule in schedules().take(40) {
        let smallest = Size { calls: 1, webhooks: 1, deliveries: 1, gaps_ms: 0, beside: 0, fields: 0 };
        assert_eq!(by_rule(schedule.clone(), |_| true).best().size(), smallest);
        let size = schedule.size();
        let kept = by_rule(schedule.clone(), |it| it.size() == size);
        assert_eq!((kept.best(), kept.rate()), (&schedule, Rate { fails: 10, of: 10 }));
        let calls = by_rule(schedule, |it| it.size().calls == size.calls);
        assert_eq!(
            calls.best().size(),
            Size { calls: size.calls, webhooks: size.calls, deliveries: size.calls, ..smallest }
        );
    }
}

#[test]
fn what_never_fails_again_is_not_confirmed() {
    let schedule = schedules().next().unwrap();
    let shrinker = by_rule(schedule.clone(), |_| false);
    assert_eq!((shrinker.best(), shrinker.rate()), (&schedule, Rate { fails: 0, of: 50 }));
}

#[test]
fn what_takes_too_long_has_to_do_so_each_time() {
    let schedule = schedules().next().unwrap();
    let mut shrinker = Shrinker::new(schedule, true);
    assert_eq!(shrinker.next().unwrap().1, 3);
    shrinker.tell(Rate { fails: 2, of: 3 });
    assert!(shrinker.next().is_none() && shrinker.is_over());
}

#[test]
fn a_correct_receiver_raises_nothing() {
    let mut explorer = Explorer::new(Flaw::None);
    for schedule in schedules().take(2_000) {
        let (_, faults) = explorer.run(&schedule);
        assert_eq!(faults, [], "{schedule}\n{schedule:#?}");
    }
    assert!(explorer.known.len() > 5, "{:?}", explorer.known);
}

#[test]
fn a_correct_receiver_that_ignores_live_events_raises_nothing() {
    let mut explorer = Explorer::new(Flaw::NoneButCdrs);
    for schedule in schedules().take(500) {
        assert_eq!(explorer.run(&schedule).1, [], "{schedule}");
    }
}

/// Each flaw is found, and shrunk to this size: calls, webhooks, deliveries, those side by side, fields.
fn check(flaw: Flaw, word: &str, expected: (usize, usize, usize, usize, usize)) -> Shrinker {
    let mut explorer = Explorer::new(flaw);
    let found = explorer.found(word).unwrap_or_else(|| panic!("{flaw:?} was not found"));
    let shrunk = explorer.shrunk(found, word);
    let Size { calls, webhooks, deliveries, beside, fields, .. } = shrunk.best().size();
    let got = (calls, webhooks, deliveries, beside, fields);
    assert_eq!(got, expected, "{flaw:?}: {}", shrunk.best());
    shrunk
}

#[test]
fn every_flaw_is_found_and_shrunk_to_what_it_takes() {
    check(Flaw::StoresRepeats, "duplicated", (1, 1, 2, 0, 0));
    check(Flaw::AnswersRepeatsWith409, "answered 409", (1, 1, 2, 0, 0));
    check(Flaw::DedupesByCmiuuid, "lost", (1, 2, 2, 0, 0));
    check(Flaw::LastWriteWins, "stale_overwrite", (1, 2, 2, 0, 0));
    check(Flaw::ReopensByLateEvents, "stale_overwrite", (1, 2, 2, 0, 0));
    check(Flaw::DropsUnknownMembers, "lost", (1, 1, 1, 0, 1));
    check(Flaw::RefusesQuotedNumbers, "answered 422", (1, 1, 1, 0, 1));
    check(Flaw::DropsThePlus, "corrupted", (1, 1, 1, 0, 1));
    check(Flaw::BreaksAtThreeSideBySide, "answered 500", (1, 1, 3, 2, 0));
    check(Flaw::HasOneCurrentCall, "corrupted", (2, 2, 2, 0, 0));
}

#[test]
fn a_race_is_found_and_shrunk_to_two_deliveries_of_one_webhook() {
    for percent in [95, 50, 20] {
        let shrunk = check(Flaw::AsksThenInserts { percent }, "duplicated", (1, 1, 2, 1, 0));
        let Rate { fails, of } = shrunk.rate();
        assert!(fails > 0 && of >= 10, "{}", shrunk.rate());
        let told = shrunk.best().to_string();
        assert!(told.starts_with("two deliveries of the same "), "{told}");
        assert!(told.ends_with("at the same time") || told.ends_with("ms apart"), "{told}");
    }
}

#[test]
fn a_gap_is_as_small_as_it_can_be() {
    let shrunk = check(Flaw::ForgetsAfterTenMs, "duplicated", (1, 1, 2, 0, 0));
    let gap = shrunk.best().size().gaps_ms;
    assert!((10..20).contains(&gap), "{gap}");
}
