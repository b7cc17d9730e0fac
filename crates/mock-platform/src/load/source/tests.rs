use std::collections::BTreeSet;

use piopiy_events::{Kind, Profile};
use proptest::prelude::*;

use super::super::options::LoadOptionsError;
use super::*;
use crate::deliver::{Faults, Redelivery};
use crate::plan::{PlanOptions, Scenario, Seed, Spacing, Stage};

fn simulator(shard: Option<(u64, u64)>) -> Simulator {
    let plan = PlanOptions { shard, ..PlanOptions::new(Profile::Global, Seed(7)) };
    Simulator::builtin("default", plan).unwrap()
}

fn all(mut source: Source) -> Vec<Due> {
    std::iter::from_fn(|| source.take()).collect()
}

fn rates() -> impl Strategy<Value = Rate> {
    prop_oneof![
        (1.0..5_000.0).prop_map(Rate::Webhooks),
        (1.0..500.0).prop_map(Rate::Calls),
        (1.0..500.0).prop_map(Rate::Erlangs),
        Just(Rate::Max),
    ]
}

#[test]
fn the_shares_together_are_the_whole_and_each_call_is_whole_and_in_order() {
    proptest!(ProptestConfig::with_cases(64), |(
        rate in rates(), shards in 1..5u64, parts in 1..4u64, calls in 1..80u64, is_random: bool
    )| {
        let mut options = LoadOptions::new(rate);
        options.spacing = if is_random { Spacing::Poisson } else { Spacing::Constant };
        options.calls = Some(calls);
        options.duration = (rate != Rate::Max).then_some(Duration::from_secs(2));
        let whole = all(Source::new(&simulator(None), &options, 0, 1));
        let mut joined = Vec::new();
        for shard in 0..shards {
            for part in 0..parts {
                let share = all(Source::new(&simulator(Some((shard, shards))), &options, part, parts));
                prop_assert!(share.is_sorted_by_key(|due| due.at_ns));
                joined.extend(share);
            }
        }
        joined.sort_unstable();
        let mut sorted = whole.clone();
        sorted.sort_unstable();
        prop_assert_eq!(joined, sorted);

        let mut buffer = CallBuffer::default();
        let begun: BTreeSet<u64> = whole.iter().map(|due| due.call).collect();
        for call in begun {
            simulator(None).write_call(call, &mut buffer);
            let sent: Vec<u32> = whole.iter().filter(|due| due.call == call).map(|due| due.webhook).collect();
            let expected: Vec<u32> = (0..buffer.webhooks().len() as u32).collect();
            prop_assert_eq!(sent, expected);
        }
    });
}

#[test]
fn webhooks_are_paced_one_after_another_at_exactly_the_rate() {
    let mut options = LoadOptions::new(Rate::Webhooks(2_000.0));
    options.spacing = Spacing::Constant;
    options.duration = Some(Duration::from_secs(3));
    let all = all(Source::new(&simulator(None), &options, 0, 1));
    for (nth, due) in (0..).zip(&all) {
        assert_eq!(due.at_ns, nth * 500_000);
    }
    assert!((6_000..6_010).contains(&all.len()), "the last call is sent whole: {}", all.len());
    assert!(all.is_sorted_by_key(|due| (due.call, due.webhook)));
}

#[test]
fn so_many_erlangs_are_so_many_calls_in_progress() {
    let mut options = LoadOptions::new(Rate::Erlangs(200.0));
    options.time_scale = 10.0;
    options.duration = Some(Duration::from_secs(120));
    let simulator = simulator(None);
    let all = all(Source::new(&simulator, &options, 0, 1));
    let mut buffer = CallBuffer::default();
    let lengths = all.iter().filter(|due| due.webhook == 0).map(|due| {
        simulator.write_call(due.call, &mut buffer);
        let last = buffer.webhooks().map(|(webhook, _)| webhook.at_ms).max();
        (last.unwrap() - buffer.starts_at_ms()) as f64 / 1e3 / 10.0
    });
    let mean = lengths.sum::<f64>() / 120.0;
    assert!((180.0..220.0).contains(&mean), "{mean} calls in progress");
}

