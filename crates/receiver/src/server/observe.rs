//! `/__observe`: what the receiver did, for a test suite to see (protocol version 1).
//!
//! `GET ?since=N` answers one JSON object per effect with a `seq` over N; `GET ?capabilities` says what the objects hold.
//! The state of a call is a fold over all effects so far, so it is computed once, in order, and remembered.

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use piopiy_events::{Calls, Kind, Phase, Raw, Webhook};

use super::local::is_of_this_machine;
use super::routes::App;
use crate::{Record, Records, StoreError, auth};

const CAPABILITIES: &str = r#"{"observe": 1, "fields": true, "state": true, "quarantine": true}"#;

/// Records read at a time.
const PAGE: usize = 1000;
/// Bytes of bodies read at a time.
const PAGE_BYTES: usize = 1 << 20;

/// Turns records into effect records.
#[derive(Debug, Clone)]
pub(super) struct Observer {
    records: Arc<dyn Records>,
    view: Arc<Mutex<View>>,
}

/// What all effects so far make of the calls.
#[derive(Debug, Default)]
struct View {
    calls: Calls,
    /// The state of its call after each effect, by `seq`; `None` for what is quarantined.
    phases: Vec<(u64, Option<Phase>)>,
}

impl Observer {
    pub(super) fn new(records: Arc<dyn Records>) -> Self {
        Self { records, view: Arc::default() }
    }

    /// One page of effect records after `since`, or a step towards it.
    pub(super) fn step(&self, since: u64) -> Result<Step, StoreError> {
        let records = self.records.page(since, PAGE, PAGE_BYTES)?;
        let Some(last) = records.last().map(|record| record.seq) else {
            return Ok(Step::End);
        };
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        if !view.catch_up(&*self.records, last)? {
            return Ok(Step::Behind);
        }
        let mut lines = String::with_capacity(records.len() * 512);
        for record in &records {
            write_line(record, view.phase(record.seq), &mut lines);
        }
        Ok(Step::Page(lines, last))
    }
}

/// What became of one look into the store.
pub(super) enum Step {
    /// These lines, up to this `seq`.
    Page(String, u64),
    /// The calls were followed a page further, but not yet up to where lines can be made.
    Behind,
    /// There are no more records.
    End,
}

impl View {
    /// Follows the calls one page further; whether that reaches up to `upto`.
    fn catch_up(&mut self, records: &dyn Records, upto: u64) -> Result<bool, StoreError> {
        if self.seen() >= upto {
            return Ok(true);
        }
        let page = records.page(self.seen(), PAGE, PAGE_BYTES)?;
        // Records that were there a moment ago and are not now: no more can be known.
        let is_gone = page.is_empty();
        for record in page {
            let webhook = record.webhook();
            let phase = webhook.and_then(|webhook| {
                self.calls.apply(&webhook);
                self.calls.phase(&self.calls.call_of(&webhook)?)
            });
            self.phases.push((record.seq, phase));
        }
        Ok(is_gone || self.seen() >= upto)
    }

    fn seen(&self) -> u64 {
        self.phases.last().map_or(0, |(seq, _)| *seq)
    }

    fn phase(&self, seq: u64) -> Option<Phase> {
        let at = self.phases.binary_search_by_key(&seq, |(seq, _)| *seq).ok()?;
        self.phases[at].1
    }
}

/// Appends the effect record of a record, as one line.
fn write_line(record: &Record, phase: Option<Phase>, out: &mut String) {
    let seq = record.seq;
    out.push_str(&format!("{{\"seq\":{seq}"));
    if let Some(webhook) = record.webhook() {
        for key in ["cmiuuid", "leg", "status"] {
            if let Some(text) = text_token(&webhook, key) {
                out.push_str(&format!(",\"{key}\":{text}"));
            }
        }
        let kind = webhook.kind().map_or("unknown", Kind::as_str);
        // White space between tokens may hold line breaks; inside strings JSON allows none.
        let fields = webhook.to_json().replace(['\n', '\r'], " ");
        out.push_str(&format!(",\"kind\":\"{kind}\",\"fields\":{fields}"));
        if let Some(phase) = phase {
            out.push_str(&format!(",\"state\":\"{phase}\""));
        }
        out.push_str(",\"quarantined\":false}\n");
    } else {
        let reason = Raw::string(record.reason.as_deref().unwrap_or("unreadable"));
        out.push_str(",\"kind\":\"unknown\",\"quarantined\":true,\"reason\":");
        out.push_str(reason.as_json());
        out.push_str("}\n");
    }
}

/// A member as a JSON string: as received where it was one, its text in quotes where it was not.
fn text_token(webhook: &Webhook, key: &str) -> Option<String> {
    let raw = webhook.get(key).filter(|value| !value.is_null())?;
    Some(if raw.text().is_some() {
        raw.as_json().to_owned()
    } else {
        Raw::string(raw.as_json()).as_json().to_owned()
    })
}

pub(super) async fn observe(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Response {
    let Some(observer) = app.observer.clone().filter(|_| is_local(&request)) else {
        return (StatusCode::NOT_FOUND, "not found\n").into_response();
    };
    if let Err(status) = app.authentication.check_secret(&request) {
        return auth::refuse(status);
    }
    let query = query.unwrap_or_default();
    if query.split('&').any(|pair| pair.split('=').next() == Some("capabilities")) {
        let json = HeaderValue::from_static("application/json");
        return ([(header::CONTENT_TYPE, json)], CAPABILITIES).into_response();
    }
    let since = match query.split('&').find_map(|pair| pair.strip_prefix("since=")) {
        None => Ok(0),
        Some(text) => text.parse::<u64>(),
    };
    let Ok(since) = since else {
        return (StatusCode::BAD_REQUEST, "since is a sequence number: ?since=0 gives all\n").into_response();
    };
    let pages = stream::try_unfold(since, move |since| {
        let observer = observer.clone();
        async move {
            // One step at a time: a client that went away is noticed between two.
            loop {
                let observer = observer.clone();
                let step = tokio::task::spawn_blocking(move || observer.step(since)).await;
                match step.map_err(|error| StoreError::Other(Box::new(error)))?? {
                    Step::Page(lines, last) => return Ok(Some((lines, last))),
                    Step::Behind => {}
                    Step::End => return Ok::<_, StoreError>(None),
                }
            }
        }
    });
    let ndjson = HeaderValue::from_static("application/x-ndjson");
    ([(header::CONTENT_TYPE, ndjson)], Body::from_stream(pages)).into_response()
}

/// Whether a program on this machine asks, and no browser on behalf of a page; a secret keeps out who comes through a proxy
/// that adds no header.
fn is_local(request: &Request) -> bool {
    is_of_this_machine(request) && !request.headers().contains_key(header::ORIGIN)
}
