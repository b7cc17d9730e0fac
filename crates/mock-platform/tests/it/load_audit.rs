//! Loads that are audited: what a receiver lost, doubled or changed is counted, whichever way that is seen.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use piopiy_events::{Profile, Webhook};
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::Observation;
use piopiy_mock_platform::load::{
    CapacityOptions, LoadOptions, LoadReport, Progress, Rate, Trial, find_capacity, run_load,
};
use piopiy_mock_platform::plan::{PlanOptions, Scenario, Seed, Simulator, Spacing};

use crate::cli::{check_refused, mock, stderr, stdout};

/// How many effects the n-th webhook has, with so many in flight; `None` where it is not answered either.
type Flaw = fn(n: usize, in_flight: usize) -> Option<usize>;

/// A receiver of its own threads that appends its effects to a file, and answers `GET /__observe`.
struct Receiver {
    url: String,
    effects: Arc<Mutex<Vec<String>>>,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Receiver {
    fn start(flaw: Flaw) -> Self {
        Self::start_late(flaw, usize::MAX)
    }

    /// The effects of one of the webhooks come some time after its answer.
    fn start_late(flaw: Flaw, late: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("effects.jsonl");
        let effects = Arc::new(Mutex::new(Vec::new()));
        let (kept, path) = (Arc::clone(&effects), file.clone());
        let (got, in_flight) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, path) = (Arc::clone(&kept), path.clone());
                let (got, in_flight) = (Arc::clone(&got), Arc::clone(&in_flight));
                std::thread::spawn(move || converse(stream, &kept, &path, (flaw, late), (&got, &in_flight)));
            }
        });
        Self { url, effects, file, _folder: folder }
    }

    fn load(&self, options: &LoadOptions) -> LoadReport {
        let target = Target::parse(&format!("{}/webhook", self.url), &[]).unwrap();
        let simulator = Simulator::new(&Scenario::default(), PlanOptions::new(Profile::Global, Seed(0x5eed)));
        run_load(&simulator, &target, options, &Arc::new(Progress::default())).unwrap()
    }

    fn seen_by_url(&self, rate: Rate, calls: u64) -> LoadOptions {
        let mut options = LoadOptions::new(rate);
        let observe = Target::parse(&format!("{}/__observe", self.url), &[]).unwrap();
        (options.observation, options.calls, options.duration) =
            (Some(Observation::Url(observe)), Some(calls), None);
        (options.connections, options.threads) = (8, 2);
        options
    }

    fn effects(&self) -> u64 {
        self.effects.lock().unwrap().len() as u64
    }
}

