//! The index under a hash that nearly always collides: the length of the identity.

use super::*;

struct Index {
    connection: Connection,
    seen: Seen,
    last_seq: i64,
    _folder: tempfile::TempDir,
}

fn options(run_rows: usize) -> SqliteOptions {
    SqliteOptions { run_rows, ..SqliteOptions::default() }
}

impl Index {
    fn new(run_rows: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let connection = schema::open(&folder.path().join("store.sqlite"), false).unwrap();
        let seen = Seen::load_with(&connection, &options(run_rows), Hasher::Length).unwrap();
        Self { connection, seen, last_seq: 0, _folder: folder }
    }

    /// Forgets what is in memory, as a restart does.
    fn reload(&mut self, run_rows: usize) {
        self.seen = Seen::load_with(&self.connection, &options(run_rows), Hasher::Length).unwrap();
    }

    fn find(&self, identity: &str) -> Option<i64> {
        let hash = self.seen.hash(identity);
        self.seen.find(&self.connection, hash, identity).unwrap()
    }

    fn append(&mut self, identity: &str) {
        self.last_seq += 1;
        self.connection
            .execute("INSERT INTO webhook VALUES (?1, 0, ?2, x'')", (self.last_seq, identity))
            .unwrap();
        let hash = self.seen.hash(identity);
        self.seen.add(hash, self.last_seq);
        self.seen.write_some(&self.connection, 1, self.last_seq).unwrap();
    }
}

/// Identities of one length, so of one hash.
fn identity(number: i64) -> String {
    format!("{number:06}")
}

#[test]
fn equal_hashes_are_told_apart_in_memory_and_on_disk() {
    let mut index = Index::new(50);
    for number in 1..=300 {
        assert_eq!(index.find(&identity(number)), None, "{number} is fresh");
        index.append(&identity(number));
        assert_eq!(index.find(&identity(number)), Some(number));
    }
    assert!(index.seen.runs.len() >= 5, "{:?}", index.seen.runs);
    for number in 1..=300 {
        assert_eq!(index.find(&identity(number)), Some(number));
    }
    assert_eq!(index.find(&identity(301)), None);
}

#[test]
fn what_is_in_the_making_is_found() {
    let mut index = Index::new(100);
    for number in 1..=100 {
        index.append(&identity(number));
    }
    let leaving = index.seen.leaving.as_ref().unwrap();
    assert!(0 < leaving.written && leaving.written < leaving.entries.len());
    assert!(index.seen.recent.is_empty());
    for number in 1..=100 {
        assert_eq!(index.find(&identity(number)), Some(number));
    }
}

#[test]
fn a_run_that_was_broken_off_is_written_again() {
    let mut index = Index::new(100);
    for number in 1..=100 {
        index.append(&identity(number));
    }
    assert!(index.seen.leaving.is_some());
    index.reload(100);
    assert_eq!(index.seen.recent.len(), 100, "the rows of the unfinished run are in memory again");
    for number in 101..=400 {
        index.append(&identity(number));
    }
    let rows = "SELECT count(*) FROM seen WHERE seq <= 100";
    let rows: i64 = index.connection.query_row(rows, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 100, "each in one run, once");
    for reload in [false, true] {
        if reload {
            index.reload(100);
        }
        for number in 1..=400 {
            assert_eq!(index.find(&identity(number)), Some(number));
        }
        assert_eq!(index.find(&identity(401)), None);
    }
}

#[test]
fn the_filter_is_made_anew_when_most_of_it_is_of_what_went() {
    let folder = tempfile::tempdir().unwrap();
    let connection = schema::open(&folder.path().join("store.sqlite"), false).unwrap();
    let seen = Seen::load(&connection, &options(64)).unwrap();
    let mut index = Index { connection, seen, last_seq: 0, _folder: folder };
    let forget = |index: &mut Index, upto: i64, limit: usize| {
        index.connection.execute("DELETE FROM webhook WHERE seq <= ?1", [upto]).unwrap();
        index.seen.forget(&index.connection, upto + 1, limit).unwrap()
    };
    for number in 1..=1000 {
        index.append(&identity(number));
    }
    assert!(forget(&mut index, 400, 1000));
    assert_eq!(index.seen.bloom.len(), 1000, "not worth it yet");
    assert!(!forget(&mut index, 900, 10), "a little at a time");
    let mut next = 1001;
    while !forget(&mut index, 900, 10) {
        // What comes meanwhile is known, too.
        index.append(&identity(next));
        next += 1;
    }
    assert!(next > 1010, "{next}");
    let live = index.seen.bloom.len();
    assert!((100..400).contains(&live), "{live}");
    for number in 901..next {
        assert_eq!(index.find(&identity(number)), Some(number));
    }
    assert_eq!(index.find(&identity(900)), None);
    assert!(forget(&mut index, 900, 10), "and that is all");
}

#[test]
fn keys_differ_from_store_to_store() {
    let hash = || {
        let folder = tempfile::tempdir().unwrap();
        let connection = schema::open(&folder.path().join("store.sqlite"), false).unwrap();
        Seen::load(&connection, &options(1)).unwrap().hash("identity")
    };
    assert_ne!(hash(), hash());
}
