use proptest::prelude::*;

use super::following::{Earlier, Following};
use super::*;
use crate::plan::{Nonce, PlanOptions};

/// A receiver's effects of so many calls, each webhook once, with all that a receiver can say.
fn effects(simulator: &Simulator, calls: u64) -> Vec<(u64, u32, serde_json::Value)> {
    let mut buffer = CallBuffer::default();
    let mut effects = Vec::new();
    for call in 0..calls {
        simulator.write_call(call, &mut buffer);
        let mut model = piopiy_events::Calls::default();
        for (at, (written, body)) in (0..).zip(buffer.webhooks()) {
            let webhook = Webhook::parse(body).unwrap();
            model.apply(&webhook);
            let phase = model.phase(&model.call_of(&webhook).unwrap()).unwrap();
            let fields: serde_json::Value = serde_json::from_slice(body).unwrap();
            let kind = written.form.kind.as_str();
            let effect = serde_json::json!({
                "seq": effects.len() + 1, "cmiuuid": fields["cmiuuid"], "leg": fields["leg"], "kind": kind,
                "status": fields["status"], "state": phase.as_str(), "fields": fields,
            });
            effects.push((call, at, effect));
        }
    }
    effects
}

fn simulator() -> Simulator {
    Simulator::builtin("default", PlanOptions::default()).unwrap()
}

fn ended(call: u64, webhook: u32) -> Ended {
    Ended { call, webhook, how: Told::Acknowledged }
}

fn saw(audit: &mut Audit, effect: &serde_json::Value) {
    let known = Known::of(&serde_json::from_value(effect.clone()).unwrap());
    let call = known.cmiuuid().and_then(|id| audit.simulator.call_of(id));
    audit.saw(&known, call);
}

/// All of it acknowledged, with what the receiver makes of each effect; what is found, as lost, duplicated, corrupted, stale and
/// phantom.
fn check(
    change: impl Fn(usize, &serde_json::Value) -> Vec<serde_json::Value>,
    expected: [u64; 5],
) -> LoadAudit {
    let simulator = simulator();
    let mut audit = Audit::new(&simulator);
    for (n, (call, webhook, effect)) in effects(&simulator, 60).into_iter().enumerate() {
        change(n, &effect).iter().for_each(|effect| saw(&mut audit, effect));
        audit.ended(&[ended(call, webhook)]);
    }
    let found = audit.close().unwrap();
    let counts = [found.lost, found.duplicated, found.corrupted, found.stale_overwrite, found.phantom];
    assert_eq!(counts, expected, "{found:?}");
    assert_eq!(found.is_clean(), expected == [0; 5]);
    found
}

#[test]
fn each_kind_of_trouble_is_counted_and_named() {
    let same = |effect: &serde_json::Value| vec![effect.clone()];
    let with = |effect: &serde_json::Value, key: &str, value: &str| {
        let mut effect = effect.clone();
        effect[key] = value.into();
        vec![effect]
    };
    check(|_, effect| same(effect), [0; 5]);
    let lost = check(|n, effect| if n == 17 { vec![] } else { same(effect) }, [1, 0, 0, 0, 0]);
    assert_eq!(lost.named["lost"].len(), 1);
    // Three effects of one webhook are one that is doubled.
    let twice = |n, effect: &serde_json::Value| if n == 17 { vec![effect.clone(); 3] } else { same(effect) };
    assert_eq!(check(twice, [0, 1, 0, 0, 0]).named["duplicated"].len(), 1);
    let renamed = |n, effect: &serde_json::Value| {
        if n == 3 { with(effect, "status", "hello") } else { same(effect) }
    };
    let named = check(renamed, [0, 0, 1, 0, 0]).named;
    assert!(named["corrupted"][0].contains("stored as hello"), "{named:?}");
    let cut = |n, effect: &serde_json::Value| {
        let mut effect = effect.clone();
        if n == 3 {
            effect["fields"]["from"] = "1".into();
        }
        vec![effect]
    };
    let named = check(cut, [0, 0, 1, 0, 0]).named;
    assert!(named["corrupted"][0].contains("from was sent as"), "{named:?}");
    let strange = |n, effect: &serde_json::Value| {
        let mut all = same(effect);
        if n == 3 {
            all.extend(with(effect, "cmiuuid", "c4ec1d2a-0b5e-4c7f-9d3a-6f1e2b8a7c90"));
        }
        all
    };
    check(strange, [0, 0, 0, 0, 1]);
    let last = effects(&simulator(), 1).len() - 1;
    let stuck = |state: &'static str| {
        move |n, effect: &serde_json::Value| {
            if n == last { with(effect, "state", state) } else { same(effect) }
        }
    };
    let first_state = effects(&simulator(), 1)[0].2["state"].as_str().unwrap().to_owned();
    let named = check(stuck(first_state.leak()), [0, 0, 0, 1, 0]).named;
    assert!(named["stale_overwrite"][0].contains("ends as"), "{named:?}");
    check(stuck("bridged"), [0, 0, 1, 0, 0]);
}

