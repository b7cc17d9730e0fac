//! What every store must do.

use piopiy_receiver::{
    Append, Entry, MemoryStore, OpenStore, Record, Records as _, SqliteOptions, SqliteRecords, SqliteStore,
    Store,
};
use std::sync::Arc;
use tempfile::TempDir;

use crate::support::postgres;
use crate::support::{cdr, entry, stream_connected};

/// A fresh store of each kind, and the folder that one is in. Runs are short, so that the index has many.
fn stores() -> (TempDir, Vec<(&'static str, OpenStore)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let options = SqliteOptions { run_rows: 3, ..SqliteOptions::default() };
    let sqlite = SqliteStore::open_with(&path, options).unwrap();
    let sqlite_records = SqliteRecords::open(&path).unwrap();
    let mut memory = MemoryStore::new();
    let memory_records = memory.records();
    let mut stores = vec![
        ("sqlite", OpenStore::new(sqlite, Some(Arc::new(sqlite_records)))),
        ("memory", OpenStore::new(memory, Some(memory_records))),
    ];
    stores.extend(postgres::fresh().map(|location| ("postgres", location.open(true).unwrap())));
    (folder, stores)
}

fn kept(store: &OpenStore) -> Vec<Record> {
    store.records.as_ref().unwrap().after(0, usize::MAX).unwrap()
}

#[test]
fn appends_once_and_in_order() {
    let (_folder, stores) = stores();
    for (name, mut open) in stores {
        let (x, y) = (entry(&cdr("x")), entry(&cdr("y")));
        let event = entry(&stream_connected("x", 1));
        let quarantined = Entry::quarantined("why".to_owned(), "what".into(), 5);
        let batch = [x.clone(), y.clone(), x.clone(), quarantined.clone(), quarantined, event];
        let outcomes = open.store.append(&batch).unwrap();
        let expected = [
            Append::Appended { seq: 1 },
            Append::Appended { seq: 2 },
            Append::Duplicate { of: 1 },
            Append::Appended { seq: 3 },
            Append::Appended { seq: 4 },
            Append::Appended { seq: 5 },
        ];
        assert_eq!(outcomes, expected, "{name}");
        assert_eq!(open.store.append(&[]).unwrap(), [], "{name}");
        let outcomes = open.store.append(&[y, entry(&cdr("z")), x]).unwrap();
        let expected =
            [Append::Duplicate { of: 2 }, Append::Appended { seq: 6 }, Append::Duplicate { of: 1 }];
        assert_eq!(outcomes, expected, "{name}");

        let kept = kept(&open);
        let seqs: Vec<u64> = kept.iter().map(|record| record.seq).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5, 6], "{name}");
        assert_eq!(kept[0].body, cdr("x"), "{name}");
        assert_eq!(kept[0].received_at, 1_700_000_000_000_000, "{name}");
        assert_eq!((&kept[2].body[..], kept[2].reason.as_deref()), (&b"what"[..], Some("why")), "{name}");
        assert_eq!(kept[2].received_at, 5, "{name}");
    }
}

#[test]
fn records_are_read_from_anywhere() {
    let (_folder, stores) = stores();
    for (name, mut open) in stores {
        let records = Arc::clone(open.records.as_ref().unwrap());
        assert_eq!(records.last_seq().unwrap(), 0, "{name}");
        let batch: Vec<Entry> = (0..10).map(|index| entry(&cdr(&index.to_string()))).collect();
        open.store.append(&batch).unwrap();
        let seqs = |after, limit| -> Vec<u64> {
            let page = records.after(after, limit).unwrap();
            page.iter().map(|record| record.seq).collect()
        };
        assert_eq!(seqs(0, 3), [1, 2, 3], "{name}");
        assert_eq!(seqs(7, 100), [8, 9, 10], "{name}");
        assert_eq!(seqs(10, 100), [0; 0], "{name}");
        assert_eq!(seqs(u64::MAX, 100), [0; 0], "{name}");
        assert_eq!(records.last_seq().unwrap(), 10, "{name}");
    }
}

