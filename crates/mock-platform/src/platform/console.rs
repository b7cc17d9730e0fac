//! The console: a web page that shows the calls and acts on them.

use axum::Router;

use super::exchange::Exchange;

/// What answers on the control port, outside of `/api`.
pub(super) fn router(exchange: Exchange) -> Router {
    Router::new().with_state(exchange)
}
