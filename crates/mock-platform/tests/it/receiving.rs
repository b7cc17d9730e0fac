//! What `docs/receiving-in-rust.md` shows, compiled and run.

#![expect(clippy::print_stdout, reason = "what is shown says what it does")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::http::StatusCode;
use piopiy_mock_platform::MockPlatform;
use piopiy_mock_platform::deliver::Redelivery;
use piopiy_receiver::{Dedupe, PiopiyWebhook, WebhookHandlers, webhook_router};
use tokio::net::TcpListener;

async fn handle(webhook: PiopiyWebhook) -> StatusCode {
    println!("{}", webhook.identity); // cdr missed of leg a, 33079756-faed-4a29-8b36-c8ead67e047c
    StatusCode::NO_CONTENT
}

async fn serve(listener: TcpListener) -> std::io::Result<()> {
    let app: Router = webhook_router(handle);
    axum::serve(listener, app).await
}

/// What the application does: here it only counts.
#[derive(Default)]
struct Calls {
    finished: AtomicUsize,
    streams: AtomicUsize,
}

fn application(calls: Arc<Calls>) -> Router {
    let streams = Arc::clone(&calls);
    WebhookHandlers::new()
        .on_cdr(move |cdr| {
            let calls = Arc::clone(&calls);
            async move {
                println!("{:?} took {:?} s", cdr.cmiuuid, cdr.duration);
                calls.finished.fetch_add(1, Ordering::Relaxed);
                StatusCode::NO_CONTENT
            }
        })
        .on_stream_connected(move |_| {
            streams.streams.fetch_add(1, Ordering::Relaxed);
            async { "got it" }
        })
        .router()
        .layer(Dedupe::new())
}

#[tokio::test]
async fn a_cdr_that_comes_four_times_counts_once() {
    let calls = Arc::new(Calls::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    let app = application(Arc::clone(&calls));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

    let platform = MockPlatform::builder().to(url).cdr_policy(Redelivery::Always).start().await.unwrap();
    let delivery = platform.send("cdr.inbound.missed", &[]).await.unwrap();
    assert_eq!(delivery.attempts.len(), 4);
    assert_eq!(calls.finished.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_router_in_ten_lines_acknowledges_whole_calls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    tokio::spawn(async move { serve(listener).await.unwrap() });
    let platform = MockPlatform::builder().to(url).start().await.unwrap();
    assert!(platform.place_call("inbound-missed").await.unwrap().is_acknowledged());
}

#[tokio::test]
async fn a_stream_that_opens_is_told_of() {
    let calls = Arc::new(Calls::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/webhook/cdr", listener.local_addr().unwrap());
    let app = application(Arc::clone(&calls));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let platform = MockPlatform::builder().to(url).start().await.unwrap();
    platform.send("live.stream_connected", &[]).await.unwrap();
    assert_eq!(calls.streams.load(Ordering::Relaxed), 1);
    assert_eq!(calls.finished.load(Ordering::Relaxed), 0);
}
