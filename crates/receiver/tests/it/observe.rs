//! The protocol by which a test suite sees effects.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use piopiy_receiver::{
    Append, Authentication, Basic, Entry, MemoryStore, OpenStore, Record, Records, Server, ServerOptions,
    SqliteStore, Store, StoreError, StoreLocation,
};
use serde_json::Value;

use crate::support::postgres;
use crate::support::{PATIENCE, Running, Wire, blocking, cdr, entry, stream_connected};

fn options() -> ServerOptions {
    ServerOptions { observe: true, ..ServerOptions::default() }
}

async fn effects(running: &Running, since: u64) -> Vec<Value> {
    let response =
        running.client.get(running.url(&format!("/__observe?since={since}"))).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "application/x-ndjson");
    let text = response.text().await.unwrap();
    // Not every reader of JSON takes 1e400; that it comes out is looked at in the text.
    text.lines().map(|line| serde_json::from_str(&line.replace("1e400", "1e4")).unwrap()).collect()
}

#[tokio::test]
async fn effects_in_order_with_the_state_after_each() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = StoreLocation::Sqlite(folder.path().join("store.sqlite"));
    for location in [StoreLocation::Memory, sqlite].into_iter().chain(postgres::fresh()) {
        let running = Running::start_at(&location, options()).await;
        assert_eq!(effects(&running, 0).await, Vec::<Value>::new(), "{location}");
        let event = |status: &str, time: u64| {
            format!(
                r#"{{"cmiuuid":"leg","conversation_uuid":"call","leg":"a","status":"{status}","time":{time}}}"#
            )
        };
        for body in [
            event("started", 1),
            event("answered", 2),
            stream_connected("leg", 3),
            event("answered", 2),
            "nonsense".to_owned(),
            "{\"cmiuuid\":\"leg\",\n\"conversation_uuid\":\"call\",\r\n\"leg\":\"a\",\"status\":\"answered\",\"duration\":9007199254740993,\"x\":[\n1e400]}".to_owned(),
        ] {
            running.post(body).await;
        }
        let found = effects(&running, 0).await;
        let seqs: Vec<u64> = found.iter().map(|effect| effect["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, [1, 2, 3, 4, 5], "{location}");
        let states: Vec<&str> = found.iter().filter_map(|effect| effect["state"].as_str()).collect();
        assert_eq!(states, ["ringing", "active", "streaming", "ended_answered"], "{location}");
        let kinds: Vec<&str> = found.iter().filter_map(|effect| effect["kind"].as_str()).collect();
        assert_eq!(kinds, ["event", "event", "event", "unknown", "cdr"], "{location}");
        assert_eq!(found[3]["quarantined"], true, "{location}");
        assert_eq!(found[2]["leg"], "b", "{location}");
        assert_eq!(found[2]["status"], "stream_connected", "{location}");
        assert_eq!(found[2]["fields"]["appid"], 2_222_224, "{location}");
        let (_, text) = running.get("/__observe?since=4").await;
        assert_eq!(text.lines().count(), 1, "{location}: line breaks of the body are none of the answer's");
        assert!(text.contains("\"duration\":9007199254740993"), "{location}: {text}");
        assert!(text.contains("1e400"), "{location}: {text}");
        assert_eq!(effects(&running, 5).await.len(), 0, "{location}");
    }
}

#[tokio::test]
async fn capabilities_and_nonsense() {
    let running = Running::start(options()).await;
    let (status, text) = running.get("/__observe?capabilities").await;
    let expected = serde_json::json!({"observe": 1, "fields": true, "state": true, "quarantine": true});
    assert_eq!((status, serde_json::from_str::<Value>(&text).unwrap()), (200, expected));
    assert_eq!(running.get("/__observe?since=x").await.0, 400);
    assert_eq!(running.get("/__observe").await, (200, String::new()));
}

#[tokio::test]
async fn many_pages() {
    let running = Running::start(options()).await;
    let posts = (0..2500).map(|index| running.post(cdr(&index.to_string())));
    for statuses in futures_util::future::join_all(posts).await {
        assert_eq!(statuses.0, 200);
    }
    let found = effects(&running, 100).await;
    let seqs: Vec<u64> = found.iter().map(|effect| effect["seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (101..=2500).collect::<Vec<u64>>());
}

#[tokio::test]
async fn it_answers_programs_on_this_machine_only() {
    let running = Running::start(options()).await;
    let check = async |headers: &[(&str, &str)], expected: u16| {
        let mut request = running.client.get(running.url("/__observe"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        assert_eq!(request.send().await.unwrap().status(), expected, "{headers:?}");
    };
    for host in ["127.0.0.1", "127.9.9.9:5000", "localhost", "LocalHost:1", "[::1]:5000", "[::1]"] {
        check(&[("host", host)], 200).await;
    }
    for host in [
        "rebound.example",
        "localhost.example",
        "203.0.113.1",
        "[2001:db8::1]:5000",
        "127.0.0.1.example:5000",
    ] {
        check(&[("host", host)], 404).await;
    }
    for name in [
        "x-forwarded-for",
        "x-forwarded-host",
        "X-Forwarded-Proto",
        "forwarded",
        "via",
        "x-real-ip",
        "origin",
    ] {
        check(&[(name, "http://127.0.0.1")], 404).await;
    }
}

#[tokio::test]
async fn it_asks_for_the_secret_too() {
    let authentication = Authentication::new()
        .token("s3cret".parse().unwrap())
        .basic(Basic::new("suite", "pass"))
        .allow_ip("203.0.113.0/24".parse().unwrap());
    let running = Running::start_with(options(), authentication).await;
    assert_eq!(running.get("/__observe").await.0, 401);
    assert_eq!(running.get("/__observe?capabilities").await.0, 401);
    assert_eq!(running.get("/__observe?token=wrong&since=0").await.0, 401);
    assert_eq!(running.get("/__observe?token=s3cret&since=0").await.0, 200);
    let request = running.client.get(running.url("/__observe")).basic_auth("suite", Some("pass"));
    assert_eq!(request.send().await.unwrap().status(), 200);
}

/// Takes a moment for every page, and counts their bytes.
#[derive(Debug)]
struct Slow {
    inner: Arc<dyn Records>,
    largest: AtomicUsize,
}

impl Records for Slow {
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.page(seq, limit, usize::MAX)
    }

    fn page(&self, seq: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        std::thread::park_timeout(Duration::from_millis(100));
        let page = self.inner.page(seq, limit, max_bytes)?;
        self.largest.fetch_max(page.iter().map(|record| record.body.len()).sum(), Ordering::SeqCst);
        Ok(page)
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        self.inner.last_seq()
    }
}

#[tokio::test]
async fn a_slow_store_makes_no_answer_that_is_cut_off() {
    let mut store = MemoryStore::new();
    let records = Arc::new(Slow { inner: store.records(), largest: AtomicUsize::new(0) });
    let body = |call: usize| {
        let padding = "x".repeat(300_000);
        format!("{},\"padding\":\"{padding}\"}}", cdr(&call.to_string()).trim_end_matches('}'))
    };
    let batch: Vec<_> = (0..10).map(|call| entry(&body(call))).collect();
    store.append(&batch).unwrap();
    let options = ServerOptions { idle_deadline: Duration::from_millis(30), ..options() };
    let open = OpenStore::new(store, Some(Arc::clone(&records) as Arc<dyn Records>));
    let server = Server::builder(open).options(options).bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/__observe", server.local_addr());
    let text = crate::support::client().get(url).send().await.unwrap().text().await.expect("a whole answer");
    assert_eq!(text.lines().count(), 10);
    assert!(records.largest.load(Ordering::SeqCst) <= 1 << 20, "{records:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn who_does_not_take_the_answer_is_closed() {
    let options = ServerOptions { idle_deadline: Duration::from_millis(50), ..options() };
    let running = Running::start(options).await;
    for call in 0..60 {
        let body = format!("{}{}", cdr(&call.to_string()), " ".repeat(500_000));
        assert_eq!(running.post(body.replace("  ", "\t\n")).await.0, 200);
    }
    let addr = running.addr();
    let rest = blocking(move || {
        let mut wire = Wire::to(addr);
        wire.send("GET /__observe HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wire.read_until("\r\n\r\n");
        wire
    })
    .await;
    let closed = async {
        while !running.get("/metrics").await.1.contains("piopiy_receiver_connections 1\n") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.expect("the connection is closed");
    drop(rest);
}

#[tokio::test]
async fn any_store_that_can_be_read_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.sqlite")).unwrap();
    let server = Server::builder(store).options(options()).bind("127.0.0.1:0").await.unwrap();
    let client = crate::support::client();
    assert_eq!(client.post(server.url()).body(cdr("plain")).send().await.unwrap().status(), 200);
    let url = format!("http://{}/__observe", server.local_addr());
    assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap().lines().count(), 1);
    server.shutdown().await;
    let store = SqliteStore::open(folder.path().join("store.sqlite")).unwrap();
    let server = Server::builder(store).bind("127.0.0.1:0").await.unwrap();
    let metrics = client.get(format!("http://{}/metrics", server.local_addr())).send().await.unwrap();
    assert!(metrics.text().await.unwrap().contains("piopiy_receiver_store_records 1\n"));

    /// Keeps nothing that could be read.
    struct Unreadable;
    impl Store for Unreadable {
        fn append(&mut self, _: &[Entry]) -> Result<Vec<Append>, StoreError> {
            Ok(Vec::new())
        }
    }
    let error = Server::builder(Unreadable).options(options()).bind("127.0.0.1:0").await.unwrap_err();
    assert!(error.to_string().contains("records can be read"), "{error}");
}

#[tokio::test]
async fn a_file_is_told_what_the_endpoint_tells_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("store.sqlite"));
    let path = folder.path().join("effects.jsonl");
    let options =
        || ServerOptions { observe: true, observe_file: Some(path.clone()), ..ServerOptions::default() };
    for turn in 0..2 {
        let running = Running::start_at(&location, options()).await;
        running.post(cdr(&format!("one of {turn}"))).await;
        running.post("nonsense").await;
        let (_, told) = running.get("/__observe").await;
        running.server.shutdown().await;
        assert_eq!(std::fs::read_to_string(&path).unwrap(), told, "turn {turn}");
        assert_eq!(told.lines().count(), 2 + 2 * turn);
    }
    std::fs::remove_file(folder.path().join("store.sqlite")).unwrap();
    let store = location.open(true).unwrap();
    let server = Server::builder(store).options(options()).bind("127.0.0.1:0").await;
    let error = server.unwrap_err().to_string();
    assert!(error.contains("it tells of effect 4, and the store has 0: it is of another store"), "{error}");
}

#[tokio::test]
async fn a_file_is_written_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("effects.jsonl");
    let options = ServerOptions { observe_file: Some(path.clone()), ..ServerOptions::default() };
    let running = Running::start(options).await;
    assert_eq!(running.get("/__observe").await.0, 404, "the file alone was asked for");
    running.post(cdr("one")).await;
    let written = async {
        while std::fs::read_to_string(&path).unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.unwrap();
    running.server.shutdown().await;
}
