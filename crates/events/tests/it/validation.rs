//! What validation finds, beyond the samples that fit.

use piopiy_events::{Profile, Raw, Webhook};

use crate::fixtures::read;

/// Changes a sample that fits; the pointers of what is found then.
fn check(profile: Profile, sample: &str, changes: &[(&str, &str)], expected: &[&str]) {
    let mut webhook = Webhook::parse(read(sample).as_bytes()).unwrap();
    assert_eq!(webhook.validate(profile).findings, [], "{sample}");
    for (key, value) in changes {
        webhook.set(key, Some(value.parse().unwrap()));
    }
    let findings = webhook.validate(profile).findings;
    let pointers: Vec<_> = findings.iter().map(|finding| finding.pointer.as_str()).collect();
    assert_eq!(pointers, expected, "{sample} with {changes:?}: {findings:?}");
}

fn ws(sample: &str, text: &str, fits: bool) {
    let value = Raw::string(text);
    let expected: &[&str] = if fits { &[] } else { &["/ws_status"] };
    check(Profile::Global, sample, &[("ws_status", value.as_json())], expected);
}

#[test]
fn a_report_on_the_websocket_has_just_the_documented_members() {
    let connected = "global/live-stream-connected--leg-b.json";
    ws(connected, r#" { "status" : "connected" } "#, true);
    ws(connected, r#"{"st\u0061tus":"connected"}"#, true);
    ws(connected, r#"{"status":"Connected"}"#, false);
    ws(connected, r#"{"status":"connected","x":1}"#, false);
    ws(connected, r#"{"status":"connected","message":{}}"#, false);
    ws(connected, r#"{"status":"error","status":"connected"}"#, false);
    ws(connected, "connected", false);
    check(Profile::Global, connected, &[("ws_status", r#"{"status":"connected"}"#)], &["/ws_status"]);

    let disconnected = "global/live-stream-disconnected--leg-b.json";
    ws(disconnected, r#"{"message":{"reason":"", "code":1000},"status":"disconnected"}"#, true);
    ws(disconnected, r#"{"status":"disconnected","message":{"code":1000,"reason":"","x":1}}"#, false);
    ws(disconnected, r#"{"status":"disconnected","message":{"code":1000,"reason":""},"x":1}"#, false);
    ws(disconnected, r#"{"status":"disconnected","message":{"code":1,"code":1000,"reason":""}}"#, false);
    ws(disconnected, r#"{"status":"disconnected","message":{"code":"1000","reason":""}}"#, false);
    ws(disconnected, r#"{"status":"disconnected","message":{"code":-1,"reason":""}}"#, false);
    ws(disconnected, r#"{"status":"disconnected","message":{"code":1000,"error":""}}"#, false);
    ws(disconnected, r#"{"status":"disconnected","message":{"code":1000}}"#, false);
    ws(disconnected, r#"{"status":"disconnected","message":"Abnormal closure"}"#, false);
    ws(disconnected, r#"{"status":"disconnected"}"#, false);
}

#[test]
fn an_outbound_conversation_has_the_documented_id() {
    let other = r#""S9U4Mo29GHBfCJ2uHczcY75QQDri7HcAxXYZuktJLxX""#;
    let uuid = r#""a3438686-746c-48f4-93de-e57e4c72f8d4""#;
    let conversation = ["/conversation_uuid"];
    for sample in ["global/live-out-started--leg-b.json", "global/outbound-webhooks-missed--leg-a.json"] {
        check(Profile::Global, sample, &[("request_id", other)], &conversation);
        check(Profile::Global, sample, &[("conversation_uuid", other)], &conversation);
    }
    let sample = "global-2022/outbound-webhooks-missed--leg-a.json";
    check(Profile::Global2022, sample, &[("request_id", other)], &conversation);

    let sample = "india/outbound-webhooks-answered--leg-a.json";
    check(Profile::India, sample, &[("conversation_uuid", uuid)], &conversation);
    check(Profile::India, sample, &[("request_id", other)], &[]);
    check(Profile::India, sample, &[("leg", r#""b""#), ("conversation_uuid", uuid)], &[]);
    check(Profile::India, "india/live-out-started--leg-a.json", &[("cmiuuid", uuid)], &conversation);
    // One documented sample of an inbound call has a conversation id of its own.
    let sample = "global-2022/inbound-webhooks-answered--leg-a.json";
    check(Profile::Global2022, sample, &[("conversation_uuid", uuid)], &[]);
}

#[test]
fn times_of_any_size_are_compared() {
    let sample = "global-2022/inbound-webhooks-answered--leg-a.json";
    let (least, most) = (i64::MIN.to_string(), i64::MAX.to_string());
    let both = |answer: &str, end: &str, expected: &[&str]| {
        check(Profile::Global2022, sample, &[("answer_time", answer), ("end_time", end)], expected);
    };
    both(&least, &most, &["/end_time", "/answer_time", "/duration", "/answer_time"]);
    both(&most, &least, &["/end_time", "/answer_time", "/end_time", "/duration"]);
    both("1632318515", &least, &["/end_time", "/end_time", "/duration"]);
    check(Profile::Global2022, sample, &[("duration", "14")], &["/duration"]);
    check(Profile::Global2022, sample, &[("duration", "9223372036854775807")], &["/duration"]);
}
