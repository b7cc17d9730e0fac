//! A server that goes away, hangs and comes back: nothing acknowledged is lost, nobody waits for ever.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use piopiy_receiver::{
    Append, PostgresError, PostgresOptions, PostgresStore, PostgresUrl, ServerOptions, Store as _,
    StoreError, StoreLocation,
};

use super::{ask, entries};
use crate::support::postgres::{fresh_url, start};
use crate::support::{PATIENCE, Running, blocking, cdr};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_costs_nothing_that_was_acknowledged() {
    let Some(server) = start() else { return };
    let location = StoreLocation::Postgres(server.database().unwrap().parse().unwrap());
    let running = Arc::new(Running::start_at(&location, ServerOptions::default()).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (running, is_over, next) = (Arc::clone(&running), Arc::clone(&is_over), Arc::clone(&next));
            tokio::spawn(async move {
                let (mut acknowledged, mut refused) = (Vec::new(), 0);
                while !is_over.load(Ordering::Relaxed) {
                    let call = next.fetch_add(1, Ordering::Relaxed).to_string();
                    match running.post(cdr(&call)).await.0 {
                        200 => acknowledged.push(call),
                        503 => {
                            refused += 1;
                            tokio::time::sleep(Duration::from_millis(5)).await;
                        }
                        other => panic!("answered {other}"),
                    }
                }
                (acknowledged, refused)
            })
        })
        .collect();
    let mut server = server;
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        server = blocking(move || {
            server.stop_at_once();
            server
        })
        .await;
        assert_eq!(running.post(cdr("meanwhile")).await.0, 503);
        assert_eq!(running.get("/readyz").await.0, 503);
        tokio::time::sleep(Duration::from_millis(500)).await;
        server = blocking(move || {
            server.start_again().unwrap();
            server
        })
        .await;
        let began = Instant::now();
        while running.post(cdr("afterwards")).await.0 != 200 {
            assert!(began.elapsed() < PATIENCE, "it does not recover");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        longest = longest.max(began.elapsed());
    }
    is_over.store(true, Ordering::Relaxed);
    let (mut acknowledged, mut refused) = (BTreeSet::new(), 0);
    for client in clients {
        let (theirs, not) = client.await.unwrap();
        acknowledged.extend(theirs);
        refused += not;
    }
    let kept: Vec<String> = running
        .kept()
        .iter()
        .map(|record| record.webhook().unwrap().identity().unwrap().cmiuuid().to_owned())
        .collect();
    let distinct: BTreeSet<_> = kept.iter().cloned().collect();
    println!(
        "3 crashes: {} acknowledged, {refused} refused, works again {:.2} s after the server at the latest",
        acknowledged.len(),
        longest.as_secs_f64()
    );
    assert_eq!(distinct.len(), kept.len(), "doubled");
    assert_eq!(acknowledged.difference(&distinct).next(), None, "lost");
    assert!(acknowledged.len() > 50 && refused > 0, "{} and {refused}", acknowledged.len());
    assert!(longest < Duration::from_secs(5), "{longest:?}");
}

