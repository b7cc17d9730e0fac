//! What only the SQLite store has: a file.

use std::path::Path;

use piopiy_receiver::{
    Append, Entry, Records as _, SqliteOptions, SqliteRecords, SqliteStore, Store as _, StoreError,
};
use rusqlite::Connection;

use crate::support::{cdr, entry};

fn entries(calls: std::ops::Range<u64>) -> Vec<Entry> {
    calls.map(|call| entry(&cdr(&call.to_string()))).collect()
}

fn open(path: &Path, run_rows: usize) -> SqliteStore {
    let options = SqliteOptions { run_rows, ..SqliteOptions::default() };
    SqliteStore::open_with(path, options).unwrap()
}

fn count(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// The files as they are on disk while the store is open: what a killed process would leave.
fn snapshot(from: &Path, to: &Path) {
    for suffix in ["", "-wal"] {
        let file = |path: &Path| format!("{}{suffix}", path.display());
        std::fs::copy(file(from), file(to)).unwrap();
    }
}

#[test]
fn killed_at_any_batch_it_has_what_was_appended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = open(&path, 64);
    for batch in 0..40 {
        store.append(&entries(batch * 10..batch * 10 + 10)).unwrap();
        let copy = folder.path().join(format!("copy-{batch}.sqlite"));
        snapshot(&path, &copy);
        let mut revived = open(&copy, 64);
        let upto = (batch + 1) * 10;
        assert_eq!(revived.len(), upto);
        let outcomes = revived.append(&entries(0..upto + 1)).unwrap();
        let duplicates =
            outcomes.iter().zip(1..).filter(|(outcome, of)| **outcome == Append::Duplicate { of: *of });
        assert_eq!(duplicates.count() as u64, upto, "after batch {batch}");
        assert_eq!(outcomes.last(), Some(&Append::Appended { seq: upto + 1 }));
    }
    assert!(count(&path, "SELECT count(DISTINCT run) FROM seen") > 3, "runs were in the making meanwhile");
}

#[test]
fn the_index_is_sorted_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = open(&path, 100);
    for batch in 0..50 {
        store.append(&entries(batch * 20..batch * 20 + 20)).unwrap();
    }
    drop(store);
    let indexed_upto = count(&path, "SELECT value FROM meta WHERE key = 'indexed_upto'");
    assert!((800..=1000).contains(&indexed_upto), "{indexed_upto}");
    let sql = format!(
        "SELECT count(*) FROM webhook WHERE seq <= {indexed_upto} AND seq NOT IN (SELECT seq FROM seen)"
    );
    assert_eq!(count(&path, &sql), 0, "every row up to there is in a run");
    assert_eq!(count(&path, "SELECT count(*) - count(DISTINCT seq) FROM seen"), 0, "and in one only");
}

#[test]
fn checkpoints_keep_the_log_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let options = SqliteOptions { checkpoint_pages: 32, ..SqliteOptions::default() };
    let mut store = SqliteStore::open_with(&path, options).unwrap();
    for batch in 0..2000 {
        store.append(&entries(batch..batch + 1)).unwrap();
    }
    let log = std::fs::metadata(folder.path().join("store.sqlite-wal")).unwrap().len();
    let written = 2000 * 2 * 4096;
    assert!(log < written / 4, "{log} bytes of about {written} that were written");
}

#[test]
fn two_receivers_do_not_share_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let first = SqliteStore::open(&path).unwrap();
    let second = SqliteStore::open(&path).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    drop(first);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn a_file_by_another_name_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let [path, link, hard] =
        ["store.sqlite", "link.sqlite", "hard.sqlite"].map(|name| folder.path().join(name));
    let first = SqliteStore::open(&path).unwrap();
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let second = SqliteStore::open(&link).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    std::fs::hard_link(&path, &hard).unwrap();
    drop(first);
    for name in [&path, &link, &hard] {
        let error = SqliteStore::open(name).unwrap_err();
        assert!(matches!(error, StoreError::Linked { .. }), "{error}");
    }
    std::fs::remove_file(&hard).unwrap();
    SqliteStore::open(&link).unwrap();
    let nowhere = folder.path().join("nowhere.sqlite");
    std::os::unix::fs::symlink(folder.path().join("no/file"), &nowhere).unwrap();
    assert!(matches!(SqliteStore::open(&nowhere).unwrap_err(), StoreError::Create { .. }));
}

#[test]
fn what_another_program_wrote_is_neither_overwritten_nor_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    store.append(&entries(0..2)).unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute("INSERT INTO webhook VALUES (3, 0, ?1, x'7b7d')", [entry(&cdr("2")).identity().unwrap()])
        .unwrap();
    let outcomes = store.append(&entries(2..4)).unwrap();
    assert_eq!(outcomes, [Append::Duplicate { of: 3 }, Append::Appended { seq: 4 }]);
}

