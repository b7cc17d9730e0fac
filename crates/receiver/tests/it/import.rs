//! `import`: what was exported comes back, once.

use std::path::Path;

use piopiy_receiver::{Entry, RunningStore, SqliteStore, Store as _};
use rustix::process::Signal;

use crate::cli::{STORE, folder_with_store, receiver, run};
use crate::serve::Serving;
use crate::support::cdr;

/// Exports everything of the store, what was quarantined behind the rest.
fn export(folder: &Path) -> String {
    let one = |more: &[&str]| {
        let output = receiver(folder, &[&["export", STORE], more].concat()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    one(&[]) + &one(&["--quarantine"])
}

/// The lines without their `seq`, which is the store's own.
fn without_seq(lines: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        lines.lines().map(|line| line.split_once(",\"received_at\"").unwrap().1.to_owned()).collect();
    lines.sort();
    lines
}

#[test]
fn what_was_exported_is_imported_once() {
    let from = folder_with_store();
    let exported = export(from.path());
    let to = tempfile::tempdir().unwrap();
    std::fs::write(to.path().join("calls.jsonl"), &exported).unwrap();
    let import = || run(to.path(), &["import", STORE, "calls.jsonl"]);
    let first = import();
    assert!(first.contains("exit code 0") && first.contains("8 new, 0 known\n"), "{first}");
    let second = import();
    assert!(second.contains("0 new, 8 known\n"), "{second}");
    assert_eq!(
        without_seq(&export(to.path())),
        without_seq(&exported),
        "bytes, times and reasons as they were"
    );
    let verified = run(to.path(), &["verify", STORE]);
    assert!(verified.contains("exit code 0"), "{verified}");
}

#[test]
fn a_line_that_is_none_is_told_and_what_stands_before_it_is_taken() {
    let from = folder_with_store();
    let mut lines: Vec<String> = export(from.path()).lines().map(str::to_owned).collect();
    lines.insert(2, "{\"received_at\":1,\"webhook\":{}}".to_owned());
    let to = tempfile::tempdir().unwrap();
    std::fs::write(to.path().join("calls.jsonl"), lines.join("\n")).unwrap();
    let told = run(to.path(), &["import", STORE, "calls.jsonl"]);
    assert!(told.contains("exit code 2") && told.contains("calls.jsonl, line 3: "), "{told}");
    assert!(told.contains("what stands before it (2) is in the store"), "{told}");
    lines.remove(2);
    std::fs::write(to.path().join("calls.jsonl"), lines.join("\n")).unwrap();
    let told = run(to.path(), &["import", STORE, "calls.jsonl"]);
    assert!(told.contains("6 new, 2 known\n"), "{told}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_quarantine_is_not_held_in_memory() {
    use std::io::Write as _;
    const BODIES: i64 = 256;
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    let body = "x".repeat(256 << 10);
    for at in 0..BODIES {
        store.append(&[Entry::quarantined("not JSON".to_owned(), body.clone().into(), at)]).unwrap();
    }
    drop(store);
    let mut import = receiver(folder.path(), &["import", STORE]);
    let mut import =
        import.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = import.stdin.take().unwrap();
    for at in [BODIES - 1, BODIES] {
        let line = serde_json::json!({ "received_at": at, "reason": "not JSON", "body": body });
        writeln!(lines, "{line}").unwrap();
    }
    // More than the pipe and a reader hold: once it is written, the lines before it were taken.
    lines.write_all(&[b'\n'; 1 << 20]).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", import.id())).unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    drop(lines);
    let output = import.wait_with_output().unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "1 new, 1 known\n");
    assert!(most < 40 << 10, "{most} KiB for a quarantine of 64 MiB");
}

#[test]
fn a_time_that_is_none_is_refused_and_one_in_a_store_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let webhook = cdr("far");
    for at in ["-1", "253402300800000000", "9223372036854775807"] {
        let line = format!("{{\"received_at\":{at},\"webhook\":{webhook}}}\n");
        std::fs::write(folder.path().join("calls.jsonl"), line).unwrap();
        let told = run(folder.path(), &["import", STORE, "calls.jsonl"]);
        assert!(
            told.contains("exit code 2") && told.contains(&format!("line 1: `received_at` is {at}")),
            "{told}"
        );
    }
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    for (at, status) in [(i64::MIN, "missed"), (i64::MAX, "answered")] {
        let body = webhook.replace("missed", status);
        let identity = piopiy_events::Webhook::parse(body.as_bytes()).unwrap().identity().unwrap();
        store.append(&[Entry::webhook(&identity, body.into(), at)]).unwrap();
    }
    for command in ["calls", "tail", "export"] {
        let told = run(folder.path(), &[command, STORE]);
        assert!(told.contains("exit code 0"), "{told}");
    }
    let told = run(folder.path(), &["call", "far", STORE]);
    assert!(told.contains("exit code 0") && told.contains("2 CDRs"), "{told}");
}

#[test]
fn a_receiver_that_runs_takes_them_in_itself() {
    let from = folder_with_store();
    let to = tempfile::tempdir().unwrap();
    std::fs::write(to.path().join("calls.jsonl"), export(from.path())).unwrap();
    let serving = Serving::start(to.path(), &[]);
    // `one` is in the file, too.
    assert!(serving.post(&cdr("one")).ends_with("got it"));
    let told = run(to.path(), &["import", STORE, "calls.jsonl"]);
    assert!(told.contains("exit code 0") && told.contains("7 new, 1 known\n"), "{told}");
    let before = serving.get("/metrics");
    assert!(before.contains("piopiy_receiver_store_records 8\n"), "{before}");
    for alarm in ["quarantined_total 0", "duplicates_total 0", "appended_total 1"] {
        assert!(before.contains(&format!("piopiy_receiver_{alarm}\n")), "nobody is woken up: {before}");
    }
    // The writer that answers webhooks knows what was imported.
    let repeat = r#"{"appid":2222222,"cmiuuid":"a-of-two","conversation_uuid":"two","direction":"outbound","leg":"a","status":"out_answered","time":2,"from":442080000000,"to":447700900123}"#;
    assert!(serving.post(repeat).ends_with("got it"));
    let after = serving.get("/metrics");
    assert!(after.contains("piopiy_receiver_duplicates_total 1\n"), "{after}");
    serving.signal(Signal::TERM);
    let (code, logs) = serving.end();
    assert_eq!(code, Some(0), "{logs}");
    assert!(!to.path().join("calls.sqlite.control").exists(), "nobody hears there any more");
    let verified = run(to.path(), &["verify", STORE]);
    assert!(verified.contains("exit code 0"), "{verified}");
}

#[test]
fn a_body_that_is_too_large_for_a_receiver_that_runs_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let serving = Serving::start(folder.path(), &[]);
    let mut running = RunningStore::connect(folder.path().join("calls.sqlite")).unwrap().unwrap();
    let large = Entry::quarantined("?".to_owned(), vec![b'x'; 49 << 20].into(), 0);
    let refused = running.append(&[large]).unwrap_err();
    assert!(refused.to_string().contains("a body is too large"), "{refused}");
    let small = Entry::quarantined("?".to_owned(), "x".into(), 0);
    assert_eq!(running.append(&[small]).unwrap().len(), 1, "it goes on");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn the_socket_of_a_receiver_that_was_killed_is_in_nobodys_way() {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("calls.sqlite.control");
    let serving = Serving::start(folder.path(), &[]);
    let found = std::fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600, "for the owner alone");
    serving.signal(Signal::KILL);
    serving.end();
    assert!(socket.exists());
    std::fs::write(folder.path().join("none.jsonl"), "\n").unwrap();
    let told = run(folder.path(), &["import", STORE, "none.jsonl"]);
    assert!(told.contains("exit code 0") && told.contains("0 new, 0 known\n"), "{told}");
    let serving = Serving::start(folder.path(), &[]);
    let told = run(folder.path(), &["import", STORE, "none.jsonl"]);
    assert!(told.contains("exit code 0"), "{told}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}
