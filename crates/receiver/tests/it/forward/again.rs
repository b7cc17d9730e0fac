//! What becomes of a forwarder's webhooks when it starts again: with another filter, on another store, beside another one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use piopiy_events::Kind;
use piopiy_receiver::{
    Destination, Entry, ForwardError, ForwardFilter, ForwardState, Forwarder, MemoryStore, Record, Records,
    Server, Store as _, StoreError,
};
use tokio::net::TcpListener;

use super::{App, call, destination, state_in, store, until};
use crate::support::{PATIENCE, cdr, client, entry, stream_connected};

/// Starts one by a state that another had. A process that another test is just starting has every open file until it becomes
/// its program, the lock of the state included.
pub(super) async fn start_again(
    records: &Arc<dyn Records>,
    folder: &tempfile::TempDir,
    destination: &Destination,
) -> Forwarder {
    let began = Instant::now();
    loop {
        match Forwarder::start(records, state_in(folder), vec![destination.clone()]) {
            Err(ForwardError::InUse { .. }) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            started => return started.unwrap(),
        }
    }
}

#[tokio::test]
async fn it_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let app =
        App::start(
            |seq, times| {
                if seq == 1 && times == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
            },
        )
        .await;
    let (mut store, records) = store(&[call("x"), call("y")].concat());
    let mut patient = app.destination("app");
    // The one that fails is not tried again in this life, nor in the next.
    patient.first_backoff = Duration::from_secs(3600);
    patient.most_backoff = Duration::from_secs(3600);
    let forwarder = start_again(&records, &folder, &patient).await;
    app.has(1 + 3).await;
    forwarder.shutdown().await;
    assert_eq!(state_in(&folder).status().unwrap()[0].unsettled, 3, "call x");

    let forwarder = start_again(&records, &folder, &patient).await;
    store.append(&[entry(&cdr("z")), entry(&cdr("x-2"))]).unwrap();
    app.has(4 + 2).await;
    forwarder.shutdown().await;
    let mut rest = app.seqs().split_off(4);
    rest.sort_unstable();
    assert_eq!(rest, [7, 8], "what failed waits, however often the program starts");

    // One who waits less does so at once.
    let forwarder = start_again(&records, &folder, &app.destination("app")).await;
    app.has(6 + 3).await;
    forwarder.shutdown().await;
    assert_eq!(app.seqs().split_off(6), [1, 2, 3], "in order");
    assert_eq!(state_in(&folder).status().unwrap()[0].unsettled, 0);
}

#[tokio::test]
async fn a_stream_event_keeps_its_place_in_its_call() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |seq, times| seq == 2 && times <= 2;
    let app = App::start(
        move |seq, times| {
            if fails(seq, times) { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
        },
    );
    let app = app.await;
    let leg = |leg, cmiuuid| {
        format!(
            r#"{{"type":"event","appid":2,"leg":"{leg}","status":"answered","time":1,"cmiuuid":"{cmiuuid}","conversation_uuid":"C"}}"#
        )
    };
    let bodies = [leg("a", "A"), stream_connected("A", 2), leg("b", "B")];
    let (mut store, records) = store(&bodies);
    // More than what is looked at before the place where it goes on.
    let others = (0..5000).map(|n| Entry::quarantined("why".to_owned(), format!("{n}").into(), 1));
    store.append(&others.collect::<Vec<_>>()).unwrap();
    let mut patient = app.destination("app");
    patient.first_backoff = Duration::from_secs(3600);
    patient.most_backoff = Duration::from_secs(3600);
    let forwarder = start_again(&records, &folder, &patient).await;
    let status = || state_in(&folder).status().unwrap().remove(0);
    until(|| (status().read_through, status().unsettled) == (5003, 2), || format!("{:?}", status())).await;
    forwarder.shutdown().await;
    assert_eq!(app.seqs(), [1, 2]);

    let forwarder = start_again(&records, &folder, &app.destination("app")).await;
    app.has(2 + 3).await;
    forwarder.shutdown().await;
    assert_eq!(app.seqs().split_off(2), [2, 2, 3], "what is of its call waits for it");
}

#[tokio::test]
async fn what_waits_can_be_asked_for_before_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let app =
        App::start(|_, times| if times == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK })
            .await;
    let (_store, records) = store(&[cdr("x")]);
    let mut patient = app.destination("app");
    patient.first_backoff = Duration::from_secs(3600);
    patient.most_backoff = Duration::from_secs(3600);
    let forwarder = start_again(&records, &folder, &patient).await;
    app.has(1).await;
    forwarder.shutdown().await;
    let forwarder = start_again(&records, &folder, &patient).await;
    assert_eq!(state_in(&folder).replay("app", [1]).unwrap(), 1);
    app.has(2).await;
    forwarder.shutdown().await;
    assert_eq!(state_in(&folder).status().unwrap()[0].unsettled, 0);
}

/// Notes whether it is read on one thread, where a runtime's tasks are.
#[derive(Debug)]
struct Elsewhere {
    inner: Arc<dyn Records>,
    forbidden: ThreadId,
    was_there: AtomicBool,
    /// How often a single record was read.
    singles: AtomicUsize,
}

