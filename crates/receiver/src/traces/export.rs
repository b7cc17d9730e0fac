//! Sending spans, many at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use reqwest::{Client, Url, redirect};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::Span;

/// Spans in one request.
const BATCH: usize = 512;
/// How long one waits for others.
const LINGER: Duration = Duration::from_secs(2);
/// How long the collector may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What sends spans to a collector. What that does not take is gone: it is not tried again.
#[derive(Debug)]
pub(crate) struct Export {
    client: Client,
    collector: Url,
    spans: mpsc::Receiver<Span>,
    dropped: Arc<AtomicU64>,
    is_well: bool,
}

impl Export {
    pub(super) fn new(
        collector: Url,
        spans: mpsc::Receiver<Span>,
        dropped: Arc<AtomicU64>,
    ) -> reqwest::Result<Self> {
        let client =
            Client::builder().no_proxy().redirect(redirect::Policy::none()).timeout(PATIENCE).build()?;
        Ok(Self { client, collector, spans, dropped, is_well: true })
    }

    /// Sends until told to stop, and then what is left.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::new();
        while stop.run_until_cancelled(self.gather(&mut batch)).await.is_some() {
            self.send(&mut batch).await;
        }
        while let Ok(span) = self.spans.try_recv() {
            batch.push(span);
        }
        self.send(&mut batch).await;
    }

    /// Waits for one, and for those that come soon after it.
    async fn gather(&mut self, batch: &mut Vec<Span>) {
        // The senders live as long as the server, which stops this.
        if self.spans.recv_many(batch, BATCH).await == 0 {
            std::future::pending::<()>().await;
        }
        let spans = &mut self.spans;
        let more =
            async { while batch.len() < BATCH && spans.recv_many(batch, BATCH - batch.len()).await > 0 {} };
        // It is sent as it is when the time is over.
        let _ = tokio::time::timeout(LINGER, more).await;
    }

    async fn send(&mut self, batch: &mut Vec<Span>) {
        if batch.is_empty() {
            return;
        }
        let body = message(batch).to_string();
        let count = batch.len();
        batch.clear();
        let request = self.client.post(self.collector.clone()).header("content-type", "application/json");
        let sent = request.body(body).send().await.and_then(reqwest::Response::error_for_status);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            tracing::warn!(dropped, "spans were dropped, for the collector takes them too slowly");
        }
        match sent {
            Ok(_) => {
                if !self.is_well {
                    tracing::info!("the collector takes traces again");
                }
                self.is_well = true;
            }
            Err(error) => {
                if self.is_well {
                    let error = error.without_url();
                    tracing::warn!(%error, spans = count, "the collector takes no traces; they are dropped until it does");
                }
                self.is_well = false;
            }
        }
    }
}

/// The kinds of spans.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// The status of a span that failed.
const ERROR: u8 = 2;

fn message(batch: &[Span]) -> Value {
    let spans: Vec<Value> = batch.iter().flat_map(of_request).collect();
    json!({ "resourceSpans": [{
        "resource": { "attributes": [text("service.name", "piopiy-receiver"), text("service.version", env!("CARGO_PKG_VERSION"))] },
        "scopeSpans": [{ "scope": { "name": "piopiy-receiver" }, "spans": spans }],
    }] })
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// The span of a request, and those of its steps.
fn of_request(span: &Span) -> Vec<Value> {
    let trace = format!("{:032x}", span.trace);
    let id = format!("{:016x}", span.id);
    let mut attributes: Vec<Value> = span.attributes.iter().map(|(key, value)| text(key, value)).collect();
    attributes.push(text("http.request.method", "POST"));
    let status = span.status.as_u16();
    attributes
        .push(json!({ "key": "http.response.status_code", "value": { "intValue": status.to_string() } }));
    let mut request = json!({
        "traceId": trace, "spanId": id, "name": "webhook", "kind": SERVER,
        "startTimeUnixNano": span.began.to_string(), "endTimeUnixNano": span.ended.to_string(),
        "attributes": attributes,
    });
    if let Some(parent) = span.parent {
        request["parentSpanId"] = format!("{parent:016x}").into();
    }
    if span.status.is_server_error() {
        request["status"] = json!({ "code": ERROR });
    }
    let steps = span.steps.iter().map(|step| {
        json!({
            "traceId": trace, "spanId": format!("{:016x}", step.id), "parentSpanId": id, "name": step.name, "kind": INTERNAL,
            "startTimeUnixNano": step.began.to_string(), "endTimeUnixNano": step.ended.to_string(),
        })
    });
    std::iter::once(request).chain(steps).collect()
}
