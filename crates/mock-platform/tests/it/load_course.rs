//! How loads go on: deliveries that are not plain, stages, shards, and the search for the largest rate.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use piopiy_gallery as gallery;
use piopiy_mock_platform::deliver::check_run::Observation;
use piopiy_mock_platform::deliver::{Redelivery, Target};
use piopiy_mock_platform::load::{
    CapacityOptions, LoadError, LoadOptions, LoadReport, Progress, Rate, find_capacity, run_load,
};
use piopiy_mock_platform::plan::{Nonce, PlanOptions, Scenario, Seed, Simulator, Stage};
use rustix::process::Signal;

use crate::cli::{check_refused, command, mock, stderr, stdout};
use crate::load::{accepting, receiver, simulator, some};

/// A load with copies, on a receiver of the gallery.
async fn doubled(flaw: &str) -> LoadReport {
    let place = gallery::Place::of(flaw).unwrap();
    let receiver = gallery::serve(&place).await.unwrap();
    let mut options = some(Rate::Webhooks(1_000.0), 120);
    options.faults.duplicate = 0.5;
    options.faults.duplicate_within_ms = 0;
    options.observation = Some(Observation::Url(Target::parse(&receiver.observe_url, &[]).unwrap()));
    let target = Target::parse(&receiver.url, &[]).unwrap();
    let load = move || run_load(&simulator(), &target, &options, &Arc::new(Progress::default()));
    tokio::task::spawn_blocking(load).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_find_a_receiver_that_asks_before_it_inserts() {
    let report = doubled("asks-then-inserts").await;
    assert!(report.summary.injected["duplicate"] > 100, "{report}");
    assert!(report.summary.duplicated > Some(0), "{report}");
    assert_eq!(report.summary.lost, Some(0), "{report}");
    assert_eq!(report.summary.planned, report.summary.attempts, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_do_not_mislead_a_receiver_that_knows_them() {
    let report = doubled("none").await;
    assert!(report.summary.injected["duplicate"] > 100, "{report}");
    let audit = report.audit.as_ref().unwrap();
    assert!(audit.is_clean(), "{report}");
    assert_eq!(audit.effects, report.summary.planned - report.summary.injected["duplicate"], "{report}");
}

#[test]
fn a_cdr_that_is_refused_is_sent_again_until_it_is_acknowledged() {
    let (url, bodies) = receiver(|| {
        static SEEN: Mutex<u64> = Mutex::new(0);
        let mut seen = SEEN.lock().unwrap();
        *seen += 1;
        // Of four requests one gets through.
        Some(if seen.is_multiple_of(4) {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
        })
    });
    let mut options = some(Rate::Webhooks(1_000.0), 20);
    (options.threads, options.time_scale) = (1, 1.0);
    options.cdr_policy = Redelivery::UntilAck;
    options.schedule_ms = (0..400).map(|n| n * 25).collect();
    let target = Target::parse(&url, &[]).unwrap();
    let report = run_load(&simulator(), &target, &options, &Arc::new(Progress::default())).unwrap();
    let summary = &report.summary;
    let again = summary.injected["redelivery"];
    assert!(again > 10, "{report}");
    assert_eq!((summary.attempts, summary.planned), (bodies.lock().unwrap().len() as u64, summary.attempts));
    // Each CDR is acknowledged in the end, and live events are sent once.
    let live =
        (0..20).flat_map(|call| simulator().call(call).webhooks).filter(|it| it.name.starts_with("live"));
    let live = live.count() as u64;
    let cdrs = (0..20).map(|call| simulator().call(call).webhooks.len() as u64).sum::<u64>() - live;
    assert_eq!(summary.attempts, live + cdrs + again, "{report}");
    assert!(summary.acknowledged >= cdrs, "{report}");
    assert_eq!(
        summary.errors - again,
        live + cdrs - summary.acknowledged,
        "each refusal of a CDR has a repeat"
    );
}

#[test]
fn processes_that_are_told_a_shard_send_the_plan_together() {
    let (url, bodies) = accepting();
    let start_ms =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis() as u64 + 5_000;
    let start = start_ms.to_string();
    let processes: Vec<_> = ["0/3", "1/3", "2/3"]
        .into_iter()
        .map(|shard| {
            let (url, start) = (url.clone(), start.clone());
            std::thread::spawn(move || {
                let args = ["load", &url, "--rate", "2000", "--calls", "60", "--seed", "9", "--nonce", "4"];
                mock(&[&args[..], &["--shard", shard, "--start-at", &start]].concat())
            })
        })
        .collect();
    for process in processes {
        let output = process.join().unwrap();
        // On a machine that is busy otherwise it says that, and sends all the same.
        assert!(matches!(output.status.code(), Some(0 | 4)), "{}", stderr(&output));
    }
    let mut plan = PlanOptions::new(piopiy_events::Profile::Global, Seed(9));
    (plan.nonce, plan.epoch_ms) = (Nonce(4), start_ms);
    let one = Simulator::new(&Scenario::default(), plan);
    let mut planned: Vec<Vec<u8>> =
        (0..60).flat_map(|call| one.call(call).webhooks.into_iter().map(|it| it.body.to_vec())).collect();
    let mut sent = bodies.lock().unwrap().clone();
    planned.sort_unstable();
    sent.sort_unstable();
    assert!(planned == sent, "{} webhooks in place of {}", sent.len(), planned.len());
}

/// Whoever waits for an instant can be told not to.
#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_load_that_has_not_begun() {
    let (url, bodies) = accepting();
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let args =
            ["load", &url, "--rate", "100", "--start-at", "2100-01-01T00:00:00Z", "--report", "json=-"];
        let mut child = command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Behind the line with the seed it shows how far it is, and listens for signals by then.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        lines.nth(1).unwrap().unwrap();
        let asked = Instant::now();
        crate::cli::signal(&child, signal);
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(asked.elapsed() < Duration::from_secs(10), "it waited for {:?}", asked.elapsed());
        let report = LoadReport::parse(&stdout(&output)).unwrap();
        assert_eq!((report.verdict(), report.summary.planned, report.summary.attempts), ("stopped", 0, 0));
        assert!(report.series.is_empty() && report.summary.seconds == 0.0, "{report}");
    }
    assert_eq!(bodies.lock().unwrap().len(), 0);
}

#[test]
fn a_scenario_says_how_the_rate_goes_on_and_the_command_line_goes_before_it() {
    let (url, _) = accepting();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let text = "[arrivals]\nper-second = 40\nspacing = \"constant\"\n\
        [[stages]]\nkind = \"soak\"\nover = \"300ms\"\n\
        [[stages]]\nkind = \"step\"\nto = 80\nover = \"200ms\"\n";
    std::fs::write(&file, text).unwrap();
    let asked = |more: &[&str]| {
        let file = file.display().to_string();
        let args = ["load", &url, "--scenario", &file, "--time-scale", "10000", "--report", "json=-"];
        let output = mock(&[&args, more].concat());
        let report = LoadReport::parse(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)));
        (report.pace, report.asked.stages, report.summary.planned)
    };
    let stages = ["soak:0.3s", "step:80:0.2s"].map(str::to_owned).to_vec();
    let (pace, of_file, planned) = asked(&[]);
    assert_eq!(pace, "40 calls per second, constant, time scale 10000, then 2 stages over 0.5 s");
    assert_eq!(of_file, stages);
    // Twelve calls, and then sixteen.
    assert!(planned > 28, "{planned}");
    let (pace, of_file, planned) = asked(&["--rate", "100"]);
    assert_eq!(
        (pace.as_str(), of_file),
        ("100 webhooks per second, constant, then 2 stages over 0.5 s", stages)
    );
    assert!((46..=60).contains(&planned), "{planned}");
    let (_, of_line, _) = asked(&["--cps", "5", "--stage", "burst:50:100ms"]);
    assert_eq!(of_line, ["burst:50:0.1s"]);
    let (pace, none, _) = asked(&["--rate", "max", "--calls", "3"]);
    assert_eq!((pace.as_str(), none.len()), ("as fast as they are answered", 0));
}

