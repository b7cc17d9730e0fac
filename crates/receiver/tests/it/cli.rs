//! The binary: what it prints, what it exits with, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::CommandCargoExt as _;
use piopiy_receiver::{Entry, SqliteStore, Store as _};
use tempfile::TempDir;

use crate::support::{cdr, entry, raw_post, stream_connected};

fn receiver(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("piopiy-receiver").unwrap();
    // Snapshots must not depend on who runs the tests.
    command.current_dir(folder).args(arguments).env_clear().env("COLUMNS", "100");
    command
}

/// Exit code, stdout and stderr, for a snapshot.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = receiver(folder, arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    format!(
        "$ piopiy-receiver {}\nexit code {}\n--- stdout\n{}--- stderr\n{}",
        arguments.join(" "),
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr)
    )
}

/// A folder with a store `calls.sqlite` of two calls, a lone event and something quarantined.
fn folder_with_store() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    let event = |leg: &str, status: &str, time: u64| {
        entry(&format!(
            r#"{{"appid":2222222,"cmiuuid":"{leg}-of-two","conversation_uuid":"two","direction":"outbound","leg":"{leg}","status":"{status}","time":{time},"from":442080000000,"to":447700900123}}"#
        ))
    };
    let answered = r#"{"cmiuuid":"a-of-two","conversation_uuid":"two","direction":"outbound","leg":"a","status":"answered","duration":63,"from":"=HYPERLINK(\"http://x\")","to":"+447700900123","n":9007199254740993,"balance":"-1.500000"}"#;
    let batch = [
        entry(&cdr("one")),
        event("a", "out_started", 1),
        event("a", "out_answered", 2),
        event("b", "out_bridged", 3),
        Entry::quarantined(
            "not JSON: expected a value at byte 0".to_owned(),
            "=1+1".into(),
            1_700_000_000_000_001,
        ),
        Entry::quarantined(
            "not UTF-8 at byte 0".to_owned(),
            b"\xFF".as_slice().into(),
            1_700_000_000_000_002,
        ),
        entry(&stream_connected("alone\\u001b[31m", 4)),
        entry(answered),
    ];
    store.append(&batch).unwrap();
    folder
}

const STORE: &str = "--store=sqlite:calls.sqlite";

