//! Plans: legal, reproducible, in the documented form.

use std::collections::BTreeSet;

use piopiy_events::{Evidence, Profile, Webhook};
use piopiy_mock_platform::plan::{
    CallBuffer, Length, Nonce, PlanOptions, PlannedCall, Scenario, Seed, Simulator, file, golden,
};

use crate::plan_legal;

const EPOCH_MS: u64 = 1_767_225_600_000;

fn bodies(calls: &[PlannedCall]) -> Vec<&[u8]> {
    calls.iter().flat_map(|call| &call.webhooks).map(|webhook| &*webhook.body).collect()
}

fn plan(scenario: &Scenario, options: PlanOptions) -> Vec<PlannedCall> {
    Simulator::new(scenario, options).calls().collect()
}

fn options(profile: Profile, seed: u64, calls: u64) -> PlanOptions {
    let mut options = PlanOptions::new(profile, Seed(seed));
    options.calls = Some(calls);
    options
}

/// Scenarios at the edges, next to the built-in ones: nothing takes any time, or everything happens at once.
fn scenarios() -> Vec<Scenario> {
    let edges = [
        "[times]\nring = \"0ms\"\ntalk = \"0ms\"\npatience = \"0ms\"\nno-answer = \"0ms\"\nbridge-after = \"0ms\"\n\
         bridge-ring = \"0ms\"\nstream-after = \"0ms\"\nrecord-delay = \"0ms\"\n[bridge]\nloop = 3\nno-answer = 0.5\n\
         [streams]\nmost = 5",
        "[times]\npatience = \"7s\"\nno-answer = \"5s\"\ntalk = { uniform = { from = \"1ms\", to = \"3s\" } }\n\
         [bridge]\nloop = 4\nno-answer = 0.9\ngroup-size = 4\n[streams]\nmost = 5\n[arrivals]\nper-second = 1000.0",
    ];
    let builtin = Scenario::builtin_names().map(|name| Scenario::builtin(name).unwrap());
    builtin.chain(edges.iter().map(|text| Scenario::parse("edge", text).unwrap())).collect()
}

/// Checks `plans` plans of one to three calls: form, evidence, legality, fold, and that balances do not rise.
fn check_plans(profile: Profile, plans: u64) {
    let unseeded = |scenario| Simulator::new(scenario, PlanOptions::new(profile, Seed(0)));
    let simulators: Vec<Simulator> = scenarios().iter().map(unseeded).collect();
    let (mut buffer, mut forms) = (CallBuffer::default(), BTreeSet::new());
    for seed in 0..plans {
        // The default scenario has every other plan; most plans are of one call, some of two or three.
        let simulator = &simulators[if seed % 2 == 0 { 0 } else { (seed / 2) as usize % simulators.len() }];
        let mut options = options(
            profile,
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15),
            [1, 1, 1, 1, 1, 1, 1, 1, 2, 3][(seed % 10) as usize],
        );
        options.nonce = Nonce(seed);
        options.first_call = seed % 1_000;
        options.documented_only = seed % 7 == 4;
        let whole = !options.documented_only;
        let simulator = simulator.with_options(options);
        let (mut lowest, mut identities) = (i64::MAX, BTreeSet::new());
        for call in simulator.calls() {
            simulator.write_call(call.index, &mut buffer);
            let story = buffer.story().unwrap();
            let mut read = Vec::new();
            for webhook in &call.webhooks {
                let text = String::from_utf8_lossy(&webhook.body);
                let parsed = Webhook::parse(&webhook.body).unwrap_or_else(|error| panic!("{error}: {text}"));
                assert_eq!(parsed.to_json(), text, "compact, as it is written back");
                let validation = parsed.validate(profile);
                assert!(validation.findings.is_empty(), "{text}\n{:?}", validation.findings);
                let form = validation.form.unwrap();
                assert_eq!((form.name, form.evidence), (&*webhook.name, webhook.evidence), "{text}");
                assert_eq!(Some(form.kind), webhook.kind);
                assert!(whole || webhook.evidence != Evidence::Guess, "a guess: {text}");
                assert!(identities.insert(parsed.identity().unwrap()), "an identity twice: {text}");
                forms.insert((form.name, form.call, parsed.text("leg").unwrap().into_owned()));
                read.push(parsed);
            }
            let balances = plan_legal::check(&call, read, story, EPOCH_MS, whole);
            for balance in balances {
                assert!(balance <= lowest, "the balance rose at call {} of seed {seed}", call.index);
                lowest = balance;
            }
        }
    }
    let all: usize = piopiy_events::Form::all(profile).iter().map(|form| form.legs.len()).sum();
    assert_eq!(forms.len(), all, "every payload of {profile} is generated, on every leg");
}

