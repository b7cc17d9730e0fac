//! `serve` as a process: what it logs, and how it ends.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use piopiy_receiver::SqliteStore;
use rustix::process::Signal;

use crate::cli::{STORE, receiver, run};
use crate::support::{PATIENCE, cdr, raw_post};

/// A `serve` that runs.
pub(crate) struct Serving {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    /// What it said before it was ready.
    told: String,
    pub(crate) address: String,
    folder: PathBuf,
}

impl Serving {
    pub(crate) fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut all = vec!["serve", "--listen", "127.0.0.1:0", STORE];
        all.extend(arguments);
        let mut child = receiver(folder, &all).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        // What it does by itself may be told before it is ready.
        let (mut told, mut line) = (String::new(), String::new());
        while !line.starts_with("ready: ") {
            told.push_str(&std::mem::take(&mut line));
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "no ready line: {told:?}");
        }
        let address = line
            .strip_prefix("ready: listening on ")
            .and_then(|url| url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")))
            .and_then(|rest| rest.strip_suffix("/webhook/cdr\n"))
            .unwrap_or_else(|| panic!("not the ready line: {line:?}"))
            .to_owned();
        Self { child, stderr, told, address, folder: folder.to_owned() }
    }

    pub(crate) fn post(&self, body: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.write_all(raw_post(body, "Connection: close\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn get(&self, path: &str) -> String {
        let mut socket = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn signal(&self, signal: Signal) {
        crate::support::signal(&self.child, signal);
    }

    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut logs = std::mem::take(&mut self.told);
        self.stderr.read_to_string(&mut logs).unwrap();
        (self.child.wait().unwrap().code(), logs)
    }
}

/// A test that fails leaves no receiver behind.
impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until the program hears SIGTERM itself.
#[cfg(target_os = "linux")]
fn until_it_hears_signals(child: &Child) {
    const TERMINATE: u64 = 1 << (15 - 1);
    let status = format!("/proc/{}/status", child.id());
    let hears = || {
        let status = std::fs::read_to_string(&status).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & TERMINATE != 0
    };
    let began = Instant::now();
    while !hears() {
        assert!(began.elapsed() < PATIENCE, "it never hears a signal");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_signal_ends_it_while_it_waits_for_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let first = Serving::start(folder.path(), &[]);
    let waiting = receiver(folder.path(), &["serve", "--listen", "127.0.0.1:0", STORE]);
    let mut waiting = { waiting }.stderr(Stdio::null()).spawn().unwrap();
    until_it_hears_signals(&waiting);
    crate::support::signal(&waiting, Signal::TERM);
    // That the store is in use would have been a failure.
    assert_eq!(waiting.wait().unwrap().code(), Some(0));
    first.signal(Signal::TERM);
    assert_eq!(first.end().0, Some(0));
}

#[test]
fn serves_while_others_read_and_drains_on_a_signal() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let serving = Serving::start(folder.path(), &["--log", "debug"]);
        assert!(serving.post(&cdr("served")).ends_with("\r\n\r\ngot it"));
        let listed = run(&serving.folder, &["calls", STORE]);
        assert!(listed.contains("served  ended_missed"), "{listed}");
        serving.signal(signal);
        let (code, logs) = serving.end();
        assert_eq!(code, Some(0), "{logs}");
        assert!(logs.contains("client=127.0.0.1 ") && logs.contains("status=Some(\"missed\")"), "{logs}");
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
        serving.signal(Signal::TERM);
        let (_, logs) = serving.end();
        assert!(logs.contains("/extra_params/…") && logs.contains("cmiuuid=Some(\"…\")"), "{logs}");
        assert!(!logs.contains("447700900123"), "{logs}");
    }
}