#[test]
fn help() {
    let folder = tempfile::tempdir().unwrap();
    let pages = [
        vec!["--help"],
        vec!["serve", "--help"],
        vec!["tail", "--help"],
        vec!["export", "--help"],
        vec!["calls", "--help"],
    ];
    let text: Vec<String> = pages.iter().map(|arguments| run(folder.path(), arguments)).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn calls() {
    let folder = folder_with_store();
    let table = run(folder.path(), &["calls", STORE]);
    let json = run(folder.path(), &["calls", STORE, "--format", "json"]);
    insta::assert_snapshot!(format!("{table}\n{json}"));
}

#[test]
fn export() {
    let folder = folder_with_store();
    let pages = [
        vec!["export", STORE],
        vec!["export", STORE, "--since", "7"],
        vec!["export", STORE, "--quarantine"],
        vec!["export", STORE, "--format", "csv"],
        vec!["export", STORE, "--format", "csv", "--quarantine"],
        vec!["export", STORE, "--output", "out.jsonl"],
    ];
    let text: Vec<String> = pages.iter().map(|arguments| run(folder.path(), arguments)).collect();
    insta::assert_snapshot!(text.join("\n"));
    let written = std::fs::read_to_string(folder.path().join("out.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 6);
    assert!(!folder.path().join("out.jsonl.part").exists());
}

#[test]
fn tail() {
    let folder = folder_with_store();
    let text = run(folder.path(), &["tail", STORE]);
    let json = run(folder.path(), &["tail", STORE, "-n", "3", "--format", "json"]);
    insta::assert_snapshot!(format!("{text}\n{json}"));
}

#[test]
fn mistakes() {
    let folder = folder_with_store();
    std::fs::write(folder.path().join("text"), "just a text, and no database of any kind").unwrap();
    std::fs::write(folder.path().join("nocolon"), "secret\n").unwrap();
    let occupied = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    let pages = [
        vec!["serve", "--store", "postgres:x"],
        vec!["serve", "--store", "memory", "--token", "a b"],
        vec!["serve", "--store", "memory", "--token", "cdr"],
        vec!["serve", "--store", "memory", "--token-file", "nofile"],
        vec!["serve", "--store", "memory", "--basic-file", "nocolon"],
        vec!["serve", "--store", "memory", "--path", "webhook"],
        vec!["serve", "--store", "memory", "--max-body", "1MB"],
        vec!["serve", "--store", "memory", "--idle-deadline", "5"],
        vec!["serve", "--store", "memory", "--allow-ip", "x"],
        vec!["serve", "--listen", "127.0.0.1:0", "--store", "sqlite:text"],
        vec!["serve", "--store", "memory", "--path", "/metrics"],
        vec!["serve", "--store", "memory", "--path", "/a b"],
        vec!["serve", "--store", "memory", "--max-head", "8191"],
        vec!["serve", "--store", "memory", "--max-depth", "0"],
        vec!["serve", "--store", "memory", "--max-connections", "0"],
        vec!["serve", "--store", "memory", "--max-waiting", "18446744073709551616"],
        vec!["serve", "--store", "memory", "--max-batch", "0"],
        vec!["serve", "--store", "sqlite::memory:"],
        vec!["serve", "--store", "sqlite:file:x?mode=memory"],
        vec!["serve", "--store", "sqlite:not-made", "--listen", &address],
        vec!["calls", "--store", "sqlite:nofile"],
        vec!["calls", "--store", "memory"],
        vec!["export", STORE, "--output", "no/folder"],
    ];
    let text: Vec<String> = pages.iter().map(|arguments| run(folder.path(), arguments)).collect();
    insta::assert_snapshot!(text.join("\n").replace(&address, "127.0.0.1:PORT"));
    for name in ["not-made", "not-made.lock", ":memory:", "file:x?mode=memory"] {
        assert!(!folder.path().join(name).exists(), "{name}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    let batch: Vec<Entry> = (0..2000).map(|index| entry(&cdr(&index.to_string()))).collect();
    store.append(&batch).unwrap();
    let mut child = receiver(folder.path(), &["export", STORE])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut start = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}

/// A `serve` that runs.
struct Serving {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    address: String,
    folder: PathBuf,
}

impl Serving {
    fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", STORE];
        all.extend(arguments);
        let mut child = receiver(folder, &all).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line
            .strip_prefix("ready: listening on http://")
            .and_then(|rest| rest.strip_suffix("/webhook/cdr\n"))
            .unwrap_or_else(|| panic!("not the ready line: {line:?}"))
            .to_owned();
        Self { child, stderr, address, folder: folder.to_owned() }
    }

    fn post(&self, body: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.write_all(raw_post(body, "Connection: close\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    fn end(mut self) -> (Option<i32>, String) {
        let mut logs = String::new();
        self.stderr.read_to_string(&mut logs).unwrap();
        (self.child.wait().unwrap().code(), logs)
    }
}

#[test]
fn serves_while_others_read_and_drains_on_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let folder = tempfile::tempdir().unwrap();
        let serving = Serving::start(folder.path(), &["--log", "debug"]);
        assert!(serving.post(&cdr("served")).ends_with("\r\n\r\ngot it"));
        let listed = run(&serving.folder, &["calls", STORE]);
        assert!(listed.contains("served  ended_missed"), "{listed}");
        serving.signal(signal);
        let (code, logs) = serving.end();
        assert_eq!(code, Some(0), "{logs}");
        assert!(logs.contains("status=Some(\"missed\")"), "{logs}");
        assert!(!logs.contains("440000000001"), "no phone numbers unless asked for: {logs}");
    }
}

#[test]
fn no_number_reaches_a_log_by_way_of_a_key_or_an_id() {
    let folder = tempfile::tempdir().unwrap();
    for (mode, status) in [("quarantine", "202"), ("reject", "400")] {
        let serving = Serving::start(folder.path(), &["--log", "debug", "--malformed", mode]);
        let answer = serving.post(r#"{"extra_params":{"447700900123":1,"447700900123":2}}"#);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        serving.post(&cdr("447700900123"));
        serving.signal("-TERM");
        let (_, logs) = serving.end();
        assert!(logs.contains("/extra_params/…") && logs.contains("cmiuuid=Some(\"…\")"), "{logs}");
        assert!(!logs.contains("447700900123"), "{logs}");
    }
}

#[test]
fn limits_without_end_are_limits() {
    let folder = tempfile::tempdir().unwrap();
    let most = usize::MAX.to_string();
    let flags = [
        "--max-waiting",
        "--max-batch",
        "--max-depth",
        "--max-body",
        "--max-head",
        "--max-waiting-bytes",
        "--max-reading-bytes",
        "--max-connections",
    ];
    let arguments: Vec<&str> = flags.iter().flat_map(|flag| [*flag, &most]).chain(["--log", "off"]).collect();
    let serving = Serving::start(folder.path(), &arguments);
    assert!(serving.post(&cdr("x")).ends_with("got it"));
    serving.signal("-TERM");
    assert_eq!(serving.end().0, Some(0));
}

/// Starts a `serve` in a shell that sets a limit on open files first.
fn serve_within(folder: &Path, limit: &str, address: &str) -> Child {
    let command = receiver(folder, &["serve", "--listen", address, "--store", "memory"]);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit {limit} && exec \"$0\" \"$@\"")).arg(command.get_program());
    shell.args(command.get_args()).current_dir(folder).stderr(Stdio::piped());
    shell.spawn().unwrap()
}

#[test]
fn a_soft_limit_on_open_files_is_raised_and_a_hard_one_told() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address();
    let child = serve_within(folder.path(), "-Sn 64", &address);
    let crowd: Vec<TcpStream> = (0..200).map(|_| connect(&address)).collect();
    assert!(post_to(&address, &cdr("in a crowd")).ends_with("got it"));
    drop(crowd);
    assert_eq!(exit_code_after(child, &["-TERM"]), Some(0));

    let mut child = serve_within(folder.path(), "-n 100", &address);
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("fewer connections than asked for") && line.contains("allowed=36"), "{line}");
    assert_eq!(exit_code_after(child, &["-TERM"]), Some(0));
}

#[test]
fn numbers_are_logged_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(
        folder.path(),
        &["--log", "debug", "--log-numbers", "--log-format", "json", "--token", "s3cret"],
    );
    let mut socket = TcpStream::connect(&serving.address).unwrap();
    let request = raw_post(&cdr("logged"), "Connection: close\r\n")
        .replace("/webhook/cdr", "/webhook/cdr?token=s3cret");
    socket.write_all(request.as_bytes()).unwrap();
    socket.read_to_string(&mut String::new()).unwrap();
    serving.signal("-TERM");
    let (_, logs) = serving.end();
    let webhook = logs.lines().find(|line| line.contains("logged")).unwrap();
    let line: serde_json::Value = serde_json::from_str(webhook).unwrap();
    assert!(line["from"].as_str().unwrap().contains("440000000001"), "{line}");
    assert!(!logs.contains("s3cret"), "no secrets ever: {logs}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, expected) in [("-TERM", 143), ("-INT", 130)] {
        let folder = tempfile::tempdir().unwrap();
        let serving = Serving::start(folder.path(), &["--drain-deadline", "1h", "--body-deadline", "1h"]);
        let mut half = TcpStream::connect(&serving.address).unwrap();
        half.write_all(
            b"POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
        )
        .unwrap();
        half.read_exact(&mut [0; 25]).unwrap();
        serving.signal(signal);
        let mut serving = serving;
        let mut line = String::new();
        serving.stderr.read_line(&mut line).unwrap();
        assert!(line.contains("shutting down"), "{line}");
        serving.signal(signal);
        assert_eq!(serving.end().0, Some(expected));
    }
}

