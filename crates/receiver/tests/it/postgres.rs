//! What only the PostgreSQL store has: a server, and other receivers on it.

mod commands;
mod forwarding;
mod outage;
mod retention;
mod secure;
mod start;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use piopiy_receiver::{
    Append, Entry, Forget, PostgresError, PostgresRecords, PostgresStore, PostgresUrl, Records as _,
    ServerOptions, Store as _, StoreError, StoreLocation,
};

use crate::support::postgres::{fresh_url, shared};
use crate::support::{Running, cdr, entry};

pub(super) fn entries(calls: std::ops::Range<u64>) -> Vec<Entry> {
    calls.map(|call| entry(&cdr(&call.to_string()))).collect()
}

/// The answer of a query in the database of a store.
fn ask(url: &PostgresUrl, sql: &str) -> String {
    let shown = url.to_string();
    shared().unwrap().psql(shown.rsplit('/').next().unwrap(), sql).unwrap()
}

/// Why a store is not opened.
pub(super) fn refused(url: &PostgresUrl) -> PostgresError {
    match PostgresStore::open(url).unwrap_err() {
        StoreError::Postgres(error) => error,
        other => panic!("{other}"),
    }
}

/// Writers of overlapping batches, and a reader that asks for what is new, as `tail` does.
fn race(url: &PostgresUrl) {
    const CALLS: u64 = 600;
    let is_over = AtomicBool::new(false);
    // Made by four at once, before there is anything to read.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| PostgresStore::open(url).unwrap());
        }
    });
    let appended = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let records = PostgresRecords::open(url).unwrap();
            let mut since = 0;
            loop {
                let is_last = is_over.load(Ordering::SeqCst);
                for record in records.after(since, 100).unwrap() {
                    assert_eq!(record.seq, since + 1, "the next was not visible yet when this one was");
                    since = record.seq;
                }
                if is_last && records.last_seq().unwrap() == since {
                    return since;
                }
            }
        });
        let write = |writer: u64| {
            let mut store = PostgresStore::open(url).unwrap();
            let mut appended = BTreeSet::new();
            for batch in 0..CALLS / 4 {
                // Each starts elsewhere, and all of them come everywhere.
                let first = (batch * 4 + writer * CALLS / 5) % CALLS;
                let mut batch = entries(first..first + 6);
                batch.push(Entry::quarantined("why".to_owned(), "what".into(), 0));
                for outcome in store.append(&batch).unwrap() {
                    if let Append::Appended { seq } = outcome {
                        assert!(appended.insert(seq));
                    }
                }
            }
            appended
        };
        let writers: Vec<_> = (0..4).map(|writer| scope.spawn(move || write(writer))).collect();
        // Whatever became of them: the reader waits for the end.
        let appended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        is_over.store(true, Ordering::SeqCst);
        let appended: Vec<_> = appended.into_iter().map(Result::unwrap).collect();
        let all: u64 = appended.iter().map(|seqs| seqs.len() as u64).sum();
        assert_eq!(reader.join().unwrap(), all, "every number was given once");
        appended
    });
    let distinct: BTreeSet<_> = appended.iter().flatten().collect();
    let (first, last) = (**distinct.first().unwrap(), **distinct.last().unwrap());
    assert_eq!((first, last), (1, distinct.len() as u64), "without gaps");
    // The last batches reach two calls beyond.
    assert_eq!(ask(url, "SELECT count(*), count(DISTINCT identity) FROM piopiy_receiver.webhook"), "602|602");
    assert_eq!(ask(url, "SELECT count(*) FROM piopiy_receiver.quarantine"), "600");
}

#[test]
fn four_writers_give_each_number_once_and_in_the_order_of_their_commits() {
    let Some(url) = fresh_url() else { return };
    race(&url);
}

