//! Receivers with one deliberate flaw each, chosen by name, and the same one without.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use futures_util::future::BoxFuture;
use piopiy_events::{Calls, Raw, Webhook};
use piopiy_mock_platform::judge::check::Hook;
use serde_json::{Value, json};
use tokio::net::TcpListener;

mod avl;
mod con;
mod dup;
mod jsn;
mod lat;
mod ord;
mod pio;
mod process;
mod rty;
mod sch;
mod sec;
mod trn;

/// The flaws of one group of checks, one file each below `gallery/`. A flaw works through any of the hooks.
struct Group {
    /// The flaws, each with the check that has to kill it.
    flaws: &'static [(&'static str, &'static str)],
    /// An answer before the body is read.
    answer: fn(&str, &Parts) -> Option<Response>,
    /// An answer once the body is read.
    read: fn(&str, &[u8]) -> Option<Response>,
    /// What becomes of the bytes of a body.
    body: fn(&str, Vec<u8>) -> Vec<u8>,
    /// What is stored for an effect: nothing, it, it twice, something else.
    effects: fn(&str, Value) -> Vec<Value>,
    /// What is put around the receiver: delays, limits, other answers.
    wrap: fn(&'static str, Router) -> Router,
    /// By what webhooks are told apart, where not by their identity: of the body and the webhook.
    key: fn(&str, &[u8], &Webhook) -> Option<String>,
    /// A receiver of its own, for flaws of another kind.
    serve: fn(&'static str) -> Option<BoxFuture<'static, Flawed>>,
}

impl Group {
    /// No flaw.
    const NONE: Self = Self {
        flaws: &[],
        answer: |_, _| None,
        read: |_, _| None,
        body: |_, body| body,
        effects: |_, effect| vec![effect],
        wrap: |_, receiver| receiver,
        key: |_, _, _| None,
        serve: |_| None,
    };
}

const GROUPS: &[&Group] = &[
    &trn::GROUP,
    &jsn::GROUP,
    &sch::GROUP,
    &pio::GROUP,
    &ord::GROUP,
    &dup::GROUP,
    &rty::GROUP,
    &lat::GROUP,
    &con::GROUP,
    &sec::GROUP,
    &avl::GROUP,
];

/// A receiver that listens; it ends with the test's runtime.
pub(crate) struct Flawed {
    pub(crate) url: String,
    pub(crate) observe_url: String,
    /// Of another instance.
    pub(crate) second_url: Option<String>,
    /// What it is started with, where the suite starts it.
    pub(crate) command: Option<Vec<String>>,
    /// What takes its store away, and the like.
    pub(crate) hooks: BTreeMap<Hook, String>,
}

impl Flawed {
    fn at(address: &str) -> Self {
        let url = |path: &str| format!("http://{address}{path}");
        Self {
            url: url("/webhook/cdr"),
            observe_url: url("/__observe"),
            second_url: None,
            command: None,
            hooks: BTreeMap::new(),
        }
    }
}

/// Every flaw there is, with the check that has to kill it.
pub(crate) fn flaws() -> impl Iterator<Item = (&'static str, &'static str)> {
    GROUPS.iter().flat_map(|group| group.flaws.iter().copied())
}

/// Starts the receiver with a flaw; `none` is the correct one.
pub(crate) async fn start(flaw: &'static str) -> Flawed {
    assert!(flaw == "none" || flaws().any(|(name, _)| name == flaw), "there is no flaw {flaw}");
    if let Some(own) = GROUPS.iter().find_map(|group| (group.serve)(flaw)) {
        return own.await;
    }
    listen(Arc::new(Store { flaw, ..Store::default() })).await
}

/// Serves a store at a free port.
async fn listen(store: Arc<Store>) -> Flawed {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let flaw = store.flaw;
    let app = GROUPS.iter().fold(router(store), |app, group| (group.wrap)(flaw, app));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Flawed::at(&address.to_string())
}

fn router(store: Arc<Store>) -> Router {
    Router::new().route("/webhook/cdr", any(receive)).route("/__observe", get(observe)).with_state(store)
}

#[derive(Default)]
struct Store {
    flaw: &'static str,
    seen: Mutex<BTreeSet<String>>,
    effects: Arc<Mutex<Vec<Value>>>,
    calls: Mutex<Calls>,
    /// Where effects are written to, too.
    file: Option<PathBuf>,
    /// While there is such a file the store is away.
    down: Option<PathBuf>,
}

impl Store {
    fn has(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }

    fn keep(&self, webhook: &Webhook, mut effect: Value) {
        let mut calls = self.calls.lock().unwrap();
        calls.apply(webhook);
        effect["state"] =
            json!(calls.call_of(webhook).and_then(|key| calls.phase(&key)).map(|it| it.as_str()));
        let kept = GROUPS.iter().fold(vec![effect], |kept, group| {
            kept.into_iter().flat_map(|effect| (group.effects)(self.flaw, effect)).collect()
        });
        for effect in kept {
            self.append(effect);
        }
    }

    fn append(&self, mut effect: Value) {
        let mut effects = self.effects.lock().unwrap();
        effect["seq"] = json!(effects.len() + 1);
        if let Some(file) = &self.file {
            process::write(self.flaw, file.clone(), format!("{effect}\n"));
        }
        effects.push(effect);
    }
}

async fn receive(State(store): State<Arc<Store>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Some(answer) = GROUPS.iter().find_map(|group| (group.answer)(store.flaw, &parts)) {
        return answer;
    }
    if parts.method != Method::POST && !store.has("takes-any-method") {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response();
    }
    if store.down.as_ref().is_some_and(|file| file.exists()) {
        return rty::without_store(store.flaw);
    }
    let Ok(body) = axum::body::to_bytes(body, 1 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if let Some(answer) = GROUPS.iter().find_map(|group| (group.read)(store.flaw, &body)) {
        return answer;
    }
    let body = GROUPS.iter().fold(body.to_vec(), |body, group| (group.body)(store.flaw, body));
    let read = Webhook::parse(&body);
    let Some((webhook, identity)) = read.as_ref().ok().and_then(|w| Some((w.clone(), w.identity()?))) else {
        // Of a type that is not known: acknowledged, and kept aside.
        if let Ok(webhook) = read
            && let (Some(id), Some(_)) = (webhook.text("cmiuuid"), webhook.text("type"))
        {
            store.append(json!({ "kind": "unknown", "cmiuuid": id, "quarantined": true }));
            return StatusCode::OK.into_response();
        }
        if store.has("acknowledges-any-json") && serde_json::from_slice::<Value>(&body).is_ok() {
            store.append(json!({ "kind": "unknown" }));
            return StatusCode::OK.into_response();
        }
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let key = GROUPS.iter().find_map(|group| (group.key)(store.flaw, &body, &webhook));
    let key = key.unwrap_or_else(|| identity.key());
    let is_new = if store.has("asks-then-inserts") {
        let known = store.seen.lock().unwrap().contains(&key);
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.seen.lock().unwrap().insert(key);
        !known
    } else {
        store.seen.lock().unwrap().insert(key) || store.has("stores-repeats")
    };
    if is_new {
        let fields: Value =
            webhook.members().iter().map(|(key, value)| (key.clone(), exact(value))).collect();
        let kind = identity.kind().as_str();
        store.keep(&webhook, json!({
            "cmiuuid": identity.cmiuuid(), "leg": identity.leg(), "kind": kind, "status": identity.status(),
            "fields": fields,
        }));
        if store.file.is_some() {
            // A moment between the effect and the answer, for the kill to come in.
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    } else if store.has("conflict-for-repeats") {
        return StatusCode::CONFLICT.into_response();
    }
    StatusCode::OK.into_response()
}

#[derive(serde::Deserialize)]
struct Since {
    #[serde(default)]
    since: usize,
}

async fn observe(State(store): State<Arc<Store>>, Query(query): Query<Since>) -> Body {
    let effects = store.effects.lock().unwrap();
    let lines = effects.iter().skip(query.since).map(|effect| format!("{effect}\n"));
    Body::from(lines.collect::<String>())
}

/// A value as it came: what `Value` would round or cannot hold is given as text.
fn exact(value: &Raw) -> Value {
    match serde_json::from_str::<Value>(value.as_json()) {
        Ok(Value::Number(read)) if format!("{read}") != value.as_json() => json!(value.as_json()),
        Ok(read) => read,
        Err(_) => json!(value.plain()),
    }
}

/// Whether a body has a text in it.
fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

/// A body, or one that will be refused.
fn refused_if(is_refused: bool, body: Vec<u8>) -> Vec<u8> {
    if is_refused { Vec::new() } else { body }
}

/// Changes a stored text.
fn rewritten(fields: &mut Value, key: &str, rewrite: impl Fn(&str) -> String) {
    if let Some(text) = fields.get(key).and_then(Value::as_str) {
        fields[key] = json!(rewrite(text));
    }
}
