//! The REST APIs of PIOPIY, as its SDKs call them: v1 and v2 with credentials in the body, v3 with a bearer token.

use axum::Router;

use super::exchange::Exchange;

/// What answers on the REST port.
pub(super) fn router(exchange: Exchange) -> Router {
    Router::new().with_state(exchange)
}
