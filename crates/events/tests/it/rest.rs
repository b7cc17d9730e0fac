//! Bodies of the REST API.

use piopiy_events::rest::{legacy, v3};
use piopiy_events::{OpenObject, Profile};

use crate::fixtures::{folder, minified, read};

/// Reads a sample as `T` and checks that every member is documented and comes out as it came.
fn lossless<T: OpenObject>(file: &str) -> T {
    let text = read(file);
    let object = T::parse(text.as_bytes()).unwrap();
    assert_eq!(minified(&object.to_json()), minified(&text), "{file}");
    let unknown: Vec<_> = object.unknown().map(|(key, _)| key.into_owned()).collect();
    assert_eq!(unknown, [""; 0], "{file}");
    object
}

#[test]
fn every_sample_is_typed_and_lossless() {
    let samples = folder("rest");
    assert_eq!(samples.len(), 19);
    for sample in samples {
        let name = sample.file.trim_start_matches("rest/").trim_end_matches(".json");
        let file = sample.file.as_str();
        match name.split_once("--").unwrap() {
            ("chub-streaming-setting", "request") => {
                let setting: legacy::StreamSetting = lossless(file);
                assert_eq!(setting.enable.unwrap().is_set(), Some(true));
            }
            ("chub-streaming-setting", "response") => {
                let response: legacy::StreamSettingResponse = lossless(file);
                assert_eq!(response.code.unwrap().number(), Some(200));
            }
            ("global-2022-get-cmiuuid", "request") => {
                let lookup: legacy::CmiuuidCdr = lossless(file);
                assert_eq!(lookup.cmiuuid.unwrap().text(), "fb449ebb-9ae6-4d33-87eb-fed995707dbc");
            }
            ("global-2022-get-cmiuuid", "response") => {
                let response: legacy::CdrResponse = lossless(file);
                let records = response.cdr.unwrap().get().unwrap();
                assert_eq!(records.len(), 1);
                assert_eq!(records[0].rate.as_ref().unwrap().millionths(), Some(1_500_000));
            }
            ("india-get-request-id", "request") => {
                let lookup: legacy::RequestIdCdr = lossless(file);
                assert_eq!(lookup.request_id.unwrap().text().len(), 43);
            }
            ("india-get-request-id", "response") => {
                let response: legacy::CdrResponse = lossless(file);
                assert_eq!(response.count.unwrap().count(), Some(2));
                let records = response.cdr.unwrap().get().unwrap();
                let legs: Vec<_> =
                    records.iter().map(|record| record.leg.as_ref().unwrap().text().into_owned()).collect();
                assert_eq!(legs, ["b", "a"]);
                assert_eq!(records[0].balance.as_ref().unwrap().millionths(), Some(1_135_140_000));
            }
            ("global-create-sip-endpoint", "request") => {
                let add: legacy::AddSip = lossless(file);
                assert_eq!(add.password.unwrap().text(), "YOUR_PASSWORD");
            }
            ("global-create-sip-endpoint", "response") => {
                let response: legacy::AddSipResponse = lossless(file);
                let code = response.code.unwrap();
                assert_eq!((code.number(), code.as_json()), (Some(200), "\"cmi-200\""));
            }
            (_, "request") => {
                let call: legacy::MakeCall = lossless(file);
                assert!(call.appid.unwrap().id().is_some(), "{file}");
                assert!(call.to.unwrap().digits().is_some(), "{file}");
                match (call.pcmo, call.answer_url) {
                    (Some(pcmo), None) => {
                        let bridge = pcmo.get().unwrap().actions.remove(0);
                        assert_eq!(bridge.name().as_deref(), Some("bridge"), "{file}");
                    }
                    (None, Some(url)) => assert!(url.text().starts_with("http://"), "{file}"),
                    both => panic!("{file}: {both:?}"),
                }
            }
            (_, "response") => {
                let response: legacy::MakeCallResponse = lossless(file);
                assert_eq!(response.number(), Some(200), "{file}");
                assert_eq!(response.id().unwrap().text().len(), 43, "{file}");
            }
            other => panic!("{file}: {other:?}"),
        }
    }
}

#[test]
fn secrets_are_not_shown() {
    let call: legacy::MakeCall = lossless("rest/global-outbound-make-call--request.json");
    assert!(!format!("{call:?}").contains("xxxx"), "{call:?}");
    assert!(call.to_json().contains("xxxx"));
}

#[test]
fn a_call_is_controlled_under_either_key() {
    for key in ["cmiuid", "cmiuuid"] {
        let json = format!(r#"{{"appid":2222222,"secret":"s","action":"hold","{key}":"x"}}"#);
        let action = legacy::CallAction::parse(json.as_bytes()).unwrap();
        assert_eq!(action.leg_id().unwrap().text(), "x", "{key}");
        assert_eq!(action.to_json(), json);
    }
}

#[test]
fn bodies_of_v3_are_typed_and_lossless() {
    fn check<T: OpenObject>(json: &str) -> T {
        let object = T::parse(json.as_bytes()).unwrap();
        assert_eq!(object.to_json(), json);
        assert_eq!(object.unknown().count(), 0, "{json}");
        object
    }
    let agent = "c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0";
    let call: v3::AiCall = check(&format!(
        r#"{{"caller_id":"919000000000","to_number":"447700900123","agent_id":"{agent}","options":{{"max_duration_sec":600,"record":true,"ring_timeout_sec":40}},"variables":{{"vip":true}}}}"#
    ));
    assert_eq!(call.options.unwrap().get().unwrap().ring_timeout_sec.unwrap().seconds(), Some(40));
    assert_eq!(call.variables.unwrap().get("vip"), Some(true.into()));
    let call: v3::PcmoCall = check(
        r#"{"caller_id":"919000000000","to_number":"447700900123","app_id":"1","pipeline":[{"action":"hangup"}]}"#,
    );
    assert_eq!(call.pipeline.unwrap().get().unwrap().actions.len(), 1);
    let call: v3::FlowCall = check(&format!(r#"{{"flow_id":"{agent}","org_id":"{agent}","app_id":"1"}}"#));
    assert_eq!(call.app_id.unwrap().text(), "1");
    let transfer: v3::PcmoTransfer = check(r#"{"call_id":"x","pipeline":[]}"#);
    assert_eq!(transfer.pipeline.unwrap().get().unwrap().actions, []);
    let hangup: v3::CallHangup = check(r#"{"call_id":"x","cause":"NORMAL_CLEARING","reason":"done"}"#);
    assert_eq!(hangup.cause.unwrap().text(), "NORMAL_CLEARING");
    let hangup: v3::HangupAction = check(r#"{"cause":"normal"}"#);
    assert_eq!(hangup.reason, None);
    let transfer: v3::TransferAction =
        check(r#"{"sip_uri":"sip:1@pbx","timeout_sec":30,"hold_audio":true,"sip_headers":{"X-A":"1"}}"#);
    assert_eq!(transfer.kind(), Some(v3::TransferKind::Warm));
    assert_eq!(v3::TransferAction::default().kind(), None);
    let response: v3::Response =
        check(r#"{"request_id":"req-1","call_id":"x","status":"failed","reason":"no_answer"}"#);
    assert_eq!(response.reason.unwrap().text(), "no_answer");
}

/// A request's body is no webhook: it must never be taken for one by any profile.
#[test]
fn no_body_validates_as_a_webhook() {
    for sample in folder("rest") {
        let webhook = piopiy_events::Webhook::parse(sample.text().as_bytes()).unwrap();
        for profile in Profile::ALL {
            assert!(!webhook.validate(profile).findings.is_empty(), "{}", sample.file);
        }
    }
}
