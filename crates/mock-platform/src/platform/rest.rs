//! The REST APIs of PIOPIY, as its SDKs call them: v1 and v2 with credentials in the body, v3 with a bearer token.

mod endpoint;
mod gate;
mod legacy;
mod openapi;
mod reply;
mod v3;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{MethodRouter, any};

use super::exchange::Exchange;
use endpoint::{ENDPOINTS, answer, method_of, no_pages, unknown, wrong_method};

pub(super) use gate::Gate;
pub use gate::{Failure, RestRules};
pub use openapi::document as rest_openapi;

/// The longest body that is read: a call flow is far shorter.
const BODY_LIMIT: usize = 256 * 1024;

/// Whether there is such a path, as in the OpenAPI document.
pub(super) fn has_path(path: &str) -> bool {
    ENDPOINTS.iter().any(|endpoint| endpoint.path == path)
}

/// What answers on the REST port.
pub(super) fn router(exchange: Exchange) -> Router {
    let mut router = Router::new();
    let mut paths: Vec<&str> = ENDPOINTS.iter().map(|endpoint| endpoint.path).collect();
    paths.dedup();
    for path in paths {
        let mut methods: MethodRouter<Exchange> = any(wrong_method);
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.path == path) {
            methods = methods.on(method_of(endpoint), move |exchange, parts, body| {
                answer(endpoint, exchange, parts, body)
            });
        }
        router = router.route(path, methods);
    }
    let guarded = middleware::from_fn_with_state(exchange.clone(), no_pages);
    router.fallback(unknown).layer(DefaultBodyLimit::max(BODY_LIMIT)).layer(guarded).with_state(exchange)
}
