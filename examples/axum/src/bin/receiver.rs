//! A receiver of PIOPIY webhooks that loses none and counts none twice, in an axum application of one's own.
//!
//! `PORT=5000 STORE=webhooks.sqlite cargo run --bin receiver`
//!
//! [`piopiy_receiver::Server`] is the same with deadlines for slow clients, metrics, and an observation of its own.
#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use piopiy_receiver::{
    Entry, GroupCommit, GroupCommitOptions, PiopiyWebhook, Records, SqliteRecords, SqliteStore, StoreError,
    WebhookRejection, webhook_router,
};
use tokio::signal::unix::{SignalKind, signal};

/// Webhooks that are read at a time.
const PAGE: usize = 1000;

#[derive(Clone)]
struct App {
    commits: GroupCommit,
    records: Arc<SqliteRecords>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port: u16 = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(5000);
    let file = std::env::var("STORE").unwrap_or_else(|_| "webhooks.sqlite".to_owned());
    let store = SqliteStore::open(&file)?;
    let app = App {
        commits: GroupCommit::start(store, GroupCommitOptions::default()),
        records: Arc::new(SqliteRecords::open(&file)?),
    };
    let router: Router = webhook_router(take).route("/__observe", get(observe)).with_state(app.clone());
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, router).with_graceful_shutdown(stopped()).await?;
    app.commits.close().await;
    Ok(())
}

/// 2xx is said once the webhook is on the disk, for the first time or before.
async fn take(State(app): State<App>, read: Result<PiopiyWebhook, WebhookRejection>) -> Response {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let received_at = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    let entry = match read {
        Ok(webhook) => Entry::webhook(&webhook.identity, webhook.body, received_at),
        // An object of a kind that nobody has told of: it may be the platform's next one, so it is kept aside.
        Err(WebhookRejection::UnrecognisedBody(other)) => {
            Entry::quarantined(other.to_string(), other.body, received_at)
        }
        Err(rejection) => return rejection.into_response(),
    };
    match app.commits.append(entry).await {
        Ok(_) => "got it\n".into_response(),
        Err(error) => {
            (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "30")], error.to_string()).into_response()
        }
    }
}

/// For tests on this machine only: `docs/observing.md`.
async fn observe(State(app): State<App>, Query(asked): Query<Vec<(String, String)>>) -> Response {
    if asked.iter().any(|(name, _)| name == "capabilities") {
        let told = r#"{"observe": 1, "fields": true, "state": false, "quarantine": true}"#;
        return ([(CONTENT_TYPE, "application/json")], told).into_response();
    }
    let since = asked.iter().find(|(name, _)| name == "since").and_then(|(_, since)| since.parse().ok());
    let read = tokio::task::spawn_blocking(move || lines(&*app.records, since.unwrap_or(0)));
    match read.await {
        Ok(Ok(lines)) => ([(CONTENT_TYPE, "application/x-ndjson")], lines).into_response(),
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

/// A line for each webhook that was stored after `since`.
fn lines(records: &dyn Records, mut since: u64) -> Result<String, StoreError> {
    // Writing to a String cannot fail.
    let mut text = String::new();
    loop {
        let page = records.after(since, PAGE)?;
        let Some(last) = page.last() else { return Ok(text) };
        since = last.seq;
        for record in &page {
            let Some(webhook) = record.webhook() else {
                let _ =
                    writeln!(text, "{{\"seq\":{},\"kind\":\"unknown\",\"quarantined\":true}}", record.seq);
                continue;
            };
            let kind = webhook.kind().map_or("unknown", piopiy_events::Kind::as_str);
            let _ = write!(text, "{{\"seq\":{},\"kind\":\"{kind}\"", record.seq);
            for key in ["cmiuuid", "leg", "status"] {
                if let Some(value) = webhook.get(key) {
                    let _ = write!(text, ",\"{key}\":{}", value.as_json().replace(['\r', '\n'], " "));
                }
            }
            // Outside of texts a line end is white space, and within them there is none.
            let _ = writeln!(text, ",\"fields\":{}}}", webhook.to_json().replace(['\r', '\n'], " "));
        }
    }
}

/// Ends with Ctrl-C, and with SIGTERM.
async fn stopped() {
    let Ok(mut terminated) = signal(SignalKind::terminate()) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated.recv() => {}
    }
}
