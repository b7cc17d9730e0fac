//! The REST APIs over a socket: what each endpoint answers, and what it does with bodies that are none.

use std::time::Duration;

use piopiy_events::Profile;
use piopiy_mock_platform::platform::{Config, Exchange, RestRules, ServeOptions, Serving};
use proptest::prelude::*;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use super::app::{App, over};

pub(super) const NUMBER: u64 = 441_632_960_000;
pub(super) const CUSTOMER: u64 = 447_700_900_123;
const AGENT: &str = "3f0c2f0e-7a53-4c56-9a0c-0d3f6f4c2b11";

pub(super) struct Api {
    pub(super) serving: Serving,
    pub(super) client: Client,
}

impl Api {
    pub(super) async fn start(more: &str) -> Self {
        Self::of(&format!("[platform]\ntime-scale = 300\n[[platform.number]]\nnumber = {NUMBER}\n{more}"))
            .await
    }

    pub(super) async fn of(text: &str) -> Self {
        let exchange = Exchange::start(Config::parse("test", text).unwrap(), None).unwrap();
        let mut options = ServeOptions::default();
        (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
        let serving = Serving::start(exchange, &options).await.unwrap();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        Self { serving, client }
    }

    pub(super) fn exchange(&self) -> &Exchange {
        self.serving.exchange()
    }

    async fn send(&self, method: Method, path: &str, token: &str, body: String) -> (u16, Value) {
        let url = format!("http://{}{path}", self.serving.rest());
        let request = self.client.request(method, url).bearer_auth(token).body(body);
        let response = request.header("content-type", "application/json").send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, "mock-token", body.to_string()).await
    }

    pub(super) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, "mock-token", String::new()).await
    }

    pub(super) async fn is_over(&self, id: &Value) {
        let call = self.exchange().find(id.as_str().unwrap()).unwrap();
        over(self.exchange(), call).await;
    }
}

