use piopiy_events::rest::legacy::{CallAction, MakeCall};
use piopiy_events::{JsonType, OpenObject as _};
use serde_json::json;

use super::{DENIED, MISSING, no_object, phone, signed_in, wrong};
use crate::platform::call::Hold;
use crate::platform::config::App;
use crate::platform::exchange::{Outbound, PlaceCallError, Placed, Then};
use crate::platform::rest::endpoint::Request;
use crate::platform::rest::reply::Reply;

/// A call with a call flow.
pub(in crate::platform::rest) fn make_call(request: &Request<'_>) -> Reply {
    let choices = &request.exchange.config().choices;
    let (body, app) = match read(request) {
        Ok(read) => read,
        Err(reply) => return reply,
    };
    let flow = match body.pcmo.as_ref().map(|pcmo| pcmo.get()) {
        Some(Ok(flow)) => flow,
        Some(Err(_)) => return wrong(request, choices, "pcmo must be an array of actions"),
        None => return Reply::refused(choices, MISSING, "pcmo is required"),
    };
    match place(request, &app, &body, Then::Flow(flow)) {
        Ok(placed) => {
            let id = placed.request_id.unwrap_or_default();
            let body = json!({
                "data": { "status": "progress", "request_id": id },
                "status": "progress",
                "request_id": id,
            });
            Reply::legacy(choices, body).about(placed.call)
        }
        Err(reply) => reply,
    }
}

/// A call that asks an answer URL.
pub(in crate::platform::rest) fn make_call_asking(request: &Request<'_>) -> Reply {
    let choices = &request.exchange.config().choices;
    let (body, app) = match read(request) {
        Ok(read) => read,
        Err(reply) => return reply,
    };
    let Some(url) = &body.answer_url else {
        return Reply::refused(choices, MISSING, "answer_url is required");
    };
    match place(request, &app, &body, Then::Ask(url.text().into_owned())) {
        Ok(placed) => {
            let id = placed.request_id.unwrap_or_default();
            let body = json!({ "data": { "status": "progress", "request_id": id } });
            Reply::legacy(choices, body).about(placed.call)
        }
        Err(reply) => reply,
    }
}

/// Holds, takes back or ends a call. What is answered is not documented.
pub(in crate::platform::rest) fn act(request: &Request<'_>) -> Reply {
    let choices = &request.exchange.config().choices;
    let body = match CallAction::parse(request.body) {
        Ok(body) => body,
        Err(error) => return no_object(request, choices, &error),
    };
    let app = match signed_in(request, body.appid.as_ref(), body.secret.as_ref(), DENIED) {
        Ok(app) => app,
        Err(reply) => return reply,
    };
    let (Some(action), Some(id)) = (&body.action, body.leg_id()) else {
        return Reply::refused(choices, MISSING, "action and cmiuuid are required");
    };
    let Some(call) = request.call_of(&app, &id.text()) else {
        return Reply::refused(choices, 404, "there is no such call");
    };
    let action = action.text();
    let done = match &*action {
        "hold" => request.exchange.hold(call, Hold::On),
        "unhold" => request.exchange.hold(call, Hold::Off),
        "holdToggle" => request.exchange.hold(call, Hold::Toggle),
        "hangup" => request.exchange.end(call),
        _ => {
            let text = "action must be hold, unhold, holdToggle or hangup";
            return wrong(request, choices, text).about(call);
        }
    };
    match done {
        Ok(()) => Reply::legacy(choices, json!({ "status": "success", "action": action }))
            .about(call)
            .choosing("the answer is not documented"),
        Err(_) => Reply::refused(choices, 404, "the call is over").about(call),
    }
}

/// The body, and whose credentials are in it.
fn read(request: &Request<'_>) -> Result<(MakeCall, App), Reply> {
    let choices = &request.exchange.config().choices;
    let body = MakeCall::parse(request.body).map_err(|error| no_object(request, choices, &error))?;
    let app = signed_in(request, body.appid.as_ref(), body.secret.as_ref(), DENIED)?;
    Ok((body, app))
}

fn place(request: &Request<'_>, app: &App, body: &MakeCall, then: Then) -> Result<Placed, Reply> {
    let choices = &request.exchange.config().choices;
    let wrong = |text: String| wrong(request, choices, text);
    let (from, to) = (phone(body, "from").map_err(wrong)?, phone(body, "to").map_err(wrong)?);
    let (Some(from), Some(to)) = (from, to) else {
        return Err(Reply::refused(choices, MISSING, "from and to are required"));
    };
    let mut outbound = Outbound::new(app.appid, from, to, then);
    // An object in requests, though the pages call it a string; a string in webhooks.
    let params = body.get("extra_params").filter(|params| params.json_type() != JsonType::Null);
    outbound.extra_params = params.map(|params| params.plain().into_owned());
    if let Some(duration) = &body.duration {
        let seconds = duration.seconds().and_then(|seconds| u64::try_from(seconds).ok());
        let Some(seconds) = seconds.filter(|seconds| (1..=86_400).contains(seconds)) else {
            return Err(wrong("duration must be a number of seconds, from 1 to 86400".to_owned()));
        };
        outbound.talk_seconds = Some(seconds);
    }
    request.exchange.call_out(outbound).map_err(|error| match error {
        PlaceCallError::Url(error) => wrong(format!("answer_url: {error}")),
        PlaceCallError::TooMany(_) => Reply::too_many(error.to_string()),
        PlaceCallError::Stopping => Reply::stopping(),
        other => wrong(other.to_string()),
    })
}