#[test]
fn an_effect_that_comes_late_is_of_its_own_load() {
    let of_trial = |nonce| {
        let mut plan = simulator().options().clone();
        plan.nonce = Nonce(nonce);
        simulator().with_options(plan)
    };
    let parsed = |effect: &serde_json::Value| serde_json::from_value(effect.clone()).unwrap();
    let mut earlier = Earlier::default();
    // More loads than are remembered, each of which ends before its last effect is seen.
    for nonce in 0..7 {
        let simulator = of_trial(nonce);
        let mut all = effects(&simulator, 3);
        let mut following = Following::new(Audit::new(&simulator), earlier);
        all.iter().for_each(|(call, webhook, _)| following.audit.ended(&[ended(*call, *webhook)]));
        let late = all.pop().unwrap();
        all.iter().for_each(|(.., effect)| following.saw(&parsed(effect)));
        let (found, closed) = following.close();
        let found = found.unwrap();
        assert_eq!((found.lost, found.phantom, found.duplicated), (1, 0, 0), "{found:?}");

        let mut next = Following::new(Audit::new(&of_trial(nonce + 1)), closed);
        next.saw(&parsed(&late.2));
        // What it saw before, it does not see again, but of a doubled one.
        if nonce == 6 {
            next.saw(&parsed(&late.2));
            next.saw(&parsed(&effects(&of_trial(0), 1)[0].2));
        }
        let (found, closed) = next.close();
        let found = found.unwrap();
        assert!(found.is_clean() && found.phantom == 0, "{found:?}");
        assert_eq!(found.of_earlier_loads, if nonce == 6 { 3 } else { 1 }, "{found:?}");
        let known: Vec<(u64, u64, u64)> = closed
            .known()
            .skip(1)
            .map(|late| (late.effects, late.audit.lost, late.audit.duplicated))
            .take(1)
            .collect();
        assert_eq!(known, [if nonce == 6 { (2, 0, 1) } else { (1, 0, 0) }]);
        earlier = closed;
    }
}

#[test]
fn an_effect_that_says_little_is_given_to_whom_it_fits() {
    let little = |_, effect: &serde_json::Value| {
        vec![serde_json::json!({ "seq": effect["seq"], "cmiuuid": effect["cmiuuid"] })]
    };
    check(little, [0; 5]);
}

#[test]
fn what_was_not_acknowledged_may_have_an_effect_or_none_but_not_two() {
    let simulator = simulator();
    let all = effects(&simulator, 2);
    let timed_out = |(call, webhook, _): &(u64, u32, serde_json::Value)| Ended {
        call: *call,
        webhook: *webhook,
        how: Told::Ambiguous,
    };
    let mut audit = Audit::new(&simulator);
    audit.ended(&[timed_out(&all[0]), timed_out(&all[1]), timed_out(&all[2])]);
    saw(&mut audit, &all[0].2);
    saw(&mut audit, &all[1].2);
    saw(&mut audit, &all[1].2);
    let found = audit.close().unwrap();
    assert_eq!((found.lost, found.duplicated, found.ambiguous, found.phantom), (0, 1, 3, 0), "{found:?}");
}

