//! The binary: what it prints, writes and exits with.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use assert_cmd::cargo::CommandCargoExt as _;
use piopiy_receiver::{Entry, ForwardState, SqliteStore, Store as _};
use tempfile::TempDir;

use crate::support::{cdr, entry, stream_connected};

pub(crate) fn receiver(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("piopiy-receiver").unwrap();
    // Snapshots must not depend on who runs the tests.
    command.current_dir(folder).args(arguments).env_clear().env("COLUMNS", "100");
    command
}

/// Exit code, stdout and stderr, for a snapshot.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> String {
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
pub(crate) fn folder_with_store() -> TempDir {
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

pub(crate) const STORE: &str = "--store=sqlite:calls.sqlite";

#[test]
fn help() {
    let folder = tempfile::tempdir().unwrap();
    let pages = [
        vec!["--help"],
        vec!["serve", "--help"],
        vec!["config", "--help"],
        vec!["tail", "--help"],
        vec!["calls", "--help"],
        vec!["call", "--help"],
        vec!["export", "--help"],
        vec!["import", "--help"],
        vec!["verify", "--help"],
        vec!["backup", "--help"],
        vec!["retention", "--help"],
        vec!["vacuum", "--help"],
        vec!["forward", "--help"],
        vec!["forward", "replay", "--help"],
        vec!["forward", "rewind", "--help"],
        vec!["forward", "discard", "--help"],
        vec!["forward", "remove", "--help"],
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
fn count() {
    let folder = folder_with_store();
    for (more, expected) in [(&[][..], "6\n"), (&["--quarantine"], "2\n")] {
        let output =
            receiver(folder.path(), &[&["count", "--store", "sqlite:calls.sqlite"], more].concat()).output();
        let output = output.unwrap();
        assert!(output.status.success());
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    }
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
        vec!["serve", "--store", "memory", "--path", "/:x"],
        vec!["serve", "--store", "memory", "--path", "/a/:b"],
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

/// A store of calls and a forwarder's state that has had the first five records.
fn folder_with_forwarder() -> TempDir {
    let folder = folder_with_store();
    let mut state = ForwardState::open(folder.path().join("calls.sqlite.forward")).unwrap();
    state.add_destination("app", 5).unwrap();
    state.add_destination("billing", 0).unwrap();
    state.set_paused("billing", true).unwrap();
    folder
}

#[test]
fn forward() {
    let folder = folder_with_forwarder();
    let commands: [&[&str]; 21] = [
        &["forward", "status", STORE],
        &["forward", "replay", STORE],
        &["forward", "replay", STORE, "--dead"],
        &["forward", "replay", STORE, "--call", "two"],
        &["forward", "replay", STORE, "--status", "missed", "--kind", "cdr", "--until", "2000000000"],
        &["forward", "replay", STORE, "--since", "2000000000"],
        &["forward", "pause", STORE],
        &["forward", "resume", "billing", STORE],
        &["forward", "resume", "nobody", STORE],
        &["forward", "status", STORE, "--json"],
        &["forward", "dead", "app", STORE],
        &["forward", "status", "--store", "sqlite:none.sqlite"],
        &["forward", "rewind", STORE],
        &["forward", "rewind", STORE, "--to", "6"],
        &["forward", "rewind", STORE, "--since", "2000000000"],
        &["forward", "rewind", STORE, "--to", "3"],
        &["forward", "status", STORE],
        &["forward", "discard", STORE],
        &["forward", "discard", STORE, "--all"],
        &["forward", "remove", "billing", STORE],
        &["forward", "remove", "billing", STORE],
    ];
    let text: Vec<String> = commands.iter().map(|arguments| run(folder.path(), arguments)).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn what_cannot_be_forwarded_to() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("unknown.toml", "[[destination]]\nname = \"app\"\nurl = \"http://127.0.0.1:9/\"\nretries = 3\n");
    write("empty.toml", "");
    write("time.toml", "[[destination]]\nname = \"app\"\nurl = \"http://127.0.0.1:9/\"\ntimeout = \"5\"\n");
    write("short.secret", "whsec_c2hvcnQ=\n");
    let serve = ["serve", "--listen", "127.0.0.1:0", "--store", "memory"];
    let commands: [&[&str]; 9] = [
        &["--forward-to", "127.0.0.1:3000"],
        &["--forward-to", "ftp://me:s3cret@app.example/hook"],
        &["--forward-to", "http://me:s3cret@app.example:x/hook"],
        &["--forward-to", "http://127.0.0.1:9/", "--forward-secret-file", "short.secret"],
        &["--forward-to", "http://127.0.0.1:9/", "--forward-file", "empty.toml"],
        &["--forward-file", "nowhere.toml"],
        &["--forward-file", "unknown.toml"],
        &["--forward-file", "empty.toml"],
        &["--forward-file", "time.toml"],
    ];
    let run = |arguments: &&[&str]| run(folder.path(), &[&serve[..], arguments].concat());
    let text: Vec<String> = commands.iter().map(run).collect();
    insta::assert_snapshot!(text.join("\n"));
}
