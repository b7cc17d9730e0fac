//! Which requests there are, and what is common to all of them.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{self, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderValue, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::MethodFilter;
use serde_json::Value;
use tokio::time::Instant;

use super::reply::{Body, Reply};
use super::{legacy, openapi, v3};
use crate::deliver::ledger::{Lane, MessageEntry, MessageKind};
use crate::platform::config::App;
use crate::platform::exchange::{Exchange, lock};
use crate::platform::guard;
use crate::platform::hidden::of_string;

/// A request that is answered.
#[derive(Debug)]
pub(super) struct Endpoint {
    pub(super) method: Method,
    /// As the router has it.
    pub(super) path: &'static str,
    pub(super) kind: Kind,
    /// What it does, for people.
    pub(super) summary: &'static str,
    pub(super) handle: fn(&Request<'_>) -> Reply,
}

/// What a request has to have with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `appid` and `secret` in a JSON body.
    Legacy,
    /// The same in the query.
    LegacyQuery,
    /// A bearer token.
    V3,
    /// Nothing.
    Open,
}

/// A request, as far as it was read.
pub(super) struct Request<'a> {
    pub(super) exchange: &'a Exchange,
    pub(super) endpoint: &'static Endpoint,
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
}

macro_rules! endpoints {
    ($($method:ident $path:literal $kind:ident $handle:path: $summary:literal;)*) => {
        pub(super) static ENDPOINTS: &[Endpoint] = &[$(Endpoint {
            method: Method::$method,
            path: $path,
            kind: Kind::$kind,
            summary: $summary,
            handle: $handle,
        }),*];
    };
}

endpoints! {
    POST "/v2/global_pcmo_make_call" Legacy legacy::make_call: "Call a customer with a call flow";
    POST "/v2/ind_pcmo_make_call" Legacy legacy::make_call: "Call a customer with a call flow (India)";
    POST "/v1/pcmo_make_call" Legacy legacy::make_call: "Call a customer with a call flow (old)";
    POST "/v1/global_pcmo_make_call" Legacy legacy::make_call: "Call a customer with a call flow (old)";
    POST "/v1/make_call" Legacy legacy::make_call_asking: "Call a customer and ask an answer URL";
    POST "/v1/global_make_call" Legacy legacy::make_call_asking: "Call a customer and ask an answer URL";
    POST "/v1/call/action" Legacy legacy::act: "Hold, take back or end a call";
    POST "/v1/call/global_action" Legacy legacy::act: "Hold, take back or end a call";
    POST "/v1/piopiy/cmiuuid_cdr" Legacy legacy::cdr_of_leg: "The CDR of a leg";
    POST "/v1/piopiy/requestid_cdr" Legacy legacy::cdrs_of_request: "The CDRs of a request";
    POST "/v1/endpoint/add_sip" Legacy legacy::add_sip: "Add a SIP endpoint";
    GET "/v1/play" LegacyQuery legacy::recording: "A recording";
    GET "/v2/piopiy/play" LegacyQuery legacy::recording: "A recording";
    GET "/v3/piopiy/play" LegacyQuery legacy::recording: "A recording";
    POST "/v3/voice/ai/call" V3 v3::call_ai: "Call a customer for an agent";
    POST "/v3/voice/pcmo/call" V3 v3::call_pcmo: "Call a customer with a pipeline";
    POST "/v3/voice/flow/call" V3 v3::call_flow: "Call a customer with a stored flow";
    POST "/v3/voice/agent/call" V3 v3::call_agent: "Not known: answered 501";
    POST "/v3/voice/pcmo/transfer" V3 v3::transfer_pcmo: "Give a call another pipeline";
    POST "/v3/voice/call/hangup" V3 v3::hang_up: "End a call";
    POST "/v3/voice/ai/hangup" V3 v3::hang_up: "End a call (old)";
    GET "/v3/calls/{id}" V3 v3::status: "A call that is on";
    POST "/v3/calls/{id}/actions/transfer" V3 v3::transfer: "Transfer a call";
    POST "/v3/calls/{id}/actions/hangup" V3 v3::hang_up_by_id: "End a call";
    GET "/v3/transfers/{id}" V3 v3::transfer_status: "What became of a transfer";
    GET "/openapi.json" Open openapi::served: "This document";
}

impl Request<'_> {
    /// The `{id}` of the path.
    pub(super) fn id(&self) -> &str {
        let at = self.endpoint.path.split('/').position(|part| part == "{id}");
        at.and_then(|at| self.parts.uri.path().split('/').nth(at)).unwrap_or_default()
    }

    /// The call of an app with a leg of this id; those of other apps are none of its business. Which call of the run it is,
    /// and what its request was called, names no leg.
    pub(super) fn call_of(&self, app: &App, id: &str) -> Option<u64> {
        self.exchange.board().find_leg(id).filter(|&call| self.owns(app, call))
    }

    /// Whether a call is of an app.
    pub(super) fn owns(&self, app: &App, call: u64) -> bool {
        self.exchange.board().begin_of(call).is_some_and(|begin| begin.appid == app.appid)
    }

    /// A parameter of the query, decoded.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let query = self.parts.uri.query().unwrap_or_default();
        let url = reqwest::Url::parse(&format!("http://localhost/?{query}")).ok()?;
        url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }
}

