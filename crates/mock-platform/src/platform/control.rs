//! The control API: what a test, or the console, does with the platform.

use axum::Router;

use super::exchange::Exchange;

/// What answers on the control port, under `/api`.
pub(super) fn router(exchange: Exchange) -> Router {
    Router::new().with_state(exchange)
}
