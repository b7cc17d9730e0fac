//! The forwarder, against an app that answers as it is told to.

mod again;
mod back;
mod model;
mod paced;
mod secure;
mod unwanted;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use piopiy_events::Kind;
use piopiy_receiver::{
    Destination, ForwardError, ForwardFilter, ForwardState, Forwarder, MemoryStore, Records, Server, Store,
};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{PATIENCE, cdr, client, entry, stream_connected};

/// One delivery, as the app saw it.
#[derive(Debug, Clone)]
struct Delivery {
    seq: u64,
    headers: HeaderMap,
    body: Bytes,
}

/// What the app answers to the delivery of a record, for the how manieth time, from 1.
type Answer = dyn Fn(u64, u32) -> StatusCode + Send + Sync;

struct Seen {
    deliveries: Mutex<Vec<Delivery>>,
    answer: Box<Answer>,
}

pub(crate) struct App {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

impl App {
    pub(crate) async fn start(answer: impl Fn(u64, u32) -> StatusCode + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), answer).await
    }

    async fn start_at(
        address: SocketAddr,
        answer: impl Fn(u64, u32) -> StatusCode + Send + Sync + 'static,
    ) -> Self {
        async fn hook(State(seen): State<Arc<Seen>>, headers: HeaderMap, body: Bytes) -> StatusCode {
            let seq = headers["piopiy-seq"].to_str().unwrap().parse().unwrap();
            let mut deliveries = seen.deliveries.lock().unwrap();
            deliveries.push(Delivery { seq, headers, body });
            let times = deliveries.iter().filter(|delivery| delivery.seq == seq).count();
            (seen.answer)(seq, u32::try_from(times).unwrap())
        }
        let seen = Arc::new(Seen { deliveries: Mutex::default(), answer: Box::new(answer) });
        let router =
            axum::Router::new().route("/hook", axum::routing::post(hook)).with_state(Arc::clone(&seen));
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, seen, task }
    }

    pub(crate) fn destination(&self, name: &str) -> Destination {
        destination(name, self.address)
    }

    fn deliveries(&self) -> Vec<Delivery> {
        self.seen.deliveries.lock().unwrap().clone()
    }

    pub(crate) fn seqs(&self) -> Vec<u64> {
        self.deliveries().iter().map(|delivery| delivery.seq).collect()
    }

    pub(crate) async fn has(&self, count: usize) {
        until(|| self.seqs().len() >= count, || format!("{} deliveries, has {:?}", count, self.seqs())).await;
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn destination(name: &str, address: SocketAddr) -> Destination {
    let mut destination = Destination::new(name, &format!("http://{address}/hook")).unwrap();
    destination.first_backoff = Duration::from_millis(5);
    destination.most_backoff = Duration::from_millis(40);
    destination.from_start = true;
    destination
}

async fn until(mut is_so: impl FnMut() -> bool, what: impl Fn() -> String) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(waited.await.is_ok(), "still waiting for {}", what());
}

/// A store with these bodies, by `seq` from 1.
fn store(bodies: &[String]) -> (MemoryStore, Arc<dyn Records>) {
    let mut store = MemoryStore::new();
    let records = store.records();
    let entries: Vec<_> = bodies.iter().map(|body| entry(body)).collect();
    store.append(&entries).unwrap();
    (store, records)
}

/// Leg a of a call: started and answered, and its CDR.
fn call(id: &str) -> Vec<String> {
    let event = |status, time| {
        format!(
            r#"{{"type":"event","appid":2,"leg":"a","status":"{status}","time":{time},"direction":"inbound","cmiuuid":"{id}","conversation_uuid":"{id}"}}"#
        )
    };
    vec![event("started", 1), event("answered", 2), cdr(id)]
}

fn state_in(folder: &tempfile::TempDir) -> ForwardState {
    ForwardState::open(folder.path().join("calls.forward")).unwrap()
}

