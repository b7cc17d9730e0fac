//! Forgetting what is old in a store that receivers share.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use piopiy_receiver::{
    Destination, Entry, ForwardState, PostgresStore, PostgresUrl, Retention, Server, Store as _,
    StoreLocation,
};
use rustix::process::Signal;

use super::ask;
use crate::cli::{receiver, run};
use crate::retention::{new_calls, old_calls};
use crate::support::PATIENCE;
use crate::support::postgres::{fresh_url, shared};

/// A store of 30 calls of 2023 and 10 of now, and how a command is told of it.
fn with_old_calls() -> Option<(PostgresUrl, String)> {
    let url = fresh_url()?;
    let mut store = PostgresStore::open(&url).unwrap();
    store.append(&old_calls(30)).unwrap();
    store.append(&new_calls(10)).unwrap();
    store.append(&[Entry::quarantined("why".to_owned(), "what".into(), crate::retention::now())]).unwrap();
    let name = url.to_string().rsplit('/').next().unwrap().to_owned();
    let argument = format!("--store={}", shared().unwrap().url(&name));
    Some((url, argument))
}

fn left(url: &PostgresUrl) -> String {
    ask(url, "SELECT min(seq), count(*) FROM piopiy_receiver.webhook")
}

#[test]
fn the_command_forgets_what_is_old_and_what_a_forwarder_needs_stays() {
    let Some((url, store)) = with_old_calls() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut state = ForwardState::open(folder.path().join("calls.forward")).unwrap();
    state.add_destination("app", 12).unwrap();
    let told = run(folder.path(), &["retention", &store, "--keep=90d", "--state=calls.forward"]);
    assert!(told.contains("exit code 0") && told.contains("12 records forgotten\n"), "{told}");
    assert!(
        told.contains("record 13, received 2023-11-14 22:13:20.000, and those after it are kept"),
        "{told}"
    );
    assert_eq!(left(&url), "13|28");
    let told = run(folder.path(), &["retention", &store, "--keep=90d"]);
    assert!(told.contains("18 records forgotten\n"), "{told}");
    assert!(told.contains("nothing is held back for a forwarder"), "{told}");
    assert_eq!(left(&url), "31|10");
    let verified = run(folder.path(), &["verify", &store]);
    assert!(verified.contains("10 webhooks and 1 quarantined bodies, records 31 to 41"), "{verified}");
}

#[test]
fn serve_forgets_by_itself() {
    let Some((url, store)) = with_old_calls() else { return };
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--listen=127.0.0.1:0", &store, "--keep=90d"];
    let mut child = receiver(folder.path(), &arguments).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let forgotten = lines.find(|line| line.contains("forgotten, for they are old")).unwrap();
    assert!(forgotten.contains("records=30"), "{forgotten}");
    assert_eq!(left(&url), "31|10");
    crate::support::signal(&child, Signal::TERM);
    let rest: Vec<String> = lines.collect();
    assert!(child.wait().unwrap().success() && !rest.join("\n").contains("ERROR"), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forwards_holds_back_what_it_has_yet_to_forward() {
    let Some((url, _)) = with_old_calls() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut state = ForwardState::open(folder.path().join("state")).unwrap();
    state.add_destination("app", 12).unwrap();
    let mut retention = Retention::new(Duration::from_secs(90 * 86_400)).unwrap();
    retention.every = Duration::from_millis(5);
    let server = Server::builder(StoreLocation::Postgres(url.clone()).open(true).unwrap())
        .forward(state, vec![Destination::new("app", "http://127.0.0.1:9/").unwrap()])
        .retain(retention)
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    let until = Instant::now() + PATIENCE;
    while !left(&url).starts_with("13|") {
        assert!(Instant::now() < until, "{}", left(&url));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Some more looks at what is due.
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.shutdown().await;
    assert_eq!(left(&url), "13|28");
}

#[test]
fn there_is_nothing_to_vacuum_and_then_nothing_is_forgotten() {
    let Some((url, store)) = with_old_calls() else { return };
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["vacuum", &store][..], &["retention", &store, "--keep=90d", "--vacuum"]] {
        let told = run(folder.path(), arguments);
        assert!(told.contains("exit code 2") && told.contains("PostgreSQL's autovacuum"), "{told}");
    }
    assert_eq!(left(&url), "1|40");
}