pub(super) fn legacy(more: &Value) -> Value {
    let mut body = json!({ "appid": 2_222_222, "secret": "mock-secret", "from": NUMBER, "to": CUSTOMER });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_call_of_the_first_generation_and_its_cdrs() {
    let api = Api::start("").await;
    let body =
        legacy(&json!({ "extra_params": { "k": 1 }, "pcmo": [{ "action": "speak", "text": "Hello." }] }));
    let (status, answer) = api.post("/v2/global_pcmo_make_call", body).await;
    assert_eq!((status, &answer["code"], &answer["cmi_code"]), (200, &json!(200), &json!(200)), "{answer}");
    assert_eq!(answer["status"], "progress");
    assert_eq!(answer["request_id"], answer["data"]["request_id"]);
    api.is_over(&answer["request_id"]).await;

    let ask = json!({ "appid": 2_222_222, "secret": "mock-secret", "request_id": answer["request_id"] });
    let (status, cdrs) = api.post("/v1/piopiy/requestid_cdr", ask).await;
    assert_eq!((status, &cdrs["count"], &cdrs["cdr"][0]["status"]), (200, &json!(1), &json!("answered")));
    let call = api.exchange().board().calls().remove(0);
    let ask = json!({ "appid": 2_222_222, "secret": "mock-secret", "cmiuuid": call.begin.cmiuuid });
    let (_, cdr) = api.post("/v1/piopiy/cmiuuid_cdr", ask).await;
    assert_eq!((&cdr["code"], &cdr["cdr"]["leg"]), (&json!(200), &json!("a")), "{cdr}");
    assert!(cdr["cdr"]["rate"].is_string() && cdr["cdr"]["balance"].is_string());
}

#[tokio::test]
async fn a_call_with_an_answer_url_is_held_and_ended() {
    let (app, url) = App::start().await;
    app.answer("/answer", 200, r#"[{"action":"speak","text":"A long text, said for ever, or nearly so."}]"#);
    let more = format!("cdr-url = \"{url}/webhooks\"\n[platform.choices]\nafter-last-action = \"stay\"");
    let api = Api::start(&more).await;
    let (_, answer) =
        api.post("/v1/make_call", legacy(&json!({ "answer_url": format!("{url}/answer") }))).await;
    assert_eq!(answer["code"], 200, "{answer}");
    assert!(answer.get("status").is_none(), "v1 has no status of its own: {answer}");
    let id = api.exchange().board().calls()[0].begin.cmiuuid.clone();
    let act = |action: &str, key: &str| {
        let mut body = json!({ "appid": 2_222_222, "secret": "mock-secret", "action": action });
        body[key] = json!(id);
        body
    };
    assert_eq!(api.post("/v1/call/action", act("hold", "cmiuuid")).await.1["code"], 200);
    assert_eq!(api.post("/v1/call/global_action", act("holdToggle", "cmiuid")).await.1["code"], 200);
    assert_eq!(api.post("/v1/call/action", act("dance", "cmiuuid")).await.1["code"], 422);
    assert_eq!(api.post("/v1/call/action", act("hangup", "cmiuuid")).await.1["code"], 200);
    api.is_over(&json!(id)).await;
    assert!(app.told(Profile::Global).iter().any(|told| told.starts_with("cdr ")));
    assert_eq!(api.post("/v1/call/action", act("hangup", "cmiuuid")).await.1["code"], 404);
}

#[tokio::test]
async fn what_the_first_generation_refuses_has_its_documented_code() {
    let api = Api::start("").await;
    let flow = json!({ "pcmo": [{ "action": "hangup" }] });
    for (path, body, code, cmi_code) in [
        ("/v2/global_pcmo_make_call", json!({}), 502, 502),
        ("/v2/global_pcmo_make_call", json!({ "appid": 2_222_222 }), 502, 502),
        ("/v2/global_pcmo_make_call", json!({ "appid": "2222222", "secret": "mock-secret" }), 422, 422),
        ("/v1/make_call", json!({ "appid": "2222222", "secret": "mock-secret" }), 501, 501),
        ("/v1/piopiy/cmiuuid_cdr", json!({ "secret": "mock-secret" }), 404, 404),
        ("/v2/global_pcmo_make_call", json!([]), 422, 422),
        ("/v2/ind_pcmo_make_call", json!({ "appid": 2_222_222, "secret": "wrong" }), 420, 401),
        ("/v2/ind_pcmo_make_call", json!({ "appid": 1, "secret": "mock-secret" }), 420, 401),
        ("/v1/pcmo_make_call", legacy(&json!({})), 502, 502),
        ("/v1/pcmo_make_call", legacy(&json!({ "pcmo": "x" })), 422, 422),
        ("/v1/pcmo_make_call", legacy(&json!({ "from": "441632960000", "pcmo": [] })), 422, 422),
        ("/v1/global_make_call", legacy(&json!({ "answer_url": "http://app.example/" })), 501, 501),
        ("/v1/global_make_call", legacy(&flow), 502, 502),
        (
            "/v1/piopiy/cmiuuid_cdr",
            json!({ "appid": 2_222_222, "secret": "mock-secret", "cmiuuid": "x" }),
            404,
            404,
        ),
    ] {
        let (status, answer) = api.post(path, body.clone()).await;
        let expected = (200, json!(code), json!(cmi_code));
        assert_eq!(
            (status, answer["code"].clone(), answer["cmi_code"].clone()),
            expected,
            "{path} {body}: {answer}"
        );
        assert!(answer["msg"].is_string());
    }
    let strict =
        Api::start("[platform.choices]\nlegacy-errors = \"http-status\"\nlegacy-codes = \"code\"").await;
    let wrong = json!({ "appid": 2_222_222, "secret": "wrong" });
    let (status, answer) = strict.post("/v2/global_pcmo_make_call", wrong).await;
    assert_eq!((status, answer.get("cmi_code")), (420, None));
}

#[tokio::test]
async fn a_sip_endpoint_is_added_once() {
    let api = Api::start("").await;
    let body = json!({ "appid": 2_222_222, "secret": "mock-secret", "username": "ann", "password": "x" });
    assert_eq!(api.post("/v1/endpoint/add_sip", body.clone()).await.1["code"], "cmi-200");
    assert_eq!(api.post("/v1/endpoint/add_sip", body).await.1["code"], 400);
}

#[tokio::test]
async fn calls_of_the_third_generation_are_placed_transferred_and_ended() {
    let api = Api::start("[platform.choices]\nafter-last-action = \"stay\"").await;
    let numbers = json!({ "caller_id": NUMBER.to_string(), "to_number": CUSTOMER.to_string() });
    let with = |more: Value| {
        let mut body = numbers.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let pipeline = json!([{ "action": "play", "file_name": "a.wav" }]);
    let body = with(json!({ "app_id": "2222222", "pipeline": pipeline, "variables": { "k": "v" } }));
    let (status, placed) = api.post("/v3/voice/pcmo/call", body).await;
    assert_eq!((status, &placed["message"]), (200, &json!("call_queued")), "{placed}");
    let id = placed["call_id"].as_str().unwrap().to_owned();
    assert_eq!(api.get(&format!("/v3/calls/{id}")).await.0, 200);

    let warm = json!({ "to_number": "442079460000", "timeout_sec": 20 });
    let (status, queued) = api.post(&format!("/v3/calls/{id}/actions/transfer"), warm.clone()).await;
    assert_eq!((status, &queued["message"]), (200, &json!("queued")), "{queued}");
    let transfer = queued["request_id"].as_str().unwrap().to_owned();
    let (status, busy) = api.post(&format!("/v3/calls/{id}/actions/transfer"), warm).await;
    assert!(status == 409 && busy["request_id"] == transfer || status == 200, "{busy}");
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let settled = loop {
        assert!(std::time::Instant::now() < deadline, "the transfer is never settled");
        let (_, told) = api.get(&format!("/v3/transfers/{transfer}")).await;
        if told["status"] != "queued" && told["status"] != "started" {
            break told;
        }
    };
    assert!(["completed", "failed"].contains(&settled["status"].as_str().unwrap()), "{settled}");

    let (status, _) =
        api.post("/v3/voice/call/hangup", json!({ "call_id": id, "cause": "NORMAL_CLEARING" })).await;
    assert_eq!(status, 200);
    api.is_over(&json!(id)).await;
    let (status, gone) = api.get(&format!("/v3/calls/{id}")).await;
    assert_eq!((status, &gone["error"]), (404, &json!("CALL_NOT_FOUND")));

    let (status, _) = api.post("/v3/voice/ai/call", with(json!({ "agent_id": AGENT }))).await;
    assert_eq!(status, 200);
    let flow = with(json!({ "flow_id": AGENT, "org_id": AGENT, "app_id": "2222222" }));
    assert_eq!(api.post("/v3/voice/flow/call", flow).await.0, 200);
    let (status, body) = api.post("/v3/voice/agent/call", json!({})).await;
    assert_eq!((status, &body["error"]), (501, &json!("not_implemented")));
}

#[tokio::test]
async fn the_third_generation_says_where_a_body_is_wrong() {
    let api = Api::start("").await;
    let body = json!({ "caller_id": NUMBER, "to_number": CUSTOMER.to_string(), "agent_id": AGENT });
    let (status, answer) = api.post("/v3/voice/ai/call", body).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_request")));
    assert!(answer["message"].as_str().unwrap().starts_with("/caller_id must be a string"), "{answer}");
    let body = json!({ "caller_id": NUMBER.to_string(), "to_number": CUSTOMER.to_string(), "app_id": "1",
        "pipeline": [{ "action": "hangup" }] });
    let (status, answer) = api.post("/v3/voice/pcmo/call", body).await;
    assert_eq!((status, &answer["error"]), (403, &json!("app_not_active")));
    for token in ["", "wrong"] {
        let (status, answer) = api.send(Method::GET, "/v3/calls/x", token, String::new()).await;
        assert_eq!((status, &answer["error"]), (401, &json!("unauthorized")));
    }
    assert_eq!(api.get("/v3/nothing").await.0, 404);
    assert_eq!(api.get("/v3/voice/ai/call").await.0, 405);
    assert_eq!(api.send(Method::POST, "/v1/call/action", "x", "x".repeat(300_000)).await.0, 413);
}

#[tokio::test]
async fn failures_and_limits_are_as_asked_for_and_secrets_are_not_told() {
    let more = "[platform.rest]\nrate-limit = 3\n[[platform.rest.fail]]\npath = \"/v3/calls/{id}\"\ntimes = 1\nstatus = 503";
    let api = Api::start(more).await;
    assert_eq!(api.get("/v3/calls/x").await.0, 503);
    assert_eq!(api.get("/v3/calls/x").await.0, 404);
    api.post("/v2/global_pcmo_make_call", json!({ "appid": 1, "secret": "hush" })).await;
    assert_eq!(api.get("/v3/calls/x").await.0, 429);
    let told = format!("{:?}", api.exchange().board().loose());
    assert!(told.contains("global_pcmo_make_call") && !told.contains("hush") && !told.contains("mock-token"));
    api.exchange().set_rest_rules(RestRules::default()).unwrap();
    assert_eq!(api.get("/v3/calls/x").await.0, 404);
}

#[tokio::test]
async fn a_target_in_absolute_form_is_taken() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let api = Api::start("").await;
    let mut socket = tokio::net::TcpStream::connect(api.serving.rest()).await.unwrap();
    let request = "POST https://rest.piopiy.com/v3/voice/agent/call HTTP/1.1\r\nhost: rest.piopiy.com\r\n\
                   authorization: Bearer mock-token\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 501 "), "{answer}");
}