pub(super) fn method_of(endpoint: &Endpoint) -> MethodFilter {
    if endpoint.method == Method::GET { MethodFilter::GET } else { MethodFilter::POST }
}

/// Answers a request, and tells of it.
pub(super) async fn answer(
    endpoint: &'static Endpoint,
    State(exchange): State<Exchange>,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let began = Instant::now();
    let refused = lock(&exchange.shared().gate).refuse(endpoint.path, began);
    let (reply, body) = match (refused, body) {
        (Some(reply), body) => (reply, body.unwrap_or_default()),
        (None, Ok(body)) => {
            let request = Request { exchange: &exchange, endpoint, parts: &parts, body: &body };
            let reply = (endpoint.handle)(&request);
            (reply.opened().await, body)
        }
        (None, Err(rejection)) => {
            (Reply::failed(rejection.status(), "body_not_read", rejection.body_text()), Bytes::new())
        }
    };
    if endpoint.kind != Kind::Open {
        tell(&exchange, &format!("{} {}", endpoint.method, endpoint.path), &parts.uri, &body, &reply, began);
    }
    reply.into_response()
}

/// Lets programs through, and no page that a browser shows: it would call in the name of the application, whose credentials
/// everybody knows where none are configured.
pub(super) async fn no_pages(
    State(exchange): State<Exchange>,
    request: extract::Request,
    next: Next,
) -> Response {
    if request.method().is_safe() || !guard::is_of_a_page(request.headers()) {
        return next.run(request).await;
    }
    let message = "pages of a browser call nobody: let your server ask, without `Origin`";
    let reply = Reply::failed(StatusCode::FORBIDDEN, "forbidden", message);
    tell(&exchange, "web page", request.uri(), &[], &reply, Instant::now());
    reply.into_response()
}

/// Nothing is there: most often a base URL that lacks its `/v3`, which is why the timeline has it, too.
pub(super) async fn unknown(State(exchange): State<Exchange>, uri: Uri) -> Reply {
    let message = format!("nothing is at {}; /openapi.json says what there is", uri.path());
    let reply = Reply::failed(StatusCode::NOT_FOUND, "not_found", message);
    tell(&exchange, "unknown path", &uri, &[], &reply, Instant::now());
    reply
}

pub(super) async fn wrong_method(State(exchange): State<Exchange>, uri: Uri) -> Reply {
    let allowed: Vec<&str> = ENDPOINTS
        .iter()
        .filter(|endpoint| fits(endpoint.path, uri.path()))
        .map(|endpoint| endpoint.method.as_str())
        .collect();
    let allowed = allowed.join(", ");
    let message = format!("{} takes {allowed} alone", uri.path());
    let mut reply = Reply::failed(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message);
    reply.headers.extend(HeaderValue::from_str(&allowed).ok().map(|allowed| (header::ALLOW, allowed)));
    tell(&exchange, "wrong method", &uri, &[], &reply, Instant::now());
    reply
}

fn fits(pattern: &str, path: &str) -> bool {
    let (pattern, path): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    pattern.len() == path.len()
        && pattern.iter().zip(path).all(|(wanted, part)| wanted.starts_with('{') || *wanted == part)
}

/// How much of a body is kept for people to look at.
const KEPT: usize = 64 * 1024;

fn tell(exchange: &Exchange, what: &str, uri: &Uri, body: &[u8], reply: &Reply, began: Instant) {
    let label = format!("{what} {}", reply.status.as_u16());
    let mut message =
        MessageEntry::new(exchange.now_ms(), Lane::Api, Lane::Platform, MessageKind::Rest, label);
    message.call = reply.call;
    message.choice = reply.choice.clone();
    message.url = Some(crate::deliver::without_secrets(&format!(
        "http://piopiy{}",
        uri.path_and_query().map_or("", PathAndQuery::as_str)
    )));
    message.status = Some(reply.status.as_u16());
    message.took_ns = u64::try_from(began.elapsed().as_nanos()).ok();
    if let Some(text) = shown(body) {
        message.request = Some(text.into_bytes().into());
    }
    if let Body::Json(answer) = &reply.body {
        // Some answers repeat what is secret.
        let mut answer = answer.clone();
        hide(&mut answer);
        message.answer = Some(answer.to_string().into_bytes().into());
    }
    exchange.tell(message);
}

/// A JSON body without its secrets; nothing of what is no JSON, for nobody can tell what is secret in it.
fn shown(body: &[u8]) -> Option<String> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    hide(&mut value);
    let mut text = value.to_string();
    if text.len() > KEPT {
        let end = (0..=KEPT).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
        text.truncate(end);
    }
    Some(text)
}

fn hide(value: &mut Value) {
    const SECRET: [&str; 3] = ["secret", "password", "token"];
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                if SECRET.iter().any(|word| key.eq_ignore_ascii_case(word)) {
                    *value = "***".into();
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::String(text) => *text = of_string(text).unwrap_or_else(|| std::mem::take(text)),
        _ => {}
    }
}
