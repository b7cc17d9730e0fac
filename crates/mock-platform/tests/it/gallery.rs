//! Receivers with one deliberate flaw each, chosen by name, and the same one without.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use piopiy_events::Webhook;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A receiver that listens; it ends with the test's runtime.
pub(crate) struct Flawed {
    pub(crate) url: String,
    pub(crate) observe_url: String,
}

/// Every flaw there is, with the check that has to kill it.
pub(crate) const FLAWS: &[(&str, &str)] = &[
    ("redirects", "TRN-001"),
    ("takes-any-method", "TRN-003"),
    ("wants-content-length", "TRN-008"),
    ("reads-once", "TRN-018"),
    ("acknowledges-any-json", "JSN-006"),
    ("decodes-lossily", "JSN-012"),
    ("conflict-for-repeats", "DUP-001"),
    ("stores-repeats", "DUP-001"),
    ("asks-then-inserts", "DUP-002"),
];

/// Starts the receiver with a flaw; `none` is the correct one.
pub(crate) async fn start(flaw: &'static str) -> Flawed {
    assert!(flaw == "none" || FLAWS.iter().any(|(name, _)| *name == flaw), "there is no flaw {flaw}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let store = Arc::new(Store { flaw, ..Store::default() });
    let app = Router::new()
        .route("/webhook/cdr", any(receive))
        .route("/__observe", get(observe))
        .with_state(Arc::clone(&store));
    if flaw == "reads-once" {
        // In front of the correct receiver: what one read does not bring is not seen.
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let behind = inner.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(inner, app).await });
        tokio::spawn(read_once(listener, behind));
        let observe_url = format!("http://{behind}/__observe");
        return Flawed { url: format!("http://{address}/webhook/cdr"), observe_url };
    }
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (url, observe_url) = (format!("http://{address}/webhook/cdr"), format!("http://{address}/__observe"));
    Flawed { url, observe_url }
}

async fn read_once(listener: TcpListener, behind: std::net::SocketAddr) {
    while let Ok((mut outside, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut request = vec![0; 64 * 1024];
            let count = outside.read(&mut request).await.unwrap_or(0);
            let whole = request[..count].ends_with(b"}");
            if !whole {
                let _ = outside.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
                return;
            }
            let mut inside = tokio::net::TcpStream::connect(behind).await.unwrap();
            inside.write_all(&request[..count]).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut outside, &mut inside).await;
        });
    }
}

#[derive(Default)]
struct Store {
    flaw: &'static str,
    seen: Mutex<BTreeSet<String>>,
    effects: Mutex<Vec<Value>>,
}

impl Store {
    fn has(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }

    fn keep(&self, mut effect: Value) {
        let mut effects = self.effects.lock().unwrap();
        effect["seq"] = json!(effects.len() + 1);
        effects.push(effect);
    }
}

async fn receive(State(store): State<Arc<Store>>, request: Request) -> Response {
    if store.has("redirects") {
        return (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "/elsewhere")]).into_response();
    }
    if request.method() != Method::POST && !store.has("takes-any-method") {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response();
    }
    if store.has("wants-content-length") && !request.headers().contains_key(header::CONTENT_LENGTH) {
        return StatusCode::LENGTH_REQUIRED.into_response();
    }
    let Ok(body) = axum::body::to_bytes(request.into_body(), 1 << 20).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let body = if store.has("decodes-lossily") {
        String::from_utf8_lossy(&body).into_owned().into_bytes()
    } else {
        body.to_vec()
    };
    let Some((webhook, identity)) = Webhook::parse(&body).ok().and_then(|w| Some((w.clone(), w.identity()?)))
    else {
        if store.has("acknowledges-any-json") && serde_json::from_slice::<Value>(&body).is_ok() {
            store.keep(json!({ "kind": "unknown" }));
            return StatusCode::OK.into_response();
        }
        return StatusCode::UNPROCESSABLE_ENTITY.into_response();
    };
    let is_new = if store.has("asks-then-inserts") {
        let known = store.seen.lock().unwrap().contains(&identity.key());
        tokio::time::sleep(Duration::from_millis(5)).await;
        store.seen.lock().unwrap().insert(identity.key());
        !known
    } else {
        store.seen.lock().unwrap().insert(identity.key()) || store.has("stores-repeats")
    };
    if is_new {
        let fields: Value = serde_json::from_str(&webhook.to_json()).unwrap();
        let kind = identity.kind().as_str();
        store.keep(json!({
            "cmiuuid": identity.cmiuuid(), "leg": identity.leg(), "kind": kind, "status": identity.status(),
            "fields": fields,
        }));
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