#[test]
fn what_has_begun_is_sent_whole_and_what_is_stopped_is_not() {
    for rate in [Rate::Max, Rate::Webhooks(1e3), Rate::Calls(1e3)] {
        let mut options = LoadOptions::new(rate);
        options.duration = (rate != Rate::Max).then_some(Duration::from_secs(60));
        let take = |source: &mut Source| (0..100).map(|_| source.take().unwrap()).collect::<Vec<_>>();
        let mut source = Source::new(&simulator(None), &options, 0, 1);
        let mut taken = take(&mut source);
        // Where webhooks are due at instants, it is these that end.
        if rate == Rate::Max {
            source.end();
            taken.extend(std::iter::from_fn(|| source.take()));
            let mut buffer = CallBuffer::default();
            for call in taken.iter().map(|due| due.call).collect::<BTreeSet<u64>>() {
                let count = simulator(None).count_webhooks(call, &mut buffer);
                assert_eq!(taken.iter().filter(|due| due.call == call).count(), count, "{rate:?}");
            }
        }
        let mut source = Source::new(&simulator(None), &options, 0, 1);
        take(&mut source);
        source.stop();
        assert_eq!(source.take(), None);
    }
}

#[test]
fn webhooks_are_counted_as_they_are_written() {
    let (mut counted, mut written) = (CallBuffer::default(), CallBuffer::default());
    for name in Scenario::builtin_names() {
        let simulator = Simulator::builtin(name, PlanOptions::default()).unwrap();
        for call in 0..300 {
            simulator.write_call(call, &mut written);
            assert_eq!(
                simulator.count_webhooks(call, &mut counted),
                written.webhooks().len(),
                "{name} {call}"
            );
        }
    }
}

/// What was done on purpose to what was taken from a source.
fn done(sent: &[Due], source: &Source) -> Injected {
    let mut done = Injected { losses: source.losses(), ..Injected::default() };
    sent.iter().for_each(|due| done.sent(*due));
    done
}

#[test]
fn what_is_done_on_purpose_counts_when_it_is_done() {
    for rate in [Rate::Webhooks(1_000.0), Rate::Calls(100.0), Rate::Max] {
        let mut options = faulty(rate);
        (options.faults.loss, options.calls) = (0.3, Some(400));
        let mut source = Source::new(&simulator(None), &options, 0, 1);
        let sent: Vec<Due> = (0..40).map_while(|_| source.take()).collect();
        source.stop();
        assert_eq!(source.take(), None);
        let done = done(&sent, &source);
        let first: Vec<&Due> = sent.iter().filter(|due| due.attempt == 0).collect();
        assert_eq!(done.duplicates + done.redeliveries + first.len() as u64, 40, "{rate:?}");
        // Of 400 calls some thousand webhooks would have been lost; of what came so far about three in ten.
        assert!((1..200).contains(&done.losses), "{rate:?}: {done:?}");
    }
}

fn faulty(rate: Rate) -> LoadOptions {
    let mut options = LoadOptions::new(rate);
    options.faults = Faults { duplicate: 0.2, reorder: 0.2, delay: 0.1, loss: 0.1, ..Faults::seeded(3) };
    options.cdr_policy = Redelivery::Always;
    (options.calls, options.duration) = (Some(60), None);
    options.time_scale = 50.0;
    options
}

#[test]
fn what_goes_wrong_on_purpose_is_the_same_in_all_shares_together() {
    proptest!(ProptestConfig::with_cases(32), |(rate in rates(), shards in 1..4u64, parts in 1..4u64)| {
        let options = faulty(rate);
        let mut source = Source::new(&simulator(None), &options, 0, 1);
        let whole: Vec<Due> = std::iter::from_fn(|| source.take()).collect();
        let (mut joined, mut injected) = (Vec::new(), Injected::default());
        for shard in 0..shards {
            for part in 0..parts {
                let mut source = Source::new(&simulator(Some((shard, shards))), &options, part, parts);
                let share: Vec<Due> = std::iter::from_fn(|| source.take()).collect();
                injected.add(done(&share, &source));
                // Where they are asked for, what is there in lieu of an instant begins anew with each call.
                prop_assert!(rate == Rate::Max || share.is_sorted_by_key(|due| due.at_ns));
                joined.extend(share);
            }
        }
        prop_assert_eq!(injected, done(&whole, &source));
        joined.sort_unstable();
        let mut sorted = whole.clone();
        sorted.sort_unstable();
        prop_assert_eq!(joined, sorted);

        // As many firsts as there are webhooks, but for those lost, and each of the others for a reason.
        let mut buffer = CallBuffer::default();
        let planned: usize = (0..60).map(|call| simulator(None).count_webhooks(call, &mut buffer)).sum();
        let firsts: BTreeSet<(u64, u32)> =
            whole.iter().filter(|due| due.attempt == 0).map(|due| (due.call, due.webhook)).collect();
        prop_assert_eq!(firsts.len() as u64 + injected.losses, planned as u64);
        prop_assert_eq!(whole.len() as u64, firsts.len() as u64 + injected.duplicates + injected.redeliveries);
        prop_assert!([injected.duplicates, injected.reorders, injected.losses, injected.redeliveries].iter().all(|n| *n > 10));
        let strays = whole.iter().filter(|due| !firsts.contains(&(due.call, due.webhook))).count();
        prop_assert_eq!(strays, 0, "what is lost has no copy");
    });
}