#[tokio::test]
async fn every_webhook_is_delivered_once_and_in_order_per_call() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    // The calls run side by side.
    let calls: Vec<Vec<String>> = (0..40).map(|n| call(&format!("call-{n}"))).collect();
    let bodies: Vec<String> =
        (0..3).flat_map(|step| calls.iter().map(move |call| call[step].clone())).collect();
    let (_store, records) = store(&bodies);
    let mut destination = app.destination("app");
    destination.secret = Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap());
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![destination]).unwrap();
    app.has(bodies.len()).await;
    forwarder.shutdown().await;

    let mut by_call: BTreeMap<usize, Vec<u64>> = BTreeMap::new();
    for delivery in app.deliveries() {
        let index = usize::try_from(delivery.seq).unwrap() - 1;
        assert_eq!(delivery.body, bodies[index].as_bytes(), "as received");
        assert_eq!(delivery.headers["content-type"], "application/json");
        assert!(delivery.headers["webhook-signature"].to_str().unwrap().starts_with("v1,"));
        by_call.entry(index % calls.len()).or_default().push(delivery.seq);
    }
    for (of_call, seqs) in by_call {
        assert_eq!(seqs.len(), 3, "call {of_call}: {seqs:?}");
        assert!(seqs.is_sorted(), "call {of_call}: {seqs:?}");
    }
    let ids = |delivery: &Delivery| delivery.headers["webhook-id"].to_str().unwrap().to_owned();
    let ids: std::collections::BTreeSet<String> = app.deliveries().iter().map(ids).collect();
    assert_eq!(ids.len(), bodies.len(), "an id each");
    let status = state_in(&folder).status().unwrap();
    assert_eq!((status[0].read_through, status[0].unsettled, status[0].dead), (120, 0, 0));
}

#[tokio::test]
async fn a_call_that_fails_holds_up_no_other_and_keeps_its_order() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|seq, times| {
        if seq == 1 && times <= 4 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::NO_CONTENT }
    })
    .await;
    let bodies = [call("x"), call("y")].concat();
    let (_store, records) = store(&bodies);
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![app.destination("app")]).unwrap();
    app.has(4 + 6).await;
    forwarder.shutdown().await;
    let seqs = app.seqs();
    let place = |seq| seqs.iter().rposition(|&other| other == seq).unwrap();
    assert!(place(1) < place(2) && place(2) < place(3), "{seqs:?}");
    let first: Vec<Delivery> = app.deliveries().into_iter().filter(|delivery| delivery.seq == 1).collect();
    let header = |name: &str| first.iter().map(|it| it.headers[name].to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(header("piopiy-attempt"), ["1", "2", "3", "4", "5"]);
    assert!(header("webhook-id").iter().all(|id| *id == header("webhook-id")[0]), "one id for all attempts");
    let [.., last_of_y] = [4, 5, 6].map(place);
    assert!(last_of_y < place(1), "the other call does not wait: {seqs:?}");
}

#[tokio::test]
async fn what_is_given_up_is_a_dead_letter_and_can_be_delivered_again() {
    let folder = tempfile::tempdir().unwrap();
    let app =
        App::start(
            |seq, times| {
                if seq == 2 && times <= 3 { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK }
            },
        )
        .await;
    let (_store, records) = store(&call("x"));
    let mut destination = app.destination("app");
    destination.max_attempts = 3;
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![destination]).unwrap();
    app.has(1 + 3 + 1).await;
    let mut state = state_in(&folder);
    until(|| state.status().unwrap()[0].dead == 1, || "a dead letter".to_owned()).await;
    let letters = state.dead_letters("app").unwrap();
    assert_eq!((letters[0].seq, letters[0].attempts, letters[0].error.as_str()), (2, 3, "status 422"));
    assert_eq!(app.seqs(), [1, 2, 2, 2, 3], "the call goes on without it");

    assert_eq!(state.replay("app", [2, 99]).unwrap(), 1, "there is no record 99 yet");
    app.has(6).await;
    until(
        || state.status().unwrap()[0].unsettled == 0,
        || format!("nothing to be left: {:?}", state.status()),
    )
    .await;
    forwarder.shutdown().await;
    assert_eq!(app.seqs(), [1, 2, 2, 2, 3, 2]);
    assert_eq!(state.status().unwrap()[0].dead, 0);
}

#[tokio::test]
async fn an_app_that_is_down_loses_nothing_and_no_attempt_counts() {
    let folder = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let (_store, records) = store(&[call("x"), call("y")].concat());
    let mut destination = destination("app", address);
    destination.max_attempts = 1;
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![destination]).unwrap();
    let state = state_in(&folder);
    until(|| state.status().unwrap()[0].unsettled == 6, || "what was read to be kept".to_owned()).await;
    let app = App::start_at(address, |_, _| StatusCode::OK).await;
    app.has(6).await;
    forwarder.shutdown().await;
    let mut seqs = app.seqs();
    seqs.sort_unstable();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    assert_eq!(state.status().unwrap()[0].dead, 0);
}

