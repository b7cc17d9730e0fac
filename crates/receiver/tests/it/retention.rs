//! `retention`, `serve --keep` and `vacuum`, beside a receiver that runs and without one.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use piopiy_events::Webhook;
use piopiy_receiver::{
    Destination, Entry, ForwardState, MemoryStore, Records as _, Retention, Server, SqliteOptions,
    SqliteRecords, SqliteStore, Store as _, StoreLocation,
};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::cli::{STORE, run};
use crate::serve::Serving;
use crate::support::{PATIENCE, blocking, cdr, entry};

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros().try_into().unwrap()
}

/// Calls of 2023.
pub(crate) fn old_calls(count: usize) -> Vec<Entry> {
    (0..count).map(|call| entry(&cdr(&format!("old-{call}")))).collect()
}

/// Calls of now.
pub(crate) fn new_calls(count: usize) -> Vec<Entry> {
    let new = (0..count).map(|call| {
        let body = cdr(&format!("new-{call}"));
        let identity = Webhook::parse(body.as_bytes()).unwrap().identity().unwrap();
        Entry::webhook(&identity, body.into(), now())
    });
    new.collect()
}

/// A folder with a store of 30 calls of 2023 and 10 of now.
fn folder_with_old_calls(gives_back: bool) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions { gives_back, ..SqliteOptions::default() };
    let mut store = SqliteStore::open_with(folder.path().join("calls.sqlite"), options).unwrap();
    store.append(&old_calls(30)).unwrap();
    store.append(&new_calls(10)).unwrap();
    folder
}

fn first_seq(folder: &Path) -> u64 {
    let records = SqliteRecords::open(folder.join("calls.sqlite")).unwrap();
    records.after(0, 1).unwrap()[0].seq
}

