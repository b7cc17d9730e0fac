//! What is done to calls, and to their webhooks, from the page: each a form that works without script.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};

use super::Console;
use super::page::Page;
use crate::platform::call::Ender;
use crate::platform::stream::is_sendable;

/// No more keys are pressed at once.
const MOST_DIGITS: usize = 64;

pub(super) type Fields = Form<BTreeMap<String, String>>;

/// Keys are pressed on the dial pad.
pub(super) async fn press(
    State(console): State<Console>,
    Path(call): Path<u64>,
    Form(fields): Fields,
) -> Response {
    let digits = field(&fields, "digits");
    if digits.is_empty() || digits.len() > MOST_DIGITS || !digits.chars().all(is_key) {
        let why = format!("Keys are 0 to 9, * and #, {MOST_DIGITS} at most.");
        return refuse(&console, call, StatusCode::UNPROCESSABLE_ENTITY, &why).await;
    }
    let done = console.exchange.press(call, digits).map_err(|error| error.to_string());
    done_or_why(&console, call, done).await
}

/// Somebody hangs up.
pub(super) async fn hang_up(
    State(console): State<Console>,
    Path(call): Path<u64>,
    Form(fields): Fields,
) -> Response {
    let by = match field(&fields, "by") {
        "callee" => Ender::Callee,
        "platform" => Ender::Platform,
        _ => Ender::Caller,
    };
    let done = console.exchange.hang_up(call, by).map_err(|error| error.to_string());
    done_or_why(&console, call, done).await
}

/// The stream breaks, or is closed with a code.
pub(super) async fn drop_stream(
    State(console): State<Console>,
    Path(call): Path<u64>,
    Form(fields): Fields,
) -> Response {
    let code = match field(&fields, "code") {
        "" => Ok(None),
        text => text.parse().map(Some),
    };
    let Some(code) = code.ok().filter(|code| code.is_none_or(is_sendable)) else {
        let why = "A close code that may be sent is 1000 to 1003, 1007 to 1014 or 3000 to 4999; none breaks the connection.";
        return refuse(&console, call, StatusCode::UNPROCESSABLE_ENTITY, why).await;
    };
    let done = console.exchange.drop_stream(call, code).map_err(|error| error.to_string());
    done_or_why(&console, call, done).await
}

/// A webhook is sent once more.
pub(super) async fn resend(
    State(console): State<Console>,
    Path((call, webhook)): Path<(u64, u32)>,
    Form(fields): Fields,
) -> Response {
    match console.exchange.resend(call, webhook) {
        Ok(_) => {
            let row = field(&fields, "row").parse::<usize>().ok();
            let to = row.map_or_else(|| format!("/calls/{call}"), |row| format!("/calls/{call}/rows/{row}"));
            Redirect::to(&to).into_response()
        }
        Err(error) => {
            let why = format!("It was not sent again: {error}.");
            refuse(&console, call, StatusCode::CONFLICT, &why).await
        }
    }
}

/// What goes wrong from now on.
pub(super) async fn set_faults(State(console): State<Console>, Form(fields): Fields) -> Response {
    let mut faults = console.exchange.faults();
    let rates = [
        ("duplicate", &mut faults.duplicate),
        ("reorder", &mut faults.reorder),
        ("delay", &mut faults.delay),
        ("loss", &mut faults.loss),
    ];
    for (name, rate) in rates {
        match percent(field(&fields, name)) {
            Some(value) => *rate = value,
            None => {
                let why = format!("`{name}` must be a percentage from 0 to 100.");
                return Page::new(&console).refused(StatusCode::UNPROCESSABLE_ENTITY, &why).render().await;
            }
        }
    }
    console.exchange.set_faults(faults);
    Redirect::to(back(&fields)).into_response()
}

/// The page that a form was on; one of ours, whatever the field says.
pub(super) fn back(fields: &BTreeMap<String, String>) -> &str {
    let to = field(fields, "back");
    let is_ours =
        to.starts_with("/calls/") && to.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'/');
    if is_ours { to } else { "/" }
}

async fn done_or_why(console: &Console, call: u64, done: Result<(), String>) -> Response {
    match done {
        Ok(()) => Redirect::to(&format!("/calls/{call}")).into_response(),
        Err(error) => {
            refuse(console, call, StatusCode::CONFLICT, &format!("Nothing was done: {error}.")).await
        }
    }
}

async fn refuse(console: &Console, call: u64, status: StatusCode, why: &str) -> Response {
    let page = Page::new(console).refused(status, why);
    match console.exchange.board().call(call) {
        Some(view) => page.of(view, None).render().await,
        None => page.render().await,
    }
}

pub(super) fn field<'a>(fields: &'a BTreeMap<String, String>, name: &str) -> &'a str {
    fields.get(name).map_or("", |text| text.trim())
}

pub(super) fn is_key(key: char) -> bool {
    key.is_ascii_digit() || key == '*' || key == '#'
}

/// A probability, written in percent; nothing is 0.
pub(super) fn percent(text: &str) -> Option<f64> {
    if text.is_empty() {
        return Some(0.0);
    }
    let percent: f64 = text.parse().ok()?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}