/// Any JSON, with the keys and values that endpoints look for among them.
fn some_json() -> impl Strategy<Value = Value> {
    let keys = [
        "appid", "secret", "from", "to", "pcmo", "call_id", "pipeline", "action", "options", "params", "type",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        proptest::sample::select(vec![
            json!(2_222_222),
            json!("mock-secret"),
            json!(NUMBER),
            json!(AGENT),
            json!("connect")
        ]),
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map(proptest::sample::select(keys.to_vec()), inner, 0..8).prop_map(
                |members| {
                    Value::Object(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
                }
            ),
        ]
    })
}

#[test]
fn no_body_makes_a_server_error() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let api = runtime.block_on(Api::start(""));
    let document = piopiy_mock_platform::platform::rest_openapi();
    let paths: Vec<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    proptest!(ProptestConfig::with_cases(300), |(path in proptest::sample::select(paths.clone()), body in some_json())| {
        let path = path.replace("{id}", "x");
        let (status, _) = runtime.block_on(api.send(Method::POST, &path, "mock-token", body.to_string()));
        let is_fine = status < 500 || path.ends_with("/agent/call") && status == StatusCode::NOT_IMPLEMENTED.as_u16();
        prop_assert!(is_fine, "{path}: {status}");
    });
}

#[tokio::test]
async fn the_timeline_has_what_nothing_answers_and_no_password() {
    let api = Api::start("").await;
    let body = json!({ "appid": 2_222_222, "secret": "mock-secret", "username": "ann", "password": "hush" });
    let (_, added) = api.post("/v1/endpoint/add_sip", body).await;
    assert_eq!(added["password"], "hush", "who asks is answered as documented");
    api.post("/voice/ai/call", json!({})).await;
    api.get("/v3/voice/ai/call").await;
    let told = api.exchange().board().loose();
    let labels: Vec<&str> = told.iter().map(|message| message.label.as_str()).collect();
    assert_eq!(labels, ["POST /v1/endpoint/add_sip 200", "unknown path 404", "wrong method 405"]);
    for message in &told {
        for bytes in [&message.request, &message.answer].into_iter().flatten() {
            assert!(!String::from_utf8_lossy(bytes.as_bytes()).contains("hush"), "{}", message.label);
        }
    }
}

