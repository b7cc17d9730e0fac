//! The control API, by HTTP: what each path does, and that nothing sent to it ends in a 5xx or an answer that its document
//! does not have.

use piopiy_events::Profile;
use piopiy_mock_platform::platform::{Exchange, ServeOptions, Serving, control_openapi};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::app::{App, config};

/// A platform that listens, and somebody who asks.
pub(super) struct Control {
    pub(super) serving: Serving,
    client: reqwest::Client,
}

impl Control {
    pub(super) async fn start(app: &str, more: &str) -> Self {
        let exchange = Exchange::start(config(app, more), None).unwrap();
        let mut options = ServeOptions::default();
        options.rest = ([127, 0, 0, 1], 0).into();
        options.control = ([127, 0, 0, 1], 0).into();
        let serving = Serving::start(exchange, &options).await.unwrap();
        Self { serving, client: reqwest::Client::new() }
    }

    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Vec<u8>>,
    ) -> (StatusCode, Value) {
        let url = format!("http://{}/api{path}", self.serving.control());
        let answer = self.client.request(method, url).body(body.into()).send().await.unwrap();
        let status = answer.status();
        (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap())
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        let (status, answer) = self.ask(Method::GET, path, "").await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        answer
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Value {
        let (status, answer) = self.ask(Method::POST, path, body.to_string()).await;
        assert!(status.is_success(), "{path}: {status}: {answer}");
        answer
    }
}