#[test]
fn a_webhook_that_is_out_of_order_comes_behind_a_later_one() {
    for rate in [Rate::Webhooks(1_000.0), Rate::Calls(100.0), Rate::Max] {
        let mut options = faulty(rate);
        options.faults = Faults { reorder: 1.0, ..Faults::seeded(3) };
        options.cdr_policy = Redelivery::Never;
        let mut source = Source::new(&simulator(None), &options, 0, 1);
        let sent: Vec<Due> = std::iter::from_fn(|| source.take()).collect();
        let mut moved = 0;
        for call in 0..60 {
            let order: Vec<u32> = sent.iter().filter(|due| due.call == call).map(|due| due.webhook).collect();
            moved += order.windows(2).filter(|pair| pair[0] > pair[1]).count();
        }
        assert!(moved > 50, "{rate:?}: {moved}");
        assert!(done(&sent, &source).reorders as usize >= moved);
    }
}

#[test]
fn what_is_not_acknowledged_is_sent_again_by_the_schedule_and_no_more() {
    for rate in [Rate::Webhooks(1_000.0), Rate::Calls(100.0)] {
        let mut options = faulty(rate);
        options.faults = Faults::seeded(3);
        (options.cdr_policy, options.live_policy) = (Redelivery::UntilAck, Redelivery::Never);
        options.schedule_ms = vec![0, 1_000, 4_000];
        let mut source = Source::new(&simulator(None), &options, 0, 1);
        assert!(source.waits_for_answers());
        let mut sent: Vec<Due> = Vec::new();
        while let Some(due) = source.take() {
            sent.push(due);
            source.not_acknowledged(due, due.at_ns);
        }
        assert!(sent.is_sorted_by_key(|due| due.at_ns), "{rate:?}");
        let mut buffer = CallBuffer::default();
        for first in sent.iter().filter(|due| due.attempt == 0) {
            simulator(None).write_call(first.call, &mut buffer);
            let is_cdr = buffer.webhook(first.webhook as usize).unwrap().0.form.kind == Kind::Cdr;
            let of_it = |due: &&Due| (due.call, due.webhook) == (first.call, first.webhook);
            let after: Vec<u64> = sent.iter().filter(of_it).map(|due| due.at_ns - first.at_ns).collect();
            // Fifty times as fast.
            let expected: &[u64] = if is_cdr { &[0, 20_000_000, 80_000_000] } else { &[0] };
            assert_eq!(after, expected, "{rate:?}");
        }
        // An answer that takes longer than the gap is waited for.
        let due = Due { attempt: 0, ..*sent.iter().find(|due| due.attempt == 1).unwrap() };
        source.not_acknowledged(due, due.at_ns + 1_000_000_000);
        assert_eq!(source.take().unwrap().at_ns, due.at_ns + 1_000_000_000);
    }
}

#[test]
fn stages_and_lists_of_arrivals_say_when_calls_begin_and_end() {
    let begun = |options: &LoadOptions| {
        let mut source = Source::new(&simulator(None), options, 0, 1);
        let all: Vec<Due> = std::iter::from_fn(|| source.take()).collect();
        all.iter().map(|due| due.call).collect::<BTreeSet<u64>>().len()
    };
    let over = Duration::from_secs(10);
    let mut options = LoadOptions::new(Rate::Calls(10.0));
    options.duration = None;
    options.stages =
        vec![Stage::Soak { over }, Stage::Ramp { to: 30.0, over }, Stage::Burst { to: 100.0, over }];
    options.spacing = Spacing::Constant;
    assert_eq!(options.check(), Ok(()));
    assert_eq!(begun(&options), 100 + 200 + 1_000);
    assert_eq!(options.peak(), Some(100.0));
    options.rate = Rate::Max;
    assert_eq!(options.check(), Err(LoadOptionsError::Stages));

    let mut options = LoadOptions::new(Rate::Calls(1.0));
    (options.duration, options.arrivals_at) = (None, Some([0, 5, 1_000_000_000].into()));
    assert_eq!((options.check(), begun(&options), options.peak()), (Ok(()), 3, None));
    options.rate = Rate::Webhooks(1.0);
    assert_eq!(options.check(), Err(LoadOptionsError::Arrivals));

    let mut options = LoadOptions::new(Rate::Webhooks(1.0));
    options.stages = vec![Stage::Step { to: 0.0, over }];
    assert_eq!(options.check(), Err(LoadOptionsError::Stage), "nothing ever arrives");
    options.stages = vec![Stage::Step { to: f64::NAN, over }];
    assert_eq!(options.check(), Err(LoadOptionsError::Stage));
}