#[tokio::test]
async fn a_paused_destination_gets_nothing_until_it_is_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let mut state = state_in(&folder);
    state.add_destination("app", 0).unwrap();
    state.set_paused("app", true).unwrap();
    let other = App::start(|_, _| StatusCode::OK).await;
    let (_store, records) = store(&call("x"));
    let destinations = vec![app.destination("app"), other.destination("other")];
    let forwarder = Forwarder::start(&records, state_in(&folder), destinations).unwrap();
    other.has(3).await;
    until(|| state.status().unwrap()[0].read_through == 3, || "it to be read".to_owned()).await;
    assert_eq!(app.seqs(), [0; 0]);
    state.set_paused("app", false).unwrap();
    app.has(3).await;
    forwarder.shutdown().await;
    assert!(matches!(state.set_paused("nobody", true), Err(ForwardError::NoDestination { .. })));
}

#[tokio::test]
async fn a_destination_gets_what_it_asks_for() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let mut bodies = call("x");
    bodies.push(stream_connected("x", 3));
    let (mut store, records) = store(&bodies);
    let quarantined = piopiy_receiver::Entry::quarantined("no JSON".to_owned(), "hello".into(), 0);
    store.append(&[quarantined, entry(&cdr("y"))]).unwrap();
    let mut destination = app.destination("cdrs");
    destination.filter = ForwardFilter { kinds: vec![Kind::Cdr], ..ForwardFilter::default() };
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![destination]).unwrap();
    app.has(2).await;
    let mut state = state_in(&folder);
    until(|| state.status().unwrap()[0].read_through == 6, || "all to be read".to_owned()).await;
    assert_eq!(state.replay("cdrs", [1, 5, 6]).unwrap(), 3);
    app.has(3).await;
    until(|| state.status().unwrap()[0].unsettled == 0, || "nothing to be left".to_owned()).await;
    forwarder.shutdown().await;
    let mut seqs = app.seqs();
    seqs.sort_unstable();
    assert_eq!(seqs, [3, 6, 6], "asked for again or not");
}

#[tokio::test]
async fn a_new_destination_gets_what_comes_from_now_on_unless_it_wants_all() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let (mut store, records) = store(&call("x"));
    let mut destination = app.destination("app");
    destination.from_start = false;
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![destination]).unwrap();
    store.append(&[entry(&cdr("y"))]).unwrap();
    app.has(1).await;
    forwarder.shutdown().await;
    assert_eq!(app.seqs(), [4]);
}

#[tokio::test]
async fn what_cannot_be_right_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, records) = store(&call("x"));
    let address = "127.0.0.1:9".parse().unwrap();
    let twice = vec![destination("app", address), destination("app", address)];
    let error = Forwarder::start(&records, state_in(&folder), twice).unwrap_err();
    assert!(matches!(error, ForwardError::SameName { .. }), "{error}");
    let other = folder.path().join("other.sqlite");
    drop(piopiy_receiver::SqliteStore::open(&other).unwrap());
    let error = ForwardState::open(&other).unwrap_err();
    assert!(error.to_string().ends_with("is no forwarder's state: give another file"), "{error}");
    let check = |path: std::path::PathBuf, expected: &str| {
        for opened in [ForwardState::open_to_read(&path), ForwardState::open_existing(&path)] {
            let error = opened.unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    };
    check(folder.path().join("none"), "no forwarder's state at ");
    check(other.join("behind-a-file"), "cannot look for the forwarder's state ");
}

#[tokio::test]
async fn a_server_forwards_what_it_acknowledged() {
    let app = App::start(|_, _| StatusCode::OK).await;
    let server = Server::builder(MemoryStore::new())
        .forward(ForwardState::in_memory().unwrap(), vec![app.destination("app")])
        .bind("127.0.0.1:0")
        .await
        .unwrap();
    for _ in 0..2 {
        let answer = client().post(server.url()).body(cdr("x")).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    app.has(1).await;
    let metrics = format!("http://{}/metrics", server.local_addr());
    let mut text = String::new();
    for _ in 0..1000 {
        text = client().get(&metrics).send().await.unwrap().text().await.unwrap();
        if text.contains(r#"forward_attempts_total{destination="app",outcome="delivered"} 1"#) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(text.contains(r#"forward_attempts_total{destination="app",outcome="delivered"} 1"#), "{text}");
    server.shutdown().await;
    assert_eq!(app.seqs(), [1], "the repeat is no effect, and is not forwarded");
}