#[test]
fn what_does_not_go_together_is_told() {
    let url = "http://127.0.0.1:9/webhook/cdr";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arrivals");
    std::fs::write(&file, "0\n1.5\n1\n").unwrap();
    let arrivals = format!("file:{}", file.display());
    check_refused(&["load", url, "--arrivals", &arrivals], 2, "line 3: 1 is earlier");
    check_refused(&["load", url, "--arrivals", "file:/no/such/file"], 2, "cannot be read");
    check_refused(&["load", url, "--arrivals", "often"], 2, "poisson, constant and file:PATH");
    check_refused(&["load", url, "--stage", "leap:5:3s"], 2, "is no stage");
    check_refused(&["load", url, "--stage", "soak:3s", "--duration", "3s"], 2, "cannot be used with");
    check_refused(&["load", url, "--rate", "max", "--stage", "soak:3s"], 2, "stages change a rate");
    check_refused(&["load", url, "--stage", "step:0:3s"], 2, "a stage has a rate");
    check_refused(&["load", url, "--shard", "0/2"], 2, "--start-at");
    let counted = [
        "--shard",
        "0/2",
        "--start-at",
        "2100-01-01T00:00:00Z",
        "--seed",
        "1",
        "--nonce",
        "1",
        "--verify-cmd",
        "echo 0",
    ];
    check_refused(&[&["load", url], &counted[..]].concat(), 2, "effects of all shards");
    check_refused(&["load", url, "--rate", "max", "--fault-loss", "1"], 2, "--fault-loss");
    check_refused(&["load", url, "--start-at", "noon"], 2, "is no instant");
    check_refused(&["load", url, "--fault-duplicate", "2"], 2, "must be between 0 and 1");
    check_refused(&["load", url, "--fault-duplicate", "often"], 2, "is no probability");
    check_refused(&["load", url, "--rate", "max", "--cdr-policy", "until-ack"], 2, "no time after which");
    check_refused(&["load", url, "--find-capacity", "--rate", "max"], 2, "the search is for a rate");
    std::fs::write(&file, "0\n").unwrap();
    check_refused(&["load", url, "--arrivals", &arrivals, "--rate", "5"], 2, "leave out the rate");
    let (url, bodies) = accepting();
    check_refused(&["load", &url, "--start-at", "2026-01-01T00:00:00Z"], 3, "the load was to begin");
    assert_eq!(bodies.lock().unwrap().len(), 0);
}