#[test]
fn a_store_has_an_id_that_no_other_has() {
    let ids = || {
        let (_folder, stores) = stores();
        let id = |(name, open): (_, OpenStore)| {
            let records = open.records.unwrap();
            let id = records.store_id().unwrap().unwrap();
            assert_eq!(records.store_id().unwrap().as_ref(), Some(&id), "{name}");
            id
        };
        stores.into_iter().map(id).collect::<Vec<_>>()
    };
    let all: Vec<String> = ids().into_iter().chain(ids()).collect();
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len(), "{all:?}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kept.sqlite");
    let id = || {
        drop(SqliteStore::open(&path).unwrap());
        SqliteRecords::open(&path).unwrap().store_id().unwrap()
    };
    assert_eq!(id(), id(), "it stays, whoever opens it");
}

#[test]
fn bodies_are_kept_byte_for_byte() {
    let (_folder, stores) = stores();
    for (name, mut open) in stores {
        let bytes: Vec<u8> = (0..=255).collect();
        let spaced = " \r\n{\"cmiuuid\":\"\\u0000\", \"status\":\"missed\" ,\"n\":1e400}\t";
        let batch = [Entry::quarantined("bytes".to_owned(), bytes.clone().into(), 0), entry(spaced)];
        open.store.append(&batch).unwrap();
        assert_eq!(kept(&open)[0].body, bytes, "{name}");
        assert_eq!(kept(&open)[1].body, spaced, "{name}");
    }
}

#[test]
fn pages_end_where_their_bytes_do() {
    let (_folder, stores) = stores();
    for (name, mut open) in stores {
        let of = |length: usize| Entry::quarantined("long".to_owned(), vec![b'x'; length].into(), 0);
        open.store.append(&[of(100), of(10), of(10), of(200_000), entry(&cdr("x"))]).unwrap();
        let records = open.records.unwrap();
        let seqs = |after, bytes| -> Vec<u64> {
            let page = records.page(after, 1000, bytes).unwrap();
            page.iter().map(|record| record.seq).collect()
        };
        assert_eq!(seqs(0, 119), [1, 2], "{name}");
        assert_eq!(seqs(0, 120), [1, 2, 3], "{name}");
        assert_eq!(seqs(3, 1), [4], "{name}: the first always, or there would be no getting past it");
        assert_eq!(seqs(2, usize::MAX), [3, 4, 5], "{name}");
        assert_eq!(records.webhook_count().unwrap(), 1, "{name}");
        assert_eq!(records.quarantine_count().unwrap(), 4, "{name}");
    }
}

#[test]
fn nothing_is_too_long_or_too_strange_to_be_kept() {
    let (_folder, stores) = stores();
    for (name, mut open) in stores {
        let long = |end: &str| entry(&cdr(&format!("{}{end}", "long".repeat(50_000))));
        let strange = entry(&cdr(r"\u0000\ud83d\ude00\u2028"));
        let reason = "a \0 in /extra_params".to_owned();
        let batch = [long("x"), long("y"), strange, Entry::quarantined(reason, "what".into(), i64::MIN)];
        let expected = [1, 2, 3, 4].map(|seq| Append::Appended { seq });
        assert_eq!(open.store.append(&batch).unwrap(), expected, "{name}");
        let expected = [1, 2, 3].map(|of| Append::Duplicate { of });
        assert_eq!(open.store.append(&batch[..3]).unwrap(), expected, "{name}");
        assert_eq!(kept(&open)[0].body, batch[0].body(), "{name}");
        assert_eq!(kept(&open)[3].received_at, i64::MIN, "{name}");
        assert!(kept(&open)[3].reason.as_ref().unwrap().ends_with("in /extra_params"), "{name}");
    }
}