#[test]
fn old_records_go_and_repeats_of_the_others_stay_repeats() {
    let folder = folder_with_old_calls(false);
    let told = run(folder.path(), &["retention", STORE, "--keep", "90d"]);
    assert!(told.contains("exit code 0") && told.contains("30 records forgotten\n"), "{told}");
    assert_eq!(first_seq(folder.path()), 31);
    let verified = run(folder.path(), &["verify", STORE]);
    assert!(verified.contains("10 webhooks and 0 quarantined bodies, records 31 to 40"), "{verified}");
    let serving = Serving::start(folder.path(), &[]);
    for call in 0..10 {
        assert!(serving.post(&cdr(&format!("new-{call}"))).ends_with("got it"));
    }
    let metrics = serving.get("/metrics");
    assert!(metrics.contains("piopiy_receiver_duplicates_total 10\n"), "{metrics}");
    assert!(metrics.contains("piopiy_receiver_store_records 10\n"), "{metrics}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn a_receiver_that_runs_forgets_them_itself_and_goes_on() {
    let folder = folder_with_old_calls(true);
    let serving = Serving::start(folder.path(), &[]);
    let told = run(folder.path(), &["retention", STORE, "--keep", "90d", "--vacuum"]);
    assert!(told.contains("exit code 0") && told.contains("30 records forgotten\n"), "{told}");
    assert!(told.contains("calls.sqlite: ") && told.contains(" bytes before, "), "{told}");
    assert!(serving.post(&cdr("new-3")).ends_with("got it"));
    assert!(serving.post(&cdr("newer")).ends_with("got it"));
    let metrics = serving.get("/metrics");
    assert!(metrics.contains("piopiy_receiver_forgotten_total 30\n"), "{metrics}");
    assert!(metrics.contains("piopiy_receiver_store_records 11\n"), "{metrics}");
    assert!(metrics.contains("piopiy_receiver_duplicates_total 1\n"), "{metrics}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
    let verified = run(folder.path(), &["verify", STORE]);
    assert!(verified.contains("exit code 0"), "{verified}");
}

#[test]
fn serve_forgets_by_itself() {
    let folder = folder_with_old_calls(false);
    let serving = Serving::start(folder.path(), &["--keep", "90d"]);
    let until = Instant::now() + PATIENCE;
    while first_seq(folder.path()) != 31 {
        assert!(Instant::now() < until, "nothing was forgotten");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(serving.post(&cdr("new-0")).ends_with("got it"));
    serving.signal(Signal::TERM);
    let (code, logs) = serving.end();
    assert_eq!(code, Some(0), "{logs}");
    assert!(logs.contains("forgotten, for they are old") && !logs.contains("ERROR"), "{logs}");
}

#[test]
fn where_the_newest_is_old_too_nothing_is_forgotten_unless_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.sqlite");
    SqliteStore::open(&path).unwrap().append(&old_calls(30)).unwrap();
    // As a clock that is years ahead has it, be the webhook that comes then as new as it may.
    let serving = Serving::start(folder.path(), &["--keep", "90d"]);
    assert!(serving.post(&cdr("new")).ends_with("got it"));
    serving.signal(Signal::TERM);
    let (code, logs) = serving.end();
    assert_eq!(code, Some(0), "{logs}");
    assert!(logs.contains("nothing is forgotten") && logs.contains("is the clock right?"), "{logs}");
    assert_eq!(first_seq(folder.path()), 1);

    let other = tempfile::tempdir().unwrap();
    SqliteStore::open(other.path().join("calls.sqlite")).unwrap().append(&old_calls(30)).unwrap();
    let told = run(other.path(), &["retention", STORE, "--keep", "90d"]);
    assert!(told.contains("exit code 1") && told.contains("received 2023-11-14 22:13:20.000"), "{told}");
    assert_eq!(first_seq(other.path()), 1);
    let told = run(other.path(), &["retention", STORE, "--keep", "90d", "--even-if-all"]);
    assert!(told.contains("exit code 0") && told.contains("29 records forgotten\n"), "{told}");
}

#[test]
fn what_is_yet_to_be_forwarded_stays() {
    let folder = folder_with_old_calls(false);
    let path = folder.path().join("calls.sqlite.forward");
    let mut state = ForwardState::open(&path).unwrap();
    state.add_destination("app", 12).unwrap();
    let retention = || run(folder.path(), &["retention", STORE, "--keep", "90d"]);
    let told = retention();
    assert!(told.contains("12 records forgotten\n"), "{told}");
    assert!(
        told.contains("record 13, received 2023-11-14 22:13:20.000, and those after it are kept"),
        "{told}"
    );
    assert_eq!(first_seq(folder.path()), 13);
    state.add_destination("done", 40).unwrap();
    assert!(retention().contains("0 records forgotten\n"), "one that is behind is enough");
    drop(state);
    std::fs::remove_file(&path).unwrap();
    let told = retention();
    assert!(told.contains("18 records forgotten\n") && !told.contains("are kept"), "{told}");
}

#[test]
fn a_receiver_that_runs_holds_back_what_it_has_yet_to_forward_whoever_asks() {
    let folder = folder_with_old_calls(false);
    let serving = Serving::start(
        folder.path(),
        &[
            "--forward-to",
            "http://127.0.0.1:9/",
            "--forward-from-start",
            "--forward-state",
            "elsewhere",
            "--log",
            "error",
        ],
    );
    let retention = || run(folder.path(), &["retention", STORE, "--keep", "90d"]);
    let told = retention();
    assert!(told.contains("exit code 0") && told.contains("0 records forgotten\n"), "{told}");
    assert!(told.contains("there is no forwarder's state at calls.sqlite.forward"), "{told}");
    assert_eq!(first_seq(folder.path()), 1);
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
    let told = run(folder.path(), &["retention", STORE, "--keep", "90d", "--state", "elsewhere"]);
    assert!(told.contains("0 records forgotten\n") && !told.contains("there is no"), "{told}");
    let told = retention();
    assert!(told.contains("30 records forgotten\n") && told.contains("nothing is held back"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forwards_forgets_what_it_has_forwarded_without_being_told_of_its_state() {
    let folder = folder_with_old_calls(false);
    let mut state = ForwardState::open(folder.path().join("state")).unwrap();
    state.add_destination("app", 12).unwrap();
    let mut retention = Retention::new(Duration::from_secs(90 * 86_400)).unwrap();
    retention.every = Duration::from_millis(5);
    let location = StoreLocation::Sqlite(folder.path().join("calls.sqlite"));
    let server = Server::builder(location.open(true).unwrap())
        .forward(state, vec![Destination::new("app", "http://127.0.0.1:9/").unwrap()])
        .retain(retention)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let until = Instant::now() + PATIENCE;
    while first_seq(folder.path()) < 13 {
        assert!(Instant::now() < until, "nothing was forgotten");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Some more looks at what is due.
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.shutdown().await;
    assert_eq!(first_seq(folder.path()), 13);
}

#[test]
fn a_forwarder_goes_on_where_it_was_after_a_gap() {
    let folder = folder_with_old_calls(false);
    let mut state = ForwardState::open(folder.path().join("calls.sqlite.forward")).unwrap();
    state.add_destination("app", 30).unwrap();
    drop(state);
    let serving = Serving::start(
        folder.path(),
        &["--keep", "90d", "--forward-to", "http://127.0.0.1:9/", "--log", "error"],
    );
    let until = Instant::now() + PATIENCE;
    loop {
        let status = run(folder.path(), &["forward", "status", STORE]);
        if status.contains("app: came to 40 of 40, 10 of them to deliver, 0 given up")
            && first_seq(folder.path()) == 31
        {
            break;
        }
        assert!(Instant::now() < until, "{status}");
        std::thread::sleep(Duration::from_millis(50));
    }
    serving.signal(Signal::TERM);
    let (code, logs) = serving.end();
    assert_eq!(code, Some(0), "{logs}");
    // And after another start, with what is in hand.
    let serving = Serving::start(folder.path(), &["--forward-to", "http://127.0.0.1:9/", "--log", "error"]);
    let status = run(folder.path(), &["forward", "status", STORE]);
    assert!(status.contains("10 of them to deliver, 0 given up"), "{status}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn vacuum_needs_a_file_that_gives_back_or_has_it_alone() {
    let folder = folder_with_old_calls(false);
    let serving = Serving::start(folder.path(), &[]);
    let told = run(folder.path(), &["vacuum", STORE]);
    assert!(told.contains("exit code 3") && told.contains("gives no room back while it is in use"), "{told}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
    let told = run(folder.path(), &["vacuum", STORE]);
    assert!(told.contains("exit code 0"), "{told}");
    let serving = Serving::start(folder.path(), &[]);
    let told = run(folder.path(), &["vacuum", STORE]);
    assert!(told.contains("exit code 0"), "{told}");
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn vacuum_tells_the_size_that_the_file_has_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.sqlite");
    let options = SqliteOptions { gives_back: true, ..SqliteOptions::default() };
    let mut store = SqliteStore::open_with(&path, options).unwrap();
    let old = |at| Entry::quarantined("not JSON".to_owned(), vec![b'x'; 16 << 10].into(), at);
    store.append(&(0..100).map(old).collect::<Vec<_>>()).unwrap();
    store.append(&new_calls(1)).unwrap();
    drop(store);
    let serving = Serving::start(folder.path(), &[]);
    let before = std::fs::metadata(&path).unwrap().len();
    assert!(before > 100 * (16 << 10), "{before}");
    let told = run(folder.path(), &["retention", STORE, "--keep", "2h", "--vacuum"]);
    let now = std::fs::metadata(&path).unwrap().len();
    assert!(told.contains(&format!("calls.sqlite: {before} bytes before, {now} now\n")), "{now}: {told}");
    assert!(now < before / 4, "{told}");
    assert!(serving.post(&cdr("newer")).ends_with("got it"));
    serving.signal(Signal::TERM);
    assert_eq!(serving.end().0, Some(0));
}

#[test]
fn mistakes_make_no_store_and_forget_nothing() {
    let folder = folder_with_old_calls(false);
    let pages = [
        vec!["retention", STORE, "--keep", "1h"],
        vec!["retention", STORE, "--keep", "90"],
        vec!["retention", STORE, "--keep", "90d", "--state", "nofile"],
        vec!["retention", "--store", "sqlite:nofile", "--keep", "90d"],
        vec!["vacuum", "--store", "sqlite:nofile"],
        vec!["vacuum", "--store", "memory"],
        vec!["serve", "--store", "memory", "--keep", "90d"],
        vec!["serve", "--store", "sqlite:nofile", "--keep", "1h"],
    ];
    let text: Vec<String> = pages.iter().map(|arguments| run(folder.path(), arguments)).collect();
    insta::assert_snapshot!(text.join("\n"));
    assert!(!folder.path().join("nofile").exists());
    assert_eq!(first_seq(folder.path()), 1);
}

#[test]
fn killed_while_it_forgets_it_has_all_that_is_to_stay() {
    const OLD: usize = 4000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.sqlite");
    let options = SqliteOptions { run_rows: 64, gives_back: true, ..SqliteOptions::default() };
    let mut store = SqliteStore::open_with(&path, options).unwrap();
    let old: Vec<Entry> = (0..OLD).map(|call| entry(&cdr(&format!("old-{call}")))).collect();
    for batch in old.chunks(100) {
        store.append(batch).unwrap();
    }
    drop(store);
    let mut first = 1;
    for round in 0_u64..12 {
        let serving = Serving::start(folder.path(), &["--keep", "90d"]);
        assert!(serving.post(&cdr(&format!("new-{round}"))).ends_with("got it"));
        std::thread::sleep(Duration::from_millis(round * 3));
        serving.signal(Signal::KILL);
        serving.end();
        let verified = run(folder.path(), &["verify", STORE]);
        assert!(verified.contains("exit code 0"), "{verified}");
        let now = first_seq(folder.path());
        assert!((first..=OLD as u64 + 1).contains(&now), "nothing comes back, and nothing new goes: {now}");
        first = now;
    }
    let told = run(folder.path(), &["retention", STORE, "--keep", "90d"]);
    assert!(told.contains("exit code 0"), "{told}");
    let verified = run(folder.path(), &["verify", STORE]);
    assert!(verified.contains("12 webhooks and 0 quarantined bodies, records 4001 to 4012"), "{verified}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_forgotten_before_it_was_forwarded_whatever_kills_it() {
    const OLD: u64 = 600;
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    let old: Vec<Entry> = (0..OLD).map(|call| entry(&cdr(&format!("old-{call}")))).collect();
    store.append(&old).unwrap();
    drop(store);
    // The app notes what it gets, and takes it.
    let seen: Arc<Mutex<BTreeSet<u64>>> = Arc::default();
    let noted = Arc::clone(&seen);
    let hook = axum::routing::post(async move |headers: http::HeaderMap| {
        noted.lock().unwrap().insert(headers["piopiy-seq"].to_str().unwrap().parse().unwrap());
        "got it"
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let app = format!("http://{}/hook", listener.local_addr().unwrap());
    let router = axum::Router::new().route("/hook", hook);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let so_far = Arc::clone(&seen);
    blocking(move || {
        let arguments = ["--keep", "90d", "--forward-to", &app, "--forward-from-start", "--log", "error"];
        let all_forgotten_was_seen = |first: u64| {
            let seen = so_far.lock().unwrap();
            let lost: Vec<u64> = (1..first).filter(|seq| !seen.contains(seq)).collect();
            assert_eq!(lost, [0; 0], "forgotten, and never forwarded");
        };
        for round in 0..8 {
            let serving = Serving::start(folder.path(), &arguments);
            assert!(serving.post(&cdr(&format!("new-{round}"))).ends_with("got it"));
            std::thread::sleep(Duration::from_millis(40 + round * 20));
            // Beside what `--keep` did at the start, in the midst of deliveries.
            run(folder.path(), &["retention", STORE, "--keep", "90d"]);
            serving.signal(Signal::KILL);
            serving.end();
            all_forgotten_was_seen(first_seq(folder.path()));
        }
        let serving = Serving::start(folder.path(), &arguments);
        let until = Instant::now() + PATIENCE;
        while first_seq(folder.path()) != OLD + 1 {
            assert!(Instant::now() < until, "what was forwarded is not forgotten");
            run(folder.path(), &["retention", STORE, "--keep", "90d"]);
        }
        serving.signal(Signal::TERM);
        assert_eq!(serving.end().0, Some(0));
        let verified = run(folder.path(), &["verify", STORE]);
        assert!(verified.contains("8 webhooks and 0 quarantined bodies, records 601 to 608"), "{verified}");
        all_forgotten_was_seen(OLD + 1);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_forgotten_where_nobody_sees_what_is_yet_to_be_forwarded() {
    let builder = Server::builder(MemoryStore::new()).forward(ForwardState::in_memory().unwrap(), Vec::new());
    let builder = builder.retain(Retention::new(Retention::LEAST).unwrap());
    let refused = builder.bind("127.0.0.1:0").await.unwrap_err();
    assert!(refused.to_string().contains("a state in a file"), "{refused}");
}
