//! What is wrong with a request, at each endpoint: an answer that the document has, and never an error of the platform.

use std::collections::BTreeMap;

use jsonschema::Validator;
use piopiy_events::pcmo::Pcmo;
use piopiy_mock_platform::platform::{Inbound, rest_openapi};
use reqwest::Method;
use serde_json::{Value, json};

use super::app::over;
use super::rest::{Api, CUSTOMER, NUMBER, legacy};

const UUID: &str = "3f0c2f0e-7a53-4c56-9a0c-0d3f6f4c2b11";
const TOKEN: Option<&str> = Some("Bearer mock-token");

/// An operation of the document.
struct Operation {
    method: Method,
    path: String,
    /// What its answers are, by status and type.
    answers: BTreeMap<(u16, String), Validator>,
}

fn operations() -> Vec<Operation> {
    let document = rest_openapi();
    let failure = &document["components"]["schemas"]["Failure"];
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let mut answers = BTreeMap::new();
            for (status, response) in operation["responses"].as_object().unwrap() {
                // What was asked to fail is none of these.
                let Ok(status) = status.parse() else { continue };
                for (kind, content) in response["content"].as_object().unwrap() {
                    let schema = &content["schema"];
                    // A validator knows nothing of the document around it.
                    let schema = if schema["$ref"].is_string() { failure } else { schema };
                    answers.insert((status, kind.clone()), jsonschema::validator_for(schema).unwrap());
                }
            }
            all.push(Operation {
                method: method.to_uppercase().parse().unwrap(),
                path: path.clone(),
                answers,
            });
        }
    }
    all
}

impl Operation {
    fn is_v3(&self) -> bool {
        self.path.starts_with("/v3/") && !self.path.ends_with("/play")
    }

    /// A body that is right, about that call.
    fn body(&self, call: &str) -> Value {
        let flow = json!([{ "action": "play", "file_name": "a.wav" }]);
        let v3 = |more: Value| {
            let mut body = json!({ "caller_id": NUMBER.to_string(), "to_number": CUSTOMER.to_string(),
                "options": { "max_duration_sec": 60, "record": false, "ring_timeout_sec": 20 }, "variables": { "k": 1 } });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            body
        };
        match self.path.as_str() {
            "/v3/voice/ai/call" => v3(json!({ "agent_id": UUID })),
            "/v3/voice/pcmo/call" => v3(json!({ "app_id": "2222222", "pipeline": flow })),
            "/v3/voice/flow/call" => v3(json!({ "app_id": "2222222", "flow_id": UUID, "org_id": UUID })),
            "/v3/voice/pcmo/transfer" => json!({ "call_id": call, "pipeline": flow }),
            "/v3/voice/call/hangup" | "/v3/voice/ai/hangup" => {
                json!({ "call_id": call, "cause": "NORMAL_CLEARING", "reason": "done" })
            }
            "/v3/calls/{id}/actions/transfer" => {
                json!({ "to_number": CUSTOMER.to_string(), "timeout_sec": 20,
                "caller_id": NUMBER.to_string(), "confirm": true, "hold_audio": true, "transfer_summary": "x",
                "sip_headers": { "X-A": "1" }, "variables": { "k": true } })
            }
            "/v3/calls/{id}/actions/hangup" => json!({ "cause": "normal", "reason": "done" }),
            _ if self.is_v3() => json!({}),
            _ => legacy(&json!({ "pcmo": flow, "answer_url": "http://127.0.0.1:9/answer", "duration": 60,
                "extra_params": { "k": 1 }, "action": "hold", "cmiuuid": call, "request_id": "none",
                "username": "ann", "password": "x" })),
        }
    }

    /// Sends it about a call, and makes sure that the answer is one that the document has; its status and what it says.
    async fn ask(&self, api: &Api, call: &str, authorization: Option<&str>, body: &[u8]) -> (u16, Value) {
        let path = self.path.replace("{id}", call);
        let (status, kind, answer) = api.raw(&self.method, &path, authorization, body).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        let asked = format!("{} {path} {shown}", self.method);
        let validator = self.answers.get(&(status, kind.clone()));
        let validator =
            validator.unwrap_or_else(|| panic!("{asked}: {status} {kind} is not in the document"));
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert!(validator.is_valid(&answer), "{asked}: {status} {answer}");
        if self.is_v3() && status >= 400 {
            assert!(answer["error"].is_string() && answer["message"].is_string(), "{path} {shown}: {answer}");
        }
        (status, answer)
    }
}

impl Api {
    /// Whatever is sent; the status, the type of the answer without parameters, and its bytes.
    async fn raw(
        &self,
        method: &Method,
        path: &str,
        authorization: Option<&str>,
        body: &[u8],
    ) -> (u16, String, Vec<u8>) {
        let url = format!("http://{}{path}", self.serving.rest());
        let mut request = self.client.request(method.clone(), url).body(body.to_vec());
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let response = request.send().await.unwrap();
        let (status, kind) = (response.status().as_u16(), response.headers().get("content-type").cloned());
        let kind = kind.map(|kind| kind.to_str().unwrap().to_owned()).unwrap_or_default();
        (status, kind, response.bytes().await.unwrap().to_vec())
    }
}

