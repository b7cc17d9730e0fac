use axum::http::StatusCode;
use piopiy_events::pcmo::{Action, Endpoint, Pcmo};
use serde_json::{Map, Value, json};

use super::calls::pipeline;
use super::valid;
use super::{invalid, object, signed_in};
use crate::platform::config::App;
use crate::platform::exchange::{TransferError, TransferStatus};
use crate::platform::rest::endpoint::Request;
use crate::platform::rest::reply::Reply;

/// `POST /voice/call/hangup`.
pub(in crate::platform::rest) fn hang_up(request: &Request<'_>) -> Reply {
    by_body(request, valid::HANG_UP, |call, _| ended(request, call, None))
}

/// `POST /calls/{id}/actions/hangup`.
pub(in crate::platform::rest) fn hang_up_by_id(request: &Request<'_>) -> Reply {
    by_path(request, valid::HANG_UP_ACTION, |call, _| {
        // The vendor's agents want an id of what they ask for by path; there is one such thing to a call.
        let id = id_of(request, call).map(|call| format!("hu-{call}"));
        let reply = ended(request, call, id);
        if reply.status.is_success() {
            reply.choosing("the form of its request_id is not documented")
        } else {
            reply
        }
    })
}

/// `POST /voice/pcmo/transfer`.
pub(in crate::platform::rest) fn transfer_pcmo(request: &Request<'_>) -> Reply {
    by_body(request, valid::TRANSFER, |call, body| {
        transferred(request, call, request.exchange.transfer(call, pipeline(body)))
    })
}

/// `POST /calls/{id}/actions/transfer`: blind with a pipeline, warm with somebody to be called.
pub(in crate::platform::rest) fn transfer(request: &Request<'_>) -> Reply {
    by_path(request, valid::TRANSFER_ACTION, |call, body| {
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let given = [body.contains_key("pipeline"), text("to_number").is_some(), text("sip_uri").is_some()];
        if given.into_iter().filter(|given| *given).count() != 1 {
            return invalid("one of pipeline, to_number and sip_uri is required, and one alone");
        }
        let endpoint = match (text("to_number"), text("sip_uri")) {
            (Some(number), _) => Endpoint::pstn_text(number),
            (None, Some(uri)) => Endpoint::sip_uri(uri),
            (None, None) => {
                return transferred(request, call, request.exchange.transfer(call, pipeline(body)));
            }
        };
        let begun = request.exchange.transfer_warm(call, connecting(&endpoint, body));
        let queued = transferred(request, call, begun);
        if queued.status.is_success() { queued.choosing(warm(body)) } else { queued }
    })
}

/// `GET /calls/{id}`: 404 as soon as its end has begun: its CDRs come later. What the body holds is not documented.
pub(in crate::platform::rest) fn status(request: &Request<'_>) -> Reply {
    let app = match signed_in(request) {
        Ok(app) => app,
        Err(reply) => return reply,
    };
    let view = request.call_of(&app, request.id()).and_then(|call| request.exchange.board().call(call));
    match view {
        Some(view) if request.exchange.is_on(view.call) => Reply::ok(json!({
            "call_id": view.begin.cmiuuid,
            "request_id": view.begin.request_id,
            "status": view.phase.as_str(),
            "direction": view.begin.direction,
            "from": view.begin.from.to_string(),
            "to": view.begin.to.to_string(),
        }))
        .about(view.call)
        .choosing("the body is not documented"),
        _ => gone(),
    }
}

/// `GET /transfers/{id}`.
pub(in crate::platform::rest) fn transfer_status(request: &Request<'_>) -> Reply {
    let app = match signed_in(request) {
        Ok(app) => app,
        Err(reply) => return reply,
    };
    let transfer = request.exchange.transfer_of(request.id());
    let Some(transfer) = transfer.filter(|transfer| request.owns(&app, transfer.call)) else {
        return Reply::failed(StatusCode::NOT_FOUND, "TRANSFER_NOT_FOUND", "there is no such transfer");
    };
    let mut answer = json!({
        "request_id": transfer.id,
        "call_id": id_of(request, transfer.call),
        "status": transfer.status.as_str(),
    });
    if let TransferStatus::Failed(reason) = transfer.status {
        answer["reason"] = reason.into();
    }
    Reply::ok(answer).about(transfer.call)
}

