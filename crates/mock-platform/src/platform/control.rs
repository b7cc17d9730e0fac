//! The control API: what a test, in whatever language, does with the platform.

mod acts;
mod answers;
mod calls;
mod deliveries;
mod events;
mod habits;
mod loose;
mod openapi;
mod refusal;
mod requests;
mod settings;
mod whole;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::sync::Semaphore;

use super::exchange::Exchange;
use super::guard;
use refusal::Refusal;

pub use openapi::control_openapi;

/// How many may watch at once.
const WATCHERS: usize = 64;

/// What every handler is given.
#[derive(Clone)]
struct Control {
    exchange: Exchange,
    watchers: Arc<Semaphore>,
}

/// What answers on the control port, under `/api`.
pub(super) fn router(exchange: Exchange) -> Router {
    Router::new()
        .route("/openapi.json", get(openapi::served))
        .route("/calls", get(calls::list).post(calls::place))
        .route("/calls/{id}", get(calls::one))
        .route("/calls/{id}/digits", post(acts::press))
        .route("/calls/{id}/hangup", post(acts::hang_up))
        .route("/calls/{id}/hold", post(acts::hold))
        .route("/calls/{id}/stream/drop", post(acts::drop_stream))
        .route("/deliveries", get(deliveries::list))
        .route("/deliveries/{id}/resend", post(deliveries::resend))
        .route("/requests", get(loose::list))
        .route("/faults", get(settings::faults).put(settings::set_faults))
        .route("/stream/faults", get(settings::stream_faults).put(settings::set_stream_faults))
        .route("/rest/faults", get(settings::rest_faults).put(settings::set_rest_faults))
        .route("/clock/advance", post(settings::advance))
        .route("/reset", post(settings::reset))
        .route("/config", get(settings::config))
        .route("/summary", get(settings::summary))
        .route("/events", get(events::stream))
        .fallback(async || {
            Refusal::not_found("there is no such path; /api/openapi.json lists those that are")
        })
        .method_not_allowed_fallback(async || Refusal::method())
        .layer(middleware::from_fn(own_pages_alone))
        .with_state(Control { exchange, watchers: Arc::new(Semaphore::new(WATCHERS)) })
}

/// As on every page of this port, and no page of another origin reads either.
async fn own_pages_alone(request: Request, next: Next) -> Response {
    match guard::refusal(request.uri(), request.headers(), true) {
        Some(why) => Refusal::forbidden(why).into_response(),
        None => next.run(request).await,
    }
}