#[test]
fn a_database_with_other_defaults_makes_no_difference() {
    let Some(url) = fresh_url() else { return };
    let database = url.to_string().rsplit('/').next().unwrap().to_owned();
    for setting in ["default_transaction_isolation = 'serializable'", "synchronous_commit = off"] {
        ask(&url, &format!("ALTER DATABASE {database} SET {setting}"));
    }
    race(&url);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_racing_on_the_same_webhooks_store_each_once() {
    let Some(url) = fresh_url() else { return };
    let location = StoreLocation::Postgres(url.clone());
    let replicas = [
        Running::start_at(&location, ServerOptions::default()).await,
        Running::start_at(&location, ServerOptions::default()).await,
    ];
    let mut posts = tokio::task::JoinSet::new();
    for call in 0..300 {
        for replica in &replicas {
            let (client, url) = (replica.client.clone(), replica.server.url());
            posts.spawn(async move {
                let response = client.post(url).body(cdr(&format!("raced-{call}"))).send().await.unwrap();
                response.status().as_u16()
            });
        }
    }
    while let Some(status) = posts.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    let mut appended = 0;
    for replica in replicas {
        let kept = replica.kept();
        assert_eq!(kept.iter().map(|record| record.seq).collect::<Vec<_>>(), (1..=300).collect::<Vec<_>>());
        let metrics = replica.get("/metrics").await.1;
        let count = metrics.lines().find_map(|line| line.strip_prefix("piopiy_receiver_appended_total "));
        appended += count.unwrap().parse::<u32>().unwrap();
        replica.server.shutdown().await;
    }
    assert_eq!(appended, 300, "each by one of them");
}

#[test]
fn an_empty_database_is_made_a_store_once_however_many_begin() {
    let Some(url) = fresh_url() else { return };
    let error = PostgresRecords::open(&url).unwrap_err();
    assert!(matches!(error, StoreError::Postgres(PostgresError::NotFound { .. })), "{error}");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| PostgresStore::open(&url).unwrap().append(&entries(7..8)).unwrap());
        }
    });
    assert_eq!(ask(&url, "SELECT count(*), max(version) FROM piopiy_receiver.migration"), "2|2");
    let columns = "SELECT seq, extract(year FROM received_at), kind, cmiuuid, leg, status, body::json ->> 'conversation_uuid'
        FROM piopiy_receiver.webhook_fields";
    assert_eq!(ask(&url, columns), "1|2023|cdr|7|a|missed|7");
}

#[test]
fn a_schema_that_somebody_made_is_used() {
    let Some(url) = fresh_url() else { return };
    let database = url.to_string().rsplit('/').next().unwrap().to_owned();
    ask(
        &url,
        "CREATE ROLE few_rights LOGIN PASSWORD 'few'; CREATE SCHEMA piopiy_receiver AUTHORIZATION few_rights",
    );
    let server = shared().unwrap();
    let theirs = format!("postgres://few_rights:few@127.0.0.1:{}/{database}", server.port());
    let mut store = PostgresStore::open(&theirs.parse().unwrap()).unwrap();
    assert_eq!(store.append(&entries(0..1)).unwrap(), [Append::Appended { seq: 1 }]);
    let elsewhere = server.database().unwrap();
    let theirs = theirs.replace(&database, elsewhere.rsplit('/').next().unwrap());
    let error = StoreError::Postgres(refused(&theirs.parse().unwrap())).chain();
    assert!(
        error.starts_with("the PostgreSQL store failed to make its tables: ERROR: permission denied"),
        "{error}"
    );
}

#[test]
fn a_store_of_the_first_version_is_taken_on() {
    let Some(url) = fresh_url() else { return };
    PostgresStore::open(&url).unwrap().append(&entries(0..5)).unwrap();
    // What the second has added.
    ask(
        &url,
        "ALTER TABLE piopiy_receiver.state DROP COLUMN forgotten_through;
        DELETE FROM piopiy_receiver.migration WHERE version = 2",
    );
    let records = PostgresRecords::open(&url).unwrap();
    assert_eq!(records.after(0, 10).unwrap().len(), 5, "who only reads leaves it as it is");
    let mut store = PostgresStore::open(&url).unwrap();
    let old = Forget { received_before: i64::MAX, up_to: 3, ..Forget::default() };
    assert_eq!(store.forget(&old).unwrap().records, 3);
    // It begins behind what was forgotten, whoever has done that.
    let mut other = PostgresStore::open(&url).unwrap();
    assert_eq!((other.record_count(), other.forget(&old).unwrap().records), (2, 0));
    assert_eq!(ask(&url, "SELECT forgotten_through FROM piopiy_receiver.state"), "3");
}

#[test]
fn a_newer_store_is_refused() {
    let Some(url) = fresh_url() else { return };
    drop(PostgresStore::open(&url).unwrap());
    ask(&url, "INSERT INTO piopiy_receiver.migration VALUES (99)");
    assert!(matches!(refused(&url), PostgresError::Newer { found: 99, known: 2, .. }));
    let error = PostgresRecords::open(&url).unwrap_err().to_string();
    assert!(
        error.ends_with("has schema version 99, this program knows versions up to 2: use a newer program"),
        "{error}"
    );
}

