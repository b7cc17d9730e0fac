//! The index under a hash that nearly always collides: the length of the identity.

use proptest::prelude::*;

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
        // One transaction for all: what the disk takes for each is nothing that is tested here.
        connection.execute_batch("BEGIN").unwrap();
        Self { connection, seen, last_seq: 0, _folder: folder }
    }

    /// With hashes as they are in use.
    fn keyed(run_rows: usize) -> Self {
        let mut index = Self::new(run_rows);
        index.seen = Seen::load(&index.connection, &options(run_rows)).unwrap();
        index
    }

    /// Forgets what is in memory, as a restart does.
    fn reload(&mut self, run_rows: usize) {
        self.seen = Seen::load_with(&self.connection, &options(run_rows), self.seen.hasher).unwrap();
    }

    fn forget(&mut self, upto: i64, limit: usize) -> bool {
        self.connection.execute("DELETE FROM webhook WHERE seq <= ?1", [upto]).unwrap();
        self.seen.forget(&self.connection, upto + 1, limit).unwrap()
    }

    /// Each of these is found, and no other.
    fn assert_has(&self, numbers: std::ops::RangeInclusive<i64>) {
        for number in numbers.clone() {
            assert_eq!(self.find(&identity(number)), Some(number));
        }
        assert_eq!(self.find(&identity(numbers.start() - 1)), None);
        assert_eq!(self.find(&identity(numbers.end() + 1)), None);
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
        self.seen.committed();
        self.seen.write_some(&self.connection, 1, self.last_seq).unwrap();
        self.seen.committed();
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
    assert_eq!(index.seen.recent.len(), 0);
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
    let mut index = Index::keyed(64);
    for number in 1..=1000 {
        index.append(&identity(number));
    }
    assert!(index.forget(400, 1000));
    assert_eq!(index.seen.bloom.len(), 1000, "not worth it yet");
    assert!(!index.forget(900, 10), "a little at a time");
    let mut next = 1001;
    while !index.forget(900, 10) {
        // What comes meanwhile is known, too.
        index.append(&identity(next));
        next += 1;
    }
    assert!(next > 1010, "{next}");
    let live = index.seen.bloom.len();
    assert!((100..400).contains(&live), "{live}");
    index.assert_has(901..=next - 1);
    assert!(index.forget(900, 10), "and that is all");
}

#[test]
fn a_filter_made_anew_knows_what_is_written_where_it_was_read_already() {
    let mut index = Index::keyed(640);
    for number in 1..=2_568 {
        index.append(&identity(number));
    }
    let leaving = index.seen.leaving.as_ref().unwrap();
    assert_eq!((index.seen.runs.len(), leaving.written), (4, 576), "all but the end of the fourth run");
    // It is broken off, and later written again together with rows that came after.
    index.reload(1_200);
    for number in 2_569..=3_120 {
        index.append(&identity(number));
    }
    assert_eq!(index.seen.leaving.as_ref().unwrap().written, 64, "it has just begun");
    while index.seen.renewal.is_none() {
        assert!(!index.forget(1_920, 300));
    }
    let mut next = 3_121;
    while index.seen.leaving.is_some() {
        index.append(&identity(next));
        next += 1;
    }
    assert!(index.seen.renewal.is_some(), "the run was complete before the filter");
    while !index.forget(1_920, 300) {}
    index.assert_has(1_921..=next - 1);
}

#[test]
fn a_row_is_found_whichever_layer_of_the_filter_knows_it() {
    // Layers of 4096, 8192, and more, whose borders lie within runs.
    let mut index = Index::keyed(1_000);
    for number in 1..=12_500 {
        index.append(&identity(number));
    }
    index.assert_has(1..=12_500);
    while !index.forget(5_000, 1_000) {}
    assert_eq!(index.seen.bloom.len(), 12_500, "the filter is still the old one");
    index.assert_has(5_001..=12_500);
    while !index.forget(11_000, 1_000) {}
    assert!(index.seen.bloom.len() < 3_000, "the filter is a new one");
    index.assert_has(11_001..=12_500);
    index.reload(1_000);
    index.assert_has(11_001..=12_500);
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is rolled back, a run that was completed, begun or written on included: what was committed is found, and
    /// nothing else, by what is in memory as by what is read anew.
    #[test]
    fn what_is_rolled_back_was_never_there(
        batches in prop::collection::vec((1..40_usize, any::<bool>()), 1..60),
        run_rows in 1..200_usize,
    ) {
        let mut index = Index::keyed(run_rows);
        let (mut kept, mut next) = (Vec::new(), 1);
        for (size, is_kept) in batches {
            index.connection.execute_batch("SAVEPOINT batch").unwrap();
            let before = index.last_seq;
            for number in next..next + i64::try_from(size).unwrap() {
                index.last_seq += 1;
                let (seq, identity) = (index.last_seq, identity(number));
                let sql = "INSERT INTO webhook VALUES (?1, 0, ?2, x'')";
                index.connection.execute(sql, (seq, &identity)).unwrap();
                index.seen.add(index.seen.hash(&identity), seq);
                prop_assert_eq!(index.find(&identity), Some(seq), "within its batch");
            }
            index.seen.write_some(&index.connection, size, before).unwrap();
            if is_kept {
                index.connection.execute_batch("RELEASE batch").unwrap();
                index.seen.committed();
                kept.extend((next..).zip(before + 1..=index.last_seq));
                next += i64::try_from(size).unwrap();
            } else {
                index.connection.execute_batch("ROLLBACK TO batch; RELEASE batch").unwrap();
                index.seen.rolled_back();
                index.last_seq = before;
            }
        }
        for reload in [false, true] {
            let loaded = reload.then(|| Seen::load(&index.connection, &options(run_rows)).unwrap());
            let seen = loaded.as_ref().unwrap_or(&index.seen);
            let find = |number| {
                let identity = identity(number);
                seen.find(&index.connection, seen.hash(&identity), &identity).unwrap()
            };
            for &(number, seq) in &kept {
                prop_assert_eq!(find(number), Some(seq));
            }
            for number in next..next + 8 {
                prop_assert_eq!(find(number), None);
            }
        }
    }
}
