//! v3: JSON bodies, a bearer token, and what the vendor's SDKs check checked again.

mod calls;
mod control;
mod valid;

use axum::http::{StatusCode, header};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::endpoint::Request;
use super::reply::Reply;
use crate::platform::config::App;

pub(super) use calls::{call_agent, call_ai, call_flow, call_pcmo};
pub(super) use control::{hang_up, hang_up_by_id, status, transfer, transfer_pcmo, transfer_status};

/// The app whose token it is.
fn signed_in(request: &Request<'_>) -> Result<App, Reply> {
    let denied = || {
        let mut reply = Reply::failed(StatusCode::UNAUTHORIZED, "unauthorized", "the bearer token is wrong");
        reply.headers.push((header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer")));
        reply
    };
    let given = request.parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let (scheme, token) = given.and_then(|given| given.split_once(' ')).ok_or_else(denied)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(denied());
    }
    let config = request.exchange.config();
    let is_its = |app: &&App| {
        app.token.as_ref().is_some_and(|known| bool::from(known.as_bytes().ct_eq(token.trim().as_bytes())))
    };
    config.apps.iter().find(is_its).cloned().ok_or_else(denied)
}

/// The body, an object.
fn object(request: &Request<'_>) -> Result<Map<String, Value>, Reply> {
    let invalid = |message: String| Reply::failed(StatusCode::BAD_REQUEST, "invalid_request", message);
    match serde_json::from_slice(request.body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(invalid("the body must be a JSON object".to_owned())),
        Err(error) => Err(invalid(format!("the body is no JSON: {error}"))),
    }
}

fn invalid(message: impl Into<String>) -> Reply {
    Reply::failed(StatusCode::BAD_REQUEST, "invalid_request", message)
}

/// The schema of a body, by path.
pub(super) fn body_schema(path: &str) -> Option<Value> {
    let shape = match path {
        "/v3/voice/ai/call" => valid::AI_CALL,
        "/v3/voice/pcmo/call" => valid::PCMO_CALL,
        "/v3/voice/flow/call" => valid::FLOW_CALL,
        "/v3/voice/pcmo/transfer" => valid::TRANSFER,
        "/v3/voice/call/hangup" | "/v3/voice/ai/hangup" => valid::HANG_UP,
        "/v3/calls/{id}/actions/transfer" => valid::TRANSFER_ACTION,
        "/v3/calls/{id}/actions/hangup" => valid::HANG_UP_ACTION,
        _ => return None,
    };
    let mut schema = valid::schema(shape);
    if path == "/v3/calls/{id}/actions/transfer" {
        let alone = ["pipeline", "to_number", "sip_uri"].map(|key| json!({ "required": [key] }));
        schema["oneOf"] = alone.into_iter().collect();
    }
    Some(schema)
}
