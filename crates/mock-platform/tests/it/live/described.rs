//! What a test says by the control API of the REST APIs, and of people.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::app::{App, config};
use super::control::Control;
use super::stream::{Socket, serve, write_wav};

#[tokio::test]
async fn requests_fail_as_often_as_they_are_told_to() {
    let control = Control::start("http://127.0.0.1:1", "").await;
    let path = "/v3/voice/pcmo/call";
    let set = async |body: &Value| control.ask(Method::PUT, "/rest/faults", body.to_string()).await;
    let client = reqwest::Client::new();
    let url = format!("http://{}{path}", control.serving.rest());
    let asked =
        async || client.post(&url).bearer_auth("mock-token").body("{}").send().await.unwrap().status();

    let wanted = json!({ "rate_limit": null, "fail": [{ "path": path, "times": 2, "status": 503 }] });
    assert_eq!(set(&wanted).await, (StatusCode::OK, wanted));
    assert_eq!([asked().await, asked().await, asked().await].map(|status| status.as_u16()), [503, 503, 400]);
    assert_eq!(control.get("/rest/faults").await["fail"][0]["times"], 0, "none is left");

    assert_eq!(set(&json!({ "rate_limit": 2.0 })).await.0, StatusCode::OK);
    assert_eq!([asked().await, asked().await, asked().await].map(|status| status.as_u16()), [400, 400, 429]);
    for wrong in [
        json!({ "fail": [{ "path": "/v3/voice", "status": 503 }] }),
        json!({ "fail": [{ "status": 50 }] }),
        json!({ "fail": [{}] }),
        json!({ "fail": [[null, null, 503]] }),
        json!({ "fail": null }),
        json!({ "fail": [{ "status": 503, "time": 1 }] }),
        json!({ "rate_limit": -1 }),
        json!({ "fail": vec![json!({ "status": 503 }); 1_001] }),
    ] {
        let (status, answer) = set(&wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {answer}");
    }
    assert_eq!(control.get("/rest/faults").await["rate_limit"], 2, "nothing has changed");
    control.post("/reset", json!({})).await;
    assert_eq!(control.get("/rest/faults").await, json!({ "rate_limit": null, "fail": [] }));
}

#[tokio::test]
async fn whoever_a_call_is_put_through_to_behaves_as_described() {
    let (_app, url) = App::start().await;
    let control = Control::start(&url, "").await;
    let flow = json!([{ "action": "bridge", "connect": [{ "type": "pstn", "number": 442_079_460_000_u64 }] },
        { "action": "hangup" }]);
    for (callee, expected) in [
        (json!({ "answers": "busy" }), "442079460000 is busy"),
        (json!({ "answers": "rejects" }), "442079460000 turns the call away"),
        (json!({ "hangs_up_after": "1s" }), "442079460000 hangs up"),
    ] {
        let placed = control.post("/calls", json!({ "flow": flow, "callee": callee })).await;
        let call = control.get(&format!("/calls/{}?wait_ms=20000", placed["call"])).await;
        let rows = call["rows"].as_array().unwrap();
        assert!(rows.iter().any(|row| row["label"] == expected), "{callee}: {rows:#?}");
    }
    let (status, _) = control.ask(Method::POST, "/calls", r#"{"callee":{"digits":["x"]}}"#).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn whoever_a_call_was_put_through_to_hangs_up_and_the_call_goes_on() {
    let (_app, url) = App::start().await;
    let control = Control::start(&url, "").await;
    let flow = json!([
        { "action": "bridge", "timeout": 7_200, "connect": [{ "type": "pstn", "number": 442_079_460_000_u64 }] },
        { "action": "speak", "text": "It goes on." },
        { "action": "hangup" },
    ]);
    let by_callee = async |call: &Value| {
        let path = format!("/calls/{call}/hangup");
        control.ask(Method::POST, &path, r#"{"by":"callee"}"#).await
    };
    let person = json!({ "patience": "10h" });
    let callee = json!({ "answers_after": "2h" });
    let placed = control.post("/calls", json!({ "flow": flow, "person": person, "callee": callee })).await;
    let (status, refused) = by_callee(&placed["call"]).await;
    assert_eq!((status, &refused["error"]), (StatusCode::CONFLICT, &json!("conflict")), "{refused}");

    let callee = json!({ "hangs_up_after": "2h" });
    let placed = control.post("/calls", json!({ "flow": flow, "callee": callee })).await;
    let path = format!("/calls/{}?wait_ms=20000", placed["call"]);
    control.get(&format!("{path}&phase=bridged")).await;
    assert_eq!(by_callee(&placed["call"]).await.0, StatusCode::ACCEPTED);
    let call = control.get(&path).await;
    let rows: Vec<&str> =
        call["rows"].as_array().unwrap().iter().filter_map(|row| row["label"].as_str()).collect();
    let gone = rows.iter().position(|row| *row == "442079460000 hangs up");
    assert!(gone.is_some() && rows.iter().position(|row| *row == "speak") > gone, "{rows:#?}");
    assert_eq!(by_callee(&placed["call"]).await.0, StatusCode::NOT_FOUND, "it is over");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_says_what_is_in_a_file() {
    const LOUD: i16 = 12_345;
    let (_app, url) = App::start().await;
    let control = Control::start(&url, "").await;
    let folder = tempfile::tempdir().unwrap();
    write_wav(&folder.path().join("loud.wav"), &[LOUD; 8_000]);
    let says = async |name: &str, url: &str| {
        let flow = json!([{ "action": "stream", "ws_url": url, "listen_mode": "caller" }]);
        let person = json!({ "says": name, "hangs_up_after": "90s" });
        control.ask(Method::POST, "/calls", json!({ "flow": flow, "person": person }).to_string()).await
    };
    let (status, answer) = says("loud.wav", "ws://127.0.0.1:1/").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer["message"].as_str().unwrap().contains("set `files`"), "{answer}");

    let mut changed = config(&url, "");
    changed.files = Some(folder.path().to_owned());
    control.serving.exchange().reload(changed).unwrap();
    for name in ["", "../loud.wav", "quiet.wav", "/etc/hosts"] {
        assert_eq!(says(name, "ws://127.0.0.1:1/").await.0, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
    }
    let heard = Arc::new(Mutex::new(0_usize));
    let ws = {
        let heard = Arc::clone(&heard);
        serve(move |mut socket: Socket| async move {
            while let Some(Ok(message)) = socket.next().await {
                let loud =
                    message.into_data().chunks(2).filter(|sample| *sample == LOUD.to_le_bytes()).count();
                *heard.lock().unwrap() += loud;
            }
        })
        .await
    };
    let (status, placed) = says("loud.wav", &ws).await;
    assert_eq!(status, StatusCode::CREATED, "{placed}");
    control.get(&format!("/calls/{}?wait_ms=20000", placed["call"])).await;
    assert!(*heard.lock().unwrap() > 500, "{heard:?}");
}
