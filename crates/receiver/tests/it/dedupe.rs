//! One effect per webhook, however often and however concurrently it is delivered.

use std::sync::Arc;

use piopiy_receiver::{ServerOptions, StoreLocation};
use tokio::sync::Barrier;

use crate::support::postgres;
use crate::support::{Running, cdr, stream_connected};

#[tokio::test]
async fn repeats_are_acknowledged_and_kept_once() {
    let running = Running::start(ServerOptions::default()).await;
    for _ in 0..4 {
        assert_eq!(running.post(cdr("once")).await, (200, "got it".to_owned()));
    }
    let reordered = r#"{ "status":"missed", "leg":"a", "cmiuuid":"once",
        "duration":0, "balance":"1.000000" }"#;
    assert_eq!(running.post(reordered).await.0, 200, "another order, another value");
    assert_eq!(running.kept().len(), 1);
    assert_eq!(running.kept()[0].body, cdr("once"), "the first one wins");
}

#[tokio::test]
async fn what_differs_is_kept_apart() {
    let running = Running::start(ServerOptions::default()).await;
    let bodies = [
        cdr("x"),
        cdr("y"),
        cdr("x").replace(r#""leg":"a""#, r#""leg":"b""#),
        cdr("x").replace("missed", "answered"),
        stream_connected("x", 1),
        stream_connected("x", 2),
        stream_connected("x", 1).replace("stream_connected", "STREAM_DISCONNECTED"),
    ];
    for body in &bodies {
        running.post(body.clone()).await;
        running.post(body.clone()).await;
    }
    assert_eq!(running.kept().len(), bodies.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_two_at_once_have_one_effect() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = StoreLocation::Sqlite(folder.path().join("store.sqlite"));
    for location in [StoreLocation::Memory, sqlite].into_iter().chain(postgres::fresh()) {
        let running = Arc::new(Running::start_at(&location, ServerOptions::default()).await);
        for round in 0..8 {
            let barrier = Arc::new(Barrier::new(32));
            let posts: Vec<_> = (0..32)
                .map(|_| {
                    let (running, barrier) = (Arc::clone(&running), Arc::clone(&barrier));
                    tokio::spawn(async move {
                        barrier.wait().await;
                        running.post(cdr(&format!("round-{round}"))).await
                    })
                })
                .collect();
            for post in posts {
                assert_eq!(post.await.unwrap(), (200, "got it".to_owned()), "{location}");
            }
            assert_eq!(running.kept().len(), round + 1, "{location}");
        }
    }
}

#[tokio::test]
async fn repeats_are_found_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let location = StoreLocation::Sqlite(folder.path().join("store.sqlite"));
    for start in 0..3 {
        let running = Running::start_at(&location, ServerOptions::default()).await;
        for body in [cdr("x"), stream_connected("x", 1), cdr(&format!("start-{start}"))] {
            assert_eq!(running.post(body).await.0, 200);
        }
        assert_eq!(running.kept().len(), 3 + start);
        let (_, metrics) = running.get("/metrics").await;
        let records = format!("piopiy_receiver_store_records {}\n", 3 + start);
        assert!(metrics.contains(&records), "{metrics}");
        running.server.shutdown().await;
    }
}
