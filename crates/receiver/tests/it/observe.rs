//! The protocol by which a test suite sees effects.

use piopiy_receiver::{ServerOptions, StoreLocation};
use serde_json::Value;

use crate::support::{Running, cdr, stream_connected};

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
    for location in [StoreLocation::Memory, sqlite] {
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
async fn a_proxy_on_this_machine_is_not_this_machine() {
    let running = Running::start(options()).await;
    let request = running.client.get(running.url("/__observe")).header("x-forwarded-for", "203.0.113.1");
    assert_eq!(request.send().await.unwrap().status(), 404);
}
