use std::io;
use std::sync::Mutex;

use tracing_subscriber::fmt::MakeWriter;

use super::*;
use crate::{Entry, GroupCommitOptions, SqliteStore, Store as _};

/// What was logged.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logs {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// What one look at a store forgets whose records were received at these times, and what it logs.
async fn look(received: &[i64], began: Clocks) -> (u64, String) {
    look_by(Retention::new(Retention::LEAST).unwrap(), received, began).await
}

async fn look_by(retention: Retention, received: &[i64], began: Clocks) -> (u64, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path().join("store.sqlite")).unwrap();
    let entry = |&at: &i64| Entry::quarantined("not JSON".to_owned(), "x".into(), at);
    store.append(&received.iter().map(entry).collect::<Vec<_>>()).unwrap();
    let (metrics, stop) = (Metrics::default(), CancellationToken::new());
    metrics.opened_with(received.len() as u64, received.len() as u64);
    let commits = GroupCommit::start_measured(
        store,
        GroupCommitOptions::default(),
        metrics.clone(),
        tokio::sync::watch::Sender::default(),
    );
    let logs = Logs::default();
    let subscriber = tracing_subscriber::fmt().with_writer(logs.clone()).with_ansi(false).finish();
    let log = tracing::subscriber::set_default(subscriber);
    let stopping = stop.clone();
    let stopper = async move {
        // One look is over long before the next, which is ten minutes later.
        tokio::time::sleep(Duration::from_millis(300)).await;
        stopping.cancel();
    };
    let keeper = Keeper {
        retention,
        forwarding: None,
        commits: commits.clone(),
        metrics: metrics.clone(),
        began,
        newest: received.last().copied(),
    };
    tokio::join!(keeper.run(stop), stopper);
    drop(log);
    commits.close().await;
    let logs = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
    let left = metrics.encode();
    let left = left.lines().find_map(|line| line.strip_prefix("piopiy_receiver_store_records "));
    (received.len() as u64 - left.unwrap().parse::<u64>().unwrap(), logs)
}

#[tokio::test]
async fn nothing_is_forgotten_by_a_clock_that_was_set() {
    const HOUR: i64 = 3_600_000_000;
    let old = [1, 2, now_micros()];
    let (forgotten, logs) = look(&old, Clocks::now()).await;
    assert_eq!(forgotten, 2, "{logs}");
    assert!(!logs.contains("WARN") && !logs.contains("ERROR"), "{logs}");
    for by in [-2 * HOUR, 2 * HOUR] {
        let (forgotten, logs) = look(&old, Clocks::now().set_by(by)).await;
        assert_eq!(forgotten, 0, "{logs}");
        assert!(logs.contains("ERROR") && logs.contains("the clock was set by 7"), "{logs}");
    }
    // An hour is what a clock may be put right by.
    let (forgotten, logs) = look(&old, Clocks::now().set_by(HOUR - 60_000_000)).await;
    assert_eq!(forgotten, 2, "{logs}");
}

#[tokio::test]
async fn where_the_newest_would_go_too_nothing_does_unless_it_is_old_by_the_other_clock() {
    let old = [1, 2, 3];
    let (forgotten, logs) = look(&old, Clocks::now()).await;
    assert_eq!(forgotten, 0, "{logs}");
    assert!(logs.contains("WARN") && logs.contains("so all would be forgotten"), "{logs}");
    let (forgotten, logs) = look(&old, Clocks::now().ago(Retention::LEAST / 2)).await;
    assert_eq!(forgotten, 0, "{logs}");
    let (forgotten, logs) = look(&old, Clocks::now().ago(Retention::LEAST)).await;
    assert_eq!(forgotten, 2, "{logs}");
    assert!(!logs.contains("WARN"), "{logs}");
}

#[tokio::test]
async fn a_destination_that_holds_all_back_for_long_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let mut state = ForwardState::open(&path).unwrap();
    state.add_destination("old", 1).unwrap();
    state.add_destination("app", 2).unwrap();
    let mut retention = Retention::new(Retention::LEAST).unwrap();
    retention.forward_state = Some(path);
    let old = [1, 2, 3, now_micros()];
    let (forgotten, logs) = look_by(retention.clone(), &old, Clocks::now()).await;
    assert_eq!((forgotten, logs.contains("WARN")), (1, false), "{logs}");
    retention.every = Duration::from_millis(1);
    let (forgotten, logs) = look_by(retention.clone(), &old, Clocks::now()).await;
    assert_eq!((forgotten, logs.matches("WARN").count()), (1, 1), "{logs}");
    assert!(logs.contains(r#"destination="old" through=1"#), "{logs}");
    state.remove_destination("old").unwrap();
    state.remove_destination("app").unwrap();
    let (forgotten, logs) = look_by(retention, &old, Clocks::now()).await;
    assert_eq!((forgotten, logs.contains("WARN")), (3, false), "{logs}");
}

#[tokio::test]
async fn a_record_of_the_future_that_holds_all_back_is_told() {
    let now = now_micros();
    let (forgotten, logs) = look(&[now + 86_400_000_000, 1, 2, now], Clocks::now()).await;
    assert_eq!(forgotten, 0, "{logs}");
    assert!(logs.contains("WARN") && logs.contains("the oldest record was received in the future"), "{logs}");
    let (_, logs) = look(&[now, now + 86_400_000_000], Clocks::now()).await;
    assert!(!logs.contains("WARN"), "it is not the oldest: {logs}");
}
