use std::slice::from_ref;

use super::*;
use crate::load::report::LoadAsked;
use crate::load::report::testing::{Sent, report};
use crate::plan::draw::split_mix;

/// Twelve seconds with a webhook every 4 ms, whose latency is around so many microseconds; chance is of the seed.
fn run(seed: u64, us: u64, errors_in_1000: u64) -> LoadReport {
    let one = |n: u64| Sent {
        due_ns: n * 4_000_000,
        latency_ns: us
            * (800
                + split_mix(seed, n) % 400
                + if split_mix(seed, n).is_multiple_of(50) { 3_000 } else { 0 }),
        is_acknowledged: split_mix(seed + 1, n) % 1_000 >= errors_in_1000,
    };
    report(&(0..3_000).map(one).collect::<Vec<_>>())
}

fn compared(
    before: &[LoadReport],
    after: &[LoadReport],
    tolerances: &Tolerances,
) -> Vec<(&'static str, Change)> {
    let comparison = LoadComparison::of(before, after, tolerances).unwrap();
    assert_eq!(comparison.inconclusive, None);
    comparison.figures.iter().map(|figure| (figure.name, figure.change)).collect()
}

fn change(all: &[(&'static str, Change)], name: &str) -> Change {
    all.iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn chance_is_no_regression_and_what_is_slower_is_one() {
    let usual = Tolerances::default();
    for seed in 0..8 {
        let same = compared(&[run(seed, 5_000, 0)], &[run(seed + 100, 5_000, 0)], &usual);
        assert!(same.iter().all(|(_, change)| *change != Change::Worse), "{seed}: {same:?}");
    }
    let slower = compared(&[run(1, 5_000, 0)], &[run(2, 6_500, 0)], &usual);
    for name in ["p50", "p90", "p99"] {
        assert_eq!(change(&slower, name), Change::Worse, "{slower:?}");
    }
    assert_eq!(change(&slower, "errors"), Change::Same);
    let faster = compared(&[run(1, 6_500, 0)], &[run(2, 5_000, 0)], &usual);
    assert_eq!(change(&faster, "p50"), Change::Better);

    let mut more = usual.clone();
    more.tolerate(&"p50=40%".parse().unwrap());
    assert_eq!(change(&compared(&[run(1, 5_000, 0)], &[run(2, 6_500, 0)], &more), "p50"), Change::Same);
}

#[test]
fn loads_that_were_not_asked_for_alike_are_compared_with_a_warning() {
    let (before, mut after) = (run(1, 5_000, 0), run(2, 5_000, 0));
    let warnings = |after: &LoadReport| {
        let comparison = LoadComparison::of(from_ref(&before), from_ref(after), &Tolerances::default());
        let comparison = comparison.unwrap();
        for told in [comparison.text(), comparison.markdown(), comparison.annotations()] {
            assert!(comparison.warnings.iter().all(|_| told.contains("the loads differ in")), "{told}");
        }
        comparison.warnings
    };
    assert_eq!(warnings(&after), [""; 0]);
    after.asked.duration_s = Some(60.0);
    let told = "the loads differ in the duration, \"10 s\" and \"60 s\": what has changed may be that";
    assert_eq!(warnings(&after), [told]);
    (after.asked.duration_s, after.asked.scenario) = (before.asked.duration_s, "mine.toml".to_owned());
    assert_eq!(warnings(&after), [""; 0], "it says the same, whatever it is called");
    after.asked.scenario_digest = "1".to_owned();
    assert!(warnings(&after)[0].contains("mine.toml (1)"));
    // A report from before it was noted.
    after.asked = LoadAsked::default();
    assert_eq!(warnings(&after), [""; 0]);
}

#[test]
fn what_the_generator_was_late_for_is_no_regression() {
    let tolerances = Tolerances::default();
    let (before, mut after) = (run(1, 900, 0), run(2, 9_000, 0));
    let of_all = |after: &[LoadReport]| {
        let comparison = LoadComparison::of(from_ref(&before), after, &tolerances).unwrap();
        let p50 = comparison.figures.iter().find(|figure| figure.name == "p50").unwrap().change;
        (p50, comparison.warnings.join("; "))
    };
    let of = |after: &LoadReport| of_all(from_ref(after));
    assert_eq!(of(&after), (Change::Worse, String::new()));
    let punctual = after.clone();
    after.summary.scheduling_lag_us.p50 = 8_900;
    let (change, told) = of(&after);
    assert_eq!(change, Change::Unclear);
    assert!(told.starts_with("p50 may be worse only because the generator woke up 8.9 ms late"), "{told}");
    assert_eq!(of_all(&[after.clone(), punctual]).0, Change::Worse, "another run was as slow without it");
    // Without that it would have been worse as well.
    after.summary.scheduling_lag_us.p50 = 4_000;
    assert_eq!(of(&after).0, Change::Worse);
}

#[test]
fn what_is_little_is_nothing() {
    let tolerances = Tolerances::default();
    let little = compared(&[run(1, 100, 0)], &[run(2, 150, 0)], &tolerances);
    assert_eq!(change(&little, "p50"), Change::Same, "{little:?}");
    let mut exact = tolerances;
    exact.set_floor(std::time::Duration::ZERO);
    assert_eq!(change(&compared(&[run(1, 100, 0)], &[run(2, 150, 0)], &exact), "p50"), Change::Worse);
}

#[test]
fn errors_and_what_is_lost_are_told() {
    let tolerances = Tolerances::default();
    let failing = compared(&[run(1, 900, 0)], &[run(2, 900, 20)], &tolerances);
    assert_eq!(change(&failing, "errors"), Change::Worse);
    assert_eq!(change(&failing, "lost"), Change::Unknown);
    let (mut before, mut after) = (run(1, 900, 0), run(2, 900, 0));
    (before.summary.lost, after.summary.lost) = (Some(0), Some(1));
    assert_eq!(change(&compared(&[before], &[after], &tolerances), "lost"), Change::Worse);
}

#[test]
fn what_is_proven_lost_is_worse_however_late_the_generator_was() {
    let tolerances = Tolerances::default();
    let (mut before, mut after) = (run(1, 900, 0), run(2, 9_000, 0));
    (before.summary.lost, after.summary.lost) = (Some(0), Some(1));
    after.saturation = Some("its threads were busy".to_owned());
    let comparison =
        |after: &LoadReport| LoadComparison::of(from_ref(&before), from_ref(after), &tolerances).unwrap();
    assert!(comparison(&after).inconclusive.is_some(), "nobody has proven it");
    after.audit = Some(crate::load::audit::LoadAudit { lost: 1, ..Default::default() });
    let proven = comparison(&after);
    let worse: Vec<&str> = proven.regressions().map(|figure| figure.name).collect();
    assert_eq!((proven.inconclusive.as_deref(), worse), (None, vec!["lost"]));
    assert!(proven.text().contains("its threads were busy; what was lost or doubled is so all the same"));
}

#[test]
fn what_is_lost_and_not_seen_any_more_is_not_no_regression() {
    let tolerances = Tolerances::default();
    let (mut before, mut after) = (run(1, 900, 0), run(2, 900, 0));
    before.summary.lost = Some(0);
    let of =
        |after: &LoadReport| LoadComparison::of(from_ref(&before), from_ref(after), &tolerances).unwrap();
    let reason = of(&after).inconclusive.unwrap();
    assert!(reason.contains("what was lost was seen before, and not after"), "{reason}");
    after.summary.lost = Some(0);
    assert_eq!(of(&after).inconclusive, None);
    // Nothing speaks against a regression that is seen.
    after.summary.lost = None;
    let slower = LoadReport { summary: after.summary.clone(), ..run(3, 9_000, 0) };
    let slower = of(&LoadReport { summary: run(3, 9_000, 0).summary, ..slower });
    assert!(slower.inconclusive.is_none() && slower.regressions().next().is_some());
}

/// Three runs a side that differ among each other as much as the sides do.
#[test]
fn runs_that_differ_by_themselves_make_a_change_unclear() {
    let runs = |all: [u64; 3]| all.map(|us| run(us, us, 0));
    let tolerances = Tolerances::default();
    let unclear = compared(&runs([4_000, 5_000, 8_000]), &runs([4_500, 7_000, 8_500]), &tolerances);
    assert_eq!(change(&unclear, "p50"), Change::Unclear, "{unclear:?}");
}

#[test]
fn what_cannot_be_compared_is_told() {
    let (one, tolerances) = (run(1, 900, 0), Tolerances::default());
    let mut other = one.clone();
    other.pace = "5 webhooks per second, constant".to_owned();
    let error = LoadComparison::of(from_ref(&one), &[other], &tolerances).unwrap_err().to_string();
    assert!(error.contains("one has pace"), "{error}");
    assert_eq!(LoadComparison::of(&[], from_ref(&one), &tolerances), Err(CompareError::None));

    let inconclusive = |after: &LoadReport| {
        LoadComparison::of(from_ref(&one), from_ref(after), &tolerances).unwrap().inconclusive.unwrap()
    };
    let mut stopped = one.clone();
    stopped.stopped = true;
    assert!(inconclusive(&stopped).contains("was stopped"));
    let mut saturated = one.clone();
    saturated.saturation = Some("its threads were busy".to_owned());
    assert!(inconclusive(&saturated).contains("its threads were busy"));
    // What seems to be worse is no failure then, for whoever reads outputs and annotations either.
    let mut slow = run(2, 50_000, 0);
    slow.saturation.clone_from(&saturated.saturation);
    let comparison = LoadComparison::of(from_ref(&one), from_ref(&slow), &tolerances).unwrap();
    assert!(comparison.regressions().any(|figure| figure.name == "p99"));
    let (told, outputs) = (comparison.annotations(), comparison.outputs());
    assert!(told.contains("::warning title=piopiy-mock load::p99 seems to be worse"), "{told}");
    assert!(!told.contains("::error"), "{told}");
    assert_eq!(outputs, "result=inconclusive\nfailed=\n");
    let audit = crate::load::audit::LoadAudit { lost: 1, ..Default::default() };
    saturated.audit = Some(audit);
    assert_eq!(saturated.verdict(), "failed");
    assert!(inconclusive(&saturated).contains("its threads were busy"), "its times say nothing all the same");
    let gave_way = LoadReport { gave_way: Some("in-flight limit: 7".to_owned()), ..one.clone() };
    assert!(inconclusive(&gave_way).contains("in-flight limit: 7"));
    assert!(inconclusive(&report(&Sent::each_second(3))).contains("3 whole seconds"));
}

#[test]
fn tolerances_are_a_figure_and_a_part() {
    let wrong = |text: &str, reason: &str| {
        let error = text.parse::<Tolerance>().unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    wrong("p99", "names no figure");
    wrong("p98=1%", "no figure \"p98\"");
    wrong("p99=1", "no part in %");
    wrong("p99=-1%", "is no number");
}

#[test]
fn people_read_what_has_changed() {
    let comparison =
        LoadComparison::of(&[run(1, 5_000, 0)], &[run(2, 6_500, 0)], &Tolerances::default()).unwrap();
    insta::assert_snapshot!(comparison.text());
    let markdown = comparison.markdown();
    assert!(markdown.starts_with("## piopiy-mock load compare: regression: p50, p90, p99\n"), "{markdown}");
    assert!(markdown.contains("**worse**"));
    assert_eq!(comparison.outputs(), "result=regression\nfailed=p50,p90,p99\n");
    let annotations = comparison.annotations();
    assert!(
        annotations.starts_with("::error title=piopiy-mock load::p50 is worse than before, by "),
        "{annotations}"
    );
}
