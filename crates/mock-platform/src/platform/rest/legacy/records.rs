use piopiy_events::rest::legacy::{CmiuuidCdr, RequestIdCdr};
use piopiy_events::{OpenObject as _, Profile, Webhook};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::signed_in;
use crate::platform::board::is_id;
use crate::platform::rest::endpoint::Request;
use crate::platform::rest::reply::Reply;
use crate::platform::stream::is_recording;

/// Everything that is wrong has this code here.
const NOTHING: u16 = 404;
const NO_RECORDING: &str = "there is no such recording";

/// The CDR of a leg.
pub(in crate::platform::rest) fn cdr_of_leg(request: &Request<'_>) -> Reply {
    let choices = &request.exchange.config().choices;
    let Ok(body) = CmiuuidCdr::parse(request.body) else {
        return Reply::refused(choices, NOTHING, "the body is no JSON object");
    };
    let app = match signed_in(request, body.appid.as_ref(), body.secret.as_ref(), NOTHING) {
        Ok(app) => app,
        Err(reply) => return reply,
    };
    let id = body.cmiuuid.as_ref().map(|id| id.text().into_owned()).unwrap_or_default();
    let is_id = is_id(&id);
    let cdrs = request.exchange.board().cdrs(|cdr| is_id(&text(cdr, "cmiuuid")));
    match cdrs.iter().find(|(call, _)| request.owns(&app, *call)) {
        Some((call, cdr)) => {
            let answer = json!({ "cdr": summary(request, cdr) });
            Reply::legacy(choices, answer).about(*call)
        }
        None => Reply::refused(choices, NOTHING, "there is no CDR of that cmiuuid"),
    }
}

/// The CDRs of a request, leg b first.
pub(in crate::platform::rest) fn cdrs_of_request(request: &Request<'_>) -> Reply {
    let choices = &request.exchange.config().choices;
    let Ok(body) = RequestIdCdr::parse(request.body) else {
        return Reply::refused(choices, NOTHING, "the body is no JSON object");
    };
    let app = match signed_in(request, body.appid.as_ref(), body.secret.as_ref(), NOTHING) {
        Ok(app) => app,
        Err(reply) => return reply,
    };
    let id = body.request_id.as_ref().map(|id| id.text().into_owned()).unwrap_or_default();
    let mut cdrs = request.exchange.board().cdrs(|cdr| !id.is_empty() && text(cdr, "request_id") == id);
    cdrs.retain(|(call, _)| request.owns(&app, *call));
    if cdrs.is_empty() {
        return Reply::refused(choices, NOTHING, "there is no CDR of that request_id");
    }
    // The only sample has leg b in front.
    cdrs.sort_by_key(|(_, cdr)| std::cmp::Reverse(text(cdr, "leg")));
    let call = cdrs[0].0;
    let all: Vec<Value> = cdrs.iter().map(|(_, cdr)| summary(request, cdr)).collect();
    Reply::legacy(choices, json!({ "count": all.len(), "cdr": all })).about(call)
}

/// A recording of one of the app's calls, as bytes; a JSON answer is a failure. Whose call an earlier run recorded, nobody
/// knows: where there are several apps, nobody gets it.
pub(in crate::platform::rest) fn recording(request: &Request<'_>) -> Reply {
    let config = request.exchange.config();
    let choices = &config.choices;
    let app = request.query("appid").and_then(|appid| appid.parse().ok()).and_then(|appid| config.app(appid));
    let given = request.query("secret").or_else(|| request.query("token")).unwrap_or_default();
    let is_right = |known: &str| !known.is_empty() && bool::from(known.as_bytes().ct_eq(given.as_bytes()));
    let app = app.filter(|app| is_right(&app.secret) || app.token.as_deref().is_some_and(is_right));
    let Some(app) = app else {
        return Reply::refused(choices, super::DENIED, "appid, token or secret is wrong");
    };
    let name = request.query("file").unwrap_or_default();
    // What else is in the folder is nobody's, and nothing leads out of it.
    let is_one = is_recording(&name);
    let shelf = &request.exchange.shared().shelf;
    let is_own = match shelf.app_of(&name) {
        Some(owner) => owner == app.appid,
        None => config.apps.len() == 1,
    };
    match (is_one && is_own).then(|| shelf.find(config.recordings.as_deref(), &name)).flatten() {
        Some(file) => Reply::recording(file, Reply::refused(choices, NOTHING, NO_RECORDING)),
        None => Reply::refused(choices, NOTHING, NO_RECORDING),
    }
}

fn text(cdr: &Webhook, key: &str) -> String {
    cdr.text(key).unwrap_or_default().into_owned()
}

/// The fields that a look-up shows. Money is text in global, and numbers in India.
fn summary(request: &Request<'_>, cdr: &Webhook) -> Value {
    let india = request.exchange.config().profile == Profile::India;
    let mut summary = Map::new();
    for (key, of) in [
        ("duration", "duration"),
        ("balance", "balance"),
        ("rate", "call_rate"),
        ("from", "from"),
        ("to", "to"),
        ("time", "time"),
        ("leg", "leg"),
        ("direction", "direction"),
        ("status", "status"),
    ] {
        let value = cdr.get(of).and_then(|raw| serde_json::from_str(raw.as_json()).ok());
        let value = match (value, india, matches!(key, "balance" | "rate")) {
            // CDRs of India have no money in them.
            (None, true, true) => json!(0),
            (None, ..) => continue,
            (Some(value), ..) => value,
        };
        summary.insert(key.to_owned(), value);
    }
    Value::Object(summary)
}
