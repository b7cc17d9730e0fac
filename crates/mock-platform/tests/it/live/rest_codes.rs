//! Every documented code of every endpoint of the first generation, and answers that are what the document says.

use piopiy_mock_platform::platform::{Config, Exchange, Inbound, rest_openapi};
use serde_json::{Value, json};

use super::app::{App, over};
use super::rest::{Api, CUSTOMER, NUMBER, legacy};

/// Whether an answer is what the OpenAPI document says of a path.
#[track_caller]
fn is_as_described(document: &Value, path: &str, status: u16, answer: &Value) {
    let response = &document["paths"][path]["post"]["responses"][status.to_string()];
    let schema = &response["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{path} {status} is not described");
    let errors: Vec<String> = jsonschema::validator_for(schema)
        .unwrap()
        .iter_errors(answer)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{path} {status} {answer}: {errors:?}");
    assert!(
        !jsonschema::validator_for(schema).unwrap().is_valid(&json!({})),
        "{path} {status} allows anything"
    );
}

#[tokio::test]
async fn each_code_of_each_page_is_answered_somewhere() {
    let wrong_secret = json!({ "appid": 2_222_222, "secret": "wrong" });
    let ann = legacy(&json!({ "username": "ann", "password": "x" }));
    let flow = json!([{ "action": "hangup" }]);
    let url = "http://127.0.0.1:9/answer";
    let mut cases: Vec<(&str, Value, u16)> = Vec::new();
    for path in ["/v1/make_call", "/v1/global_make_call"] {
        cases.extend([
            (path, legacy(&json!({ "answer_url": url })), 200),
            (path, wrong_secret.clone(), 420),
            (path, legacy(&json!({ "answer_url": url, "to": "447700900123" })), 501),
            (path, json!([]), 501),
            (path, legacy(&json!({})), 502),
        ]);
    }
    for path in [
        "/v1/pcmo_make_call",
        "/v1/global_pcmo_make_call",
        "/v2/ind_pcmo_make_call",
        "/v2/global_pcmo_make_call",
    ] {
        cases.extend([
            (path, legacy(&json!({ "pcmo": flow })), 200),
            (path, wrong_secret.clone(), 420),
            (path, legacy(&json!({ "pcmo": 1 })), 422),
            (path, legacy(&json!({})), 502),
        ]);
    }
    for path in ["/v1/call/action", "/v1/call/global_action"] {
        cases.extend([
            (path, legacy(&json!({ "action": "hold", "cmiuuid": "CALL" })), 200),
            (path, legacy(&json!({ "action": "hold", "cmiuuid": "none" })), 404),
            (path, wrong_secret.clone(), 420),
            (path, legacy(&json!({ "action": "dance", "cmiuid": "CALL" })), 422),
            (path, legacy(&json!({})), 502),
        ]);
    }
    cases.extend([
        ("/v1/endpoint/add_sip", ann.clone(), 200),
        ("/v1/endpoint/add_sip", ann, 400),
        ("/v1/endpoint/add_sip", wrong_secret.clone(), 420),
        ("/v1/endpoint/add_sip", legacy(&json!({ "username": "bob" })), 502),
        ("/v1/endpoint/add_sip", legacy(&json!({ "username": "", "password": "x" })), 502),
        ("/v1/piopiy/cmiuuid_cdr", legacy(&json!({ "cmiuuid": "OVER" })), 200),
        ("/v1/piopiy/cmiuuid_cdr", wrong_secret.clone(), 404),
        ("/v1/piopiy/cmiuuid_cdr", legacy(&json!({})), 404),
        ("/v1/piopiy/requestid_cdr", wrong_secret, 404),
        ("/v1/piopiy/requestid_cdr", legacy(&json!({ "request_id": "none" })), 404),
    ]);
    let document = rest_openapi();
    for (codes, keys) in
        [("both", &["code", "cmi_code"][..]), ("code", &["code"]), ("cmi-code", &["cmi_code"])]
    {
        for errors in ["http-200", "http-status"] {
            let more = format!(
                "[platform.choices]\nafter-last-action = \"stay\"\nlegacy-codes = \"{codes}\"\n\
                 legacy-errors = \"{errors}\""
            );
            let api = Api::start(&more).await;
            let place = |flow: &str| {
                let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
                inbound.then = Some(piopiy_events::pcmo::Pcmo::parse(flow.as_bytes()).unwrap());
                api.exchange().call_in(inbound).unwrap()
            };
            let on = place(r#"[{"action":"speak","text":"Hello."}]"#);
            let ended = place(r#"[{"action":"hangup"}]"#);
            over(api.exchange(), ended.call).await;
            for (path, body, code) in &cases {
                let body = body.to_string().replace("CALL", &on.cmiuuid).replace("OVER", &ended.cmiuuid);
                let (status, answer) = api.post(path, serde_json::from_str(&body).unwrap()).await;
                let expected = if errors == "http-200" { 200 } else { *code };
                assert_eq!(status, expected, "{path} {body}: {answer}");
                is_as_described(&document, path, status, &answer);
                for key in keys {
                    // The page of SIP endpoints has a code of its own.
                    let is_sip = path.ends_with("add_sip") && *code == 200;
                    let expected = match *key {
                        _ if is_sip => continue,
                        "cmi_code" if *code == 420 => 401,
                        _ => *code,
                    };
                    assert_eq!(answer[key], expected, "{path} {body}: {answer}");
                }
            }
        }
    }
}

#[tokio::test]
async fn extra_params_come_back_as_they_were_sent() {
    let (app, url) = App::start().await;
    for (given, told) in [
        (json!({ "k": [1, "\u{e9}"] }), Some("{\"k\":[1,\"\u{e9}\"]}")),
        (json!("{key: value}"), Some("{key: value}")),
        (json!(7), Some("7")),
        (json!(null), None),
    ] {
        let api = Api::start(&format!("cdr-url = \"{url}/webhooks\"")).await;
        let body = legacy(&json!({ "pcmo": [{ "action": "hangup" }], "extra_params": given }));
        let (_, answer) = api.post("/v2/global_pcmo_make_call", body).await;
        api.is_over(&answer["request_id"]).await;
        let last: Value = serde_json::from_str(&app.posted("/webhooks").pop().unwrap()).unwrap();
        assert_eq!(last.get("extra_params").and_then(Value::as_str), told, "{given}");
    }
}

#[tokio::test]
async fn more_calls_than_there_may_be_are_refused_until_some_end() {
    let text = "[platform]\n[platform.choices]\nafter-last-action = \"stay\"";
    let exchange = Exchange::start(Config::parse("test", text).unwrap(), None).unwrap();
    let place = || {
        let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
        inbound.then = Some(piopiy_events::pcmo::Pcmo::parse(br#"[{"action":"hangup"}]"#).unwrap());
        exchange.call_in(inbound)
    };
    // Nothing runs between them: none of them ends.
    let placed: Vec<_> = (0..1_000).map(|_| place().unwrap().call).collect();
    assert_eq!(place().unwrap_err().to_string(), "1000 calls are on: end some of them first");
    over(&exchange, placed[0]).await;
    place().unwrap();
}

#[tokio::test]
async fn a_transfer_that_is_described_is_one_that_is_taken() {
    let api = Api::start("[platform.choices]\nafter-last-action = \"stay\"").await;
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    inbound.then =
        Some(piopiy_events::pcmo::Pcmo::parse(br#"[{"action":"speak","text":"Hello."}]"#).unwrap());
    let id = api.exchange().call_in(inbound).unwrap().cmiuuid;
    let document = rest_openapi();
    let path = "/v3/calls/{id}/actions/transfer";
    let schema = &document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
    let validator = jsonschema::validator_for(schema).unwrap();
    let agent = json!({ "type": "agent", "id": "3f0c2f0e-7a53-4c56-9a0c-0d3f6f4c2b11" });
    let with = |agents: usize| json!([{ "action": "connect", "params": {}, "endpoints": vec![agent.clone(); agents] }]);
    for (body, is_taken) in [
        (json!({}), false),
        // How long it may ring nobody says: the SDK sends whatever whole number it is given. The first of all, for nothing
        // is in its way.
        (json!({ "to_number": "442079460000", "timeout_sec": 1 }), true),
        (json!({ "to_number": "442079460000" }), true),
        (json!({ "sip_uri": "sip:1@pbx" }), true),
        (json!({ "to_number": "442079460000", "sip_uri": "sip:1@pbx" }), false),
        (json!({ "to_number": "442079460000", "timeout_sec": 100_000 }), true),
        (json!({ "to_number": "442079460000", "timeout_sec": 20.0 }), true),
        (json!({ "to_number": "442079460000", "timeout_sec": 0 }), false),
        (json!({ "to_number": "442079460000", "timeout_sec": -20 }), false),
        (json!({ "to_number": "442079460000", "timeout_sec": 0.5 }), false),
        (json!({ "to_number": "442079460000", "timeout_sec": "20" }), false),
        (json!({ "pipeline": [{ "action": "hangup" }], "to_number": "442079460000" }), false),
        (json!({ "pipeline": with(2) }), true),
        (json!({ "pipeline": with(3) }), false),
    ] {
        assert_eq!(validator.is_valid(&body), is_taken, "{body}");
        let (status, answer) = api.post(&path.replace("{id}", &id), body.clone()).await;
        // One that is not settled yet is in the way of the next.
        assert_eq!(matches!(status, 200 | 409), is_taken, "{body}: {status} {answer}");
    }
    let call = api.exchange().board().call(0).unwrap();
    let choices: Vec<&str> = call.messages().filter_map(|message| message.choice.as_deref()).collect();
    let is_told = |choice: &&str| choice.contains("any timeout_sec of 1 or more is taken");
    assert!(choices.iter().any(is_told), "{choices:?}");
}
