use proptest::prelude::*;

use super::*;
use crate::load::report::testing::{Sent, report};

fn shard(sent: &[Sent], part: u64, parts: u64) -> LoadReport {
    LoadReport { shard: Some(format!("{part}/{parts}")), ..report(sent) }
}

#[test]
fn the_shards_joined_are_the_whole() {
    proptest!(ProptestConfig::with_cases(48), |(
        sent in proptest::collection::vec(Sent::any(), 1..200), parts in 1..6_u64, order in any::<u64>()
    )| {
        let share = |part: u64| {
            let own = (0..).zip(&sent).filter(|(n, _)| n % parts == part).map(|(_, one)| *one);
            shard(&own.collect::<Vec<_>>(), part, parts)
        };
        let mut shares: Vec<LoadReport> = (0..parts).map(share).collect();
        shares.rotate_left((order % parts) as usize);
        let (whole, joined) = (report(&sent), merge(&shares).unwrap());
        prop_assert_eq!(&joined.histograms, &whole.histograms);
        prop_assert_eq!(packed::read(&joined.histograms.latency).unwrap().len(), sent.len() as u64);
        let mut series = joined.series.clone();
        for (mine, theirs) in series.iter_mut().zip(&whole.series) {
            prop_assert!((mine.seconds - theirs.seconds).abs() < 1e-6);
            mine.seconds = theirs.seconds;
        }
        prop_assert_eq!(&series, &whole.series);
        let counts = |one: &LoadReport| {
            let summary = &one.summary;
            let counts = [summary.planned, summary.attempts, summary.acknowledged, summary.errors];
            (counts, summary.errors_by_kind.clone(), summary.latency_us, summary.lost, one.mix.clone())
        };
        prop_assert_eq!(counts(&joined), counts(&whole));
        prop_assert!((joined.summary.sent_per_second / whole.summary.sent_per_second - 1.0).abs() < 1e-9);
        prop_assert!((joined.summary.seconds - whole.summary.seconds).abs() < 1e-9);
    });
}

#[test]
fn a_shard_that_began_later_lies_later_and_longer_intervals_take_in_shorter_ones() {
    let sent = Sent::each_second(5);
    let one = shard(&sent, 0, 2);
    let mut other = shard(&sent, 1, 2);
    other.started_ms += 3_000;
    let joined = merge(&[one.clone(), other]).unwrap();
    let planned: Vec<u64> = joined.series.iter().map(|interval| interval.planned).collect();
    assert_eq!(planned, [1, 1, 1, 2, 2, 1, 1, 1]);

    let mut coarse = shard(&[], 1, 2);
    let interval = |at_s, planned| LoadInterval { at_s, seconds: 4.0, planned, ..LoadInterval::default() };
    coarse.series = vec![interval(0.0, 40), interval(4.0, 7)];
    let joined = merge(&[one, coarse]).unwrap();
    let planned: Vec<(f64, u64)> =
        joined.series.iter().map(|interval| (interval.at_s, interval.planned)).collect();
    assert_eq!(planned, [(0.0, 44), (4.0, 8)]);
}

