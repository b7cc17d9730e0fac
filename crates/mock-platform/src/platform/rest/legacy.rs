//! v1 and v2: credentials in the body, and a `code` in the answer.

mod calls;
mod records;

use piopiy_events::rest::legacy::MakeCall;
use piopiy_events::{AppId, OpenObject, ParseError, Secret};
use serde_json::json;
use subtle::ConstantTimeEq as _;

use super::endpoint::Request;
use super::reply::Reply;
use crate::platform::config::{App, Choices};

pub(super) use calls::{act, make_call, make_call_asking};
pub(super) use records::{cdr_of_leg, cdrs_of_request, recording};

/// Codes that the pages name: wrong credentials, and two or three that they all call a missing property. Which of those is for what is
/// guessed: one for a property that is not what it has to be, one for a property that is not there.
const DENIED: u16 = 420;
const WRONG: u16 = 422;
const MISSING: u16 = 502;

/// Each page has its own code for a wrong property.
pub(super) fn code_of_wrong(path: &str) -> u16 {
    match path {
        "/v1/make_call" | "/v1/global_make_call" => 501,
        "/v1/endpoint/add_sip" => MISSING,
        _ => WRONG,
    }
}

fn wrong(request: &Request<'_>, choices: &Choices, message: impl Into<String>) -> Reply {
    Reply::refused(choices, code_of_wrong(request.endpoint.path), message)
}

/// Adds a SIP endpoint: the platform remembers its name, nothing more.
pub(super) fn add_sip(request: &Request<'_>) -> Reply {
    let config = request.exchange.config();
    let choices = &config.choices;
    let body = match piopiy_events::rest::legacy::AddSip::parse(request.body) {
        Ok(body) => body,
        Err(error) => return no_object(request, choices, &error),
    };
    let app = match signed_in(request, body.appid.as_ref(), body.secret.as_ref(), DENIED) {
        Ok(app) => app,
        Err(reply) => return reply,
    };
    let (Some(username), Some(password)) = (&body.username, &body.password) else {
        return Reply::refused(choices, MISSING, "username and password are required");
    };
    let name = username.text().into_owned();
    if name.is_empty() || name.len() > 64 || password.text().is_empty() {
        return wrong(request, choices, "username has 1 to 64 characters, and password at least one");
    }
    if let Err(why) = request.exchange.add_sip(app.appid, &name) {
        return Reply::refused(choices, 400, why);
    }
    Reply::ok(json!({
        "code": "cmi-200",
        "username": name,
        "password": &*password.text(),
        "connect_URL": "sip.piopiy.invalid",
        "audio": true,
        "video": true,
        "type": "SIP",
    }))
}

/// The app whose credentials these are.
fn signed_in(
    request: &Request<'_>,
    appid: Option<&AppId>,
    secret: Option<&Secret>,
    denied: u16,
) -> Result<App, Reply> {
    let config = request.exchange.config();
    let (Some(appid), Some(secret)) = (appid, secret) else {
        let code = if denied == DENIED { MISSING } else { denied };
        return Err(Reply::refused(&config.choices, code, "appid and secret are required"));
    };
    if appid.as_json().starts_with('"') {
        // As of `from` and `to`, the pages and the SDKs say that it is a JSON number.
        let code = if denied == DENIED { code_of_wrong(request.endpoint.path) } else { denied };
        return Err(Reply::refused(&config.choices, code, "appid must be a number, without quotes"));
    }
    let given = secret.text().into_owned();
    let app = appid.id().and_then(|appid| u64::try_from(appid).ok());
    let app = app.and_then(|appid| config.app(appid));
    // As long for an app that there is not as for a secret that is wrong.
    let known = app.map_or("", |app| app.secret.as_str());
    let is_right = bool::from(known.as_bytes().ct_eq(given.as_bytes()));
    match app {
        Some(app) if is_right => Ok(app.clone()),
        _ => Err(Reply::refused(&config.choices, denied, "appid or secret is wrong")),
    }
}

fn no_object(request: &Request<'_>, choices: &Choices, error: &ParseError) -> Reply {
    wrong(request, choices, format!("the body is no JSON object: {error}"))
}

/// A number of 7 to 15 digits.
fn phone(body: &MakeCall, key: &str) -> Result<Option<u64>, String> {
    let Some(raw) = body.get(key) else { return Ok(None) };
    // The pages and the SDKs say that it is a JSON number.
    let number = raw.integer().filter(|_| raw.text().is_none()).and_then(|number| u64::try_from(number).ok());
    match number.filter(|number| (1_000_000..1_000_000_000_000_000).contains(number)) {
        Some(number) => Ok(Some(number)),
        None => Err(format!("{key} must be a number of 7 to 15 digits, without + and without quotes")),
    }
}
