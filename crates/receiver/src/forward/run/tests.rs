use std::sync::Mutex;

use rusqlite::Connection;

use super::reading::MOST;
use super::*;
use crate::{Entry, ForwardState, MemoryStore, Store as _};

/// A runner for a destination that nobody listens for, and a store of one record that is forwarded nowhere.
fn runner(state: ForwardState) -> Runner {
    let destination = Destination::new("app", "http://127.0.0.1:9/").unwrap();
    let mut store = MemoryStore::new();
    let records = store.records();
    store.append(&[Entry::quarantined("?".to_owned(), "{".into(), 0)]).unwrap();
    let state = Arc::new(Mutex::new(state));
    Runner::new(destination, records, None, state, &Metrics::default()).unwrap()
}

#[tokio::test]
async fn what_waits_in_a_full_queue_goes_when_somebody_asks_for_it() {
    // So many others are asked for that there is no room for.
    const OTHERS: u64 = 1000;
    let last = OTHERS + MOST as u64;
    let mut state = ForwardState::in_memory().unwrap();
    state.add_destination("app", last).unwrap();
    assert_eq!(state.replay("app", 1..=last).unwrap(), last);
    let mut runner = runner(state);
    for seq in OTHERS + 1..=last {
        runner.queue.push_for_later(seq, Vec::new(), 1, Duration::from_secs(1800));
    }
    let is_to_go = |runner: &Runner, seq| runner.queue.contains(seq) && runner.queue.due(seq).is_none();
    for _ in 0..10 {
        runner.poll(true).await.unwrap();
    }
    assert!(is_to_go(&runner, OTHERS + 1) && !is_to_go(&runner, last), "some at a time");
    for _ in 0..300 {
        runner.poll(true).await.unwrap();
    }
    assert!((OTHERS + 1..=last).all(|seq| is_to_go(&runner, seq)));
    assert_eq!(runner.queue.len(), MOST, "the others have to wait");
}

#[tokio::test(start_paused = true)]
async fn a_state_that_cannot_be_written_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (folder.path().join("state"), folder.path().join("log"));
    let mut state = ForwardState::open(&path).unwrap();
    state.add_destination("app", 0).unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch(
            "CREATE TRIGGER full BEFORE UPDATE ON destination BEGIN SELECT RAISE(FAIL, 'full'); END",
        )
        .unwrap();
    let logging = tracing_subscriber::fmt().with_writer(std::fs::File::create(&log).unwrap()).finish();
    let logging = tracing::subscriber::set_default(logging);
    let told = || {
        let log = std::fs::read_to_string(&log).unwrap();
        ["forwarding is held up", "forwarding goes on"].map(|line| log.matches(line).count())
    };
    let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
    let running = tokio::spawn(runner(state).run(stop.clone(), cut));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(told(), [1, 0], "reading goes well all the time");
    other.execute_batch("DROP TRIGGER full").unwrap();
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(told(), [1, 1]);
    stop.cancel();
    running.await.unwrap();
    drop(logging);
}