#[test]
fn of_several_attempts_the_one_counts_that_says_most() {
    let simulator = simulator();
    let all = effects(&simulator, 2);
    let check = |hows: &[Told], [lost, ambiguous, refused]: [u64; 3]| {
        let mut orders = vec![hows.to_vec(), hows.iter().rev().copied().collect()];
        for hows in orders.drain(..) {
            let mut audit = Audit::new(&simulator);
            for how in &hows {
                audit.ended(&[Ended { call: all[0].0, webhook: all[0].1, how: *how }]);
            }
            let found = audit.close().unwrap();
            assert_eq!([found.lost, found.ambiguous, found.refused], [lost, ambiguous, refused], "{hows:?}");
        }
    };
    check(&[Told::Refused], [0, 0, 1]);
    check(&[Told::Refused, Told::Ambiguous], [0, 1, 0]);
    check(&[Told::Refused, Told::Acknowledged], [1, 0, 0]);
    check(&[Told::Ambiguous, Told::Acknowledged], [1, 0, 0]);
}

#[test]
fn an_effect_of_what_was_never_sent_is_a_phantom_and_that_of_another_shard_is_not() {
    let all = effects(&simulator(), 2);
    let plan = PlanOptions { shard: Some((0, 2)), ..PlanOptions::default() };
    let mut audit = Audit::new(&Simulator::builtin("default", plan).unwrap());
    all.iter().for_each(|(.., effect)| saw(&mut audit, effect));
    let of_first = all.iter().filter(|(call, ..)| *call == 0).count() as u64;
    let found = audit.close().unwrap();
    assert_eq!((found.phantom, found.of_other_shards), (of_first, all.len() as u64 - of_first));
    assert_eq!(found.never_sent, of_first);
    assert_eq!(found.named["phantom"].len() as u64, of_first.min(NAMED as u64));
    let other = PlanOptions { nonce: Nonce(1), ..PlanOptions::default() };
    let mut audit = Audit::new(&Simulator::builtin("default", other).unwrap());
    all.iter().for_each(|(.., effect)| saw(&mut audit, effect));
    let found = audit.close().unwrap();
    assert_eq!((found.phantom, found.never_sent), (all.len() as u64, 0), "ids of another run");
}

#[test]
fn whether_the_answer_or_the_effect_is_heard_of_first_changes_nothing() {
    let simulator = simulator();
    let all = effects(&simulator, 40);
    proptest!(ProptestConfig::with_cases(24), |(
        gone in proptest::collection::btree_set(0..100_usize, 0..5),
        twice in proptest::collection::btree_set(0..100_usize, 0..5),
        answers_first in proptest::collection::vec(any::<bool>(), all.len()),
    )| {
        let (mut one, mut other) = (Audit::new(&simulator), Audit::new(&simulator));
        let look = |audit: &mut Audit, n: usize| {
            let times = usize::from(!gone.contains(&n)) + usize::from(twice.contains(&n));
            (0..times).for_each(|_| saw(audit, &all[n].2));
        };
        for (n, (call, webhook, _)) in all.iter().enumerate() {
            one.ended(&[ended(*call, *webhook)]);
            if answers_first[n] {
                other.ended(&[ended(*call, *webhook)]);
            }
            look(&mut other, n);
        }
        for (n, (call, webhook, _)) in all.iter().enumerate() {
            look(&mut one, n);
            if !answers_first[n] {
                other.ended(&[ended(*call, *webhook)]);
            }
        }
        let (one, other) = (one.close().unwrap(), other.close().unwrap());
        prop_assert_eq!(one.lost, gone.difference(&twice).count() as u64);
        prop_assert_eq!(one.duplicated, twice.difference(&gone).count() as u64);
        prop_assert_eq!(one, other);
    });
}
