//! Forgetting the oldest records: what goes, what stays, and what is known of it, whichever store it is.

use piopiy_events::Webhook;
use piopiy_receiver::{
    Append, Entry, Forget, ForwardState, MemoryStore, OpenStore, PostgresStore, Records, SqliteOptions,
    SqliteStore, Store as _, StoreError, StoreLocation,
};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::support::postgres::{fresh, fresh_url};
use crate::support::{cdr, open};

/// The CDR of a call, received at this microsecond.
fn at(call: u64, received_at: i64) -> Entry {
    let body = cdr(&call.to_string());
    let identity = Webhook::parse(body.as_bytes()).unwrap().identity().unwrap();
    Entry::webhook(&identity, body.into(), received_at)
}

fn before(received_before: i64) -> Forget {
    Forget { received_before, ..Forget::default() }
}

/// An empty store of each kind that forgets, and the folder that one is in.
fn places() -> (TempDir, Vec<StoreLocation>) {
    let folder = tempfile::tempdir().unwrap();
    let file = StoreLocation::Sqlite(folder.path().join("store.sqlite"));
    (folder, [file].into_iter().chain(fresh()).collect())
}

/// Tries the same on a store of each kind.
fn of_each(check: impl Fn(&StoreLocation, OpenStore)) {
    let (_folder, places) = places();
    for place in places {
        check(&place, open(&place));
    }
}

fn kept(records: &dyn Records) -> Vec<u64> {
    records.after(0, usize::MAX).unwrap().iter().map(|record| record.seq).collect()
}

#[test]
fn the_oldest_go_up_to_the_first_that_stays() {
    of_each(|place, OpenStore { mut store, records, .. }| {
        let records = records.unwrap();
        let odd = Entry::quarantined("not JSON".to_owned(), "x".into(), 2);
        // The clock was set back before the fifth came: it stays where it is, behind one that stays.
        store.append(&[at(1, 1), odd, at(3, 3), at(4, 10), at(5, 4), at(6, 11)]).unwrap();
        let forgotten = store.forget(&before(5)).unwrap();
        assert_eq!((forgotten.records, forgotten.is_done), (3, true), "{place}");
        assert_eq!(forgotten.oldest_left, Some(10), "{place}");
        assert_eq!(kept(&*records), [4, 5, 6], "{place}");
        assert_eq!(records.last_seq().unwrap(), 6, "{place}");
        assert_eq!(records.quarantine_count().unwrap(), 0, "{place}");
        assert_eq!(store.forget(&before(5)).unwrap().records, 0, "{place}: there is nothing left to do");
        drop(store);
        assert_eq!(open(place).store.record_count(), 3, "{place}");
    });
}

#[test]
fn a_step_is_of_so_many_bytes_and_of_one_record_at_least() {
    const MIB: usize = 1 << 20;
    of_each(|place, OpenStore { mut store, .. }| {
        let of = |bytes: usize| Entry::quarantined("not JSON".to_owned(), vec![b'x'; bytes].into(), 1);
        let batch = [of(MIB), of(2 * MIB), of(2 * MIB), of(6 * MIB), of(6 * MIB), of(9), of(9)];
        store.append(&batch).unwrap();
        let mut steps = || store.forget(&before(2)).map(|step| (step.records, step.is_done)).unwrap();
        // 4 MiB together, else one alone; the last stays.
        assert_eq!(
            [steps(), steps(), steps(), steps(), steps()],
            [(2, false), (1, false), (1, false), (1, false), (1, true)],
            "{place}"
        );
    });
}

#[test]
fn no_place_is_given_twice_be_everything_old() {
    of_each(|place, OpenStore { mut store, .. }| {
        store.append(&[at(1, 1), at(2, 2), at(3, 3)]).unwrap();
        assert_eq!(store.forget(&before(i64::MAX)).unwrap().records, 2, "{place}");
        drop(store);
        let OpenStore { mut store, records, .. } = open(place);
        assert_eq!(store.append(&[at(4, 4)]).unwrap(), [Append::Appended { seq: 4 }], "{place}");
        assert_eq!(kept(&*records.unwrap()), [3, 4], "{place}");
    });
}

#[test]
fn a_repeat_of_what_went_is_new_and_one_of_what_stays_is_none() {
    of_each(|place, OpenStore { mut store, .. }| {
        store.append(&(1..=100).map(|call| at(call, call.cast_signed())).collect::<Vec<_>>()).unwrap();
        let mut steps = 0;
        while !store.forget(&Forget { limit: 7, ..before(61) }).unwrap().is_done {
            steps += 1;
        }
        assert!(steps >= 8, "{place}: a little at a time");
        assert_eq!(
            store.append(&[at(1, 200), at(60, 200), at(61, 200), at(100, 200)]).unwrap(),
            [
                Append::Appended { seq: 101 },
                Append::Appended { seq: 102 },
                Append::Duplicate { of: 61 },
                Append::Duplicate { of: 100 }
            ],
            "{place}"
        );
    });
}