#[tokio::test]
async fn an_app_has_its_own_calls_alone() {
    let more = "[platform.choices]\nafter-last-action = \"stay\"\n\
                [[platform.app]]\nappid = 2222222\nsecret = \"mock-secret\"\ntoken = \"mock-token\"\n\
                [[platform.app]]\nappid = 3333333\nsecret = \"other-secret\"\ntoken = \"other-token\"";
    let api = Api::start(more).await;
    let pipeline = json!([{ "action": "play", "file_name": "a.wav" }]);
    let body = json!({ "caller_id": NUMBER.to_string(), "to_number": CUSTOMER.to_string(), "app_id": "2222222",
        "pipeline": pipeline });
    let (_, placed) = api.post("/v3/voice/pcmo/call", body).await;
    let id = placed["call_id"].as_str().unwrap();
    let as_other = |method, path: String, body: Value| {
        let api = &api;
        async move { api.send(method, &path, "other-token", body.to_string()).await.0 }
    };
    assert_eq!(as_other(Method::GET, format!("/v3/calls/{id}"), json!({})).await, 404);
    assert_eq!(as_other(Method::POST, format!("/v3/calls/{id}/actions/hangup"), json!({})).await, 404);
    let moved = json!({ "call_id": id, "pipeline": pipeline });
    assert_eq!(as_other(Method::POST, "/v3/voice/pcmo/transfer".to_owned(), moved.clone()).await, 404);
    let (_, queued) = api.post("/v3/voice/pcmo/transfer", moved).await;
    let transfer = format!("/v3/transfers/{}", queued["request_id"].as_str().unwrap());
    assert_eq!(as_other(Method::GET, transfer.clone(), json!({})).await, 404);
    assert_eq!(api.get(&transfer).await.0, 200);
    let other = json!({ "appid": 3_333_333, "secret": "other-secret", "action": "hangup", "cmiuuid": id,
        "request_id": placed["request_id"] });
    assert_eq!(api.post("/v1/call/action", other.clone()).await.1["code"], 404);
    assert_eq!(api.post("/v3/voice/call/hangup", json!({ "call_id": id })).await.0, 200);
    api.is_over(&json!(id)).await;
    for path in ["/v1/piopiy/cmiuuid_cdr", "/v1/piopiy/requestid_cdr"] {
        assert_eq!(api.post(path, other.clone()).await.1["code"], 404, "{path}");
        let mut own = other.clone();
        (own["appid"], own["secret"]) = (json!(2_222_222), json!("mock-secret"));
        assert_eq!(api.post(path, own).await.1["code"], 200, "{path}");
    }
}