fn converse(
    mut stream: TcpStream,
    effects: &Arc<Mutex<Vec<String>>>,
    file: &Path,
    (flaw, late): (Flaw, usize),
    (got, in_flight): (&AtomicUsize, &AtomicUsize),
) {
    let (mut bytes, mut read) = (Vec::new(), [0; 8192]);
    while let Ok(count @ 1..) = stream.read(&mut read) {
        bytes.extend_from_slice(&read[..count]);
        let Some(head) = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
            continue;
        };
        let text = std::str::from_utf8(&bytes[..head]).unwrap().to_owned();
        if text.starts_with("GET") {
            let since: usize =
                text.split_once("since=").unwrap().1.split(' ').next().unwrap().parse().unwrap();
            let lines = effects.lock().unwrap().get(since..).unwrap_or_default().concat();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{lines}", lines.len());
            let _ = stream.write_all(answer.as_bytes());
            bytes.clear();
            continue;
        }
        let length = text.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap();
        let end = head + length.parse::<usize>().unwrap();
        if bytes.len() < end {
            continue;
        }
        let beside = in_flight.fetch_add(1, Ordering::SeqCst);
        if beside > 0 {
            std::thread::yield_now();
        }
        let webhook = Webhook::parse(&bytes[head..end]).unwrap();
        let n = got.fetch_add(1, Ordering::SeqCst) + 1;
        let Some(count) = flaw(n, beside + 1) else { return };
        if n == late {
            let (effects, file) = (Arc::clone(effects), file.to_owned());
            std::thread::spawn(move || {
                std::thread::sleep(Duration::from_millis(900));
                append(&effects, &file, &webhook, count);
            });
        } else {
            append(effects, file, &webhook, count);
        }
        in_flight.fetch_sub(1, Ordering::SeqCst);
        bytes.drain(..end);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

fn append(effects: &Mutex<Vec<String>>, file: &Path, webhook: &Webhook, count: usize) {
    let mut effects = effects.lock().unwrap();
    let mut out = std::fs::OpenOptions::new().create(true).append(true).open(file).unwrap();
    for _ in 0..count {
        let text = |key| webhook.text(key).unwrap_or_default().into_owned();
        let (kind, seq) = (webhook.kind().unwrap(), effects.len() + 1);
        let line = format!(
            "{{\"seq\":{seq},\"cmiuuid\":\"{}\",\"leg\":\"{}\",\"kind\":\"{kind}\",\"status\":\"{}\",\"fields\":{}}}\n",
            text("cmiuuid"),
            text("leg"),
            text("status"),
            webhook.to_json()
        );
        out.write_all(line.as_bytes()).unwrap();
        effects.push(line);
    }
}

#[test]
fn what_a_trial_does_late_is_not_held_against_the_next() {
    // 300 webhooks of the first trial: the last has its effect when nobody waits for it any more.
    let receiver = Receiver::start_late(|_, _| Some(1), 300);
    let mut options = LoadOptions::new(Rate::Webhooks(300.0));
    options.spacing = Spacing::Constant;
    options.settle = Duration::from_millis(150);
    let observe = Target::parse(&format!("{}/__observe", receiver.url), &[]).unwrap();
    options.observation = Some(Observation::Url(observe));
    let mut capacity = CapacityOptions::new(Duration::from_secs(9));
    capacity.trial = Duration::from_secs(1);
    let target = Target::parse(&format!("{}/webhook", receiver.url), &[]).unwrap();
    let simulator = Simulator::new(&Scenario::default(), PlanOptions::new(Profile::Global, Seed(0x5eed)));
    let (progress, mut told) = (Arc::new(Progress::default()), 0);
    let mut tell = |_: &Trial| {
        told += 1;
        if told == 3 {
            progress.stop();
        }
    };
    let report = find_capacity(&simulator, &target, &options, &capacity, &progress, &mut tell).unwrap();
    let trials = &report.capacity.as_ref().unwrap().trials;
    assert_eq!(trials[0].gave_way.as_deref(), Some("1 webhooks were lost"), "{trials:?}");
    assert_eq!(trials[0].late, 1, "{trials:?}");
    assert_eq!((trials[1].gave_way.as_deref(), trials[1].late), (None, 0), "{trials:?}");
}

#[test]
fn a_receiver_that_silently_drops_one_in_ten_thousand_is_caught() {
    let receiver = Receiver::start(|n, _| Some(usize::from(n % 10_000 != 0)));
    let report = receiver.load(&receiver.seen_by_url(Rate::Max, 4_500));
    let summary = &report.summary;
    assert!(summary.acknowledged > 20_000 && summary.acknowledged == summary.planned, "{report}");
    assert_eq!(summary.lost, Some(summary.planned / 10_000), "{report}");
    assert_eq!(summary.duplicated, Some(0));
    let audit = report.audit.as_ref().unwrap();
    assert_eq!(audit.named["lost"].len() as u64, audit.lost);
    assert_eq!((audit.effects, audit.corrupted, audit.phantom), (receiver.effects(), 0, 0));
    let shown = report.to_string();
    assert!(shown.contains(&format!("lost {}, duplicated 0", audit.lost)), "{shown}");
}

#[test]
fn a_receiver_that_doubles_under_concurrency_is_caught() {
    // It counts on one at a time.
    let receiver = Receiver::start(|_, in_flight| {
        std::thread::sleep(Duration::from_millis(1));
        Some(if in_flight > 1 { 2 } else { 1 })
    });
    let report = receiver.load(&receiver.seen_by_url(Rate::Max, 400));
    let summary = &report.summary;
    let doubled = receiver.effects() - summary.acknowledged;
    assert!(doubled > 0, "it was never given two at once");
    assert_eq!((summary.lost, summary.duplicated), (Some(0), Some(doubled)), "{report}");
}

#[test]
fn a_receiver_that_does_as_it_should_has_nothing_lost_or_doubled() {
    let receiver = Receiver::start(|_, _| Some(1));
    for rate in [Rate::Max, Rate::Webhooks(2_000.0)] {
        // The same ids again would be the same webhooks again.
        let before = receiver.effects();
        let mut options = receiver.seen_by_url(rate, 200);
        let target = Target::parse(&format!("{}/webhook", receiver.url), &[]).unwrap();
        let mut plan = PlanOptions::new(Profile::Global, Seed(1));
        plan.nonce = piopiy_mock_platform::plan::Nonce(before);
        options.settle = Duration::from_millis(200);
        let simulator = Simulator::new(&Scenario::default(), plan);
        let report = run_load(&simulator, &target, &options, &Arc::new(Progress::default())).unwrap();
        assert_eq!((report.summary.lost, report.summary.duplicated), (Some(0), Some(0)), "{report}");
        let audit = report.audit.unwrap();
        assert!(audit.is_clean() && audit.effects == report.summary.planned, "{audit:?}");
    }
}

#[test]
fn what_was_not_answered_is_ambiguous_and_not_lost() {
    let receiver = Receiver::start(|n, _| (n % 100 != 0).then_some(1));
    let mut options = receiver.seen_by_url(Rate::Webhooks(2_000.0), 200);
    options.timeout = Duration::from_millis(300);
    let report = receiver.load(&options);
    let summary = &report.summary;
    assert!(summary.ambiguous > 0 && summary.errors == summary.ambiguous, "{report}");
    assert_eq!((summary.lost, summary.duplicated), (Some(0), Some(0)), "{report}");
    assert_eq!(report.audit.unwrap().ambiguous, summary.ambiguous);
}

#[test]
fn a_file_and_a_count_show_it_too() {
    let receiver = Receiver::start(|n, _| Some(usize::from(n != 50)));
    let file = receiver.file.display().to_string();
    let count = format!("cat '{file}' | wc -l");
    let url = format!("{}/webhook", receiver.url);
    let load = |more: &[&str]| mock(&[&["load", &url, "--rate", "max", "--calls", "40"], more].concat());
    std::fs::write(&file, "").unwrap();
    let output = load(&["--observe-file", &file, "--report", "json=-", "--assert", "lost==0"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(stderr(&output).contains("lost==0 does not hold: it is 1"), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    let summary = &document["summary"];
    assert_eq!((&summary["lost"], &summary["duplicated"]), (&1.into(), &0.into()), "{document:#}");
    assert_eq!(document["audit"]["rung"], "observe-file");
    // From here on it is as it should be.
    let output = load(&["--verify-cmd", &count, "--report", "json=-", "--assert", "lost==0"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&document["summary"]["lost"], &document["audit"]["rung"]), (&0.into(), &"verify-cmd".into()));
    let output = load(&["--verify-cmd", "echo many"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("has to print one integer"), "{}", stderr(&output));
}

#[test]
fn a_line_that_is_no_effect_is_told_and_nothing_behind_it_is_taken_for_lost() {
    let receiver = Receiver::start(|_, _| Some(1));
    let path = receiver.file.clone();
    std::fs::write(&path, "").unwrap();
    let logging = std::thread::spawn(move || {
        while std::fs::read_to_string(&path).unwrap().lines().count() < 20 {
            std::thread::yield_now();
        }
        let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(b"a line of a log\n").unwrap();
    });
    let (url, file) = (format!("{}/webhook", receiver.url), receiver.file.display().to_string());
    let saved = receiver.file.with_extension("json");
    let report = format!("json={}", saved.display());
    let args = ["load", &url, "--rate", "200", "--calls", "40", "--observe-file", &file, "--report", &report];
    let output = mock(&args);
    logging.join().unwrap();
    // On a machine that is busy otherwise the load was late as well.
    assert!(matches!(output.status.code(), Some(3 | 4)), "{}", stderr(&output));
    assert!(stderr(&output).contains("this line is no effect record"), "{}", stderr(&output));
    // What was measured is told all the same.
    let report = LoadReport::parse(&std::fs::read_to_string(saved).unwrap()).unwrap();
    assert_eq!(report.summary.acknowledged, report.summary.planned, "{report}");
    assert!(report.summary.latency_us.p99 > 0, "{report}");
    assert_eq!((report.summary.lost, &report.audit), (None, &None), "{report}");
    assert!(report.audit_failed.as_ref().unwrap().contains("this line is no effect record"), "{report}");
    assert_eq!(report.verdict(), "inconclusive");
}

#[test]
fn a_count_that_fails_for_a_moment_is_asked_for_again() {
    let receiver = Receiver::start(|_, _| Some(1));
    let (url, file) = (format!("{}/webhook", receiver.url), receiver.file.display().to_string());
    std::fs::write(&file, "").unwrap();
    // As a database that is locked: it fails the first time that there is something to count.
    let marker = receiver.file.with_extension("once").display().to_string();
    let count = format!(
        "if [ -s '{file}' ] && [ ! -e '{marker}' ]; then touch '{marker}'; echo locked >&2; exit 1; fi; wc -l <'{file}'"
    );
    let output = mock(&["load", &url, "--rate", "max", "--calls", "20", "--verify-cmd", &count]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("lost 0, duplicated 0"), "{}", stdout(&output));
    assert!(Path::new(&marker).exists());
}

#[test]
fn what_cannot_be_seen_is_told_before_anything_is_sent() {
    let receiver = Receiver::start(|_, _| Some(1));
    let url = format!("{}/webhook", receiver.url);
    check_refused(
        &["load", &url, "--observe-url", "http://127.0.0.1:9/"],
        3,
        "could not be asked for effects",
    );
    check_refused(&["load", &url, "--observe-url", "http://app.example/"], 2, "--allow-host app.example");
    check_refused(&["load", &url, "--observe-file", "x", "--verify-cmd", "y"], 2, "cannot be used with");
    assert_eq!(receiver.effects(), 0);
}