#[test]
fn ten_thousand_random_plans_of_global_are_legal() {
    check_plans(Profile::Global, 10_000);
}

#[test]
fn ten_thousand_random_plans_of_global_2022_are_legal() {
    check_plans(Profile::Global2022, 10_000);
}

#[test]
fn ten_thousand_random_plans_of_india_are_legal() {
    check_plans(Profile::India, 10_000);
}

#[test]
fn the_same_seed_and_nonce_give_the_same_bytes() {
    for profile in Profile::ALL {
        let one = plan(&Scenario::default(), options(profile, 7, 200));
        assert_eq!(one, plan(&Scenario::default(), options(profile, 7, 200)));
        assert_ne!(bodies(&one), bodies(&plan(&Scenario::default(), options(profile, 8, 200))));
    }
}

#[test]
fn a_nonce_changes_ids_and_nothing_else() {
    const IDS: [&str; 3] = ["cmiuuid", "conversation_uuid", "request_id"];
    let mut fresh = options(Profile::Global, 7, 100);
    fresh.nonce = Nonce(1);
    let (old, new) =
        (plan(&Scenario::default(), options(Profile::Global, 7, 100)), plan(&Scenario::default(), fresh));
    assert_eq!(bodies(&old).len(), bodies(&new).len());
    for (old, new) in bodies(&old).into_iter().zip(bodies(&new)) {
        let (old, new) = (Webhook::parse(old).unwrap(), Webhook::parse(new).unwrap());
        for ((key, one), (_, other)) in old.members().into_iter().zip(new.members()) {
            assert_eq!(IDS.contains(&&*key), one != other, "{key}: {one} and {other}");
        }
    }
}

#[test]
fn shards_are_the_whole() {
    let mut whole = options(Profile::India, 3, 300);
    whole.first_call = 5;
    let mut union: Vec<PlannedCall> = Vec::new();
    for part in 0..7 {
        let mut shard = whole.clone();
        shard.shard = Some((part, 7));
        union.extend(plan(&Scenario::default(), shard));
    }
    union.sort_by_key(|call| call.index);
    assert_eq!(union, plan(&Scenario::default(), whole));
}

#[test]
fn calls_start_in_the_order_of_their_indices() {
    let simulator =
        Simulator::new(&Scenario::builtin("busy-hour").unwrap(), options(Profile::Global, 1, 2_000));
    let starts: Vec<u64> = (0..2_000).map(|index| simulator.starts_at_ms(index)).collect();
    assert!(starts.is_sorted());
    for call in simulator.calls() {
        assert!(call.webhooks.iter().all(|webhook| webhook.at_ms >= starts[call.index as usize]));
    }
}

#[test]
fn a_draw_moves_no_other_draw() {
    // A longer talk changes when the call ends, and neither who calls, nor when, nor when it is picked up.
    let scenario = Scenario::builtin("inbound-answered").unwrap();
    let mut longer = scenario.clone();
    longer.times.talk.min = Some(Length::from_millis(1_700_000));
    let (one, other) =
        (plan(&scenario, options(Profile::Global, 5, 50)), plan(&longer, options(Profile::Global, 5, 50)));
    for (one, other) in one.iter().zip(&other) {
        assert_eq!(one.webhooks[0], other.webhooks[0], "picked up");
        assert_ne!(one.webhooks[1].at_ms, other.webhooks[1].at_ms, "hung up");
    }
    // Another kind of call elsewhere in the mix leaves the calls alone that are not of it.
    let mut mixed = Scenario::default();
    mixed.times.stream_after = longer.times.talk;
    let (one, other) = (
        plan(&Scenario::default(), options(Profile::Global, 5, 300)),
        plan(&mixed, options(Profile::Global, 5, 300)),
    );
    // The balance falls by what a call can cost at most, which has become more.
    let but_balance = |call: &PlannedCall| {
        let webhooks = call.webhooks.iter().map(|webhook| {
            let mut parsed = Webhook::parse(&webhook.body).unwrap();
            parsed.set("balance", None);
            (webhook.at_ms, parsed.to_json())
        });
        webhooks.collect::<Vec<_>>()
    };
    let mut same = 0;
    for (one, other) in one.iter().zip(&other).filter(|(one, _)| !one.story.contains("stream")) {
        assert_eq!(but_balance(one), but_balance(other));
        same += 1;
    }
    assert!(same > 150, "{same} calls without a stream");
}

