//! What nobody but programs of this machine's own can make the platform do: pages of a browser, and call flows that lead back to the
//! platform.

use piopiy_mock_platform::platform::{Config, Exchange, ServeOptions, Serving};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::app::{App, config};
use super::control::Control;
use super::rest::{Api, NUMBER, legacy};

#[tokio::test]
async fn a_web_page_calls_nobody() {
    let api = Api::start("").await;
    // What a page can send without a preflight: a form, or text.
    let body = legacy(&json!({ "pcmo": [{ "action": "hangup" }] })).to_string();
    let url = format!("http://{}/v2/global_pcmo_make_call", api.serving.rest());
    for (name, value, expected) in [
        ("origin", "http://app.example", 403),
        ("origin", "null", 403),
        // By another name for this machine the page has the platform's own origin.
        ("origin", url.trim_end_matches("/v2/global_pcmo_make_call"), 403),
        ("sec-fetch-site", "cross-site", 403),
        ("sec-fetch-site", "same-site", 403),
        ("sec-fetch-site", "none", 200),
        // Node sends this one.
        ("sec-fetch-mode", "cors", 200),
    ] {
        let request = api.client.post(&url).header("content-type", "text/plain").header(name, value);
        let answer = request.body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), expected, "{name}: {value}");
        if expected == 403 {
            let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
            assert_eq!(answer["error"], "forbidden", "{answer}");
        }
    }
    assert_eq!(api.exchange().board().calls().len(), 2);
    let told = api.exchange().board().loose();
    let refused = told.iter().filter(|message| message.label == "web page 403").count();
    assert_eq!(refused, 5, "{told:#?}");
    // A page may play a recording: nothing changes.
    let play =
        format!("http://{}/v2/piopiy/play?appid=2222222&secret=mock-secret&file=x", api.serving.rest());
    let answer = api.client.get(play).header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("there is no such recording"));
}

#[tokio::test]
async fn the_platform_never_asks_itself() {
    let (app, url) = App::start().await;
    let control = Control::start(&url, "").await;
    let (own, rest) = (control.serving.control(), control.serving.rest());
    let reset = format!("http://{own}/api/reset");
    let localhost = format!("http://localhost:{}/api/reset", own.port());
    let client = reqwest::Client::new();
    for answer_url in [&reset, &localhost, &format!("http://{rest}/v2/global_pcmo_make_call")] {
        let body = legacy(&json!({ "answer_url": answer_url })).to_string();
        let asked = client.post(format!("http://{rest}/v1/make_call")).body(body).send().await.unwrap();
        let answer: Value = serde_json::from_str(&asked.text().await.unwrap()).unwrap();
        assert!(answer["msg"].as_str().unwrap().contains("is this platform itself"), "{answer}");
    }
    for action in [
        json!({ "action": "input", "max_digit": 1, "action_url": reset }),
        json!({ "action": "play", "file_url": format!("http://{own}/api/config") }),
        json!({ "action": "stream", "ws_url": format!("ws://{own}/api/reset"), "listen_mode": "caller" }),
    ] {
        let person = json!({ "digits": ["1"], "digit_after": "10ms" });
        let placed = control.post("/calls", json!({ "flow": [action], "person": person })).await;
        let call = control.get(&format!("/calls/{}?wait_ms=20000", placed["call"])).await;
        assert_eq!(call["is_settled"], true, "nothing was reset: {call}");
        let told = call["rows"].to_string();
        assert!(told.contains("is this platform itself"), "{told}");
    }
    // Nor by its configuration, from the start or later.
    for (key, expected) in [("answer-url", "answer-url"), ("cdr-url", "cdr-url")] {
        let mut changed = config(&url, "");
        match key {
            "answer-url" => changed.numbers[0].answer_url = Some(reset.clone()),
            _ => changed.numbers[0].cdr_url = Some(reset.clone()),
        }
        let error = control.serving.exchange().reload(changed).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(app.posted("/webhooks").len() > 3, "the configuration is as it was");
}

#[tokio::test]
async fn a_platform_that_would_ask_itself_does_not_start() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let text = format!("[[platform.number]]\nnumber = {NUMBER}\nanswer-url = \"http://{port}/answer\"\n");
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (port, ([127, 0, 0, 1], 0).into());
    let error = Serving::start(exchange, &options).await.unwrap_err();
    assert_eq!(error.to_string(), format!("[[platform.number]] {NUMBER}: answer-url cannot be used"));
}

#[tokio::test]
async fn another_address_of_this_machine_is_the_applications() {
    let control = Control::start("http://127.0.0.1:1", "").await;
    let other = format!("http://127.0.0.2:{}/answer", control.serving.control().port());
    let mut changed = config("http://127.0.0.1:1", "");
    changed.numbers[0].answer_url = Some(other);
    control.serving.exchange().reload(changed).unwrap();
    let (status, _) = control.ask(Method::POST, "/calls", "{}").await;
    assert_eq!(status, StatusCode::CREATED);
}