#[test]
fn a_database_that_cannot_hold_every_text_is_refused() {
    let Some(server) = shared() else { return };
    server.psql("postgres", "CREATE DATABASE narrow ENCODING 'SQL_ASCII' TEMPLATE template0").unwrap();
    let error = refused(&server.url("narrow").parse().unwrap());
    assert!(matches!(&error, PostgresError::Encoding { encoding, .. } if encoding == "SQL_ASCII"), "{error}");
}

#[test]
fn what_another_program_wrote_is_neither_overwritten_nor_doubled() {
    let Some(url) = fresh_url() else { return };
    let mut store = PostgresStore::open(&url).unwrap();
    store.append(&entries(0..2)).unwrap();
    ask(&url, "DELETE FROM piopiy_receiver.webhook WHERE seq = 2");
    assert_eq!(store.reader().unwrap().last_seq().unwrap(), 2, "nobody is behind because rows were deleted");
    let outcomes = store.append(&entries(0..3)).unwrap();
    let expected = [Append::Duplicate { of: 1 }, Append::Appended { seq: 3 }, Append::Appended { seq: 4 }];
    assert_eq!(outcomes, expected, "a number is never given again, or a reader would miss what has it now");
    ask(&url, "UPDATE piopiy_receiver.state SET last_seq = 0");
    store.append(&entries(3..4)).unwrap_err();
    assert_eq!(ask(&url, "SELECT count(*) FROM piopiy_receiver.webhook"), "3");
}

#[test]
fn the_index_is_used_from_the_first_row_on() {
    let Some(url) = fresh_url() else { return };
    let mut store = PostgresStore::open(&url).unwrap();
    for batch in 0..20 {
        store.append(&entries(batch * 100..batch * 100 + 100)).unwrap();
    }
    drop(store);
    // Each of the two indexes was made of the empty table.
    assert_eq!(counted(&url, "coalesce(sum(seq_scan), 0)", "coalesce(sum(idx_scan), 0) >= 2000"), "2");
}

#[test]
fn a_page_reads_no_more_than_it_has() {
    let Some(url) = fresh_url() else { return };
    let mut store = PostgresStore::open(&url).unwrap();
    for batch in 0..20 {
        store.append(&entries(batch * 500..batch * 500 + 500)).unwrap();
    }
    // What the planner knows of a store that has been there for long.
    ask(&url, "ANALYZE");
    drop(store);
    let fetched = || -> u64 {
        let count = "coalesce(sum(idx_tup_fetch), 0)";
        counted(&url, count, "coalesce(sum(n_tup_ins), 0) = 10000").parse().unwrap()
    };
    let before = fetched();
    let records = PostgresRecords::open(&url).unwrap();
    for page in 0..50 {
        assert_eq!(records.after(page * 100, 100).unwrap().len(), 100);
    }
    drop(records);
    let mut store = PostgresStore::open(&url).unwrap();
    let forget = Forget { received_before: 1, ..Forget::default() };
    for _ in 0..3 {
        store.forget(&forget).unwrap();
    }
    drop(store);
    let sql = "coalesce(sum(idx_tup_fetch), 0)";
    // Those of both sessions: the second has looked at 500 for each time that it was to forget.
    let both = format!("{sql} >= {}", before + 6_500);
    let read = counted(&url, sql, &both).parse::<u64>().unwrap() - before;
    assert!(read < 12_000, "{read} rows were read for 50 pages of 100, and 3 looks at 500 that are old");
}

/// What the server has counted of the table of webhooks, once something is so. It is told when a session ends, or a second
/// later.
fn counted(url: &PostgresUrl, what: &str, once: &str) -> String {
    let sql = format!(
        "SELECT {what}, {once} FROM pg_stat_user_tables WHERE schemaname = 'piopiy_receiver' AND relname = 'webhook'"
    );
    let until = std::time::Instant::now() + crate::support::PATIENCE;
    loop {
        let answer = ask(url, &sql);
        let (count, is_so) = answer.split_once('|').unwrap();
        if is_so == "t" {
            return count.to_owned();
        }
        assert!(std::time::Instant::now() < until, "not so: {once}; {what} is {count}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
