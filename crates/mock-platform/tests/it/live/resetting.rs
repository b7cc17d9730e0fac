//! A reset: what one test left reaches no other.

use std::time::Duration;

use serde_json::{Value, json};

use super::app::App;
use super::control::Control;

const FLOW: &str = r#"[{"action":"speak","text":"Hello."}]"#;

#[tokio::test]
async fn what_was_to_be_sent_again_is_forgotten() {
    let (app, url) = App::start().await;
    app.answer("/webhooks", 500, "no");
    app.answer("/answer", 200, FLOW);
    let control = Control::start(&url, "[platform.delivery]\nschedule = [\"0s\", \"1h\", \"2h\"]").await;
    let placed = control.post("/calls", json!({})).await;
    let call = control.get(&format!("/calls/{}?wait_ms=3000", placed["call"])).await;
    assert_eq!((&call["is_over"], &call["is_settled"]), (&json!(true), &json!(false)));
    // Held back for an hour, and sent twice: as faults are drawn.
    control.post("/reset", json!({})).await;
    let before = app.posted("/webhooks").len();
    app.answer("/webhooks", 200, "got it");
    control.post("/clock/advance", json!({ "by_ms": 3 * 3_600_000 })).await;
    // What comes behind is sent, and in its turn.
    let placed = control.post("/calls", json!({})).await;
    let call = control.get(&format!("/calls/{}?wait_ms=20000", placed["call"])).await;
    assert_eq!(call["is_settled"], true);
    let since: Vec<Value> =
        app.posted("/webhooks")[before..].iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(since.len(), 3, "{since:#?}");
    assert!(since.iter().all(|webhook| webhook["cmiuuid"] == placed["cmiuuid"]), "{since:#?}");
}

#[tokio::test]
async fn what_is_held_back_on_purpose_keeps_no_call() {
    let (app, url) = App::start().await;
    app.answer("/answer", 200, FLOW);
    let control = Control::start(&url, "").await;
    let mut faults = control.serving.exchange().faults();
    (faults.delay, faults.duplicate) = (1.0, 1.0);
    faults.delay_within_ms = 36_000_000;
    control.serving.exchange().set_faults(faults);
    let placed = control.post("/calls", json!({})).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let left = control.post("/reset", json!({})).await;
    assert_eq!(left["calls"], 0);
    let before = app.posted("/webhooks").len();
    control.post("/clock/advance", json!({ "by_ms": 3 * 3_600_000 })).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(app.posted("/webhooks").len(), before, "of call {}", placed["call"]);
}

#[tokio::test]
async fn a_phase_that_came_and_went_has_been_reached() {
    let (app, url) = App::start().await;
    app.answer("/answer", 200, FLOW);
    let control = Control::start(&url, "").await;
    let placed = control.post("/calls", json!({})).await;
    let path = format!("/calls/{}", placed["call"]);
    let call = control.get(&format!("{path}?wait_ms=20000")).await;
    assert_eq!(call["phases"], json!(["active", "ended_answered"]), "{call}");
    // It is over, and its webhooks are settled: nothing is waited for any more.
    let reached = async |phase: &str| {
        let call = control.get(&format!("{path}?wait_ms=100&phase={phase}")).await;
        call["has_reached"].clone()
    };
    assert_eq!([reached("active").await, reached("streaming").await], [json!(true), json!(false)]);
    assert_eq!(call.get("has_reached"), None, "nobody asked");

    // While it is on, a phase that it was in is not waited for once more.
    app.answer("/answer", 200, r#"[{"action":"input","max_digit":1,"timeout":6000}]"#);
    let placed = control.post("/calls", json!({})).await;
    let path = format!("/calls/{}", placed["call"]);
    let call = control.get(&format!("{path}?wait_ms=20000&phase=active")).await;
    assert_eq!((&call["phase"], &call["has_reached"]), (&json!("active"), &json!(true)));
    let began = std::time::Instant::now();
    let call = control.get(&format!("{path}?wait_ms=300&phase=bridged")).await;
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!((&call["is_over"], &call["has_reached"]), (&json!(false), &json!(false)));
}
