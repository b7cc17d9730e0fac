//! Stores against the simplest model of one: a set of identities.

use std::collections::BTreeMap;

use piopiy_events::{Webhook, strategy};
use piopiy_receiver::{Append, Entry, MemoryStore, SqliteOptions, SqliteStore, Store, StoreLocation};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::support::postgres;
use crate::support::{cdr, entry, once_free};

/// The entry that a server makes of an object.
fn any_entry(object: &str) -> Entry {
    let body = object.to_owned().into();
    match Webhook::parse(object.as_bytes()).unwrap().identity() {
        Some(identity) => Entry::webhook(&identity, body, 0),
        None => Entry::quarantined("unrecognised".to_owned(), body, 0),
    }
}

/// What is done to a store.
#[derive(Debug, Clone)]
enum Step {
    /// Appends CDRs of these calls; `None` is something to quarantine.
    Append(Vec<Option<u8>>),
    /// Lets go of it without ceremony and opens it again.
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => vec(prop_oneof![9 => (0..60_u8).prop_map(Some), 1 => Just(None)], 0..12).prop_map(Step::Append),
        1 => Just(Step::Reopen),
    ]
}

/// The outcomes that a set of identities predicts.
fn predict(seen: &mut BTreeMap<u8, u64>, last_seq: &mut u64, batch: &[Option<u8>]) -> Vec<Append> {
    let mut next = || {
        *last_seq += 1;
        *last_seq
    };
    let outcomes = batch.iter().map(|call| match call {
        Some(call) if seen.contains_key(call) => Append::Duplicate { of: seen[call] },
        Some(call) => {
            seen.insert(*call, next());
            Append::Appended { seq: seen[call] }
        }
        None => Append::Appended { seq: next() },
    });
    outcomes.collect()
}

fn entries(batch: &[Option<u8>]) -> Vec<Entry> {
    let to_entry = |call: &Option<u8>| match call {
        Some(call) => entry(&cdr(&call.to_string())),
        None => Entry::quarantined("why".to_owned(), "what".into(), 0),
    };
    batch.iter().map(to_entry).collect()
}

fn comes_out_as_it_went_in(location: &StoreLocation, objects: &[String]) -> Result<(), TestCaseError> {
    let mut open = location.open(true).unwrap();
    let batch: Vec<Entry> = objects.iter().map(|object| any_entry(object)).collect();
    let outcomes = open.store.append(&batch).unwrap();
    let kept = open.records.unwrap().after(0, usize::MAX).unwrap();
    for (object, outcome) in objects.iter().zip(outcomes) {
        let (Append::Appended { seq } | Append::Duplicate { of: seq }) = outcome;
        let record = &kept[usize::try_from(seq)? - 1];
        let webhook = Webhook::parse(object.as_bytes())?;
        if matches!(outcome, Append::Appended { .. }) {
            prop_assert_eq!(&record.body[..], object.as_bytes());
        }
        prop_assert_eq!(record.webhook().and_then(|webhook| webhook.identity()), webhook.identity());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sqlite_agrees_with_a_set(steps in vec(step(), 1..24), run_rows in 1..9_usize, filter_bytes in 0..2_usize) {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("store.sqlite");
        // Tiny runs, and a filter of one block that soon knows nothing: every path of the index is taken.
        let options = SqliteOptions { run_rows, filter_bytes, checkpoint_pages: 8, ..SqliteOptions::default() };
        let mut store = SqliteStore::open_with(&path, options.clone()).unwrap();
        let (mut seen, mut last_seq) = (BTreeMap::new(), 0);
        for step in steps {
            match step {
                Step::Append(batch) => {
                    let outcomes = store.append(&entries(&batch)).unwrap();
                    prop_assert_eq!(outcomes, predict(&mut seen, &mut last_seq, &batch));
                }
                Step::Reopen => {
                    drop(store);
                    store = once_free(|| SqliteStore::open_with(&path, options.clone()));
                }
            }
            prop_assert_eq!(store.len(), last_seq);
        }
    }

    #[test]
    fn memory_agrees_with_a_set(batches in vec(vec(proptest::option::weighted(0.9, 0..60_u8), 0..12), 1..24)) {
        let mut store = MemoryStore::new();
        let (mut seen, mut last_seq) = (BTreeMap::new(), 0);
        for batch in batches {
            let outcomes = store.append(&entries(&batch)).unwrap();
            prop_assert_eq!(outcomes, predict(&mut seen, &mut last_seq, &batch));
        }
    }

    #[test]
    fn any_object_comes_out_as_it_went_in(objects in vec(strategy::any_object(), 1..8)) {
        let folder = tempfile::tempdir()?;
        let sqlite = StoreLocation::Sqlite(folder.path().join("store.sqlite"));
        for location in [StoreLocation::Memory, sqlite] {
            comes_out_as_it_went_in(&location, &objects)?;
        }
    }
}

proptest! {
    // Each case makes a database.
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn postgres_agrees_with_a_set(steps in vec(step(), 1..24)) {
        if let Some(location) = postgres::fresh() {
            let mut store = location.open(false).unwrap().store;
            let (mut seen, mut last_seq) = (BTreeMap::new(), 0);
            for step in steps {
                match step {
                    Step::Append(batch) => {
                        let outcomes = store.append(&entries(&batch)).unwrap();
                        prop_assert_eq!(outcomes, predict(&mut seen, &mut last_seq, &batch));
                    }
                    Step::Reopen => store = location.open(false).unwrap().store,
                }
            }
            prop_assert_eq!(location.open(false).unwrap().store.record_count(), last_seq);
        }
    }

    #[test]
    fn any_object_comes_out_of_postgres_as_it_went_in(objects in vec(strategy::any_object(), 1..24)) {
        if let Some(location) = postgres::fresh() {
            comes_out_as_it_went_in(&location, &objects)?;
        }
    }
}
