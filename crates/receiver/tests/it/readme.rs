//! The code of the README, run. `cargo xtask ci tidy` looks whether it is the same.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt as _;

use crate::support::cdr;

#[tokio::test]
async fn a_router_reads_webhooks() {
    use piopiy_receiver::{PiopiyWebhook, webhook_router};

    let app: axum::Router = webhook_router(|webhook: PiopiyWebhook| async move {
        println!("{}", webhook.identity); // what makes two deliveries the same
        "got it"
    });

    let request = Request::post("/webhook/cdr").body(Body::from(cdr("x"))).unwrap();
    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::OK);
}