/// Calls that stay until somebody ends them, and one that is over.
async fn calls() -> (Api, String, String) {
    let api = Api::start("[platform.choices]\nafter-last-action = \"stay\"").await;
    let place = |flow: &str| {
        let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
        inbound.then = Some(Pcmo::parse(flow.as_bytes()).unwrap());
        api.exchange().call_in(inbound).unwrap()
    };
    let (on, ended) = (place(r#"[{"action":"speak","text":"Hello."}]"#), place(r#"[{"action":"hangup"}]"#));
    over(api.exchange(), ended.call).await;
    (api, on.cmiuuid, ended.cmiuuid)
}

#[tokio::test]
async fn members_of_other_types_and_bodies_that_are_none_have_answers_of_the_document() {
    let (api, on, _) = calls().await;
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}\u{fffd} ' \" %00"),
        json!("9".repeat(70_000)),
        json!([]),
        json!([[], {}, null]),
        json!({}),
        json!({ "": { "": null } }),
    ];
    let deep = ["[".repeat(100_000), "{\"a\":".repeat(40_000)];
    let texts: [&[u8]; 10] = [
        b"",
        b"{",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"null",
        b"1",
        b"[]",
        b"{}x",
        deep[0].as_bytes(),
        deep[1].as_bytes(),
    ];
    let mut seen: BTreeMap<u16, usize> = BTreeMap::new();
    for operation in operations() {
        let right = operation.body(&on);
        let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.to_vec()).collect();
        for key in right.as_object().unwrap().keys() {
            let mut without = right.clone();
            without.as_object_mut().unwrap().remove(key);
            bodies.push(without.to_string().into_bytes());
            for value in &values {
                let mut other = right.clone();
                other[key] = value.clone();
                bodies.push(other.to_string().into_bytes());
            }
        }
        for (n, body) in bodies.iter().enumerate() {
            let (status, answer) = operation.ask(&api, &on, TOKEN, body).await;
            *seen.entry(status).or_default() += 1;
            let is_text = n < texts.len();
            if is_text && operation.method == Method::POST && operation.is_v3() {
                let expected = if operation.path.ends_with("/agent/call") { 501 } else { 400 };
                assert_eq!(status, expected, "{}: {answer}", operation.path);
            }
            if is_text && operation.method == Method::POST && !operation.is_v3() {
                assert_ne!(answer["code"], 200, "{}: {answer}", operation.path);
            }
        }
    }
    assert!(seen.values().sum::<usize>() > 1_500 && seen[&400] > 300, "{seen:?}");
}

#[tokio::test]
async fn who_is_not_signed_in_who_sends_too_much_and_who_asks_of_no_call_is_told_so() {
    let (api, on, ended) = calls().await;
    let huge = vec![b' '; 256 * 1024 + 1];
    for operation in operations() {
        let path = &operation.path;
        let about_a_call = path.contains("{id}")
            || path.contains("/call/")
            || path.ends_with("transfer")
            || path.ends_with("hangup");
        let right = |call: &str| operation.body(call).to_string().into_bytes();
        if operation.is_v3() {
            for authorization in [
                None,
                Some(""),
                Some("Bearer"),
                Some("Bearer "),
                Some("Bearer wrong"),
                Some("Bearer mock-tokenx"),
                Some("Bearer mock-toke"),
                Some("Basic mock-token"),
                Some("mock-token"),
            ] {
                let (status, answer) = operation.ask(&api, &on, authorization, &right(&on)).await;
                assert_eq!(
                    (status, &answer["error"]),
                    (401, &json!("unauthorized")),
                    "{path} {authorization:?}"
                );
            }
            if about_a_call && !path.ends_with("/call") {
                for call in [UUID, "x", "0 or 1", "%2e%2e", &ended] {
                    // The path has the id, or else the body.
                    let (status, answer) = operation.ask(&api, call, TOKEN, &right(call)).await;
                    let expected: &[u16] = if call == UUID || call == ended { &[404] } else { &[400, 404] };
                    assert!(expected.contains(&status), "{path} {call}: {status} {answer}");
                }
            }
        } else if operation.method == Method::POST {
            for wrong in
                [json!(null), json!(""), json!("wrong"), json!("mock-secre"), json!("mock-secretx"), json!(7)]
            {
                let mut body = operation.body(&on);
                body["secret"] = wrong.clone();
                let (_, answer) = operation.ask(&api, &on, None, body.to_string().as_bytes()).await;
                let expected = if path.ends_with("_cdr") { 404 } else { 420 };
                assert_eq!(answer["code"], expected, "{path} {wrong}: {answer}");
            }
            for call in ["none", UUID, &ended].into_iter().filter(|_| path.contains("/call/")) {
                let (_, answer) = operation.ask(&api, call, None, &right(call)).await;
                assert_eq!(answer["code"], 404, "{path} {call}: {answer}");
            }
        }
        if operation.method == Method::POST {
            let (status, answer) = operation.ask(&api, &on, TOKEN, &huge).await;
            assert_eq!((status, &answer["error"]), (413, &json!("body_not_read")), "{path}");
        }
    }
    // None of it was done.
    let view = api.exchange().board().call(api.exchange().find(&on).unwrap()).unwrap();
    assert!(!view.is_over);
}