/// A call that the body names.
fn by_body(
    request: &Request<'_>,
    shape: valid::Shape,
    act: impl FnOnce(u64, &Map<String, Value>) -> Reply,
) -> Reply {
    match checked(request, shape) {
        Ok((app, body)) => {
            let id = body.get("call_id").and_then(Value::as_str).unwrap_or_default();
            request.call_of(&app, id).map_or_else(gone, |call| act(call, &body))
        }
        Err(reply) => reply,
    }
}

/// A call that the path names.
fn by_path(
    request: &Request<'_>,
    shape: valid::Shape,
    act: impl FnOnce(u64, &Map<String, Value>) -> Reply,
) -> Reply {
    match checked(request, shape) {
        Ok((app, body)) => request.call_of(&app, request.id()).map_or_else(gone, |call| act(call, &body)),
        Err(reply) => reply,
    }
}

fn checked(request: &Request<'_>, shape: valid::Shape) -> Result<(App, Map<String, Value>), Reply> {
    let app = signed_in(request)?;
    let body = object(request)?;
    valid::check(shape, &body).map_err(invalid)?;
    Ok((app, body))
}

fn ended(request: &Request<'_>, call: u64, id: Option<String>) -> Reply {
    let mut told = json!({ "message": "queued", "call_id": id_of(request, call) });
    if let Some(id) = id {
        told["request_id"] = id.into();
    }
    match request.exchange.end(call) {
        Ok(()) => Reply::ok(told).about(call),
        Err(_) => gone().about(call),
    }
}

/// What is chosen for a warm transfer, and which members of it change nothing.
fn warm(body: &Map<String, Value>) -> String {
    const IDLE: [&str; 6] =
        ["caller_id", "confirm", "hold_audio", "sip_headers", "transfer_summary", "variables"];
    let given: Vec<&str> = IDLE.into_iter().filter(|key| body.contains_key(*key)).collect();
    let rings = if body.contains_key("timeout_sec") { "; any timeout_sec of 1 or more is taken" } else { "" };
    let idle = match &given[..] {
        [] => String::new(),
        given => format!("; without effect here: {}", given.join(", ")),
    };
    format!("the call goes on as it was until somebody picks up{rings}{idle}")
}

fn transferred(request: &Request<'_>, call: u64, begun: Result<String, TransferError>) -> Reply {
    match begun {
        Ok(id) => Reply::ok(json!({
            "message": "queued",
            "call_id": id_of(request, call),
            "request_id": id,
        }))
        .about(call),
        Err(TransferError::Open { id }) => {
            let body = json!({ "error": "transfer_in_progress", "request_id": id });
            Reply::json(StatusCode::CONFLICT, body).about(call)
        }
        Err(TransferError::Call(_)) => gone().about(call),
    }
}

fn connecting(endpoint: &Endpoint, body: &Map<String, Value>) -> Pcmo {
    let mut members = json!({ "action": "connect", "params": {} });
    if let Some(caller) = body.get("caller_id") {
        members["params"]["caller_id"] = caller.clone();
    }
    if let Some(seconds) = body.get("timeout_sec").and_then(valid::whole) {
        members["params"]["options"] = json!({ "ring_timeout_sec": seconds });
    }
    let endpoint = serde_json::to_value(endpoint).unwrap_or_default();
    members["endpoints"] = json!([endpoint]);
    let text = Value::Array(vec![members]).to_string();
    // It is an array.
    Pcmo::parse(text.as_bytes()).unwrap_or_else(|_| Pcmo::from_iter([Action::hangup()]))
}

fn id_of(request: &Request<'_>, call: u64) -> Option<String> {
    request.exchange.board().begin_of(call).map(|begin| begin.cmiuuid)
}

fn gone() -> Reply {
    Reply::failed(StatusCode::NOT_FOUND, "CALL_NOT_FOUND", "no such call is on")
}