#[test]
fn a_host_that_is_not_this_machine_is_loaded_only_by_its_owner() {
    let url = "http://app.invalid:9/webhook";
    let owner = |more: &[&str], part: &str, code| {
        let args = [&["load", url, "--allow-host", "app.invalid", "--duration", "1s"], more].concat();
        check_refused(&args, code, part);
    };
    check_refused(&["load", url], 2, "--allow-host app.invalid");
    let mine = "--i-own-this-target";
    for more in [&["--rate", "101"], &["--rate", "max"], &["--cps", "60"], &["--erlangs", "1"]] {
        owner(more, mine, 2);
    }
    owner(&["--find-capacity"], mine, 2);
    let staged = ["load", url, "--allow-host", "app.invalid", "--rate", "1", "--stage", "burst:101:1s"];
    check_refused(&staged, 2, mine);
    // Each as often as it may be sent, whoever decides that.
    for more in [
        &["--rate", "40", "--cdr-policy", "until-ack", "--schedule", "0s,1s,2s"][..],
        &["--rate", "1", "--live-policy", "always", "--schedule", "0s,1ms,2ms,3ms", "--stage", "burst:30:1s"],
        &["--rate", "60", "--fault-duplicate", "1"],
        &["--rate", "1", "--connections", "257"],
    ] {
        let args = [&["load", url, "--allow-host", "app.invalid"], more].concat();
        check_refused(&args, 2, mine);
    }
    owner(&["--rate", "30", "--cdr-policy", "always", "--schedule", "0s,1s,2s"], "nothing can be reached", 3);
    // What is modest, or its owner's, is tried; there is no such host.
    for more in [&["--rate", "100"][..], &["--cps", "5"], &["--rate", "500", "--i-own-this-target"]] {
        owner(more, "nothing can be reached at app.invalid:9", 3);
    }
}

#[test]
fn a_search_refuses_what_only_one_load_can_have_before_anything_is_sent() {
    let (url, bodies) = accepting();
    let target = Target::parse(&url, &[]).unwrap();
    let check = |simulator: &Simulator, change: fn(&mut LoadOptions), told: &str| {
        let mut options = LoadOptions::new(Rate::Webhooks(100.0));
        change(&mut options);
        let capacity = CapacityOptions::new(Duration::from_secs(1));
        let progress = Arc::new(Progress::default());
        let found = find_capacity(simulator, &target, &options, &capacity, &progress, &mut |_| {});
        let error = found.unwrap_err();
        assert!(matches!(error, LoadError::Options(_)) && error.to_string().contains(told), "{error}");
    };
    let one = &simulator();
    check(one, |options| options.rate = Rate::Max, "give --rate N or --cps N");
    check(one, |options| options.rate = Rate::Erlangs(5.0), "give --rate N or --cps N");
    check(one, |options| options.stages.push(Stage::Soak { over: Duration::from_secs(1) }), "the stages");
    check(one, |options| options.calls = Some(5), "the number of calls");
    check(one, |options| options.start_at = Some(SystemTime::now()), "the instant to begin at");
    check(one, |options| options.ledger = Some("ledger.jsonl".into()), "the ledger");
    check(one, |options| options.connections = 0, "at least one of the connections");
    let given = |options: &mut LoadOptions| {
        (options.rate, options.arrivals_at) = (Rate::Calls(1.0), Some(Arc::from([0, 5])));
    };
    check(one, given, "the arrivals that are given");
    check(one, |options| options.rate = Rate::Calls(5.0), "make them pass by faster (--time-scale ");
    let mut plan = PlanOptions::new(piopiy_events::Profile::Global, Seed(1));
    plan.shard = Some((0, 2));
    check(&Simulator::new(&Scenario::default(), plan), |_| {}, "the shard");
    assert_eq!(bodies.lock().unwrap().len(), 0);
}