/// What goes over the wire, and when, of a share.
fn wire(options: &LoadOptions, shard: Option<(u64, u64)>, part: u64, parts: u64) -> Vec<(u64, Vec<u8>)> {
    let simulator = simulator(shard);
    let target = crate::deliver::Target::parse("http://127.0.0.1:9/webhook", &[]).unwrap();
    let mut composer = super::super::composer::Composer::new(&simulator, options.rate, &target);
    let mut source = Source::new(&simulator, options, part, parts);
    std::iter::from_fn(|| source.take())
        .map(|due| {
            let mut request = Vec::new();
            composer.write(due, &mut request);
            (due.at_ns, request)
        })
        .collect()
}

#[test]
fn the_plans_of_the_shards_joined_are_the_plan_of_one_process_byte_for_byte() {
    proptest!(ProptestConfig::with_cases(16), |(
        rate in rates(), shards in 2..6u64, parts in 1..3u64, calls in 1..60u64, is_faulty: bool, is_staged: bool,
        mut listed in proptest::option::of(proptest::collection::vec(0..4_000_000_000u64, 1..60)),
    )| {
        let rate = if listed.is_some() && !is_staged { Rate::Calls(1.0) } else { rate };
        let mut options = if is_faulty { faulty(rate) } else { LoadOptions::new(rate) };
        options.calls = Some(calls);
        if is_staged && rate != Rate::Max {
            let over = Duration::from_secs(2);
            options.duration = None;
            options.stages = vec![Stage::Soak { over }, Stage::Ramp { to: 700.0, over }];
        } else if let (Rate::Calls(_), Some(listed)) = (rate, &mut listed) {
            listed.sort_unstable();
            options.arrivals_at = Some(listed.as_slice().into());
        }
        let mut whole = wire(&options, None, 0, 1);
        let shares: Vec<Vec<(u64, Vec<u8>)>> = (0..shards)
            .map(|shard| (0..parts).flat_map(|part| wire(&options, Some((shard, shards)), part, parts)).collect())
            .collect();
        // Nothing that one shard sends is sent by another.
        let sent: Vec<BTreeSet<&Vec<u8>>> =
            shares.iter().map(|share| share.iter().map(|(_, request)| request).collect()).collect();
        for (one, other) in (0..sent.len()).flat_map(|one| (0..one).map(move |other| (one, other))) {
            prop_assert!(sent[one].is_disjoint(&sent[other]));
        }
        let mut joined: Vec<(u64, Vec<u8>)> = shares.concat();
        joined.sort_unstable();
        whole.sort_unstable();
        prop_assert!(joined == whole, "{} webhooks in place of {}", joined.len(), whole.len());
    });
}

#[test]
fn no_two_shards_have_an_id_in_common() {
    let ids = |shard| {
        let mut buffer = CallBuffer::default();
        let simulator = simulator(Some((shard, 4)));
        let mut ids = BTreeSet::new();
        for call in simulator.options().indices().take(500) {
            simulator.write_call(call, &mut buffer);
            for (_, body) in buffer.webhooks() {
                let webhook = piopiy_events::Webhook::parse(body).unwrap();
                let own = ["cmiuuid", "conversation_uuid", "request_id"];
                ids.extend(own.into_iter().filter_map(|key| Some(webhook.text(key)?.into_owned())));
            }
        }
        ids
    };
    let all: Vec<BTreeSet<String>> = (0..4).map(ids).collect();
    let together: BTreeSet<&String> = all.iter().flatten().collect();
    assert_eq!(together.len(), all.iter().map(BTreeSet::len).sum::<usize>());
}

#[test]
fn what_is_left_of_a_call_behind_the_last_stage_ends_with_it() {
    for spacing in [Spacing::Constant, Spacing::Poisson] {
        let mut options = LoadOptions::new(Rate::Webhooks(20.0));
        options.spacing = spacing;
        options.stages = vec![Stage::Soak { over: Duration::from_secs(1) }];
        let sent = all(Source::new(&simulator(None), &options, 0, 1));
        let last = sent.last().unwrap();
        assert!(last.at_ns <= 1_000_000_000, "{last:?}");
        let mut buffer = CallBuffer::default();
        simulator(None).write_call(last.call, &mut buffer);
        assert_eq!(last.webhook as usize + 1, buffer.webhooks().len(), "the call is whole");
    }
}
