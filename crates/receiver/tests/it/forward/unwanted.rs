//! Destinations that are forwarded to no more, and what was given up for good.

use piopiy_receiver::{ForwardError, ForwardState, Forwarder, MemoryStore, SqliteStore, Store as _};
use rustix::process::Signal;

use super::{App, call, state_in, until};
use crate::cli::{STORE, run};
use crate::serve::Serving;
use crate::support::entry;
use axum::http::StatusCode;

#[tokio::test]
async fn one_that_is_forwarded_to_no_more_is_removed_beside_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let mut store = MemoryStore::new();
    let records = store.records();
    store.append(&call("x").iter().map(|body| entry(body)).collect::<Vec<_>>()).unwrap();
    let mut state = state_in(&folder);
    state.add_destination("old", 1).unwrap();
    assert_eq!(state.replay("old", [1]).unwrap(), 1);
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![app.destination("app")]).unwrap();
    app.has(3).await;
    until(|| state.status().unwrap()[0].read_through == 3, || "it to be saved".to_owned()).await;
    let wanted: Vec<bool> = state.status().unwrap().iter().map(|status| status.is_wanted).collect();
    assert_eq!(wanted, [true, false]);
    assert_eq!(state.last_settled().unwrap().unwrap().destination, "old");
    let refused = state.remove_destination("app").unwrap_err();
    assert!(matches!(refused, ForwardError::Wanted { .. }), "{refused}");
    let removed = state.remove_destination("old").unwrap();
    assert_eq!((removed.read_through, removed.unsettled), (1, 1));
    until(|| state.settled_through().unwrap() == Some(3), || "nothing to be held back".to_owned()).await;
    assert!(matches!(state.remove_destination("old"), Err(ForwardError::NoDestination { .. })));
    forwarder.shutdown().await;
    state.remove_destination("app").unwrap();
    assert_eq!(state.settled_through().unwrap(), None);
}

#[tokio::test]
async fn what_was_given_up_can_be_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::UNPROCESSABLE_ENTITY).await;
    let mut store = MemoryStore::new();
    let records = store.records();
    store.append(&call("x").iter().map(|body| entry(body)).collect::<Vec<_>>()).unwrap();
    let mut destination = app.destination("app");
    destination.max_attempts = 1;
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![destination]).unwrap();
    let mut state = state_in(&folder);
    until(|| state.status().unwrap()[0].dead == 3, || "all to be given up".to_owned()).await;
    assert_eq!(state.discard("app", [2, 2, 99]).unwrap(), 1, "one of them, once");
    let left = |state: &ForwardState| -> Vec<u64> {
        state.dead_letters("app").unwrap().iter().map(|letter| letter.seq).collect()
    };
    assert_eq!(left(&state), [1, 3]);
    assert!(matches!(state.discard("nobody", [1]), Err(ForwardError::NoDestination { .. })));
    forwarder.shutdown().await;
    assert_eq!(left(&state), [1, 3], "the others stay");
}

#[test]
fn a_receiver_says_whom_it_forwards_to_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = SqliteStore::open(folder.path().join("calls.sqlite")).unwrap();
    store.append(&call("x").iter().map(|body| entry(body)).collect::<Vec<_>>()).unwrap();
    drop(store);
    let mut state = ForwardState::open(folder.path().join("calls.sqlite.forward")).unwrap();
    state.add_destination("renamed", 2).unwrap();
    drop(state);
    let serving = Serving::start(folder.path(), &["--forward-to", "http://127.0.0.1:9/"]);
    let forward = |arguments: &[&str]| run(folder.path(), &[&["forward"], arguments, &[STORE]].concat());
    let told = forward(&["status"]);
    assert!(
        told.contains("renamed: came to 2 of 3, 0 of them to deliver, 0 given up, not forwarded"),
        "{told}"
    );
    let told = forward(&["remove", "app"]);
    assert!(
        told.contains("exit code 3") && told.contains("a receiver that runs forwards to `app`"),
        "{told}"
    );
    let told = run(folder.path(), &["retention", STORE, "--keep", "2h", "--even-if-all"]);
    assert!(told.contains("are kept for destination `renamed`, which has yet to get them"), "{told}");
    let told = forward(&["remove", "renamed"]);
    assert!(told.contains("removed renamed, which had come to 2; with it 0 to deliver"), "{told}");
    assert!(!forward(&["status"]).contains("renamed"));
    serving.signal(Signal::TERM);
    let (code, logs) = serving.end();
    assert_eq!(code, Some(0), "{logs}");
    assert!(
        logs.contains("WARN") && logs.contains("\"renamed\"") && logs.contains("forward remove"),
        "{logs}"
    );
}
