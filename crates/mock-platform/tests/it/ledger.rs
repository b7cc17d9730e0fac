//! Ledgers as files: the schema, reading back, errors, replay.

use std::path::Path;

use piopiy_events::{Evidence, Profile};
use piopiy_mock_platform::deliver::ledger::{Entry, Record, RunEntry, read, schema};
use piopiy_mock_platform::deliver::{
    DeliveryOptions, Ending, Fault, Faults, Ledger, Redelivery, Replay, Target, Targets, deliver,
};
use piopiy_mock_platform::judge::Judge;
use piopiy_mock_platform::plan::{PlanOptions, PlannedCall, PlannedWebhook, Scenario, Simulator, file};
use wiremock::ResponseTemplate;

use crate::receivers::{answering, answering_in_turn, calls, jump};

/// A run written to a file, with its records as they were kept in memory.
async fn written(path: &Path, url: &str, options: &DeliveryOptions, calls: Vec<PlannedCall>) -> Vec<Record> {
    let targets = Targets::both(Target::parse(url, &[]).unwrap());
    let ledger = Ledger::builder().in_memory().file(path).open().unwrap();
    let run = RunEntry::new("default", &PlanOptions::default(), Some(&targets), options);
    ledger.append(Entry::Run(Box::new(run)));
    let stream = futures_util::stream::iter(calls);
    let ending = deliver(stream, &targets, options, &ledger, std::future::pending()).await.unwrap();
    assert_eq!(ending, Ending::Complete);
    let effect = r#"{"seq":1,"cmiuuid":"x","leg":"a","fields":{"time":123456789012345678901234567890}}"#;
    ledger.observe([serde_json::from_str(effect).unwrap()]);
    let mut judge = Judge::observing();
    ledger.records().iter().for_each(|record| judge.read(record));
    ledger.summarise(&judge, false);
    ledger.close().unwrap();
    ledger.records().iter().map(|record| (**record).clone()).collect()
}

fn chaos() -> DeliveryOptions {
    let mut options = jump();
    options.faults = Faults::chaos(5);
    options
}

fn nonsense() -> PlannedCall {
    let body = vec![0xff, 0xfe, b'{', 0];
    let webhook = PlannedWebhook::new(900, 0, 0, "nonsense".into(), None, Evidence::Guess, body);
    PlannedCall::new(900, Profile::India, "no webhook".into(), vec![webhook])
}

#[tokio::test]
async fn a_ledger_fits_its_schema_and_reads_back_as_it_was() {
    let receiver = answering_in_turn(&[503, 200, 302, 200]).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new/run.jsonl");
    let mut planned = calls(30);
    planned.push(nonsense());
    let kept = written(&path, &receiver.uri(), &chaos(), planned).await;

    let reread: Vec<Record> = read(&path).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(reread, kept);
    assert!(kept.iter().enumerate().all(|(seq, record)| record.seq == seq as u64));

    let validator = jsonschema::validator_for(&schema()).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    let mut kinds = std::collections::BTreeSet::new();
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{line}\n{errors:?}");
        kinds.insert(value["kind"].as_str().unwrap().to_owned());
    }
    let kinds: Vec<_> = kinds.iter().map(String::as_str).collect();
    assert_eq!(kinds, ["attempt", "fault", "observe", "outcome", "plan", "run", "summary"]);
    assert!(text.contains("123456789012345678901234567890"), "digits stay");
}

