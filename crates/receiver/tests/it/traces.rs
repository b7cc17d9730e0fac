//! Traces, as a collector gets them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use axum::routing::post;
use piopiy_receiver::{MemoryStore, Server, Traces};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::{PATIENCE, cdr, client};

type Seen = Arc<Mutex<Vec<Value>>>;

/// A collector, and what it got.
async fn collector() -> (String, Seen) {
    async fn take(State(seen): State<Seen>, Json(message): Json<Value>) {
        seen.lock().unwrap().push(message);
    }
    let seen = Seen::default();
    let router = axum::Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&seen));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, seen)
}

async fn serve(traces: Traces) -> Server {
    Server::builder(MemoryStore::new()).traces(traces).bind("127.0.0.1:0").await.unwrap()
}

async fn send(server: &Server, body: String, traceparent: Option<&str>) {
    let mut request = client().post(server.url()).body(body);
    if let Some(parent) = traceparent {
        request = request.header("traceparent", parent);
    }
    assert!(request.send().await.unwrap().status().is_success());
}

/// All spans, those of steps behind their request's.
fn spans(seen: &Seen) -> Vec<Value> {
    let messages = seen.lock().unwrap();
    let of =
        |message: &Value| message["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    messages.iter().flat_map(of).collect()
}

fn attribute<'a>(span: &'a Value, key: &str) -> Option<&'a str> {
    let attributes = span["attributes"].as_array()?;
    let value = &attributes.iter().find(|attribute| attribute["key"] == key)?["value"];
    value["stringValue"].as_str().or_else(|| value["intValue"].as_str())
}

#[tokio::test]
async fn each_webhook_is_a_span_with_its_steps() {
    let (url, seen) = collector().await;
    let server = serve(Traces::to(&url).unwrap()).await;
    send(&server, cdr("447700900123"), None).await;
    send(&server, cdr("447700900123"), None).await;
    send(&server, "odd".to_owned(), None).await;
    send(&server, cdr(&"x".repeat(100_000)), None).await;
    // What is left is sent at the end.
    server.shutdown().await;
    let spans = spans(&seen);
    assert_eq!(spans.len(), 12, "{spans:#?}");
    let resource = &seen.lock().unwrap()[0]["resourceSpans"][0]["resource"];
    assert_eq!(attribute(resource, "service.name"), Some("piopiy-receiver"));
    let nanos = |span: &Value, key: &str| span[key].as_str().unwrap().parse::<u64>().unwrap();
    for (request, (outcome, status)) in
        spans.chunks(3).zip([("new", "200"), ("repeat", "200"), ("not understood", "202"), ("new", "200")])
    {
        let [webhook, read, store] = request else { panic!("{request:?}") };
        assert_eq!([&webhook["name"], &read["name"], &store["name"]], ["webhook", "read", "store"]);
        assert_eq!(attribute(webhook, "piopiy.outcome"), Some(outcome));
        assert_eq!(attribute(webhook, "http.response.status_code"), Some(status));
        assert!(webhook.get("parentSpanId").is_none());
        assert_eq!(webhook["traceId"].as_str().unwrap().len(), 32);
        assert_eq!(webhook["spanId"].as_str().unwrap().len(), 16);
        for step in [read, store] {
            assert_eq!(step["traceId"], webhook["traceId"]);
            assert_eq!(step["parentSpanId"], webhook["spanId"]);
        }
        let times = [
            nanos(webhook, "startTimeUnixNano"),
            nanos(read, "startTimeUnixNano"),
            nanos(read, "endTimeUnixNano"),
            nanos(store, "startTimeUnixNano"),
            nanos(store, "endTimeUnixNano"),
            nanos(webhook, "endTimeUnixNano"),
        ];
        assert!(times.is_sorted(), "{times:?}");
    }
    assert_eq!(attribute(&spans[0], "piopiy.kind"), Some("cdr"));
    assert_eq!(attribute(&spans[0], "piopiy.cmiuuid"), Some("…"));
    assert_eq!(attribute(&spans[9], "piopiy.cmiuuid"), Some(&*"x".repeat(128)), "a long one is cut");
    assert!(!format!("{spans:?}").contains("447700900123"), "no phone number: {spans:?}");
    let mut ids: Vec<&str> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 12, "each is itself");
}

#[tokio::test]
async fn who_sends_a_traceparent_decides_and_else_the_ratio_does() {
    let (url, seen) = collector().await;
    let mut traces = Traces::to(&url).unwrap();
    traces.ratio = 0.0;
    let server = serve(traces).await;
    send(&server, cdr("a"), None).await;
    send(&server, cdr("b"), Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")).await;
    send(&server, cdr("c"), Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")).await;
    server.shutdown().await;
    let spans = spans(&seen);
    assert_eq!(spans.len(), 3, "{spans:#?}");
    assert_eq!(attribute(&spans[0], "piopiy.cmiuuid"), Some("c"));
    assert_eq!(spans[0]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(spans[0]["parentSpanId"], "00f067aa0ba902b7");
}

#[tokio::test]
async fn no_webhook_waits_for_a_collector_that_does_not_answer() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = serve(Traces::to(&format!("http://{}", silent.local_addr().unwrap())).unwrap()).await;
    let client = client();
    let started = Instant::now();
    for call in 0..100 {
        let answer = client.post(server.url()).body(cdr(&call.to_string())).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    tokio::time::timeout(PATIENCE, server.shutdown()).await.unwrap();
}