#[tokio::test]
async fn a_call_is_placed_pressed_and_read() {
    let (app, url) = App::start().await;
    app.answer(
        "/answer",
        200,
        &format!(r#"[{{"action":"input","max_digit":1,"timeout":600,"action_url":"{url}/digits"}}]"#),
    );
    app.answer("/digits", 200, r#"[{"action":"hangup"}]"#);
    let control = Control::start(&url, "").await;
    let placed = control.post("/calls", json!({ "from": "+447700900123" })).await;
    let path = format!("/calls/{}", placed["cmiuuid"].as_str().unwrap());
    let call = control.get(&format!("{path}?wait_ms=20000&phase=active")).await;
    assert_eq!((&call["is_over"], &call["phase"]), (&json!(false), &json!("active")));
    control.post(&format!("{path}/digits"), json!({ "digits": "1" })).await;
    let call = control.get(&format!("{path}?wait_ms=20000")).await;
    assert_eq!((&call["is_over"], &call["phase"]), (&json!(true), &json!("ended_answered")));
    let digits: Value = serde_json::from_str(&app.posted("/digits")[0]).unwrap();
    assert_eq!(digits["dtmf"], "1");
    assert_eq!(app.told(Profile::Global), ["in_answered a", "in_hangup a", "cdr answered a"]);

    let rows = call["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["label"] == "presses 1" && row["from"] == "caller"), "{rows:#?}");
    let sent: Vec<&Value> = rows.iter().filter(|row| row["kind"] == "webhook").collect();
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[2]["attempts"][0]["status"], 200);
    assert_eq!(sent[2]["body"]["text"], app.posted("/webhooks")[2]);

    let deliveries = control.get(&format!("/deliveries?call={}", placed["call"])).await;
    let last = deliveries["deliveries"][2]["id"].as_str().unwrap().to_owned();
    let again = control.post(&format!("/deliveries/{last}/resend"), json!({})).await;
    assert_eq!(again["deliveries"][0]["webhook"], 10_001, "{again}");
    let call = control.get(&format!("{path}?wait_ms=20000")).await;
    assert_eq!(call["rows"].as_array().unwrap().last().unwrap()["attempts"][0]["status"], 200, "{call}");
    assert_eq!(app.posted("/webhooks").len(), 4);
    assert_eq!(app.posted("/webhooks")[3], app.posted("/webhooks")[2]);
}

#[tokio::test]
async fn a_flow_a_person_faults_and_a_reset() {
    let (app, url) = App::start().await;
    let control = Control::start(&url, "").await;
    let (status, _) = control.ask(Method::PUT, "/faults", r#"{"duplicate": 1.0}"#).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(control.get("/faults").await["duplicate"], 1.0);
    let flow =
        json!([{ "action": "input", "max_digit": 4, "timeout": 5, "action_url": format!("{url}/digits") }]);
    let person = json!({ "digits": ["12#"], "digit_after": "10ms" });
    let placed = control.post("/calls", json!({ "flow": flow, "person": person })).await;
    let call = control.get(&format!("/calls/{}?wait_ms=20000", placed["call"])).await;
    assert_eq!(call["is_settled"], true);
    let digits: Value = serde_json::from_str(&app.posted("/digits")[0]).unwrap();
    assert_eq!(digits["dtmf"], "12");
    assert_eq!(app.posted("/webhooks").len(), 6, "each one twice");

    control.post("/calls", json!({ "flow": [{ "action": "speak", "text": "x".repeat(9_999) }] })).await;
    assert_eq!(control.get("/summary").await["calls_on"], 1);
    assert_eq!(control.post("/reset", json!({})).await["calls"], 0);
    assert_eq!(control.get("/calls").await["calls"], json!([]));
    assert_eq!(control.get("/faults").await["duplicate"], 0.0);
    assert_eq!(control.get("/stream/faults").await["jitter_ms"], 0);
}

#[tokio::test]
async fn faults_of_streams_hold_for_the_next_stream() {
    let control = Control::start("http://127.0.0.1:1", "").await;
    let wanted = json!({ "drop_after_ms": 100, "close_after_ms": null, "close_code": null, "late": 0.5,
        "late_ms": 40, "jitter_ms": 10 });
    let (status, set) = control.ask(Method::PUT, "/stream/faults", wanted.to_string()).await;
    assert_eq!((status, &set), (StatusCode::OK, &wanted));
    assert_eq!(control.get("/stream/faults").await, wanted);
    let url = super::stream::serve(super::stream::echo).await;
    let flow = json!([{ "action": "stream", "ws_url": url, "listen_mode": "caller" }]);
    let placed = control.post("/calls", json!({ "flow": flow })).await;
    let call = control.get(&format!("/calls/{}?wait_ms=20000&phase=ended_answered", placed["call"])).await;
    let rows = call["rows"].as_array().unwrap();
    assert!(rows.iter().any(|row| row["label"] == "closes 1006"), "{rows:#?}");
    for body in [
        r#"{"late": 1.5}"#,
        r#"{"jitter_ms": 600001}"#,
        r#"{"drop_after_ms": 86400001}"#,
        r#"{"close_code": 999}"#,
    ] {
        let (status, _) = control.ask(Method::PUT, "/stream/faults", body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
    }
    assert_eq!(control.get("/stream/faults").await, wanted, "nothing has changed");
    // What is left out goes wrong no more.
    control.ask(Method::PUT, "/stream/faults", "{}").await;
    assert_eq!(control.get("/stream/faults").await["drop_after_ms"], Value::Null);
}

#[tokio::test]
async fn time_is_moved_and_the_configuration_has_no_secrets() {
    let control = Control::start("http://127.0.0.1:1", "").await;
    let before = control.get("/summary").await["now_ms"].as_u64().unwrap();
    let now = control.post("/clock/advance", json!({ "by_ms": 3_600_000 })).await;
    assert!(now["now_ms"].as_u64().unwrap() >= before + 3_600_000);
    let config = control.get("/config").await;
    assert_eq!(config["numbers"][0]["answer_url"], "http://127.0.0.1:1/answer");
    assert_eq!(config["apps"][0], json!({ "appid": 2_222_222, "has_token": true }));
    assert!(!config.to_string().contains("mock-"), "{config}");
}

#[tokio::test]
async fn what_changes_is_told_while_it_happens() {
    let (_app, url) = App::start().await;
    let control = Control::start(&url, "").await;
    let events = format!("http://{}/api/events", control.serving.control());
    let mut events = control.client.get(events).send().await.unwrap();
    let mut told = String::new();
    while !told.contains("event: ready") {
        told.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
    }
    let placed = control.post("/calls", json!({})).await;
    let change = format!("event: change\ndata: {{\"call\":{}}}", placed["call"]);
    while !told.contains(&change) {
        told.push_str(std::str::from_utf8(&events.chunk().await.unwrap().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn bad_requests_have_the_answers_of_the_document() {
    let (_app, url) = App::start().await;
    let control = Control::start(&url, "").await;
    let call = control.post("/calls", json!({ "flow": [{ "action": "speak", "text": "Hello." }] })).await;
    control.get(&format!("/calls/{}?wait_ms=20000", call["call"])).await;
    let document = control_openapi();
    let large = vec![b' '; (1 << 20) + 1];
    let bodies: [&[u8]; 12] = [
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{\"no_such_key\":1}",
        b"{\"from\":-1}",
        b"{\"to\":1234567}",
        b"{\"digits\":\"x\",\"code\":1005,\"by_ms\":99999999999999,\"duplicate\":2}",
        b"{\"flow\":{}}",
        b"{\"person\":{\"patience\":\"soon\"}}",
        b"{\"person\":[null,null]}",
        &large,
    ];
    let mut seen = 0;
    for (template, path) in document["paths"].as_object().unwrap() {
        for (method, operation) in path.as_object().unwrap() {
            if template.ends_with("/events") || template.ends_with("/reset") {
                continue;
            }
            let upper: Method = method.to_uppercase().parse().unwrap();
            for id in ["0", "99", "0-99", "x", "%00", "%ff"] {
                let path = template.trim_start_matches("/api").replace("{id}", id);
                for query in ["", "?limit=x&wait_ms=-1", "?wait_ms=999999999&call=x", "?phase=gone"] {
                    for body in bodies {
                        let (status, answer) =
                            control.ask(upper.clone(), &format!("{path}{query}"), body).await;
                        let documented = &operation["responses"][status.as_str()];
                        assert!(documented.is_object(), "{method} {path}{query}: {status} {answer}");
                        if !status.is_success() {
                            assert!(answer["error"].is_string() && answer["message"].is_string(), "{answer}");
                        }
                        seen += 1;
                    }
                }
            }
            let (status, answer) = control.ask(Method::DELETE, template.trim_start_matches("/api"), "").await;
            assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{answer}");
        }
    }
    assert!(seen > 2_000, "{seen}");
    let (status, answer) = control.ask(Method::GET, "/nothing", "").await;
    assert_eq!((status, &answer["error"]), (StatusCode::NOT_FOUND, &json!("not_found")));
}

#[tokio::test]
async fn what_a_test_left_of_an_account_is_gone_with_a_reset() {
    let (app, url) = App::start().await;
    let control = Control::start(&url, "").await;
    let add_sip = async || {
        let body = json!({ "appid": 2_222_222, "secret": "mock-secret", "username": "ann", "password": "x" });
        let to = format!("http://{}/v1/endpoint/add_sip", control.serving.rest());
        let answer = control.client.post(to).body(body.to_string()).send().await.unwrap();
        serde_json::from_slice::<Value>(&answer.bytes().await.unwrap()).unwrap()["code"].clone()
    };
    let mut balances = Vec::new();
    for _ in 0..2 {
        assert_eq!((add_sip().await, add_sip().await), (json!("cmi-200"), json!(400)));
        let flow = json!([{ "action": "speak", "text": "x".repeat(5_000) }]);
        let placed = control.post("/calls", json!({ "flow": flow })).await;
        control.get(&format!("/calls/{}?wait_ms=20000", placed["call"])).await;
        let cdr: Value = serde_json::from_str(&app.posted("/webhooks").pop().unwrap()).unwrap();
        balances.push(cdr["balance"].as_str().unwrap().to_owned());
        control.post("/reset", json!({})).await;
    }
    // Five minutes cost 0.06; some more or less may be talked.
    let left: Vec<f64> = balances.iter().map(|balance| balance.parse().unwrap()).collect();
    assert!(left[0] < 900.0 && (left[0] - left[1]).abs() < 0.03, "{balances:?}");
}

#[tokio::test]
async fn what_the_document_does_not_take_is_refused() {
    let control = Control::start("http://127.0.0.1:1", "").await;
    for body in [
        json!({ "person": [null, null] }),
        json!({ "from": "++447700900123" }),
        json!({ "from": "07700900123" }),
        json!({ "from": 0 }),
    ] {
        let (status, answer) = control.ask(Method::POST, "/calls", body.to_string()).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {answer}");
    }
    let document = control_openapi();
    assert_eq!(document["components"]["schemas"]["Rates"].get("required"), None, "all may be left out");
    for (method, path, body, expected) in [
        (Method::POST, "/clock/advance", r#"{"by_ms":5.0}"#, StatusCode::OK),
        (Method::POST, "/clock/advance", r#"{"by_ms":5.5}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (Method::PUT, "/stream/faults", r#"{"late":0.5,"jitter_ms":3.0}"#, StatusCode::OK),
        (Method::PUT, "/stream/faults", r#"{"close_code":1e9}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (Method::POST, "/clock/advance", r#"{"by_ms":5,"by_ms":6}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (Method::POST, "/clock/advance", r#"{"by_ms":5.0,"by_ms":6}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (Method::PUT, "/stream/faults", r#"{"close_code":1011.0,"close_after_ms":null}"#, StatusCode::OK),
    ] {
        let (status, answer) = control.ask(method, path, body).await;
        assert_eq!(status, expected, "{body}, as a JSON Schema has it: {answer}");
    }
    assert_eq!(control.ask(Method::GET, "/stream/faults", "").await.1["close_code"], 1011);
    let placed = control.ask(Method::POST, "/calls", "{}").await.1["id"].clone();
    for (path, name, refused) in [
        ("/calls", "limit", StatusCode::BAD_REQUEST),
        ("/deliveries", "limit", StatusCode::BAD_REQUEST),
        ("/requests", "limit", StatusCode::BAD_REQUEST),
        ("/calls/{id}", "wait_ms", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let parameters = document["paths"][format!("/api{path}")]["get"]["parameters"].as_array().unwrap();
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        let most = parameter["schema"]["maximum"].as_u64().unwrap();
        let path = path.replace("{id}", placed.to_string().trim_matches('"'));
        // It is over by then, or there is nothing to be waited for.
        let url = |value: u64| format!("{path}?{name}={value}&phase=ended_missed");
        let (status, answer) = control.ask(Method::GET, &url(most + 1), "").await;
        assert_eq!(status, refused, "{path}: {answer}");
        if name == "limit" {
            assert_eq!(control.ask(Method::GET, &url(most), "").await.0, StatusCode::OK, "{path}");
        }
    }
}

#[tokio::test]
async fn other_hosts_and_pages_are_refused() {
    let control = Control::start("http://127.0.0.1:1", "").await;
    let address = control.serving.control();
    for (line, expected) in [
        (format!("Host: {address}"), "200"),
        ("Host: app.example".to_owned(), "403"),
        (format!("Host: {address}\r\nOrigin: http://app.example"), "403"),
        (format!("Host: {address}\r\nOrigin: http://{address}"), "200"),
    ] {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET /api/summary HTTP/1.1\r\n{line}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {expected}")), "{line}: {answer}");
        assert_eq!(answer.contains(r#"{"error":"forbidden""#), expected == "403", "{answer}");
    }
}