#[test]
fn a_server_that_hangs_is_given_up_and_come_back_to() {
    let Some(server) = start() else { return };
    let url: PostgresUrl = server.database().unwrap().parse().unwrap();
    let limit = Duration::from_millis(400);
    let options = PostgresOptions { timeout: limit, connect_timeout: limit, ..PostgresOptions::default() };
    let mut store = PostgresStore::open_with(&url, options).unwrap();
    store.append(&entries(0..2)).unwrap();
    server.signal_all("STOP").unwrap();
    let mut errors = Vec::new();
    let began = Instant::now();
    for _ in 0..3 {
        match store.append(&entries(1..3)).unwrap_err() {
            StoreError::Postgres(error) => errors.push(error),
            other => panic!("{other}"),
        }
    }
    let took = began.elapsed();
    server.signal_all("CONT").unwrap();
    assert!(matches!(&errors[0], PostgresError::TimedOut { operation: "append", .. }), "{errors:?}");
    assert!(matches!(&errors[1], PostgresError::TimedOut { operation: "connect", .. }), "{errors:?}");
    assert!(matches!(&errors[2], PostgresError::Waiting { .. }), "not again at once: {errors:?}");
    assert!(took < limit * 2 + Duration::from_secs(5), "{took:?}");
    let began = Instant::now();
    let outcomes = loop {
        match store.append(&entries(0..4)) {
            Ok(outcomes) => break outcomes,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    assert_eq!(outcomes[..2], [Append::Duplicate { of: 1 }, Append::Duplicate { of: 2 }]);
    // What was cut off in the middle may have been kept, and then once.
    let expected = [Append::Appended { seq: 3 }, Append::Duplicate { of: 3 }];
    assert!(expected.contains(&outcomes[2]), "{outcomes:?}");
    assert_eq!(outcomes[3], Append::Appended { seq: 4 });
}

#[test]
fn a_receiver_that_hangs_with_the_lock_does_not_keep_it() {
    let Some(url) = fresh_url() else { return };
    let options = PostgresOptions { timeout: Duration::from_millis(600), ..PostgresOptions::default() };
    let mut store = PostgresStore::open_with(&url, options).unwrap();
    let other = url.clone();
    // As long as a receiver keeps it that has stopped in the middle, until its session is ended for it.
    let holder = std::thread::spawn(move || {
        ask(&other, "BEGIN; SELECT pg_advisory_xact_lock(1346981712, 1); SELECT pg_sleep(1.5); COMMIT")
    });
    let began = Instant::now();
    let mut failures = 0;
    // The lock is not taken at once.
    while failures == 0 {
        assert!(began.elapsed() < PATIENCE, "it never met the lock");
        failures += u32::from(store.append(&entries(0..1)).is_err());
    }
    holder.join().unwrap();
    let began = Instant::now();
    while let Err(error) = store.append(&entries(0..2)) {
        assert!(began.elapsed() < PATIENCE, "{error}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    assert_eq!(ask(&url, "SELECT count(*) FROM piopiy_receiver.webhook"), "2");
}

#[test]
fn a_connection_that_was_ended_between_two_batches_costs_none() {
    let Some(url) = fresh_url() else { return };
    let mut store = PostgresStore::open(&url).unwrap();
    store.append(&entries(0..1)).unwrap();
    let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert_eq!(ask(&url, end), "1");
    // The end of the connection is on its way.
    std::thread::park_timeout(Duration::from_millis(300));
    assert_eq!(
        store.append(&entries(0..2)).unwrap(),
        [Append::Duplicate { of: 1 }, Append::Appended { seq: 2 }]
    );
}

#[test]
fn a_store_that_failed_is_found_to_be_well_again() {
    let Some(url) = fresh_url() else { return };
    let mut store = PostgresStore::open(&url).unwrap();
    store.append(&entries(0..3)).unwrap();
    ask(&url, "ALTER TABLE piopiy_receiver.webhook RENAME TO elsewhere");
    store.append(&entries(3..4)).unwrap_err();
    ask(&url, "ALTER TABLE piopiy_receiver.elsewhere RENAME TO webhook");
    let began = Instant::now();
    while let Err(error) = store.append(&[]) {
        assert!(began.elapsed() < PATIENCE, "{error}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let outcomes = store.append(&entries(2..4)).unwrap();
    assert_eq!(outcomes, [Append::Duplicate { of: 3 }, Append::Appended { seq: 4 }]);
}

#[test]
fn a_server_in_trouble_is_not_given_a_connection_for_each_batch() {
    let Some(url) = fresh_url() else { return };
    let mut store = PostgresStore::open(&url).unwrap();
    store.append(&entries(0..1)).unwrap();
    ask(&url, "ALTER TABLE piopiy_receiver.webhook ADD CONSTRAINT full_up CHECK (seq < 2) NOT VALID");
    let mut is_held_back = false;
    let began = Instant::now();
    let mut connections = 0;
    while connections < 6 {
        assert!(began.elapsed() < PATIENCE, "{connections} attempts");
        match store.append(&entries(1..2)).unwrap_err() {
            StoreError::Postgres(PostgresError::Waiting { last }) => {
                assert!(last.contains("failed to append"), "{last}");
                is_held_back = true;
            }
            _ => connections += 1,
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    // The first two at once: one broke, and one that was new did no better. Then after 50 ms, 100, 200, ... about.
    assert!(is_held_back && began.elapsed() > Duration::from_millis(500), "{:?}", began.elapsed());
    ask(&url, "ALTER TABLE piopiy_receiver.webhook DROP CONSTRAINT full_up");
    let began = Instant::now();
    while let Err(error) = store.append(&entries(0..2)) {
        assert!(began.elapsed() < PATIENCE, "{error}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
