//! The console: a web page that shows the calls and acts on them. Rendered here, readable without script; the script
//! keeps it up to date and the place where one is.

mod acts;
mod audio;
mod checking;
mod detail;
mod ladder;
mod list;
mod live;
mod loose;
mod page;
mod place;
mod recordings;
pub(super) mod rungs;
pub(super) mod words;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use self::checking::Checking;
use self::page::Page;
use super::exchange::Exchange;

const STYLE: &str = include_str!("console/style.css");
/// No form is longer.
const LONGEST_FORM: usize = 64 * 1024;
/// Pages that are kept up to date at once.
const WATCHERS: usize = 32;

/// What every page is made of.
#[derive(Debug, Clone)]
struct Console {
    exchange: Exchange,
    checking: Arc<Checking>,
    listening: Arc<page::Listening>,
    waves: Arc<recordings::Waves>,
    watchers: Arc<Semaphore>,
}

/// What answers on the control port, outside of `/api`.
pub(super) fn router(exchange: Exchange) -> Router {
    let console = Console {
        exchange,
        checking: Arc::default(),
        listening: Arc::default(),
        waves: Arc::default(),
        watchers: Arc::new(Semaphore::new(WATCHERS)),
    };
    Router::new()
        .route("/", get(index))
        .route("/calls", post(place::place))
        .route("/calls/{call}", get(one_call))
        .route("/calls/{call}/rows/{row}", get(one_row))
        .route("/calls/{call}/rows/{row}/ledger", get(detail::ledger))
        .route("/calls/{call}/digits", post(acts::press))
        .route("/calls/{call}/hangup", post(acts::hang_up))
        .route("/calls/{call}/stream", post(acts::drop_stream))
        .route("/calls/{call}/webhooks/{webhook}/resend", post(acts::resend))
        .route("/calls/{call}/recordings/{file}", get(recordings::audio))
        .route("/faults", post(acts::set_faults))
        .route("/stream/faults", post(audio::set_faults))
        .route("/checks", get(checking::shown).post(checking::start))
        .route("/checks/stop", post(checking::stop))
        .route("/checks/report", get(checking::report))
        .route("/events", get(live::events))
        .route("/console.css", get(|| async { fixed("text/css; charset=utf-8", STYLE) }))
        .route("/ladder.css", get(|| async { fixed("text/css; charset=utf-8", piopiy_ladder::STYLE) }))
        .route("/ladder.js", get(|| async { fixed("text/javascript; charset=utf-8", piopiy_ladder::SCRIPT) }))
        .layer(DefaultBodyLimit::max(LONGEST_FORM))
        .with_state(console)
}

async fn index(State(console): State<Console>) -> Response {
    Page::new(&console).render().await
}

async fn one_call(State(console): State<Console>, Path(call): Path<u64>) -> Response {
    match console.exchange.board().call(call) {
        Some(view) => Page::new(&console).of(view, None).render().await,
        None => unknown(&console, &format!("There is no call {call}, or it is forgotten.")).await,
    }
}

async fn one_row(State(console): State<Console>, Path((call, row)): Path<(u64, usize)>) -> Response {
    match console.exchange.board().call(call) {
        Some(view) if row < view.rows.len() => Page::new(&console).of(view, Some(row)).render().await,
        _ => unknown(&console, &format!("Call {call} has no message {row}, or it is forgotten.")).await,
    }
}

async fn unknown(console: &Console, what: &str) -> Response {
    Page::new(console).refused(StatusCode::NOT_FOUND, what).render().await
}

fn fixed(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "no-cache")], text).into_response()
}

/// A page, with what it may load and do.
fn html(status: StatusCode, text: String, policy: &'static str) -> Response {
    let mut answer = (status, axum::response::Html(text)).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    answer
}
