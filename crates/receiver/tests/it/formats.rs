//! Files of every version that there was are read. `formats/` has them as they were made; what is there is never changed.

use std::path::{Path, PathBuf};

use piopiy_receiver::{Append, Entry, ForwardState, Records as _, SqliteRecords, SqliteStore, Store as _};
use rusqlite::Connection;

use crate::cli::{STORE, run};
use crate::support::{cdr, entry};

const STORES: [&str; 1] = [include_str!("formats/store-v1.sql")];
const FORWARD_STATES: [&str; 4] = [
    include_str!("formats/forward-v1.sql"),
    include_str!("formats/forward-v2.sql"),
    include_str!("formats/forward-v3.sql"),
    include_str!("formats/forward-v4.sql"),
];

/// The file that a version made.
fn made(folder: &Path, sql: &str) -> PathBuf {
    let path = folder.join("made");
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    path
}

fn version(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// The version that `docs/formats.md` says a format has now.
fn told(row: &str) -> i64 {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/formats.md");
    let page = std::fs::read_to_string(page).unwrap();
    let row = page.lines().find(|line| line.starts_with(&format!("| {row} "))).unwrap();
    row.split('|').nth(4).unwrap().trim().parse().unwrap()
}

#[test]
fn a_store_of_any_version_is_read_and_goes_on() {
    for (sql, made_by) in STORES.into_iter().zip(1..) {
        let folder = tempfile::tempdir().unwrap();
        let path = made(folder.path(), sql);
        assert_eq!(version(&path), made_by);
        let mut store = SqliteStore::open(&path).unwrap();
        assert_eq!(store.record_count(), 41);

        // It knows what it had, in sorted runs and outside of them, and takes what is new.
        let batch: Vec<Entry> = (0..=40).map(|call| entry(&cdr(&call.to_string()))).collect();
        let outcomes = store.append(&batch).unwrap();
        let repeats = outcomes.iter().filter(|outcome| matches!(outcome, Append::Duplicate { .. })).count();
        assert_eq!((repeats, outcomes[40]), (40, Append::Appended { seq: 42 }));
        drop(store);

        let records = SqliteRecords::open(&path).unwrap();
        let kept = records.after(0, 100).unwrap();
        assert_eq!(kept.len(), 42);
        assert_eq!(kept.iter().filter(|record| record.reason.is_some()).count(), 1, "it was in quarantine");
        assert_eq!(kept[0].body, cdr("0").as_bytes());
    }
}

#[test]
fn a_state_of_forwarding_of_any_version_is_read_and_goes_on() {
    for (sql, made_by) in FORWARD_STATES.into_iter().zip(1..) {
        let folder = tempfile::tempdir().unwrap();
        let path = made(folder.path(), sql);
        assert_eq!(version(&path), made_by);
        let mut state = ForwardState::open(&path).unwrap();
        let status = state.status().unwrap();
        let [app, held] = status.as_slice() else { panic!("{status:?}") };
        assert_eq!(
            (app.name.as_str(), app.is_paused, app.read_through, app.unsettled, app.dead),
            ("app", false, 40, 3, 1)
        );
        assert_eq!((held.name.as_str(), held.is_paused, held.read_through), ("held", true, 7));
        let dead = state.dead_letters("app").unwrap();
        assert_eq!((dead[0].seq, dead[0].attempts, dead[0].error.as_str()), (9, 75, "answered 500"));
        assert_eq!(state.replay("app", [9, 10]).unwrap(), 2);
    }
}

#[test]
fn who_only_looks_at_a_state_of_forwarding_changes_nothing() {
    for sql in FORWARD_STATES {
        let folder = tempfile::tempdir().unwrap();
        std::fs::rename(made(folder.path(), STORES[0]), folder.path().join("calls.sqlite")).unwrap();
        let state = folder.path().join("calls.sqlite.forward");
        std::fs::rename(made(folder.path(), sql), &state).unwrap();
        if version(&state) > 1 {
            // It was made beside another one.
            Connection::open(&state).unwrap().execute_batch("DELETE FROM store").unwrap();
        }
        if version(&state) > 3 {
            let of_records = "DELETE FROM mark; UPDATE destination SET mark = NULL";
            Connection::open(&state).unwrap().execute_batch(of_records).unwrap();
        }
        let bytes = std::fs::read(&state).unwrap();
        let commands = [
            (vec!["verify", STORE], "is whole"),
            (vec!["backup", STORE, "copy.sqlite"], "and the forwarder's state beside it"),
            (vec!["forward", "status", STORE], "app: came to 40 of 41, 3 of them to deliver, 1 given up"),
            (vec!["forward", "dead", "app", STORE], "9: 75 attempts"),
            (vec!["retention", STORE, "--keep", "90d", "--even-if-all"], "records forgotten"),
        ];
        for (command, expected) in commands {
            let told = run(folder.path(), &command);
            assert!(told.contains("exit code 0") && told.contains(expected), "{told}");
            assert!(std::fs::read(&state).unwrap() == bytes, "written to by {command:?}");
        }
        // The copy is of the same version, and goes on.
        let copy = folder.path().join("copy.sqlite.forward");
        assert_eq!(version(&copy), version(&state));
        assert_eq!(ForwardState::open(&copy).unwrap().status().unwrap()[0].read_through, 40);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty");
    std::fs::write(&path, "").unwrap();
    assert!(ForwardState::open_to_read(&path).is_err() && ForwardState::open_to_read("no/file").is_err());
    assert_eq!(std::fs::read(&path).unwrap().len(), 0);
}

#[test]
fn the_page_says_which_version_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    drop(SqliteStore::open(&path).unwrap());
    assert_eq!(version(&path), told("store of webhooks (SQLite)"));
    assert_eq!(STORES.len() as i64, version(&path), "a store of each version is in `formats/`");

    let path = folder.path().join("store.forward");
    drop(ForwardState::open(&path).unwrap());
    assert_eq!(version(&path), told("state of forwarding (SQLite)"));
    assert_eq!(FORWARD_STATES.len() as i64, version(&path), "a state of each version is in `formats/`");
}
