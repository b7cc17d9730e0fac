//! What `docs/testing-live-calls.md` shows, compiled and run.

use axum::routing::post;
use axum::{Json, Router};
use piopiy_events::answer::DtmfRequest;
use piopiy_events::{Cdr, StatusKind};
use piopiy_mock_platform::MockPlatform;
use piopiy_mock_platform::platform::{Inbound, Person, WebhookMatcher};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// The application under test: a menu with one way out. Yours is in your crate; all that counts here is that it listens on a free port.
pub(super) async fn application() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let menu = json!([{
        "action": "play_get_input", "file_name": "menu.wav", "max_digit": 1, "max_retry": 1,
        "action_url": format!("{url}/digits"),
    }]);
    let router = Router::new()
        .route("/answer", post(|| async { Json(menu) }))
        .route("/digits", post(digits))
        .route("/webhooks", post(|| async { "got it" }));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn digits(body: String) -> Json<Value> {
    let pressed: DtmfRequest = serde_json::from_str(&body).unwrap();
    Json(match pressed.dtmf.as_ref().map(|dtmf| dtmf.text()).as_deref() {
        Some("1") => json!([{
            "action": "bridge", "from": 441_632_960_000_u64,
            "connect": [{ "type": "pstn", "number": 442_079_460_000_u64 }],
        }]),
        _ => json!([{ "action": "hangup" }]),
    })
}

async fn platform() -> MockPlatform {
    let app = application().await;
    MockPlatform::builder()
        .answer_url(format!("{app}/answer"))
        .to(format!("{app}/webhooks"))
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn whoever_presses_1_is_put_through() {
    let platform = platform().await;
    platform.expect_dtmf("1");
    platform.expect_webhook("live.out_bridged").named("somebody picks up");
    platform.expect_webhook(WebhookMatcher::named("cdr.inbound.answered")).times(1..);

    let mut inbound = Inbound::from_to(447_700_900_123, platform.number());
    inbound.caller = Some(Person::caller().pressing(["1"]));
    let call = platform.call_in_as(inbound).unwrap();

    let over = call.over().await.unwrap();
    let cdrs = over.cdrs();
    let answered =
        |cdr: &Cdr| cdr.status.as_ref().is_some_and(|status| status.kind() == StatusKind::Answered);
    assert!(cdrs.len() == 2 && cdrs.iter().all(answered), "one for each leg");
}

#[tokio::test]
async fn whoever_hangs_up_in_the_menu_talks_to_nobody() {
    let platform = platform().await;
    platform.expect_dtmf("1").times(0);
    platform.expect_webhook(WebhookMatcher::any().leg("b")).times(0);

    let call = platform.call_in(447_700_900_123).unwrap();
    call.until_webhook("live.in_answered").await.unwrap();
    call.hang_up().unwrap();
    call.over().await.unwrap();
    platform.verify().await;
}

#[test]
fn the_page_shows_what_is_tested() {
    let code = include_str!("documented.rs");
    let page = include_str!("../../../../../docs/testing-live-calls.md");
    let blocks: Vec<&str> =
        page.split("```rust\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
    assert!(blocks.len() >= 3, "{page}");
    for block in blocks {
        assert!(code.contains(block.trim()), "this is in no test:\n{block}");
    }
}
