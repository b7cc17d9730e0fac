use axum::http::StatusCode;
use piopiy_events::pcmo::{Action, Endpoint, Pcmo};
use serde_json::{Map, Value, json};

use super::valid::{self, Shape};
use super::{invalid, object, signed_in};
use crate::platform::exchange::{Outbound, PlaceCallError, Then};
use crate::platform::rest::endpoint::Request;
use crate::platform::rest::reply::Reply;

/// An agent takes the call: one of the simulated people picks up for it.
pub(in crate::platform::rest) fn call_ai(request: &Request<'_>) -> Reply {
    placed(request, valid::AI_CALL, |body| {
        let agent = Endpoint::agent(text(body, "agent_id"));
        Pcmo::from_iter([Action::connect(&[agent])])
    })
    .map_or_else(|reply| reply, |reply| reply.choosing("somebody answers for the agent"))
}

pub(in crate::platform::rest) fn call_pcmo(request: &Request<'_>) -> Reply {
    placed(request, valid::PCMO_CALL, pipeline).unwrap_or_else(|reply| reply)
}

/// A stored flow: nobody stores any here, so a text is said in its place.
pub(in crate::platform::rest) fn call_flow(request: &Request<'_>) -> Reply {
    placed(request, valid::FLOW_CALL, |_| Pcmo::from_iter([Action::speak("A stored flow would be here.")]))
        .map_or_else(|reply| reply, |reply| reply.choosing("a text is said in place of the stored flow"))
}

/// Named in READMEs, called by no SDK: its body is not known.
pub(in crate::platform::rest) fn call_agent(request: &Request<'_>) -> Reply {
    match signed_in(request) {
        Ok(_) => Reply::failed(
            StatusCode::NOT_IMPLEMENTED,
            "not_implemented",
            "nobody documents the body of /voice/agent/call: use /voice/ai/call",
        ),
        Err(reply) => reply,
    }
}

pub(super) fn pipeline(body: &Map<String, Value>) -> Pcmo {
    let text = body.get("pipeline").map(Value::to_string).unwrap_or_default();
    // It was found to be an array.
    Pcmo::parse(text.as_bytes()).unwrap_or_default()
}

fn placed(
    request: &Request<'_>,
    shape: Shape,
    flow: fn(&Map<String, Value>) -> Pcmo,
) -> Result<Reply, Reply> {
    let app = signed_in(request)?;
    let body = object(request)?;
    valid::check(shape, &body).map_err(invalid)?;
    if let Some(app_id) = body.get("app_id").and_then(Value::as_str)
        && app_id != app.appid.to_string()
    {
        let text = format!("{app_id} is not the app of this token");
        return Err(Reply::failed(StatusCode::FORBIDDEN, "app_not_active", text));
    }
    let number = |key| text(&body, key).parse().unwrap_or_default();
    let mut outbound =
        Outbound::new(app.appid, number("caller_id"), number("to_number"), Then::Flow(flow(&body)));
    if let Some(options) = body.get("options") {
        let seconds = |key: &str| u64::try_from(options.get(key).and_then(valid::whole)?).ok();
        outbound.ring_seconds = seconds("ring_timeout_sec");
        outbound.talk_seconds = seconds("max_duration_sec");
        outbound.record = options.get("record").and_then(Value::as_bool).unwrap_or_default();
    }
    let variables = body.get("variables").filter(|it| it.as_object().is_some_and(|it| !it.is_empty()));
    outbound.extra_params = variables.map(Value::to_string);
    let placed = request.exchange.call_out(outbound).map_err(|error| match error {
        PlaceCallError::TooMany(_) => Reply::too_many(error.to_string()),
        PlaceCallError::Stopping => Reply::stopping(),
        other => invalid(other.to_string()),
    })?;
    // The message is all that is documented; the ids are what one needs to go on.
    let answer = json!({
        "message": "call_queued",
        "call_id": placed.cmiuuid,
        "request_id": placed.request_id,
    });
    Ok(Reply::ok(answer).about(placed.call))
}

fn text<'a>(body: &'a Map<String, Value>, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}