#[test]
fn receivers_that_share_a_store_forget_and_append_together() {
    let Some(url) = fresh_url() else { return };
    let mut store = PostgresStore::open(&url).unwrap();
    store.append(&(1..=300).map(|call| at(call, 1)).collect::<Vec<_>>()).unwrap();
    let forgotten = std::thread::scope(|scope| {
        let forget = || {
            let mut store = PostgresStore::open(&url).unwrap();
            let mut records = 0;
            loop {
                let step = store.forget(&Forget { limit: 10, ..before(2) }).unwrap();
                records += step.records;
                if step.is_done {
                    break records;
                }
            }
        };
        let (one, other) = (scope.spawn(forget), scope.spawn(forget));
        for call in 1000..1100 {
            let place = u64::from(301 + call - 1000_u32);
            assert_eq!(store.append(&[at(u64::from(call), 5)]).unwrap(), [Append::Appended { seq: place }]);
        }
        one.join().unwrap() + other.join().unwrap()
    });
    // The last of then may have stayed for a moment, for it was the last.
    let left = store.forget(&before(2)).unwrap().records;
    assert_eq!(forgotten + left, 300, "each once");
    assert_eq!(kept(&*store.reader().unwrap()), (301..=400).collect::<Vec<u64>>());
}

#[test]
fn a_repeat_of_what_stays_is_known_and_one_of_what_went_is_new() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let options = SqliteOptions { run_rows: 8, ..SqliteOptions::default() };
    let mut store = SqliteStore::open_with(&path, options.clone()).unwrap();
    for call in 1..=100 {
        store.append(&[at(call, call.cast_signed())]).unwrap();
    }
    let mut forgotten = 0;
    loop {
        let step = store.forget(&Forget { limit: 7, ..before(61) }).unwrap();
        forgotten += step.records;
        if step.is_done {
            break;
        }
    }
    assert_eq!(forgotten, 60);
    let check = |store: &mut SqliteStore| {
        for call in 61..=100 {
            assert_eq!(store.append(&[at(call, 200)]).unwrap(), [Append::Duplicate { of: call }]);
        }
    };
    check(&mut store);
    drop(store);
    let mut store = SqliteStore::open_with(&path, options).unwrap();
    check(&mut store);
    assert_eq!(
        store.append(&[at(1, 200), at(60, 200)]).unwrap(),
        [Append::Appended { seq: 101 }, Append::Appended { seq: 102 }]
    );
    drop(store);
    // The index does not grow for ever: runs of which nothing is left are gone.
    let index = Connection::open(&path).unwrap();
    let oldest: i64 = index.query_row("SELECT min(seq) FROM seen", [], |row| row.get(0)).unwrap();
    assert!((54..=61).contains(&oldest), "{oldest}");
}

#[test]
fn no_more_go_at_once_than_may() {
    of_each(|place, OpenStore { mut store, .. }| {
        let entries: Vec<Entry> = (1..=10).map(|call| at(call, 1)).collect();
        store.append(&entries).unwrap();
        let step = store.forget(&Forget { limit: 4, ..before(2) }).unwrap();
        assert_eq!((step.records, step.is_done), (4, false), "{place}");
        let step = store.forget(&Forget { up_to: 6, ..before(2) }).unwrap();
        assert_eq!((step.records, step.is_done), (2, true), "{place}: none behind the place that was named");
    });
}

#[test]
fn room_is_given_back_where_the_file_was_made_so() {
    let folder = tempfile::tempdir().unwrap();
    let entries: Vec<Entry> = (1..=2000).map(|call| at(call, 1)).collect();
    let forget_all = |store: &mut SqliteStore| {
        while !store.forget(&before(2)).unwrap().is_done {}
    };
    let path = folder.path().join("rigid.sqlite");
    let mut rigid = SqliteStore::open(&path).unwrap();
    rigid.append(&entries).unwrap();
    forget_all(&mut rigid);
    assert!(matches!(rigid.give_back(10), Err(StoreError::Rigid { .. })));
    assert_eq!(rigid.append(&entries[1999..]).unwrap(), [Append::Duplicate { of: 2000 }], "it goes on");
    rigid.vacuum().unwrap();
    assert_eq!(rigid.append(&entries[1998..]).unwrap()[1], Append::Duplicate { of: 2000 });
    assert_eq!(rigid.give_back(10).unwrap(), 0, "from now on it can");
    let size = |path: &std::path::Path| std::fs::metadata(path).unwrap().len();
    drop(rigid);
    assert!(size(&path) < 100_000, "{}", size(&path));

    let path = folder.path().join("giving.sqlite");
    let options = SqliteOptions { gives_back: true, checkpoint_pages: 1, ..SqliteOptions::default() };
    let mut giving = SqliteStore::open_with(&path, options).unwrap();
    giving.append(&entries).unwrap();
    forget_all(&mut giving);
    let mut left = giving.give_back(20).unwrap();
    assert!(left > 50, "a little at a time, and {left} pages are left");
    while left > 0 {
        left = giving.give_back(20).unwrap();
    }
    assert_eq!(giving.append(&entries[1999..]).unwrap(), [Append::Duplicate { of: 2000 }]);
    drop(giving);
    assert!(size(&path) < 100_000, "{}", size(&path));
}

#[test]
fn a_store_that_keeps_all_says_so() {
    let told = MemoryStore::new().forget(&before(1)).unwrap_err();
    assert_eq!(told.to_string(), "this store does not forget records: see docs/operating.md for which do");
}

#[test]
fn what_any_destination_still_needs_holds_it_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut state = ForwardState::open(folder.path().join("state")).unwrap();
    assert_eq!(state.settled_through().unwrap(), None, "nobody is forwarded to");
    state.add_destination("app", 50).unwrap();
    assert_eq!(state.settled_through().unwrap(), Some(50));
    state.add_destination("slow", 20).unwrap();
    state.set_paused("slow", true).unwrap();
    assert_eq!(state.settled_through().unwrap(), Some(20));
    state.replay("app", [9, 12]).unwrap();
    assert_eq!(state.settled_through().unwrap(), Some(8));
}
