//! Typed handlers, and one effect for each webhook, in an application of one's own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use piopiy_events::StatusKind;
use piopiy_receiver::{Dedupe, PiopiyWebhook, WebhookHandlers, WebhookRejection, webhook_router};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use crate::support::{cdr, stream_connected};

async fn send(app: &Router, body: impl Into<Body>) -> (u16, String) {
    let request = Request::post("/webhook/cdr").body(body.into()).unwrap();
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn event(status: &str) -> String {
    format!(r#"{{"appid":2,"leg":"a","status":"{status}","time":1,"cmiuuid":"c","conversation_uuid":"c"}}"#)
}

#[tokio::test]
async fn each_webhook_reaches_the_handler_that_is_for_it() {
    let app = WebhookHandlers::new()
        .on_cdr(|cdr| async move { format!("cdr {}", cdr.cmiuuid.unwrap()) })
        .on_started(|_| async { "started" })
        .on_answered(|_| async { "answered" })
        .on_bridged(|_| async { "bridged" })
        .on_hangup(|_| async { "hangup" })
        .on_stream_connected(|event| async move { format!("stream of {}", event.cmiuuid.unwrap()) })
        .on_stream_disconnected(|_| async { "no stream" })
        .on_event(StatusKind::Other("Parked".into()), |_| async { "parked" })
        .on_any_event(|event| async move { format!("event {}", event.status.unwrap()) });
    let check = async |app: &Router, body: String, expected: &str| {
        assert_eq!(send(app, body.clone()).await, (200, expected.to_owned()), "{body}");
    };
    let router = app.clone().router();
    check(&router, cdr("x"), "cdr x").await;
    check(&router, stream_connected("y", 1), "stream of y").await;
    for (status, expected) in [
        ("out_started", "started"),
        ("in_answered", "answered"),
        ("out_bridged", "bridged"),
        ("hangup", "hangup"),
        ("STREAM_DISCONNECTED", "no stream"),
        ("Parked", "parked"),
        ("ringing", "event ringing"),
    ] {
        check(&router, event(status), expected).await;
    }
    let replaced = app.on_cdr(|_| async { "the last holds" }).router();
    check(&replaced, cdr("x"), "the last holds").await;
    let few = WebhookHandlers::new().on_cdr(|_| async { StatusCode::SERVICE_UNAVAILABLE });
    assert_eq!(send(&few.clone().router(), cdr("x")).await.0, 503, "what it says is what is answered");
    check(&few.clone().router(), event("hangup"), "got it").await;
    let rest = few.otherwise(|webhook| async move { webhook.identity.status().to_owned() });
    check(&rest.router(), event("hangup"), "hangup").await;
    assert_eq!(send(&router, "{}").await.0, 422, "what is no webhook reaches nobody");
}

/// An application that notes what reaches it, and answers as it is told to.
fn noting(answers: Vec<StatusCode>) -> (Router, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let answers = Arc::new(Mutex::new(answers));
    let noted = Arc::clone(&seen);
    let router = webhook_router(move |outcome: Result<PiopiyWebhook, WebhookRejection>| {
        let (noted, answers) = (Arc::clone(&noted), Arc::clone(&answers));
        async move {
            let what = match outcome {
                Ok(webhook) => webhook.identity.cmiuuid().to_owned(),
                Err(rejection) => rejection.status().to_string(),
            };
            noted.lock().unwrap().push(what);
            answers.lock().unwrap().pop().unwrap_or(StatusCode::OK)
        }
    });
    (router, seen)
}

#[tokio::test]
async fn a_repeat_is_answered_and_goes_no_further() {
    let (router, seen) = noting(Vec::new());
    let app = router.layer(Dedupe::new());
    for _ in 0..3 {
        assert_eq!(send(&app, cdr("x")).await.0, 200);
    }
    assert_eq!(send(&app, cdr("y")).await.0, 200);
    // In other words, and with another order of members, it is the same webhook.
    assert_eq!(
        send(&app, r#"{"status":"missed","leg":"a","cmiuuid":"x","duration":0}"#).await,
        (200, "got it".to_owned())
    );
    assert_eq!(*seen.lock().unwrap(), ["x", "y"]);
}

#[tokio::test]
async fn what_was_not_taken_care_of_may_come_again() {
    let (router, seen) = noting(vec![StatusCode::OK, StatusCode::INTERNAL_SERVER_ERROR]);
    let app = router.layer(Dedupe::new());
    assert_eq!(send(&app, cdr("x")).await.0, 500);
    assert_eq!(send(&app, cdr("x")).await.0, 200);
    assert_eq!(send(&app, cdr("x")).await.0, 200);
    assert_eq!(*seen.lock().unwrap(), ["x", "x"]);
}

#[tokio::test]
async fn what_is_no_webhook_is_passed_on() {
    let (router, seen) = noting(Vec::new());
    let app = router.layer(Dedupe::new());
    for body in ["nonsense", "nonsense", "{}"] {
        assert_eq!(send(&app, body).await.0, 200);
    }
    assert_eq!(*seen.lock().unwrap(), ["400 Bad Request", "400 Bad Request", "422 Unprocessable Entity"]);
}

#[tokio::test]
async fn what_the_application_answers_itself_is_left_to_it() {
    let (router, seen) = noting(Vec::new());
    let other = axum::routing::get(|| async { "a page" }).put(|body: String| async move { body });
    let app: Router = router.route("/page", other).layer(Dedupe::new());
    let answer = async |request: http::request::Builder, body: &str| {
        let response = app.clone().oneshot(request.body(Body::from(body.to_owned())).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        (status, response.into_body().collect().await.unwrap().to_bytes())
    };
    assert_eq!(answer(Request::get("/page"), "").await, (200, "a page".into()));
    assert_eq!(answer(Request::put("/page"), &cdr("x")).await, (200, cdr("x").into()));
    assert_eq!(answer(Request::get("/webhook/cdr"), "").await.0, 405);
    assert_eq!(answer(Request::get("/nowhere"), "").await.0, 404);
    assert_eq!(*seen.lock().unwrap(), [""; 0]);
    assert_eq!(answer(Request::post("/webhook/cdr"), "").await.0, 200);
    let gzip = Request::post("/webhook/cdr").header("content-encoding", "gzip");
    assert_eq!(answer(gzip, "what is packed").await.0, 200);
    assert_eq!(answer(Request::post("/webhook/cdr"), &"x".repeat((1 << 20) + 1)).await.0, 200);
    let reached = ["400 Bad Request", "415 Unsupported Media Type", "413 Payload Too Large"];
    assert_eq!(*seen.lock().unwrap(), reached);
}

#[tokio::test]
async fn one_that_comes_meanwhile_waits_for_what_becomes_of_the_first() {
    for (first, effects) in [(StatusCode::OK, 1), (StatusCode::BAD_GATEWAY, 2)] {
        let (gate, effect) = (Arc::new(Semaphore::new(0)), Arc::new(Mutex::new(0)));
        let (held, counted) = (Arc::clone(&gate), Arc::clone(&effect));
        let app = webhook_router(move |_: PiopiyWebhook| {
            let (held, counted) = (Arc::clone(&held), Arc::clone(&counted));
            async move {
                held.acquire().await.unwrap().forget();
                let mut count = counted.lock().unwrap();
                *count += 1;
                if *count == 1 { first } else { StatusCode::OK }
            }
        });
        let app: Router = app.layer(Dedupe::new());
        let deliveries: Vec<_> = (0..4)
            .map(|_| {
                let app = app.clone();
                tokio::spawn(async move { send(&app, cdr("x")).await.0 })
            })
            .collect();
        tokio::task::yield_now().await;
        gate.add_permits(4);
        let mut answers = Vec::new();
        for delivery in deliveries {
            answers.push(delivery.await.unwrap());
        }
        answers.sort_unstable();
        assert_eq!(*effect.lock().unwrap(), effects);
        assert_eq!(answers[..3], [200, 200, 200]);
        assert_eq!(answers[3], first.as_u16());
    }
}

#[tokio::test]
async fn one_whose_client_went_away_is_not_waited_for_for_ever() {
    let gate = Arc::new(Semaphore::new(0));
    let held = Arc::clone(&gate);
    let app = webhook_router(move |_: PiopiyWebhook| {
        let held = Arc::clone(&held);
        async move {
            held.acquire().await.unwrap().forget();
            "handled"
        }
    });
    let app: Router = app.layer(Dedupe::new());
    let first = tokio::spawn({
        let app = app.clone();
        async move { send(&app, cdr("x")).await }
    });
    tokio::task::yield_now().await;
    let second = tokio::spawn({
        let app = app.clone();
        async move { send(&app, cdr("x")).await }
    });
    tokio::task::yield_now().await;
    first.abort();
    gate.add_permits(1);
    assert_eq!(second.await.unwrap(), (200, "handled".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_has_an_end_in_time_and_number() {
    let (router, seen) = noting(Vec::new());
    let app: Router = router.layer(Dedupe::new().remember_for(Duration::from_secs(60)).remember_at_most(2));
    send(&app, cdr("x")).await;
    tokio::time::sleep(Duration::from_secs(59)).await;
    send(&app, cdr("x")).await;
    assert_eq!(seen.lock().unwrap().len(), 1);
    tokio::time::sleep(Duration::from_secs(2)).await;
    send(&app, cdr("x")).await;
    assert_eq!(seen.lock().unwrap().len(), 2, "its time is over");
    for call in ["a", "b", "c", "b", "x"] {
        send(&app, cdr(call)).await;
    }
    assert_eq!(*seen.lock().unwrap(), ["x", "x", "a", "b", "c", "x"], "the oldest went first");
}