#[test]
fn the_far_end_of_an_endless_run_is_reached() {
    let mut endless = PlanOptions::new(Profile::Global, Seed(1));
    endless.first_call = u64::MAX - 3;
    let calls: Vec<_> = Simulator::new(&Scenario::default(), endless).calls().collect();
    assert_eq!(calls.len(), 3, "indices end below 2^64 - 1");
}

#[test]
fn golden_plans_are_what_the_generator_makes() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    for (path, expected) in golden().unwrap() {
        let found = std::fs::read_to_string(format!("{root}{path}")).unwrap();
        assert!(found == expected, "{path} is stale: write it anew with `cargo xtask fixtures`");
        // Read back and written again, it is the same.
        let reader = file::PlanReader::new(&path, found.as_bytes()).unwrap();
        let mut again = Vec::new();
        file::write_header(&mut again, reader.header()).unwrap();
        for call in reader {
            file::write_call(&mut again, &call.unwrap()).unwrap();
        }
        assert!(again == found.as_bytes(), "{path} changes when it is read and written");
    }
}

#[test]
fn every_line_of_a_plan_fits_the_schema() {
    let validator = jsonschema::validator_for(&file::schema()).unwrap();
    let (_, golden) = golden().unwrap().swap_remove(0);
    for line in golden.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(validator.is_valid(&line), "{line}");
        let mut broken = line.clone();
        broken.as_object_mut().unwrap().remove(if line["schema"].is_null() { "call" } else { "seed" });
        assert!(!validator.is_valid(&broken), "{broken}");
    }
}

#[test]
fn bodies_that_are_not_text_survive_a_plan_file() {
    let scenario = Scenario::default();
    let mut call = Simulator::new(&scenario, PlanOptions::default()).call(0);
    call.webhooks[0].body = vec![0xff, 0x00, b'{'];
    call.webhooks[0].kind = None;
    let mut written = Vec::new();
    file::write_header(&mut written, &file::PlanHeader::new(&scenario, &PlanOptions::default())).unwrap();
    file::write_call(&mut written, &call).unwrap();
    let read: Vec<_> = file::PlanReader::new("x", &*written).unwrap().map(Result::unwrap).collect();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].webhooks, call.webhooks);
}

#[test]
fn what_is_wrong_with_a_plan_file_is_named_with_its_line() {
    let (path, golden) = golden().unwrap().swap_remove(0);
    let told = |text: &str| match file::PlanReader::new("x.jsonl", text.as_bytes()) {
        Err(error) => error.to_string(),
        Ok(mut reader) => reader.find_map(Result::err).unwrap().to_string(),
    };
    assert!(path.starts_with("fixtures/golden/"));
    let header = golden.lines().next().unwrap();
    let record = golden.lines().nth(1).unwrap();
    let cases = [
        String::new(),
        "{}\n".to_owned(),
        header.replace("plan/v1", "plan/v9"),
        header.replace("\"global\"", "\"mars\""),
        format!("{header}\n{record}\nnonsense\n"),
        format!("{header}\n{}\n", record.replace("\"event\"", "\"evnt\"")),
        format!("{header}\n\n{}\n", record.replace("\"body\"", "\"corpse\"")),
        format!("{header}\n{}\n", record.replace("\"body\":\"", "\"body_hex\":\"")),
        format!(
            "{header}\n{}\n",
            record.replace("\"documented\"", "\"sure\"").replace("\"guess\"", "\"sure\"")
        ),
    ];
    insta::assert_snapshot!(cases.map(|text| told(&text)).join("\n"));
}
