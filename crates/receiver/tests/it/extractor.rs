//! The extractor and the router in an application of one's own.

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use futures_util::stream;
use http_body_util::BodyExt as _;
use piopiy_receiver::{Authentication, PiopiyWebhook, ReadLimits, WebhookRejection, webhook_router};
use std::time::Duration;
use tower::ServiceExt as _;

use crate::support::cdr;

async fn handle(webhook: PiopiyWebhook) -> String {
    webhook.identity.to_string()
}

async fn send(app: axum::Router, body: impl Into<Body>) -> (StatusCode, String) {
    let request = Request::post("/webhook/cdr").body(body.into()).unwrap();
    let response = app.oneshot(request).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_gets_webhooks() {
    let (status, text) = send(webhook_router(handle), cdr("x")).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "cdr missed of leg a, x"));
}

#[tokio::test]
async fn a_body_in_pieces_is_joined() {
    let body = cdr("pieces");
    let pieces: Vec<Result<Bytes, std::io::Error>> =
        body.as_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    let (status, text) = send(webhook_router(handle), Body::from_stream(stream::iter(pieces))).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "cdr missed of leg a, pieces"));
}

#[tokio::test]
async fn rejections_say_what_and_where() {
    let check = async |body: &str, status: u16, says: &str| {
        let (found, text) = send(webhook_router(handle), body.to_owned()).await;
        assert_eq!((found.as_u16(), text.as_str()), (status, says));
    };
    check("", 400, "the body is empty, expected one JSON object\n").await;
    check("[]", 400, "expected a JSON object, found an array at byte 0\n").await;
    check("{}", 422, "not a webhook: no `status`\n").await;
    check(r#"{"a":1,"a":2}"#, 400, "the same key twice, with different values at byte 7 (/a)\n").await;
}

#[tokio::test]
async fn a_webhook_of_another_app_is_refused() {
    let app = webhook_router(handle).layer(Authentication::new().app_ids(["1".to_owned()]));
    let (status, text) = send(app, cdr("x")).await;
    assert_eq!((status.as_u16(), text.as_str()), (403, "the appid is not on the list of those allowed\n"));
}

#[tokio::test]
async fn limits_are_layered_over() {
    let limits = ReadLimits { max_bytes: 10, ..ReadLimits::default() };
    let app = webhook_router(handle).layer(Extension(limits));
    let (status, text) = send(app, cdr("x")).await;
    assert_eq!((status.as_u16(), text.as_str()), (413, "the body is over the limit of 10 bytes\n"));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_too_slow() {
    let body = Body::from_stream(stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
    }));
    let started = tokio::time::Instant::now();
    let (status, text) = send(webhook_router(handle), body).await;
    assert_eq!((status.as_u16(), text.as_str()), (408, "the body did not arrive within 10s\n"));
    assert_eq!(started.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_handler_may_look_at_the_rejection() {
    async fn handle(outcome: Result<PiopiyWebhook, WebhookRejection>) -> String {
        let rejection = outcome.unwrap_err();
        format!("{} {:?}", rejection.status(), rejection.body())
    }
    let (status, text) = send(webhook_router(handle), "nonsense").await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, "400 Bad Request Some(b\"nonsense\")"));
}