#[test]
fn what_is_posted_stays_on_its_line_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let text = r"x\u001b[2J\u009b\r\nforged";
    let shown = "x\u{FFFD}[2J\u{FFFD}\u{FFFD}\u{FFFD}forged";
    for mode in ["quarantine", "reject"] {
        let serving = Serving::start(folder.path(), &["--log", "debug", "--malformed", mode]);
        serving.post(&format!(r#"{{"{text}":1,"{text}":2}}"#));
        serving.post(&cdr(text));
        serving.signal(Signal::TERM);
        let (_, logs) = serving.end();
        for expected in [format!("(/{shown})"), format!("cmiuuid=Some(\"{shown}\")")] {
            assert!(logs.contains(&expected), "no {expected} in {logs:?}");
        }
        assert!(!logs.contains(['\u{1b}', '\u{9b}', '\r']), "{logs:?}");
        assert!(!logs.contains("\nforged"), "{logs:?}");
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
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
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
    serving.signal(Signal::TERM);
    let (_, logs) = serving.end();
    let webhook = logs.lines().find(|line| line.contains("logged")).unwrap();
    let line: serde_json::Value = serde_json::from_str(webhook).unwrap();
    assert!(line["from"].as_str().unwrap().contains("440000000001"), "{line}");
    assert!(!logs.contains("s3cret"), "no secrets ever: {logs}");
}

#[test]
fn who_is_refused_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    for (options, status) in [(["--allow-ip", "192.0.2.1"], 403), (["--token", "s3cret"], 401)] {
        let serving = Serving::start(folder.path(), &[&["--log", "debug"][..], &options].concat());
        let answer = serving.post(&cdr("refused"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        serving.signal(Signal::TERM);
        let (_, logs) = serving.end();
        assert!(logs.contains(&format!("refused client=127.0.0.1 status={status}")), "{logs}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    for (signal, expected) in [(Signal::TERM, 143), (Signal::INT, 130)] {
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
        serving.signal(Signal::KILL);
        serving.end();
        let listed = run(folder.path(), &["calls", STORE]);
        assert!(listed.contains(&format!("{} calls\n", round * 5)), "{listed}");
    }
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
    assert!(ready["page"].is_null(), "there is none unless it is asked for");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn the_file_of_destinations_that_the_page_shows_is_taken() {
    let page = include_str!("../../../../docs/forwarding.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (file, _) = rest.split_once("```").unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("forward.toml"), file).unwrap();
    std::fs::write(folder.path().join("billing.secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n").unwrap();
    let authority = rcgen::generate_simple_self_signed(vec!["screen.example".to_owned()]).unwrap();
    std::fs::write(folder.path().join("screen.pem"), authority.cert.pem()).unwrap();
    let serving = Serving::start(folder.path(), &["--forward-file", "forward.toml", "--log", "warn"]);
    let status = run(folder.path(), &["forward", "status", STORE]);
    assert!(status.contains("billing: came to 0") && status.contains("screen: came to 0"), "{status}");
    serving.signal(Signal::TERM);
    let (code, logs) = serving.end();
    assert_eq!(code, Some(0), "{logs}");
}

#[test]
fn a_configuration_file_says_what_the_command_line_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let printed = receiver(folder.path(), &["config"]).output().unwrap();
    assert!(printed.status.success());
    let printed = String::from_utf8(printed.stdout).unwrap();
    let text =
        printed.replace("#max-body = \"1MiB\"", "max-body = \"300B\"").replace("#store = ", "store = ");
    std::fs::write(folder.path().join("receiver.toml"), text).unwrap();
    let checked = run(folder.path(), &["config", "--check", "receiver.toml"]);
    assert!(
        checked.contains("exit code 0") && checked.contains("receiver.toml: `serve` takes it; "),
        "{checked}"
    );
    // The store and the address are given, so the file's do not hold.
    let serving = Serving::start(folder.path(), &["--config", "receiver.toml"]);
    assert!(serving.post(&cdr("short")).ends_with("got it"));
    let answer = serving.post(&cdr(&"long".repeat(20)));
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("300 bytes"), "{answer}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
    assert!(folder.path().join("calls.sqlite").exists() && !folder.path().join("piopiy.sqlite").exists());

    std::fs::write(folder.path().join("receiver.toml"), "max-body = \"1MB\"\n").unwrap();
    for arguments in [["config", "--check", "receiver.toml"], ["serve", "--config", "receiver.toml"]] {
        let told = run(folder.path(), &arguments);
        assert!(
            told.contains("exit code 2") && told.contains("receiver.toml, line 1: `max-body`: "),
            "{told}"
        );
    }
    let told = run(folder.path(), &["serve", "--config", "nofile.toml"]);
    assert!(
        told.contains("exit code 2") && told.contains("--config nofile.toml: it cannot be read"),
        "{told}"
    );
}

#[test]
fn a_configuration_file_is_checked_as_serve_would_take_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("empty", "");
    let destination = "[[destination]]\nname = \"app\"\nurl = \"http://127.0.0.1:9/\"\n";
    write("twice.toml", &destination.repeat(2));
    write("app.toml", destination);
    write("ca.toml", &format!("{destination}ca-file = \"empty\"\n"));
    let serve = ["serve", "--config", "receiver.toml"];
    for (text, code, expected) in [
        ("tls-cert = \"empty\"", 2, "--tls-key"),
        ("tls-cert = \"empty\"\ntls-key = \"empty\"", 3, "empty has no certificate in PEM"),
        ("forward-to = \"http://127.0.0.1:9/\"\nforward-file = \"app.toml\"", 2, "cannot be used with"),
        ("forward-file = \"nofile.toml\"", 3, "nofile.toml"),
        ("forward-file = \"twice.toml\"", 3, "two destinations are called `app`"),
        ("forward-file = \"ca.toml\"", 3, "empty"),
        ("forward-state = \"state\"", 2, "need --forward-to or --forward-file"),
        ("keep = \"1h\"", 2, "at least 2 h"),
        ("keep = \"90d\"\nstore = \"memory\"", 2, "--keep: a memory store keeps all"),
        ("path = \"/metrics\"", 2, "the server's own"),
        ("token-file = \"nofile\"", 3, "nofile"),
        ("basic-file = \"empty\"", 2, "empty"),
        ("otlp-to = \"ftp://x\"", 2, "--otlp-to"),
        ("otlp-ratio = 0.5", 2, "--otlp-to"),
        ("log = \"piopiy=loud\"", 2, "--log"),
        ("listen = \"5000\"", 2, "--listen 5000"),
        ("rate-burst = 5", 2, "--rate-limit"),
        ("page-token-file = \"empty\"", 2, "--page "),
        (
            "max-body = \"100MiB\"",
            2,
            "--max-reading-bytes 67108864 has no room for a body of --max-body 104857600",
        ),
        ("max-waiting-bytes = \"64KiB\"", 2, "--max-waiting-bytes 65536 has no room"),
        ("page = \"5001\"", 2, "--page 5001"),
        ("page = \"0.0.0.0:5001\"", 2, "give --page-token-file FILE"),
        ("page = \"127.0.0.1:5001\"\npage-token-file = \"nofile\"", 3, "nofile"),
    ] {
        write("receiver.toml", text);
        for command in [&["config", "--check", "receiver.toml"][..], &serve] {
            let told = run(folder.path(), command);
            assert!(told.contains(&format!("exit code {code}")) && told.contains(expected), "{text}: {told}");
        }
    }
    write("receiver.toml", "forward-file = \"app.toml\"\nkeep = \"90d\"\n");
    let told = run(folder.path(), &["config", "--check", "receiver.toml"]);
    assert!(told.contains("exit code 0") && told.contains("`serve` takes it"), "{told}");
    // What the environment rules out is not asked for.
    write("receiver.toml", "token-file = \"nofile\"\n");
    let mut command = receiver(folder.path(), &["config", "--check", "receiver.toml"]);
    assert!(command.env("PIOPIY_RECEIVER_TOKEN", "s3cret").output().unwrap().status.success());
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 5, "nothing is made: {left:?}");
}

#[test]
fn a_store_that_is_about_to_be_free_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.sqlite");
    std::fs::write(folder.path().join("none.jsonl"), "\n").unwrap();
    let hold = || {
        let store = SqliteStore::open(&path).unwrap();
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            drop(store);
        })
    };
    let holder = hold();
    let serving = Serving::start(folder.path(), &[]);
    assert!(serving.post(&cdr("waited")).ends_with("got it"));
    holder.join().unwrap();
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
    for command in
        [&["import", STORE, "none.jsonl"][..], &["retention", STORE, "--keep", "90d"], &["vacuum", STORE]]
    {
        let holder = hold();
        let told = run(folder.path(), command);
        assert!(told.contains("exit code 0"), "{told}");
        holder.join().unwrap();
    }
    // One that stays is told.
    let store = SqliteStore::open(&path).unwrap();
    let told = run(folder.path(), &["serve", STORE, "--listen", "127.0.0.1:0"]);
    assert!(told.contains("exit code 3") && told.contains("another receiver uses the store"), "{told}");
    drop(store);
}

#[test]
fn the_page_has_an_address_and_a_token_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("page.secret"), "s3cret\n").unwrap();
    let serving =
        Serving::start(folder.path(), &["--page", "127.0.0.1:0", "--page-token-file", "page.secret"]);
    let line = serving.told.lines().find_map(|line| line.strip_prefix("page: http://"));
    let address = line.and_then(|line| line.strip_suffix('/')).expect("it says where the page is").to_owned();
    assert_ne!(address, serving.address);
    serving.post(&cdr("served"));
    let get = |authorization: &str| {
        let mut socket = TcpStream::connect(&address).unwrap();
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{authorization}\r\n");
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(get("").starts_with("HTTP/1.1 401 "));
    assert!(get("Authorization: Bearer s3cret\r\n").contains("href=\"/call?id=served\""));
    serving.signal(Signal::TERM);
    let (code, logs) = serving.end();
    assert_eq!(code, Some(0), "{logs}");
    assert!(!logs.contains("s3cret"), "{logs}");

    let told =
        run(folder.path(), &["serve", "--listen", "127.0.0.1:0", "--store", "memory", "--page", "0.0.0.0:0"]);
    assert!(told.contains("exit code 2") && told.contains("give --page-token-file FILE"), "{told}");

    let serving = Serving::start(folder.path(), &["--page", "0.0.0.0:0", "--page-token", "s3cret"]);
    serving.signal(Signal::TERM);
    let (_, logs) = serving.end();
    assert!(logs.contains("pass in the clear"), "{logs}");
}
