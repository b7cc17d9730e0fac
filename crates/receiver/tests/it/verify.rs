//! `verify`: what is wrong with a store, and where.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use piopiy_receiver::{ForwardState, SqliteOptions, SqliteStore, Store as _};
use rusqlite::Connection;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::cli::{STORE, run};
use crate::serve::Serving;
use crate::support::{cdr, entry};

/// A folder with a store of 100 webhooks, whose index is in runs on the disk.
fn folder_with_index() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { run_rows: 10, ..SqliteOptions::default() };
    let mut store = SqliteStore::open_with(folder.path().join("calls.sqlite"), options).unwrap();
    for call in 0..100 {
        store.append(&[entry(&cdr(&call.to_string()))]).unwrap();
    }
    folder
}

fn change(folder: &Path, sql: &str) {
    Connection::open(folder.join("calls.sqlite")).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn a_store_that_is_whole_is_told_to_be() {
    let folder = folder_with_index();
    let told = run(folder.path(), &["verify", STORE]);
    assert!(told.contains("exit code 0"), "{told}");
    assert!(told.contains("is whole: 100 webhooks and 0 quarantined bodies, records 1 to 100"), "{told}");
}

#[test]
fn each_fault_is_found_where_it_is() {
    let check = |sql: &str, expected: &[&str]| {
        let folder = folder_with_index();
        change(folder.path(), sql);
        let told = run(folder.path(), &["verify", STORE]);
        assert!(told.contains("exit code 1"), "{sql}: {told}");
        for text in expected {
            assert!(told.contains(text), "{sql}: no `{text}` in {told}");
        }
        assert!(told.contains(&format!("{} fault", expected.len())), "{sql}: {told}");
    };
    check("DELETE FROM webhook WHERE seq IN (7, 8)", &["record 9: the records from 7 to 8 are missing\n"]);
    check(
        "UPDATE webhook SET body = (SELECT body FROM webhook WHERE seq = 90) WHERE seq = 95",
        &[
            "record 95: it is stored as [\"cdr\",\"94\",\"a\",\"missed\",null], and its body is [\"cdr\",\"89\",\"a\",\"missed\",null]\n",
            "record 95: the same webhook as record 90\n",
        ],
    );
    check(
        "UPDATE webhook SET body = x'7b7d' WHERE seq = 3",
        &["record 3: it is stored as a webhook, and is none: neither a live event nor a CDR\n"],
    );
    check(
        "DELETE FROM seen WHERE seq = 5",
        &["record 5: the index does not know it: a repeat of it would be taken for new\n"],
    );
    check(
        "UPDATE meta SET value = 1000 WHERE key = 'indexed_upto'; DELETE FROM webhook WHERE seq > 30",
        &["the index says that it reaches up to record 1000, and the last is 30\n"],
    );
}

#[test]
fn a_damaged_file_is_told() {
    let folder = folder_with_index();
    let path = folder.path().join("calls.sqlite");
    let mut bytes = std::fs::read(&path).unwrap();
    assert!(bytes.len() > 6 * 4096, "the log was copied when the store was closed");
    // The last pages are of tables, and not of the schema.
    let end = bytes.len();
    bytes[end - 4096..].fill(0x55);
    std::fs::write(&path, bytes).unwrap();
    let told = run(folder.path(), &["verify", STORE, "--json"]);
    assert!(told.contains("exit code 1") && told.contains("{\"fault\":\"the file is damaged: "), "{told}");
    std::fs::write(&path, vec![0x55; 8192]).unwrap();
    let told = run(folder.path(), &["verify", STORE]);
    assert!(told.contains("exit code 1") && told.contains("is damaged or no database"), "{told}");
}

#[test]
fn a_forwarders_state_of_another_store_is_told() {
    let folder = folder_with_index();
    let mut state = ForwardState::open(folder.path().join("calls.sqlite.forward")).unwrap();
    state.add_destination("app", 101).unwrap();
    let told = run(folder.path(), &["verify", STORE]);
    assert!(told.contains("exit code 1") && told.contains("destination `app` has had record 101"), "{told}");
    // One that is behind, but knows whose it is.
    drop(state);
    let state = folder.path().join("calls.sqlite.forward");
    let sql = "UPDATE destination SET read_through = 3; INSERT INTO store VALUES (1, 'another');";
    Connection::open(&state).unwrap().execute_batch(sql).unwrap();
    let told = run(folder.path(), &["verify", STORE]);
    assert!(told.contains("exit code 1") && told.contains("1 fault"), "{told}");
    assert!(told.contains("the forwarder's state is of another store"), "{told}");
}

#[test]
fn it_can_be_looked_at_while_webhooks_come_in() {
    let folder = folder_with_index();
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    // So many that some come in while these are read.
    store.append(&(0..30_000).map(|call| entry(&cdr(&format!("old-{call}")))).collect::<Vec<_>>()).unwrap();
    drop(store);
    // It forwards as well: its state goes on while the store is read as it was.
    let serving = Serving::start(folder.path(), &["--forward-to", "http://127.0.0.1:9/", "--log", "error"]);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let posting = scope.spawn(|| {
            for call in 100.. {
                assert!(serving.post(&cdr(&call.to_string())).ends_with("got it"));
                if is_over.load(Ordering::Relaxed) {
                    return call;
                }
            }
            unreachable!("calls have no end")
        });
        let told: Vec<String> = (0..4).map(|_| run(folder.path(), &["verify", STORE])).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(posting.join().unwrap() > 104, "webhooks came in meanwhile");
        for told in told {
            assert!(told.contains("exit code 0"), "{told}");
        }
    });
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}