#[test]
fn what_is_not_one_load_is_not_joined() {
    let sent = Sent::each_second(2);
    let refused = |reports: &[LoadReport], reason: &str| {
        let error = merge(reports).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    refused(&[], "no report");
    refused(&[report(&sent)], "of a whole plan");
    refused(&[shard(&sent, 0, 2), shard(&sent, 0, 2)], "two reports are of shard 0/2");
    refused(&[shard(&sent, 0, 4), shard(&sent, 2, 4)], "shards 1/4, 3/4 are missing");
    refused(&[shard(&sent, 0, 2), shard(&sent, 1, 3)], "\"of 2\"");
    let other = LoadReport { nonce: "0x1".to_owned(), ..shard(&sent, 1, 2) };
    refused(&[shard(&sent, 0, 2), other], "one has nonce");
    let with = |change: fn(&mut LoadReport)| {
        let mut other = shard(&sent, 1, 2);
        change(&mut other);
        [shard(&sent, 0, 2), other]
    };
    refused(&with(|other| other.asked.scenario_digest = "1".to_owned()), "one has the scenario");
    refused(&with(|other| other.asked.duration_s = None), "one has the duration \"10 s\", another \"none\"");
    refused(&with(|other| other.asked.calls = Some(5)), "one has calls");
    refused(&with(|other| other.asked.stages.push("soak:5s".to_owned())), "one has the stages");
    refused(&with(|other| other.asked.arrivals_digest = Some("1".to_owned())), "one has arrivals");
    refused(&with(|other| other.asked.faults.loss = 0.5), "one has the faults");
    refused(&with(|other| other.asked.cdr_policy = "always".to_owned()), "one has the redelivery");
    // Days apart there would be an interval for each second of them.
    refused(&with(|other| other.started_ms += 86_400_000), "the shards began 86400 s apart");
    for at_s in [1e300, 5e9, -3.0] {
        let mut reports = [shard(&sent, 0, 2), shard(&Sent::each_second(4), 1, 2)];
        reports[1].series[3].at_s = at_s;
        refused(&reports, "it is damaged");
    }
}

#[test]
fn a_part_that_a_plan_has_not_is_no_shard() {
    let sent = Sent::each_second(2);
    let mut reports = [shard(&sent, 0, 2), shard(&sent, 1, 2)];
    reports[1].shard = Some("2/2".to_owned());
    assert!(matches!(merge(&reports), Err(MergeError::Whole { .. })), "nothing is of part 1");
}

#[test]
fn what_one_shard_does_not_know_is_unknown_and_what_holds_one_back_is_told() {
    let sent = Sent::each_second(2);
    let (mut one, mut other) = (shard(&sent, 0, 2), shard(&sent, 1, 2));
    (one.summary.lost, other.summary.lost, one.summary.duplicated) = (Some(1), Some(2), Some(3));
    other.saturation = Some("it dropped 7 webhooks".to_owned());
    (one.fine_at, other.fine_at) = (None, Some(700.0));
    let joined = merge(&[one.clone(), other.clone()]).unwrap();
    assert_eq!((joined.summary.lost, joined.summary.duplicated), (Some(3), None));
    assert_eq!(joined.saturation.as_deref(), Some("shard 1/2: it dropped 7 webhooks"));
    assert_eq!(joined.fine_at, Some(700.0), "what one is not up to the whole is not");
    assert_eq!(joined.verdict(), "inconclusive");
    // Something else had the core of one: it has it at any rate.
    one.saturation = Some("it woke up late".to_owned());
    assert_eq!(merge(&[one, other]).unwrap().fine_at, None);
}

#[test]
fn what_one_shard_has_lost_is_lost_though_another_could_not_see_to_the_end() {
    let sent = Sent::each_second(2);
    let (mut one, mut other) = (shard(&sent, 0, 2), shard(&sent, 1, 2));
    one.audit = Some(LoadAudit { lost: 5, ..LoadAudit::default() });
    other.audit_failed = Some("it could not be asked".to_owned());
    let joined = merge(&[one.clone(), other.clone()]).unwrap();
    assert_eq!(joined.audit.as_ref().map(|audit| audit.lost), Some(5));
    assert_eq!(joined.verdict(), "failed");
    one.audit = Some(LoadAudit::default());
    assert_eq!(merge(&[one.clone(), other.clone()]).unwrap().verdict(), "inconclusive");
    // One that was never to look says nothing of what the others saw.
    other.audit_failed = None;
    assert!(merge(&[one.clone(), other.clone()]).unwrap().audit.is_none());
    one.audit = Some(LoadAudit { lost: 5, ..LoadAudit::default() });
    let joined = merge(&[one.clone(), other.clone()]).unwrap();
    assert_eq!((joined.verdict(), joined.summary.lost, joined.summary.duplicated), ("failed", Some(5), None));
    assert_eq!(joined.audit_failed.as_deref(), Some("shard 1/2: nobody looked at its effects"));
    // Nor does another receiver's unrest take anything back, and what fails alone fails beside one that nobody looked at.
    other.audit = Some(LoadAudit { is_unsettled: true, ..LoadAudit::default() });
    other.stopped = true;
    assert_eq!(merge(&[one.clone(), other.clone()]).unwrap().verdict(), "failed");
    (other.audit, other.stopped) = (None, false);
    one.audit = Some(LoadAudit { phantom: 1, ..LoadAudit::default() });
    assert_eq!(merge(&[one, other]).unwrap().verdict(), "failed");
}

#[test]
fn effects_are_of_all_shards_and_trouble_is_of_one() {
    let sent = Sent::each_second(2);
    let audit = |lost, named: &str| LoadAudit {
        effects: 40,
        lost,
        // One that is of neither, and so many of its own that were never sent.
        phantom: 1 + lost,
        never_sent: lost,
        of_other_shards: 20,
        named: BTreeMap::from([("phantom".to_owned(), vec!["x".to_owned(), named.to_owned()])]),
        ..LoadAudit::default()
    };
    let (mut one, mut other) = (shard(&sent, 0, 2), shard(&sent, 1, 2));
    one.audit = Some(audit(1, "y"));
    let known = merge(&[one.clone(), other.clone()]).unwrap();
    assert_eq!(known.audit.map(|audit| audit.lost), Some(1), "nobody looked for the other's");
    other.audit = Some(audit(2, "z"));
    let joined = merge(&[one, other]).unwrap();
    let audit = joined.audit.as_ref().unwrap();
    assert_eq!((audit.effects, audit.lost, audit.of_other_shards), (40, 3, 0));
    assert_eq!((audit.phantom, audit.never_sent), (4, 3));
    assert_eq!(audit.named["phantom"], ["x", "y", "z"]);
    assert_eq!(joined.verdict(), "failed");
}
