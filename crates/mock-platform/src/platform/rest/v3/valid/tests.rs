use serde_json::json;

use super::*;

#[track_caller]
fn check(shape: Shape, body: &Value, expected: Result<(), &str>) {
    let got = super::check(shape, body.as_object().unwrap());
    assert_eq!(got, expected.map_err(str::to_owned), "{body}");
}

const AGENT: &str = "3f0c2f0e-7a53-4c56-9a0c-0d3f6f4c2b11";

#[test]
fn bodies_are_checked_to_the_last_member() {
    let ai = |more: Value| {
        let mut body = json!({ "caller_id": "441632960000", "to_number": "447700900123", "agent_id": AGENT });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    check(AI_CALL, &ai(json!({})), Ok(()));
    check(AI_CALL, &ai(json!({ "variables": { "a": 1, "_b": "x" } })), Ok(()));
    check(AI_CALL, &json!({ "to_number": "447700900123" }), Err("/caller_id is required"));
    check(
        AI_CALL,
        &ai(json!({ "to_number": 447_700_900_123_u64 })),
        Err("/to_number must be a string of 7 to 16 digits, the first not 0"),
    );
    check(AI_CALL, &ai(json!({ "agent_id": "x" })), Err("/agent_id must be a UUID"));
    check(AI_CALL, &ai(json!({ "colour": 1 })), Err("/colour is not known here"));
    check(
        AI_CALL,
        &ai(json!({ "options": { "ring_timeout_sec": 4 } })),
        Err("/options/ring_timeout_sec must be a whole number from 5 to 120"),
    );
    check(
        AI_CALL,
        &ai(json!({ "variables": { "a": null } })),
        Err("/variables/a must be a text, a number, true or false"),
    );
}

#[test]
fn pipelines_are_checked_action_by_action() {
    let of = |actions: Value| json!({ "call_id": AGENT, "pipeline": actions });
    check(TRANSFER, &of(json!([{ "action": "hangup" }])), Ok(()));
    check(TRANSFER, &of(json!([])), Err("/pipeline must be an array of at least one action"));
    check(
        TRANSFER,
        &of(json!([{ "action": "speak", "text": "x" }])),
        Err("/pipeline/0/action must be one of connect, play, play_get_input, param, record, hangup, input"),
    );
    let connect = |endpoints: Value| json!([{ "action": "connect", "params": {}, "endpoints": endpoints }]);
    let agent = json!({ "type": "agent", "id": AGENT });
    let customer = json!({ "type": "pstn", "number": "447700900123" });
    let alone = connect(json!([customer]));
    check(TRANSFER, &of(alone.clone()), Err("/pipeline/0/params/caller_id is required"));
    check(TRANSFER_ACTION, &json!({ "pipeline": alone }), Ok(()));
    let blind = json!({ "pipeline": connect(json!([agent, customer])) });
    check(TRANSFER_ACTION, &blind, Err("/pipeline/0/endpoints/1: agents come last"));
}

#[test]
fn what_the_vendor_refuses_is_refused_and_what_it_takes_is_taken() {
    let schema = schema(TRANSFER);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let both = |action: Value, expected: Result<(), &str>| {
        let body = json!({ "call_id": AGENT, "pipeline": [action] });
        assert_eq!(validator.is_valid(&body), expected.is_ok(), "{body}");
        check(TRANSFER, &body, expected);
    };
    let asks = |speed: Value, modes: Value, url: &str| {
        let prompt = json!({ "type": "say", "say": "x", "voice_id": "v", "language": "en", "speed": speed });
        json!({ "action": "play_get_input", "prompt": prompt, "input": modes, "on_result": { "type": "url", "url": url } })
    };
    let (url, modes) = ("https://app.example/d", json!(["dtmf", "speech"]));
    for speed in [json!(0.5), json!(1), json!(2.0)] {
        both(asks(speed, modes.clone(), url), Ok(()));
    }
    for speed in [json!(0.49), json!(2.01), json!("1")] {
        let wanted = "/pipeline/0/prompt/speed must be a number from 0.5 to 2";
        both(asks(speed, modes.clone(), url), Err(wanted));
    }
    let twice = json!(["dtmf", "speech", "dtmf"]);
    both(asks(json!(1), twice, url), Err("/pipeline/0/input/2 is there twice"));
    for url in ["ftp://app.example/d", "app.example", " http://app.example/"] {
        let wanted = "/pipeline/0/on_result/url must be a URL that begins with http:// or https://";
        both(asks(json!(1), modes.clone(), url), Err(wanted));
    }
    let endpoint = json!({ "type": "pstn", "number": "447700900123", "uri": "", "id": 7, "headers": {} });
    let connect = |endpoint: &Value| json!({ "action": "connect", "params": { "caller_id": "441632960000" }, "endpoints": [endpoint] });
    both(connect(&endpoint), Ok(()));
    let mut other = endpoint.clone();
    other["user"] = json!("ann");
    both(connect(&other), Err("/pipeline/0/endpoints/0/user is not known here"));
}

#[test]
fn schemas_say_the_same() {
    let schema = schema(PCMO_CALL);
    let validator = jsonschema::validator_for(&schema).unwrap();
    let body = json!({ "caller_id": "441632960000", "to_number": "447700900123", "app_id": "2222222",
        "pipeline": [{ "action": "play", "file_name": "a.wav" }] });
    assert!(validator.is_valid(&body));
    assert!(super::check(PCMO_CALL, body.as_object().unwrap()).is_ok());
    let body = json!({ "caller_id": "0441632960000" });
    assert!(!validator.is_valid(&body));
}
