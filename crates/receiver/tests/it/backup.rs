//! `backup`: a copy that is a store, while webhooks come in.

use std::os::unix::fs::PermissionsExt as _;

use piopiy_receiver::{ForwardState, Records as _, SqliteRecords};
use rustix::process::Signal;

use crate::cli::{STORE, folder_with_store, run};
use crate::serve::Serving;
use crate::support::cdr;

#[test]
fn a_copy_made_while_webhooks_come_in_is_whole_and_has_all_that_was_acknowledged_before() {
    let folder = tempfile::tempdir().unwrap();
    // The destination is there and takes nothing, so the state tells of webhooks in hand.
    let serving = Serving::start(folder.path(), &["--forward-to", "http://127.0.0.1:9/", "--log", "error"]);
    for call in 0..50 {
        assert!(serving.post(&cdr(&call.to_string())).ends_with("got it"));
    }
    std::thread::scope(|scope| {
        let posting = scope.spawn(|| {
            for call in 50..120 {
                assert!(serving.post(&cdr(&call.to_string())).ends_with("got it"));
            }
        });
        let told = run(folder.path(), &["backup", STORE, "copy.sqlite"]);
        assert!(
            told.contains("exit code 0") && told.contains("and the forwarder's state beside it"),
            "{told}"
        );
        posting.join().unwrap();
    });
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));

    let path = folder.path().join("copy.sqlite");
    let copied = SqliteRecords::open(&path).unwrap().last_seq().unwrap();
    assert!((50..=120).contains(&copied), "{copied}");
    let state = ForwardState::open_existing(folder.path().join("copy.sqlite.forward")).unwrap();
    assert!(state.status().unwrap()[0].read_through <= copied);
    for name in ["copy.sqlite", "copy.sqlite.forward"] {
        let mode = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    let verified = run(folder.path(), &["verify", "--store", "sqlite:copy.sqlite"]);
    assert!(verified.contains("exit code 0"), "{verified}");
    // It goes on where it is, repeats included.
    let copy = folder.path().join("moved");
    std::fs::create_dir(&copy).unwrap();
    std::fs::rename(&path, copy.join("calls.sqlite")).unwrap();
    let serving = Serving::start(&copy, &[]);
    assert!(serving.post(&cdr("0")).ends_with("got it"));
    let metrics = serving.get("/metrics");
    assert!(metrics.contains("piopiy_receiver_duplicates_total 1\n"), "{metrics}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn a_state_that_is_elsewhere_goes_along_where_it_is_named_and_else_it_is_said_that_none_did() {
    let folder = folder_with_store();
    let mut state = ForwardState::open(folder.path().join("elsewhere")).unwrap();
    state.add_destination("app", 3).unwrap();
    let told = run(folder.path(), &["backup", STORE, "bare.sqlite"]);
    assert!(
        told.contains("bytes, and no forwarder's state: there is none at calls.sqlite.forward"),
        "{told}"
    );
    let told = run(folder.path(), &["backup", STORE, "copy.sqlite", "--forward-state", "elsewhere"]);
    assert!(told.contains("and the forwarder's state beside it"), "{told}");
    let copied = ForwardState::open_existing(folder.path().join("copy.sqlite.forward")).unwrap();
    assert_eq!(copied.status().unwrap()[0].read_through, 3);
    for command in [&["backup", STORE, "none.sqlite"][..], &["verify", STORE]] {
        let told = run(folder.path(), &[command, &["--forward-state", "nofile"]].concat());
        assert!(told.contains("exit code 2") && told.contains("there is no such file"), "{told}");
    }
    assert!(!folder.path().join("none.sqlite").exists());
    // One that is ahead of the store is not of it.
    state.add_destination("ahead", 100).unwrap();
    let told = run(folder.path(), &["verify", STORE]);
    assert!(told.contains("exit code 0"), "nobody knows of it: {told}");
    let told = run(folder.path(), &["verify", STORE, "--forward-state", "elsewhere"]);
    assert!(
        told.contains("exit code 1") && told.contains("destination `ahead` has had record 100"),
        "{told}"
    );
}

#[test]
fn nothing_that_is_there_is_written_over() {
    let folder = folder_with_store();
    std::fs::write(folder.path().join("there"), "mine").unwrap();
    std::fs::write(folder.path().join("state.forward"), "mine").unwrap();
    for to in ["there", "state", "calls.sqlite"] {
        let told = run(folder.path(), &["backup", STORE, to]);
        assert!(told.contains("exit code 2") && told.contains("is there already"), "{to}: {told}");
    }
    assert_eq!(std::fs::read_to_string(folder.path().join("there")).unwrap(), "mine");
    let told = run(folder.path(), &["backup", STORE, "no/folder"]);
    assert!(told.contains("exit code 3"), "{told}");
    let told = run(folder.path(), &["backup", "--store", "sqlite:nofile", "copy"]);
    assert!(told.contains("exit code 3") && !folder.path().join("copy").exists(), "{told}");
}

#[test]
fn a_copy_is_restored_over_the_store_of_a_receiver_that_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--forward-to", "http://127.0.0.1:9/", "--log", "error"];
    let serving = Serving::start(folder.path(), &arguments);
    for call in 0..50 {
        assert!(serving.post(&cdr(&call.to_string())).ends_with("got it"));
    }
    let told = run(folder.path(), &["backup", STORE, "calls-2026-11-28.sqlite"]);
    assert!(told.contains("exit code 0"), "{told}");
    for call in 50..120 {
        assert!(serving.post(&cdr(&call.to_string())).ends_with("got it"));
    }
    serving.signal(Signal::KILL);
    serving.end();
    assert!(folder.path().join("calls.sqlite-wal").exists(), "what is left of the old store");
    // As the guide says.
    let guide = include_str!("../../../../docs/operating.md");
    let block = guide.split("```").find(|block| block.starts_with("sh\nrm -f ")).unwrap();
    let restore: Vec<&str> =
        block.lines().filter(|line| line.starts_with("rm ") || line.starts_with("cp ")).collect();
    assert_eq!(restore.len(), 3, "{block}");
    let restore = restore.join(" && ").replace("piopiy.sqlite", "calls.sqlite").replace("/backups/", "");
    let shell = std::process::Command::new("sh").args(["-c", &restore]).current_dir(folder.path()).status();
    assert!(shell.unwrap().success(), "{restore}");

    let verified = run(folder.path(), &["verify", STORE]);
    assert!(verified.contains("50 webhooks and 0 quarantined bodies, records 1 to 50"), "{verified}");
    let state = ForwardState::open_existing(folder.path().join("calls.sqlite.forward")).unwrap();
    assert!(state.status().unwrap()[0].read_through <= 50);
    drop(state);
    let serving = Serving::start(folder.path(), &arguments);
    for call in 40..60 {
        assert!(serving.post(&cdr(&call.to_string())).ends_with("got it"));
    }
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
    let verified = run(folder.path(), &["verify", STORE]);
    assert!(verified.contains("60 webhooks and 0 quarantined bodies, records 1 to 60"), "{verified}");
}