#[test]
fn killed_it_has_what_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let serving = Serving::start(folder.path(), &[]);
        for call in 0..round * 5 {
            assert!(serving.post(&cdr(&call.to_string())).ends_with("got it"));
        }
        serving.signal("-KILL");
        serving.end();
        let listed = run(folder.path(), &["calls", STORE]);
        assert!(listed.contains(&format!("{} calls\n", round * 5)), "{listed}");
    }
}

#[test]
fn tail_follows() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    store.append(&[entry(&cdr("first"))]).unwrap();
    let mut child =
        receiver(folder.path(), &["tail", STORE, "--follow"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().ends_with("first"));
    store.append(&[entry(&cdr("second"))]).unwrap();
    assert!(lines.next().unwrap().unwrap().ends_with("second"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn ready_json() {
    let folder = tempfile::tempdir().unwrap();
    let mut serving = Serving::start(folder.path(), &["--ready-json"]);
    let mut line = String::new();
    BufReader::new(serving.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["url"], format!("http://{}/webhook/cdr", serving.address));
    assert_eq!(ready["store"], "sqlite:calls.sqlite");
    serving.signal("-TERM");
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn output_to_what_is_no_file_goes_there_and_leaves_it() {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let folder = folder_with_store();
    let at = |name: &str| folder.path().join(name);
    let export = |to: &str| {
        let output = receiver(folder.path(), &["export", STORE, "-o", to]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{to}: {}", String::from_utf8_lossy(&output.stderr));
    };
    let lines = |name: &str| std::fs::read_to_string(at(name)).unwrap().lines().count();

    export("new");
    assert_eq!(std::fs::metadata(at("new")).unwrap().permissions().mode() & 0o777, 0o600, "phone numbers");
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    let fifo = at("fifo");
    let reader = std::thread::spawn(move || std::fs::read_to_string(fifo).unwrap());
    export("fifo");
    assert_eq!(reader.join().unwrap().lines().count(), 6);
    assert!(std::fs::symlink_metadata(at("fifo")).unwrap().file_type().is_fifo());
    std::fs::write(at("target"), "old\n").unwrap();
    std::os::unix::fs::symlink("target", at("link")).unwrap();
    std::os::unix::fs::symlink("fresh", at("dangling")).unwrap();
    std::os::unix::fs::symlink("/dev/null", at("null")).unwrap();
    for (link, target) in [("link", Some("target")), ("dangling", Some("fresh")), ("null", None)] {
        export(link);
        assert!(at(link).is_symlink(), "{link}");
        if let Some(target) = target {
            assert_eq!(lines(target), 6, "{link}");
        }
    }
    export("/dev/null");
    assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().ends_with(".part")), "{left:?}");
}

#[test]
fn an_output_that_failed_leaves_nothing() {
    let folder = folder_with_store();
    // A folder cannot be replaced by a file.
    std::fs::create_dir(folder.path().join("full")).unwrap();
    let text = run(folder.path(), &["export", STORE, "--output", "full"]);
    assert!(text.contains("exit code 3") && text.contains("--output full"), "{text}");
    // The store breaks off in the middle.
    let other = rusqlite::Connection::open(folder.path().join("calls.sqlite")).unwrap();
    other.execute_batch("DROP TABLE quarantine").unwrap();
    let text = run(folder.path(), &["export", STORE, "--output", "out"]);
    assert!(text.contains("exit code 3"), "{text}");
    assert!(!folder.path().join("out").exists() && !folder.path().join("out.part").exists(), "{text}");
}

/// A free port: what learns of the ready line nowhere must know where it is.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn connect(address: &str) -> TcpStream {
    let until = std::time::Instant::now() + crate::support::PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(socket) => return socket,
            Err(error) => assert!(std::time::Instant::now() < until, "{error}"),
        }
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
}

fn post_to(address: &str, body: &str) -> String {
    let mut socket = connect(address);
    socket.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    socket.write_all(raw_post(body, "Connection: close\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer
}

fn exit_code_after(mut child: Child, signals: &[&str]) -> Option<i32> {
    for signal in signals {
        assert!(Command::new("kill").args([*signal, &child.id().to_string()]).status().unwrap().success());
    }
    let until = std::time::Instant::now() + crate::support::PATIENCE;
    while child.try_wait().unwrap().is_none() {
        if std::time::Instant::now() > until {
            child.kill().unwrap();
            panic!("it does not end");
        }
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    child.wait().unwrap().code()
}

#[test]
fn it_serves_without_anyone_at_stderr() {
    for from_the_start in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let arguments = ["serve", "--listen", &address, STORE, "--log", "debug", "--ready-json"];
        let mut child = receiver(folder.path(), &arguments)
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        if !from_the_start {
            stderr.read_line(&mut String::new()).unwrap();
        }
        drop(stderr);
        for call in 0..5 {
            assert!(post_to(&address, &cdr(&call.to_string())).ends_with("got it"));
        }
        assert!(post_to(&address, "nonsense").starts_with("HTTP/1.1 202 "));
        assert_eq!(exit_code_after(child, &["-TERM"]), Some(0));
    }
}

#[test]
fn it_serves_and_ends_while_stderr_is_not_read() {
    for (signals, expected) in [(&["-TERM"][..], 0), (&["-TERM", "-TERM"], 143)] {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address();
        let arguments = [
            "serve",
            "--listen",
            &address,
            "--store",
            "memory",
            "--log",
            "trace",
            "--drain-deadline",
            "1h",
            "--body-deadline",
            "1h",
        ];
        let mut child = receiver(folder.path(), &arguments).stderr(Stdio::piped()).spawn().unwrap();
        let unread = child.stderr.take().unwrap();
        let mut socket = connect(&address);
        socket.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
        // Far more lines than a pipe and the queue before it hold.
        let requests: String = (0..100).map(|_| raw_post("nonsense", "")).collect();
        for _ in 0..100 {
            socket.write_all(requests.as_bytes()).unwrap();
            let mut answers = Vec::new();
            while answers.windows(9).filter(|window| window == b"HTTP/1.1 ").count() < 100 {
                let mut some = [0; 65536];
                let read = socket.read(&mut some).unwrap();
                assert_ne!(read, 0, "it closed the connection");
                answers.extend_from_slice(&some[..read]);
            }
        }
        if signals.len() == 1 {
            drop(socket);
            assert_eq!(exit_code_after(child, signals), Some(expected));
        } else {
            // A request in flight keeps the first signal from ending it.
            let mut half = connect(&address);
            half.write_all(
                b"POST /webhook/cdr HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            )
            .unwrap();
            half.read_exact(&mut [0; 25]).unwrap();
            assert!(
                Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success()
            );
            // The first was seen once nothing is accepted any more.
            while TcpStream::connect(&address).is_ok() {
                std::thread::park_timeout(std::time::Duration::from_millis(5));
            }
            assert_eq!(exit_code_after(child, &signals[1..]), Some(expected));
        }
        drop(unread);
    }
}
