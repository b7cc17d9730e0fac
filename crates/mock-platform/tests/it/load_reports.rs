//! What a load leaves behind, and what is made of it.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use piopiy_mock_platform::load::{LoadReport, Rate};
use rustix::process::Signal;

use crate::cli::{check_refused, command, mock, stderr, stdout};
use crate::load::{accepting, load, some};

#[test]
fn several_reports_are_written_and_each_can_be_read() {
    let (url, _) = accepting();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let sinks = ["hlog", "html", "json", "markdown", "text"].map(|kind| format!("{kind}={}", path(kind)));
    let mut args =
        vec!["load", &url, "--rate", "max", "--calls", "60", "--threads", "2", "--assert", "errors==0"];
    sinks.iter().for_each(|sink| args.extend(["--report", sink]));
    let output = mock(&args);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let read = |kind: &str| std::fs::read_to_string(path(kind)).unwrap();
    let report = LoadReport::parse(&read("json")).unwrap();
    assert_eq!(read("text"), report.to_string());
    assert_eq!(stdout(&output), report.to_string());

    let log = read("hlog");
    let mut joined = hdrhistogram::Histogram::<u64>::new(3).unwrap();
    for entry in IntervalLogIterator::new(log.as_bytes()) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            let bytes = BASE64_STANDARD.decode(interval.encoded_histogram()).unwrap();
            joined.add(Deserializer::new().deserialize::<u64, _>(&mut &bytes[..]).unwrap()).unwrap();
        }
    }
    let latency = &report.summary.latency_us;
    assert_eq!(joined.len(), report.summary.attempts);
    assert_eq!(
        [joined.value_at_quantile(0.5), joined.value_at_quantile(0.99), joined.max()],
        [latency.p50, latency.p99, latency.max]
    );

    let html = read("html");
    for told in ["<svg", "class=\"cell\"", "Latency over time", "passed", "errors==0 holds", "cdr."] {
        assert!(html.contains(told), "{told} is not in the page");
    }

    let markdown = read("markdown");
    for told in [
        "## piopiy-mock load: passed".to_owned(),
        "`errors==0` holds".to_owned(),
        format!("| {0} | {0} | {0} | 0 | 0 | unknown | unknown |", report.summary.planned),
        format!("| {:.3} |", latency.p99 as f64 / 1e3),
        "`cdr.".to_owned(),
    ] {
        assert!(markdown.contains(&told), "{told} is not in {markdown}");
    }
    let both = path("both");
    check_refused(
        &["load", &url, "--report", &format!("json={both}"), "--report", &format!("text={both}")],
        2,
        "two reports cannot both go to",
    );
}

#[test]
fn reports_are_written_though_nobody_reads_what_is_printed() {
    let (url, _) = accepting();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("load.json");
    let report = format!("json={}", file.display());
    let mut child = command(&["load", &url, "--rate", "max", "--calls", "3", "--report", &report])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // As `| head` does when it has enough.
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let report = LoadReport::parse(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert!(report.summary.acknowledged > 0, "{report}");

    let (one, changes) = (file.display().to_string(), folder.path().join("changes.md"));
    let markdown = format!("markdown={}", changes.display());
    let mut child = command(&["load", "compare", &one, &one, "--report", &markdown])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(4), "three calls are too few to compare");
    assert!(changes.exists());
}

#[cfg(unix)]
#[test]
fn a_load_can_be_scraped_while_it_goes_on_and_ends_with_a_signal() {
    let (url, bodies) = accepting();
    let args = ["load", &url, "--rate", "200", "--duration", "1h", "--report", "prometheus=127.0.0.1:0"];
    let mut child = command(&args)
        .args(["--report", "json=-", "--seed", "7"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = said.find(|line| line.starts_with("metrics at ")).unwrap();
    let address = line.trim_start_matches("metrics at http://").split('/').next().unwrap().to_owned();
    let scrape = |path: &str| {
        let mut stream = TcpStream::connect(&address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    };
    let acknowledged = || {
        let text = scrape("/metrics");
        assert!(text.contains("text/plain; version=0.0.4"), "{text}");
        let line = text.lines().find_map(|line| line.strip_prefix("piopiy_mock_load_acknowledged_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    while acknowledged() == 0 {
        std::thread::yield_now();
    }
    assert!(scrape("/").starts_with("HTTP/1.1 404"));
    crate::cli::signal(&child, Signal::INT);
    let rest = std::thread::spawn(move || said.collect::<Vec<String>>());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{:?}", rest.join());
    let report = LoadReport::parse(&stdout(&output)).unwrap();
    assert_eq!(report.verdict(), "stopped");
    assert_eq!(report.summary.acknowledged, bodies.lock().unwrap().len() as u64);
    assert!(TcpStream::connect(&address).is_err(), "it is there only while the load is");
}

#[test]
fn saved_reports_are_compared_and_joined() {
    let (url, _) = accepting();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    // Shards that this very program writes are joined elsewhere; these say that they are some.
    let (one, other) = (path("one.json"), path("other.json"));
    for (part, file) in [(0, &one), (1, &other)] {
        let mut report = load(&url, &some(Rate::Webhooks(1_000.0), 40)).unwrap();
        report.shard = Some(format!("{part}/2"));
        // How busy this machine is, is no matter here.
        report.saturation = None;
        std::fs::write(file, serde_json::to_string(&report).unwrap()).unwrap();
    }
    let whole = path("whole.json");
    let output =
        mock(&["load", "merge", &one, &other, "--report", &format!("json={whole}"), "--assert", "errors==0"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let read = |file: &str| LoadReport::parse(&std::fs::read_to_string(file).unwrap()).unwrap();
    let planned = [&one, &other, &whole].map(|file| read(file).summary.planned);
    assert_eq!(planned[0] + planned[1], planned[2]);
    assert_eq!(stdout(&output), read(&whole).to_string());
    let output = mock(&["load", "merge", &one, &other, "--assert", "max<0us"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    check_refused(&["load", "merge", &one], 2, "shards 1/2 are missing");
    check_refused(&["load", "merge", &one, &other, "--report", "prometheus=127.0.0.1:0"], 2, "leave it out");

    // They are of a moment, which is too short for a judgement, and shown.
    let markdown = format!("markdown={}", path("changes.md"));
    let output = mock(&["load", "compare", &one, &format!("{one},{other}"), "--report", &markdown]);
    assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
    assert!(stdout(&output).contains("p99 "), "{}", stdout(&output));
    let told = std::fs::read_to_string(path("changes.md")).unwrap();
    assert!(told.starts_with("## piopiy-mock load compare: inconclusive: a side has"), "{told}");
    check_refused(&["load", "compare", &one], 2, "<AFTER>");
    check_refused(&["load", "compare", &one, &other, "--tolerate", "p98=1%"], 2, "there is no figure");
    check_refused(&["load", "compare", &one, "nowhere.json"], 2, "nowhere.json cannot be read");
    check_refused(&["load", "merge", &markdown["markdown=".len()..]], 2, "it is no report of a load");
    check_refused(&["load"], 2, "<URL>");
}