/// To read all that was seen takes long where the store is large, and a full disk fails time after time.
#[test]
fn a_full_store_does_not_read_its_index_again_for_each_batch_that_fails() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let options = SqliteOptions { max_pages: Some(60), run_rows: 16, ..SqliteOptions::default() };
    let mut store = SqliteStore::open_with(&path, options.clone()).unwrap();
    for batch in 0..10 {
        store.append(&entries(batch * 10..batch * 10 + 10)).unwrap();
    }
    // Who reads the index from now on finds nothing by it.
    let sql = "UPDATE meta SET value = ~value WHERE key = 'hash_key_0'";
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    for _ in 0..5 {
        let error = store.append(&entries(100..3000)).unwrap_err();
        assert!(error.chain().contains("full"), "{}", error.chain());
    }
    let of_first = |store: &mut SqliteStore| store.append(&entries(0..1)).unwrap();
    assert_eq!(of_first(&mut store), [Append::Duplicate { of: 1 }]);
    assert_eq!(store.append(&entries(100..101)).unwrap(), [Append::Appended { seq: 101 }]);
    drop(store);
    let mut store = SqliteStore::open_with(&path, options).unwrap();
    assert_eq!(of_first(&mut store), [Append::Appended { seq: 102 }], "so it would be seen");
}

#[test]
fn a_deleted_row_is_new_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    store.append(&entries(0..3)).unwrap();
    Connection::open(&path).unwrap().execute("DELETE FROM webhook WHERE seq = 2", []).unwrap();
    let outcomes = store.append(&entries(0..3)).unwrap();
    let expected = [Append::Duplicate { of: 1 }, Append::Appended { seq: 4 }, Append::Duplicate { of: 3 }];
    assert_eq!(outcomes, expected);
}

#[test]
fn only_the_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    store.append(&entries(0..3)).unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{} has {mode:o}", file.path().display());
    }
}

#[test]
fn a_full_disk_fails_the_batch_and_nothing_of_it_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let options = SqliteOptions { max_pages: Some(30), ..SqliteOptions::default() };
    let mut store = SqliteStore::open_with(&path, options).unwrap();
    store.append(&entries(0..3)).unwrap();
    let before = store.len();
    let error = store.append(&entries(3..3000)).unwrap_err();
    assert!(error.chain().contains("full"), "{}", error.chain());
    assert_eq!(SqliteRecords::open(&path).unwrap().last_seq().unwrap(), before);
    let outcomes = store.append(&entries(2..4)).unwrap();
    assert_eq!(outcomes, [Append::Duplicate { of: 3 }, Append::Appended { seq: 4 }]);
}

#[test]
fn readers_see_what_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    assert!(matches!(SqliteRecords::open(&path).unwrap_err(), StoreError::NotFound { .. }));
    let mut store = SqliteStore::open(&path).unwrap();
    let reader = SqliteRecords::open(&path).unwrap();
    for upto in 1..5 {
        store.append(&entries(upto..upto + 1)).unwrap();
        assert_eq!(reader.last_seq().unwrap(), upto);
    }
}

#[test]
fn columns_for_people_who_query_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    SqliteStore::open(&path).unwrap().append(&entries(7..8)).unwrap();
    let sql = "SELECT kind || ' ' || cmiuuid || ' ' || leg || ' ' || status || ' ' || conversation_uuid FROM webhook_fields";
    let row: String = Connection::open(&path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(row, "cdr 7 a missed 7");
}

#[test]
fn other_files_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let check = |name: &str, make: &dyn Fn(&Path), expected: &dyn Fn(&StoreError) -> bool| {
        let path = folder.path().join(name);
        make(&path);
        let before = std::fs::read(&path).ok();
        let error = SqliteStore::open(&path).unwrap_err();
        assert!(expected(&error), "{name}: {error:?}");
        assert!(error.to_string().contains(name), "{name} is not named in: {error}");
        assert_eq!(std::fs::read(&path).ok(), before, "{name}");
    };
    let sql =
        |text: &'static str| move |path: &Path| Connection::open(path).unwrap().execute_batch(text).unwrap();
    check("text", &|path| std::fs::write(path, "not a database, just a longer text").unwrap(), &|error| {
        matches!(error, StoreError::Damaged { .. })
    });
    check("foreign", &sql("CREATE TABLE other (x)"), &|error| matches!(error, StoreError::Foreign { .. }));
    check(
        "newer",
        &|path| {
            drop(SqliteStore::open(path).unwrap());
            sql("PRAGMA user_version = 99")(path);
        },
        &|error| matches!(error, StoreError::Newer { found: 99, known: 1, .. }),
    );
    check("no/folder", &|_| {}, &|error| matches!(error, StoreError::Lock { .. } | StoreError::Open { .. }));
}

#[test]
fn a_store_that_failed_mends_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut store = SqliteStore::open(&path).unwrap();
    store.append(&entries(0..3)).unwrap();
    // Another program makes the table unusable, then usable again.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("ALTER TABLE webhook RENAME TO elsewhere").unwrap();
    store.append(&entries(3..4)).unwrap_err();
    store.append(&[]).unwrap_err();
    other.execute_batch("ALTER TABLE elsewhere RENAME TO webhook").unwrap();
    assert_eq!(store.append(&[]).unwrap(), []);
    let outcomes = store.append(&entries(2..4)).unwrap();
    assert_eq!(outcomes, [Append::Duplicate { of: 3 }, Append::Appended { seq: 4 }]);
}