#[test]
fn the_schema_refuses_what_is_no_record() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let check = |line: &str, valid: bool| {
        assert_eq!(validator.is_valid(&serde_json::from_str(line).unwrap()), valid, "{line}");
    };
    check(r#"{"seq":0,"t_ns":0,"kind":"new","what":1}"#, true);
    check(r#"{"seq":0,"kind":"new"}"#, false);
    check(
        r#"{"seq":0,"t_ns":0,"kind":"outcome","call":0,"webhook":0,"outcome":"acknowledged","attempts":1}"#,
        true,
    );
    check(r#"{"seq":0,"t_ns":0,"kind":"outcome","call":0,"webhook":0,"attempts":1}"#, false);
    check(
        r#"{"seq":0,"t_ns":0,"kind":"outcome","call":-1,"webhook":0,"outcome":"acknowledged","attempts":1}"#,
        false,
    );
}

/// Reads a file of `text` to its end or its first error.
fn check_error(text: &str, expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.jsonl");
    std::fs::write(&path, text).unwrap();
    let error = read(&path).unwrap().collect::<Result<Vec<_>, _>>().unwrap_err();
    let told = error.to_string().replace(&path.display().to_string(), "x.jsonl");
    assert_eq!(told, expected);
}

#[tokio::test]
async fn errors_name_the_line_and_what_is_new_is_passed_over() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("run.jsonl");
    let kept = written(&path, &receiver.uri(), &jump(), calls(1)).await;
    let text = std::fs::read_to_string(&path).unwrap();
    let header = text.lines().next().unwrap();

    let newer = text.replacen("{\"seq\"", "{\"shiny\":[1],\"seq\"", 3);
    let newer = format!("{newer}{}\n", r#"{"seq":99,"t_ns":1,"kind":"telepathy","thought":1}"#);
    std::fs::write(&path, newer).unwrap();
    let reread: Vec<Record> = read(&path).unwrap().collect::<Result<_, _>>().unwrap();
    assert_eq!(reread, kept);

    check_error(&format!("{header}\nnonsense\n"), "x.jsonl:2: this line is no ledger record");
    check_error(
        &format!("{header}\n{{\"seq\":1,\"t_n"),
        "x.jsonl:2: the last line is cut off (was the run killed while it wrote?): remove it to read the rest",
    );
    for wrong in [r#""seed":"0x+f""#, r#""seed":"0x""#, r#""seed":"7""#] {
        let seed = header.replace(r#""seed":"0x0""#, wrong);
        assert_ne!(seed, header);
        check_error(&format!("{seed}\n"), "x.jsonl:1: this line is no ledger record");
    }
    for hex in ["f", "fff", "+f", "zz"] {
        let plan = text.lines().find(|line| line.contains(r#""kind":"plan""#)).unwrap();
        let from = plan.find(r#""body":{"#).unwrap();
        let plan = format!(r#"{}"body":{{"hex":"{hex}"}}}}"#, &plan[..from]);
        check_error(&format!("{header}\n{plan}\n"), "x.jsonl:2: this line is no ledger record");
    }
    check_error(
        &format!("{}\n", header.replace("ledger/v1", "ledger/v9")),
        "x.jsonl:1: this is no piopiy-mock.ledger/v1 file: its schema is \"piopiy-mock.ledger/v9\"",
    );
    check_error(
        "{\"seq\":0,\"t_ns\":0,\"kind\":\"observe\",\"effect\":null}\n",
        "x.jsonl:1: this is no piopiy-mock.ledger/v1 file: it begins with a `observe` record, not with `run`",
    );
}

/// What must be the same in a replay: bodies, times, faults, and the attempts with their offsets.
fn essence(records: &[Record], bodies: bool) -> Vec<String> {
    let told = records.iter().filter_map(|record| match &record.entry {
        Entry::Plan(plan) => {
            let body = bodies.then(|| plan.body.clone());
            Some(format!(
                "{:?}",
                (plan.call, plan.webhook, &plan.name, plan.at_ms, plan.due_ms, body, &plan.faults)
            ))
        }
        Entry::Attempt(attempt) => {
            let when = (attempt.call, attempt.webhook, attempt.attempt, attempt.cause, attempt.offset_ms);
            Some(format!("{:?}", (when, attempt.status)))
        }
        Entry::Fault(fault) => Some(format!("{:?}", (fault.call, fault.webhook, &fault.fault))),
        _ => None,
    });
    let mut told: Vec<String> = told.collect();
    // Calls overlap, and whose answer comes first is the receiver's business.
    told.sort();
    told
}

async fn replayed(replay: Replay, url: &str) -> Vec<Record> {
    let targets = Targets::both(Target::parse(url, &[]).unwrap());
    let ledger = Ledger::builder().in_memory().open().unwrap();
    let options = replay.run().options.clone();
    let stream = futures_util::stream::iter(replay.into_calls());
    let _complete = deliver(stream, &targets, &options, &ledger, std::future::pending()).await.unwrap();
    ledger.records().iter().map(|record| (**record).clone()).collect()
}

#[tokio::test]
async fn a_replay_does_the_same_again() {
    for policy in [Redelivery::UntilAck, Redelivery::Always] {
        let receiver = answering(ResponseTemplate::new(503)).await;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("run.jsonl");
        let mut options = chaos();
        options.cdr_policy = policy;
        options.schedule_ms = vec![0, 1_000, 7_000];
        let mut planned = calls(20);
        planned.push(nonsense());
        let first = written(&path, &receiver.uri(), &options, planned).await;

        let exact = Replay::from_ledger(&path).unwrap();
        assert_eq!(exact.run().options, options);
        assert_eq!(essence(&replayed(exact.clone(), &receiver.uri()).await, true), essence(&first, true));

        let rekeyed = replayed(exact.rekeyed(77), &receiver.uri()).await;
        assert_eq!(essence(&rekeyed, false), essence(&first, false));
        let identities = |records: &[Record]| -> std::collections::BTreeSet<String> {
            let plans = records.iter().filter_map(|record| match &record.entry {
                Entry::Plan(plan) => plan.identity.clone(),
                _ => None,
            });
            plans.collect()
        };
        let (before, after) = (identities(&first), identities(&rekeyed));
        assert_eq!(before.len(), after.len());
        assert!(before.is_disjoint(&after), "all ids are new");
    }
}

#[tokio::test]
async fn a_plan_is_delivered_as_it_was_written() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("plan.jsonl");
    let mut plan = PlanOptions::default();
    plan.calls = Some(5);
    let (scenario, simulator) = (Scenario::default(), Simulator::new(&Scenario::default(), plan));
    let mut text = Vec::new();
    file::write_header(&mut text, &file::PlanHeader::new(&scenario, simulator.options())).unwrap();
    simulator.calls().for_each(|call| file::write_call(&mut text, &call).unwrap());
    std::fs::write(&path, text).unwrap();

    let replay = Replay::from_file(&path, &jump()).unwrap();
    let bodies: Vec<Vec<u8>> = {
        let records = replayed(replay, &receiver.uri()).await;
        let plans = records.iter().filter_map(|record| match &record.entry {
            Entry::Plan(plan) => Some(plan.webhook()),
            _ => None,
        });
        let mut plans: Vec<PlannedWebhook> = plans.collect();
        plans.sort_by_key(|webhook| (webhook.call, webhook.seq));
        plans.into_iter().map(|webhook| webhook.body).collect()
    };
    let planned: Vec<Vec<u8>> =
        simulator.calls().flat_map(|call| call.webhooks).map(|webhook| webhook.body).collect();
    assert_eq!(bodies, planned);
}

#[test]
fn a_fault_has_one_name_everywhere() {
    let faults = [
        Fault::Loss,
        Fault::Delay { by_ms: 1 },
        Fault::Reorder { behind: 1 },
        Fault::Duplicate { after_ms: 1 },
    ];
    for fault in faults {
        assert_eq!(serde_json::to_value(&fault).unwrap()["name"], fault.name());
    }
}