#[test]
fn the_largest_rate_of_a_receiver_that_refuses_more_is_found() {
    const LIMIT: f64 = 400.0;
    const ROOM: f64 = 30.0;
    // As many as a bucket has that is filled at the limit.
    static BUCKET: Mutex<Option<(Instant, f64)>> = Mutex::new(None);
    let (url, _) = receiver(|| {
        let mut bucket = BUCKET.lock().unwrap();
        let now = Instant::now();
        let (then, level) = bucket.unwrap_or((now, ROOM));
        let level = (level + LIMIT * (now - then).as_secs_f64()).min(ROOM);
        let is_taken = level >= 1.0;
        *bucket = Some((now, if is_taken { level - 1.0 } else { level }));
        Some(if is_taken {
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 429 Slow Down\r\nContent-Length: 0\r\n\r\n"
        })
    });
    let target = Target::parse(&url, &[]).unwrap();
    let mut options = LoadOptions::new(Rate::Webhooks(100.0));
    options.spacing = piopiy_mock_platform::plan::Spacing::Constant;
    let mut capacity = CapacityOptions::new(Duration::from_secs(5));
    (capacity.trial, capacity.repeats) = (Duration::from_secs(1), 2);
    let progress = Arc::new(Progress::default());
    let mut told = 0;
    let report =
        find_capacity(&simulator(), &target, &options, &capacity, &progress, &mut |_| told += 1).unwrap();
    let found = report.capacity.as_ref().unwrap();
    assert_eq!((found.trials.len(), found.is_observed, report.summary.errors), (told, false, 0), "{report}");
    assert_eq!(found.unfinished.is_some(), report.saturation.is_some(), "{report}");
    if report.saturation.is_some() {
        // On a machine that is busy otherwise it says that, and nothing for sure.
        assert_eq!(report.verdict(), "inconclusive", "{report}");
        assert!(found.per_second.is_none_or(|rate| rate < 450.0), "{report}");
        return;
    }
    let rate = found.per_second.unwrap();
    // In a second the bucket gives 30 more.
    assert!((360.0..=450.0).contains(&rate), "{report}");
    assert!(
        found.fails_at.unwrap() <= rate * 1.03 && found.passed >= 2 && found.failed_above >= 2,
        "{report}"
    );
    assert!(found.gave_way.as_ref().unwrap().contains("4xx"), "{report}");
    assert!(report.to_string().contains("safe capacity: "), "{report}");
}

#[test]
fn a_receiver_that_does_not_survive_a_search_is_its_answer() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    // It answers all of the first trial, and nobody else ever.
    std::thread::spawn(move || {
        let mut conversations = Vec::new();
        // Somebody looks whether it is there, and then there is one connection.
        for stream in listener.incoming().map_while(Result::ok).take(2) {
            conversations.push(std::thread::spawn(move || answer_all(stream)));
        }
        drop(listener);
        conversations.into_iter().for_each(|one| one.join().unwrap());
    });
    let target = Target::parse(&url, &[]).unwrap();
    let mut options = LoadOptions::new(Rate::Webhooks(100.0));
    (options.connections, options.threads) = (1, 1);
    let mut capacity = CapacityOptions::new(Duration::from_secs(9));
    capacity.trial = Duration::from_millis(300);
    let progress = Arc::new(Progress::default());
    let mut told = Vec::new();
    let mut tell = |trial: &piopiy_mock_platform::load::Trial| told.push(trial.to_string());
    let report = find_capacity(&simulator(), &target, &options, &capacity, &progress, &mut tell).unwrap();
    let found = report.capacity.as_ref().unwrap();
    assert_eq!((found.trials.len(), found.per_second, found.fails_at), (1, None, Some(100.0)), "{report}");
    assert_eq!((found.failed_above, found.tried_above), (1, 1), "{report}");
    assert!(found.gave_way.as_ref().unwrap().contains("it was gone when it was over"), "{report}");
    assert!(found.unfinished.as_ref().unwrap().contains("nothing can be reached at"), "{report}");
    assert!(told.last().unwrap().contains("gone when it was over"), "{told:?}");
    assert_eq!(report.verdict(), "inconclusive", "{report}");
    assert!(report.summary.acknowledged > 0, "what was measured is told: {report}");
}

/// Answers what comes on a connection.
fn answer_all(mut stream: std::net::TcpStream) {
    use std::io::{Read as _, Write as _};
    let mut read = [0; 8192];
    // One request is in flight at a time, and comes in one piece.
    while let Ok(1..) = stream.read(&mut read) {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}