impl Records for Elsewhere {
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.page(seq, limit, usize::MAX)
    }

    fn page(&self, seq: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        self.singles.fetch_add(usize::from(limit == 1), Ordering::SeqCst);
        if std::thread::current().id() == self.forbidden {
            self.was_there.store(true, Ordering::SeqCst);
        }
        self.inner.page(seq, limit, max_bytes)
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        self.inner.last_seq()
    }
}

#[tokio::test]
async fn a_filter_that_changed_drops_nothing_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let bodies: Vec<String> = (0..200).flat_map(|n| call(&format!("call-{n}"))).collect();
    let (_store, records) = store(&bodies);
    let forwarder = start_again(&records, &folder, &destination("app", address)).await;
    let mut state = state_in(&folder);
    until(|| state.status().unwrap()[0].unsettled == 600, || "all to be read".to_owned()).await;
    forwarder.shutdown().await;

    let app = App::start(|_, _| StatusCode::OK).await;
    let mut narrower = app.destination("app");
    narrower.filter = ForwardFilter { kinds: vec![Kind::Cdr], ..ForwardFilter::default() };
    let watched = Arc::new(Elsewhere {
        inner: records,
        forbidden: std::thread::current().id(),
        was_there: AtomicBool::default(),
        singles: AtomicUsize::default(),
    });
    let records: Arc<dyn Records> = Arc::<Elsewhere>::clone(&watched);
    let forwarder = start_again(&records, &folder, &narrower).await;
    app.has(200).await;
    until(|| state.status().unwrap()[0].unsettled == 0, || "nothing to be left".to_owned()).await;
    assert_eq!(state.status().unwrap()[0].dead, 400);
    let letters = state.dead_letters("app").unwrap();
    assert_eq!((letters[0].seq, letters[0].error.as_str()), (1, "the destination's filter does not take it"));

    assert_eq!(state.replay("app", [1, 3]).unwrap(), 2);
    app.has(201).await;
    until(|| state.status().unwrap()[0].unsettled == 0, || "nothing to be left".to_owned()).await;
    forwarder.shutdown().await;
    assert_eq!(app.seqs().pop(), Some(3));
    assert_eq!(state.status().unwrap()[0].dead, 400, "what is not for it stays a dead letter");
    assert!(!watched.was_there.load(Ordering::SeqCst), "a thread of the runtime waited for the store");
    // Each that is delivered, for its body is not in hand; what was unsettled comes by the page.
    assert!(watched.singles.load(Ordering::SeqCst) < 300, "{watched:?}");
}

#[tokio::test]
async fn a_state_of_another_store_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let (_one, records) = store(&call("x"));
    let forwarder = start_again(&records, &folder, &app.destination("app")).await;
    app.has(3).await;
    forwarder.shutdown().await;
    let (_other, others) = store(&call("y"));
    let mut refused = Forwarder::start(&others, state_in(&folder), vec![app.destination("app")]);
    while let Err(ForwardError::InUse { .. }) = refused {
        tokio::time::sleep(Duration::from_millis(5)).await;
        refused = Forwarder::start(&others, state_in(&folder), vec![app.destination("app")]);
    }
    let error = refused.unwrap_err();
    assert!(matches!(error, ForwardError::OtherStore { .. }), "{error}");
    assert!(matches!(state_in(&folder).check_store(&*others), Err(ForwardError::OtherStore { .. })));
    state_in(&folder).check_store(&*records).unwrap();
    assert_eq!(app.seqs(), [1, 2, 3]);
}

#[tokio::test]
async fn two_do_not_forward_by_one_state() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let (_store, records) = store(&call("x"));
    let first = start_again(&records, &folder, &app.destination("app")).await;
    let error = Forwarder::start(&records, state_in(&folder), vec![app.destination("app")]).unwrap_err();
    assert!(matches!(error, ForwardError::InUse { .. }), "{error}");
    first.shutdown().await;
    start_again(&records, &folder, &app.destination("app")).await.shutdown().await;
}

#[tokio::test]
async fn a_commit_is_forwarded_at_once() {
    const WEBHOOKS: usize = 20;
    let app = App::start(|_, _| StatusCode::OK).await;
    let server = Server::builder(MemoryStore::new())
        .forward(ForwardState::in_memory().unwrap(), vec![app.destination("app")])
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    // Each after the one before has arrived, so that one who only asked every 50 ms would need that for each.
    let mut took = Vec::new();
    for round in 0..5 {
        let began = Instant::now();
        for index in 0..WEBHOOKS {
            let body = cdr(&format!("{round}-{index}"));
            assert_eq!(client().post(server.url()).body(body).send().await.unwrap().status(), 200);
            app.has(round * WEBHOOKS + index + 1).await;
        }
        took.push(began.elapsed());
        if took.iter().any(|took| *took < Duration::from_millis(600)) {
            return server.shutdown().await;
        }
    }
    panic!("{WEBHOOKS} webhooks one after another took {took:?}");
}
