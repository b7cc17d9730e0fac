//! Loads against receivers that behave in one way each. How fast they are is measured elsewhere.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use piopiy_events::{Profile, Webhook};
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::load::{LoadError, LoadOptions, LoadReport, Progress, Rate, run_load};
use piopiy_mock_platform::plan::{PlanOptions, Scenario, Seed, Simulator, Spacing};
use serde_json::Value;

use crate::cli::{check_refused, mock, stderr, stdout};

/// A receiver of its own threads: what it answers each request with, `None` for nothing at all. Its URL, and the bodies
/// that it got.
pub(crate) fn receiver(answer: fn() -> Option<&'static str>) -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&bodies);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || converse(stream, answer, &kept));
        }
    });
    (url, bodies)
}

fn converse(mut stream: TcpStream, answer: fn() -> Option<&'static str>, bodies: &Mutex<Vec<Vec<u8>>>) {
    let mut bytes = Vec::new();
    let mut read = [0; 4096];
    while let Ok(count @ 1..) = stream.read(&mut read) {
        bytes.extend_from_slice(&read[..count]);
        while let Some((body, used)) = request(&bytes) {
            bodies.lock().unwrap().push(body);
            bytes.drain(..used);
            let Some(answer) = answer() else { continue };
            if stream.write_all(answer.as_bytes()).is_err() || answer.starts_with("HTTP/1.0") {
                return;
            }
        }
    }
}

/// The body of a whole request, and where the request ends.
fn request(bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&bytes[..head]).unwrap();
    assert!(text.starts_with("POST /webhook/cdr HTTP/1.1\r\nHost: 127.0.0.1:"), "{text}");
    assert!(text.contains("\r\nContent-Type: application/json\r\n"), "{text}");
    let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
    let end = head + length.parse::<usize>().unwrap();
    Some((bytes.get(head..end)?.to_vec(), end))
}