#[tokio::test]
async fn an_app_has_the_recordings_of_its_own_calls_alone() {
    let folder = tempfile::tempdir().unwrap();
    let apps = [(2_222_222_u64, "mock-secret"), (3_333_333, "other-secret")];
    let start = async |apps: &[(u64, &str)]| {
        let app = |(appid, secret)| format!("[[platform.app]]\nappid = {appid}\nsecret = \"{secret}\"\n");
        let apps: String = apps.iter().copied().map(app).collect();
        let text = format!("[platform]\ntime-scale = 300\nrecordings = {:?}\n{apps}", folder.path());
        Api::of(&text).await
    };
    let api = start(&apps).await;
    let flow = json!([{ "action": "record" }, { "action": "speak", "text": "Hello." }]);
    let (_, placed) = api.post("/v2/global_pcmo_make_call", legacy(&json!({ "pcmo": flow }))).await;
    api.is_over(&placed["request_id"]).await;
    let call = api.exchange().find(placed["request_id"].as_str().unwrap()).unwrap();
    let file = format!("{}.wav", api.exchange().board().call(call).unwrap().begin.cmiuuid);
    let play = async |api: &Api, (appid, secret): (u64, &str)| {
        api.get(&format!("/v1/play?appid={appid}&secret={secret}&file={file}")).await.1["code"].clone()
    };
    assert_eq!(play(&api, apps[0]).await, Value::Null, "a recording is no JSON");
    assert_eq!(play(&api, apps[1]).await, 404);
    // Its call is remembered no more.
    api.exchange().board().clear();
    assert_eq!((play(&api, apps[0]).await, play(&api, apps[1]).await), (Value::Null, json!(404)));
    // What an earlier run recorded is somebody's, where there is one app.
    let (one, two) = (start(&apps[..1]).await, start(&apps).await);
    assert_eq!((play(&one, apps[0]).await, play(&two, apps[0]).await), (Value::Null, json!(404)));
}

#[cfg(unix)]
#[tokio::test]
async fn only_files_of_the_folder_are_recordings() {
    let folder = tempfile::tempdir().unwrap();
    // Each has the name of a recording.
    let [file, pipe, inner] =
        ["", "-heard", "-said"].map(|kind| format!("0f0c2f0e-7a53-4c56-9a0c-0d3f6f4c2b11{kind}.wav"));
    std::fs::write(folder.path().join(&file), b"RIFF").unwrap();
    let made = std::process::Command::new("mkfifo").arg(folder.path().join(&pipe)).status().unwrap();
    assert!(made.success());
    std::fs::create_dir(folder.path().join(&inner)).unwrap();
    let text = format!("[platform]\nrecordings = {:?}", folder.path());
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    let serving = Serving::start(exchange, &options).await.unwrap();
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    for (file, is_there) in [
        (file.clone(), true),
        (pipe, false),
        (inner, false),
        (format!("..%2F{file}"), false),
        ("%2Fetc%2Fpasswd".to_owned(), false),
    ] {
        let url =
            format!("http://{}/v2/piopiy/play?appid=2222222&secret=mock-secret&file={file}", serving.rest());
        let body = client.get(url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(&body[..] == b"RIFF", is_there, "{file}: {body:?}");
        assert!(is_there || serde_json::from_slice::<Value>(&body).unwrap()["code"] == 404, "{file}");
    }
}