pub(crate) fn accepting() -> (String, Arc<Mutex<Vec<Vec<u8>>>>) {
    receiver(|| Some("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
}

pub(crate) fn simulator() -> Simulator {
    let plan = PlanOptions::new(Profile::Global, Seed(0x5eed));
    Simulator::new(&Scenario::default(), plan)
}

pub(crate) fn load(url: &str, options: &LoadOptions) -> Result<LoadReport, LoadError> {
    let target = Target::parse(url, &[]).unwrap();
    run_load(&simulator(), &target, options, &Arc::new(Progress::default()))
}

/// So many calls at a rate, by two threads.
pub(crate) fn some(rate: Rate, calls: u64) -> LoadOptions {
    let mut options = LoadOptions::new(rate);
    options.calls = Some(calls);
    options.duration = None;
    options.connections = 8;
    options.threads = 2;
    options.time_scale = 10_000.0;
    options
}

#[test]
fn every_webhook_of_the_plan_arrives_once() {
    let planned: Vec<Vec<u8>> = (0..100)
        .flat_map(|call| simulator().call(call).webhooks.into_iter().map(|webhook| webhook.body.to_vec()))
        .collect();
    let expected: BTreeSet<&Vec<u8>> = planned.iter().collect();
    assert_eq!(expected.len(), planned.len(), "each is another");
    for rate in [Rate::Webhooks(5_000.0), Rate::Calls(1_000.0), Rate::Erlangs(2_000.0), Rate::Max] {
        for spacing in [Spacing::Poisson, Spacing::Constant] {
            let (url, bodies) = accepting();
            let mut options = some(rate, 100);
            options.spacing = spacing;
            if rate == Rate::Max {
                options.duration = Some(Duration::from_secs(60));
            }
            let report = load(&url, &options).unwrap();
            let bodies = bodies.lock().unwrap();
            assert_eq!(bodies.iter().collect::<BTreeSet<_>>(), expected, "{rate:?}");
            let count = planned.len() as u64;
            let summary = &report.summary;
            let counts = [summary.planned, summary.attempts, summary.acknowledged, bodies.len() as u64];
            assert_eq!(counts, [count; 4], "{rate:?}");
            assert_eq!((summary.errors, summary.dropped_by_generator), (0, 0));
            assert_eq!((summary.lost, summary.duplicated), (None, None), "nobody looked");
            for body in bodies.iter() {
                assert_eq!(Webhook::parse(body).unwrap().validate(Profile::Global).findings, []);
            }
        }
    }
}

#[test]
fn there_may_be_more_connections_than_webhooks() {
    let (url, bodies) = accepting();
    let mut options = some(Rate::Max, 1);
    (options.connections, options.threads) = (64, 2);
    let summary = load(&url, &options).unwrap().summary;
    assert_eq!([summary.planned, summary.acknowledged], [bodies.lock().unwrap().len() as u64; 2]);
    assert!((1..64).contains(&summary.planned), "{summary:?}");
}

#[test]
fn what_is_not_acknowledged_is_an_error_of_its_kind() {
    let check = |answer: fn() -> Option<&'static str>, kind: &str| {
        let (url, _) = receiver(answer);
        let mut options = some(Rate::Webhooks(2_000.0), 20);
        options.timeout = Duration::from_millis(100);
        let summary = load(&url, &options).unwrap().summary;
        assert_eq!(summary.acknowledged, 0, "{kind}");
        assert_eq!(summary.errors, summary.attempts);
        assert_eq!(summary.attempts, summary.planned);
        let kinds: Vec<(&str, u64)> = summary.errors_by_kind.iter().map(|(kind, n)| (&**kind, *n)).collect();
        assert_eq!(kinds, [(kind, summary.errors)]);
    };
    check(|| Some("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), "5xx");
    check(|| Some("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /\r\n\r\n"), "3xx");
    check(|| Some("SMTP 220\r\n\r\n"), "protocol_error");
    check(|| None, "timeout");
    // It closes in the middle of an answer.
    check(|| Some("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n"), "reset");
}

#[test]
fn a_receiver_that_keeps_no_connection_is_called_anew_each_time() {
    let (url, bodies) = receiver(|| Some("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let summary = load(&url, &some(Rate::Webhooks(1_000.0), 40)).unwrap().summary;
    assert_eq!(summary.acknowledged, summary.planned);
    assert_eq!(bodies.lock().unwrap().len() as u64, summary.planned);
    assert!(summary.connections_opened >= summary.attempts, "{summary:?}");
}

#[test]
fn a_receiver_that_goes_away_is_counted_and_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        // It is there when it is looked for, and then no more.
        let _first = listener.accept().unwrap();
    });
    let mut options = some(Rate::Webhooks(500.0), 50);
    options.timeout = Duration::from_secs(1);
    let summary = load(&url, &options).unwrap().summary;
    assert_eq!((summary.acknowledged, summary.errors), (0, summary.planned));
    assert!(summary.errors_by_kind.contains_key("no_connection"), "{summary:?}");
}

#[test]
fn what_finds_no_room_is_dropped_and_held_against_the_receiver() {
    let (url, _) = receiver(|| None);
    let mut options = some(Rate::Webhooks(2_000.0), 100);
    (options.connections, options.threads, options.backlog) = (1, 1, 5);
    options.timeout = Duration::from_millis(300);
    let report = load(&url, &options).unwrap();
    let summary = &report.summary;
    assert!(summary.dropped_by_generator > 0, "{summary:?}");
    assert_eq!(summary.planned, summary.attempts + summary.dropped_by_generator);
    assert_eq!(summary.most_waiting, 5);
    match &report.saturation {
        None => {
            let gave_way = report.gave_way.as_ref().unwrap();
            assert!(gave_way.starts_with("in-flight limit: "), "{gave_way}");
            assert_eq!(report.verdict(), "failed");
        }
        // On a machine that is busy otherwise it was late itself, and says that.
        Some(reason) => assert!(!reason.contains("dropped"), "{reason}"),
    }
}

#[test]
fn what_waits_when_a_load_is_stopped_is_neither_the_generators_nor_the_receivers_fault() {
    let (url, _) = receiver(|| None);
    let target = Target::parse(&url, &[]).unwrap();
    let mut options = some(Rate::Webhooks(2_000.0), 1_000_000);
    (options.connections, options.threads) = (1, 1);
    options.timeout = Duration::from_millis(300);
    let progress = Arc::new(Progress::default());
    let watched = Arc::clone(&progress);
    let stopping = std::thread::spawn(move || {
        while watched.now().planned < 40 {
            std::thread::yield_now();
        }
        watched.stop();
    });
    let mut report = run_load(&simulator(), &target, &options, &progress).unwrap();
    stopping.join().unwrap();
    let summary = &report.summary;
    assert!(summary.unsent_at_stop > 30, "{report}");
    assert_eq!(summary.dropped_by_generator, summary.unsent_at_stop, "{report}");
    assert_eq!(summary.planned, summary.attempts + summary.dropped_by_generator, "{report}");
    assert_eq!(report.gave_way, None);
    assert!(report.saturation.as_ref().is_none_or(|reason| !reason.contains("dropped")), "{report}");
    report.judge(&["dropped==0".parse().unwrap()]);
    assert_eq!(report.thresholds[0].broken, None);
    assert_eq!(report.verdict(), "stopped");
}

/// The lines of a ledger behind its first, and the first.
fn ledger(path: &Path) -> (Value, Vec<Value>) {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    (lines.next().unwrap(), lines.collect())
}

#[test]
fn the_ledger_has_each_webhook_with_its_instants() {
    let (url, _) = accepting();
    let folder = tempfile::tempdir().unwrap();
    let mut options = some(Rate::Webhooks(20_000.0), 2_000);
    options.spacing = Spacing::Constant;
    options.ledger = Some(folder.path().join("load.jsonl"));
    let report = load(&url, &options).unwrap();
    let (head, lines) = ledger(options.ledger.as_ref().unwrap());
    assert_eq!(head["schema"], "piopiy-mock.load-ledger/v1");
    assert_eq!(head["seed"], "0x5eed");
    assert_eq!(head["started_at_monotonic_ns"], report.started_at_monotonic_ns);
    let mut planned: Vec<[u64; 3]> = Vec::new();
    for line in &lines {
        let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("{name} in {line}"));
        assert!(number("planned_ns") <= number("sent_ns"), "{line}");
        assert!(number("sent_ns") < number("ended_ns"), "{line}");
        assert_eq!(line["status"], 200);
        planned.push(["call", "webhook", "planned_ns"].map(number));
    }
    planned.sort_unstable();
    let counted =
        (0..2_000).flat_map(|call| (0..simulator().call(call).webhooks.len()).map(move |n| (call, n as u64)));
    let expected: Vec<[u64; 3]> =
        (0..).zip(counted).map(|(nth, (call, webhook))| [call, webhook, nth * 50_000]).collect();
    assert_eq!(planned, expected);
}

#[test]
fn the_ledger_tells_what_was_dropped_and_what_failed() {
    let (url, _) = receiver(|| None);
    let folder = tempfile::tempdir().unwrap();
    let mut options = some(Rate::Webhooks(2_000.0), 100);
    (options.connections, options.threads, options.backlog) = (1, 1, 5);
    options.timeout = Duration::from_millis(100);
    options.ledger = Some(folder.path().join("load.jsonl"));
    let summary = load(&url, &options).unwrap().summary;
    let (_, lines) = ledger(options.ledger.as_ref().unwrap());
    let count = |error: &str| lines.iter().filter(|line| line["error"] == error).count() as u64;
    assert_eq!(count("dropped"), summary.dropped_by_generator);
    assert_eq!(count("timeout"), summary.errors_by_kind["timeout"]);
    assert_eq!(lines.len() as u64, summary.planned);
}

#[test]
fn a_ledger_that_cannot_be_written_is_told() {
    let (url, _) = accepting();
    let args = ["load", &url, "--calls", "3", "--rate", "max", "--ledger"];
    check_refused(&[&args[..], &["/nowhere/load.jsonl"]].concat(), 3, "cannot write /nowhere/load.jsonl");
    if cfg!(target_os = "linux") {
        check_refused(&[&args[..], &["/dev/full"]].concat(), 3, "cannot write /dev/full");
    }
}

/// Whoever reads it has had enough after some of it.
#[cfg(unix)]
#[test]
fn a_ledger_that_fails_ends_the_load_and_what_was_measured_is_told() {
    let (url, _) = accepting();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("load.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let reader = path.clone();
    let reading =
        std::thread::spawn(move || std::fs::File::open(reader).unwrap().read_exact(&mut [0; 1_000]).unwrap());
    let mut options = LoadOptions::new(Rate::Webhooks(5_000.0));
    (options.duration, options.ledger) = (Some(Duration::from_secs(3_600)), Some(path));
    let target = Target::parse(&url, &[]).unwrap();
    let report = run_load(&simulator(), &target, &options, &Arc::default()).unwrap();
    reading.join().unwrap();
    let told = report.ledger_failed.as_deref().unwrap_or_default();
    assert!(told.contains("load.jsonl") && told.contains("roken pipe"), "{told:?}");
    assert_eq!((report.verdict(), report.stopped), ("inconclusive", false));
    assert!(report.summary.acknowledged > 0 && report.to_string().contains("it ended early: "), "{report}");
}

#[test]
fn what_would_do_nothing_or_never_come_to_be_is_told() {
    let (url, _) = accepting();
    for given in [["--p99", "50ms"], ["--repeats", "2"]] {
        let args = [&["load", &url, "--rate", "200"][..], &given].concat();
        check_refused(&args, 2, "--find-capacity");
    }
    // The first three begin long before as many are in progress as are to be; in a fifth of a second the last of the first has ended.
    let load = |given: &[&str]| {
        stderr(&mock(&[&["load", &url, "--erlangs", "5", "--duration", "200ms"][..], given].concat()))
    };
    let told = load(&["--time-scale", "1000", "--calls", "3"]);
    assert!(told.contains("warning: calls last ") && told.contains("of 5 are in progress by then"), "{told}");
    let told = load(&["--time-scale", "10000"]);
    assert!(!told.contains("warning"), "{told}");
}

#[test]
fn a_load_that_is_stopped_ends_and_says_what_it_did() {
    let (url, bodies) = accepting();
    let target = Target::parse(&url, &[]).unwrap();
    let mut options = LoadOptions::new(Rate::Webhooks(1_000.0));
    options.duration = Some(Duration::from_secs(3_600));
    let progress = Arc::new(Progress::default());
    let watched = Arc::clone(&progress);
    let stopping = std::thread::spawn(move || {
        while watched.now().acknowledged == 0 {
            std::thread::yield_now();
        }
        watched.stop();
    });
    let report = run_load(&simulator(), &target, &options, &progress).unwrap();
    stopping.join().unwrap();
    assert_eq!(report.summary.attempts, bodies.lock().unwrap().len() as u64);
    let told = progress.now();
    assert_eq!((told.sent, told.in_flight), (report.summary.attempts, 0));
    assert!(report.stopped);
}

#[test]
fn the_command_prints_one_document_and_ends_as_its_thresholds_say() {
    let (url, _) = accepting();
    let load = |more: &[&str]| {
        let args = ["load", &url, "--rate", "max", "--calls", "30", "--seed", "0x5eed"];
        mock(&[&args, more].concat())
    };
    let output = load(&["--report", "json=-", "--assert", "errors==0", "--threads", "2"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let validator = jsonschema::validator_for(&piopiy_mock_platform::load::schema()).unwrap();
    assert!(validator.is_valid(&document));
    assert_eq!(document["summary"]["acknowledged"], document["summary"]["planned"]);
    assert_eq!(document["seed"], "0x5eed");
    for figure in ["latency_us", "publish_delay_us"] {
        for quantile in ["p50", "p90", "p99", "p999", "max"] {
            assert!(document["summary"][figure][quantile].is_u64(), "{figure} {quantile}");
        }
    }
    assert!(document["summary"]["lost"].is_null() && document["summary"]["duplicated"].is_null());

    let report = LoadReport::parse(&stdout(&output)).unwrap();
    assert_eq!((report.verdict(), report.thresholds.len()), ("passed", 1));
    let intervals = report.series.iter();
    let counted = intervals.fold([0; 3], |[planned, sent, ended], one| {
        [planned + one.planned, sent + one.sent, ended + one.acknowledged + one.errors]
    });
    assert_eq!(counted, [report.summary.planned; 3]);
    assert_eq!(report.mix.values().sum::<u64>(), report.summary.attempts);

    let output = load(&["--assert", "max<0us", "--assert", "lost==0"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("max<0us does not hold"), "{}", stderr(&output));
    assert!(stderr(&output).contains("lost==0 does not hold: it is unknown"), "{}", stderr(&output));
    assert!(stdout(&output).contains("acknowledged"), "{}", stdout(&output));
    assert!(stderr(&output).contains(", profile global, to http://"), "{}", stderr(&output));
    let again = stderr(&output).matches("; rerun: piopiy-mock load http://").count();
    assert_eq!(again, 2, "in the first line and in the last one: {}", stderr(&output));

    // Nobody knows, and nobody says that it was the receiver.
    let output = load(&["--assert", "lost==0", "--report", "json=-"]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stderr(&output).contains("warning: nobody will know whether lost==0"), "{}", stderr(&output));
    let report: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!([&report["verdict"], &report["reason"]], ["inconclusive", "effects_unseen"]);
}

#[test]
fn what_cannot_be_loaded_is_told() {
    let url = "http://127.0.0.1:9/webhook/cdr";
    check_refused(&["load", url], 3, "nothing can be reached at 127.0.0.1:9 (start the receiver first): ");
    check_refused(&["load", url, "--rate", "0"], 2, "a rate is above 0");
    check_refused(&["load", url, "--rate", "fast"], 2, "neither a number nor `max`");
    check_refused(&["load", url, "--rate", "5", "--cps", "5"], 2, "cannot be used with");
    check_refused(&["load", url, "--assert", "p98<1s"], 2, "there is no figure");
    check_refused(&["load", url, "--report", "pdf=x"], 2, "there is no kind \"pdf\"");
    check_refused(&["load", url, "--connections", "0"], 2, "at least one of the connections");
    check_refused(&["load", url, "--threads", "9", "--connections", "8"], 2, "9 threads need as many");
    check_refused(&["load", "http://app.example/"], 2, "--allow-host app.example");
    let remote = ["load", "http://app.example/", "--allow-host", "app.example", "--rate", "101"];
    check_refused(&remote, 2, "--i-own-this-target");
}
