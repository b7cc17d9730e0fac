//! Call flows.

use piopiy_events::pcmo::{Action, Endpoint, Generation, Pcmo};
use piopiy_events::{Nested, OpenObject, ParseErrorKind, Raw};

use crate::fixtures::{folder, minified, read};

#[test]
fn every_sample_comes_out_value_for_value() {
    let samples = folder("pcmo");
    assert_eq!(samples.len(), 12);
    for sample in samples {
        let text = sample.text();
        let pcmo = Pcmo::parse(text.as_bytes()).unwrap();
        assert_eq!(minified(&pcmo.to_json()), minified(&text), "{}", sample.file);
        assert_eq!(minified(&serde_json::to_string(&pcmo).unwrap()), minified(&text), "{}", sample.file);
        assert_eq!(serde_json::from_str::<Pcmo>(&text).unwrap(), pcmo, "{}", sample.file);
        assert!(!matches!(pcmo.actions[..], [Action::Other(_)]), "{}", sample.file);
        assert_ne!(pcmo.actions[0].generation(), Some(Generation::V3), "{}", sample.file);
    }
}

fn only(file: &str) -> Action {
    let mut actions = Pcmo::parse(read(file).as_bytes()).unwrap().actions;
    assert_eq!(actions.len(), 1, "{file}");
    actions.remove(0)
}

#[test]
fn legacy_fields_are_typed() {
    let Action::Bridge(bridge) = only("pcmo/bridge-group.json") else { panic!("a bridge") };
    assert_eq!(bridge.unknown().count(), 0);
    assert_eq!(bridge.duration.unwrap().seconds(), Some(300));
    assert_eq!(bridge.timeout.unwrap().seconds(), Some(20));
    assert_eq!(bridge.attempts.unwrap().count(), Some(2));
    assert_eq!(bridge.ring_type.unwrap().text(), "group");
    let numbers: Vec<_> = bridge.connect.unwrap().get().unwrap();
    let digits: Vec<_> =
        numbers.iter().map(|endpoint| endpoint.number.as_ref().unwrap().digits().unwrap()).collect();
    assert_eq!(digits, ["440000000000", "440000000001"]);

    let Action::Connect(connect) = only("pcmo/connect-sip-doc.json") else { panic!("a connect") };
    assert_eq!(connect.unknown().count(), 0);
    let users = connect.users().unwrap().get().unwrap();
    assert_eq!(users[0].user.as_ref().unwrap().text(), "YOUR_USERNAME");
    assert_eq!(connect.connect, None, "the sample's key is call");

    let Action::Stream(stream) = only("pcmo/stream.json") else { panic!("a stream") };
    assert_eq!(stream.unknown().count(), 0);
    assert_eq!(stream.voice_quality.unwrap().as_json(), "\"8000\"");
    assert_eq!(stream.stream_on_answer.unwrap().is_set(), Some(true));

    let Action::PlayGetInput(input) = only("pcmo/play-get-input.json") else { panic!("an input") };
    assert_eq!(input.unknown().count(), 0);
    assert_eq!(input.max_retry.unwrap().count(), Some(2));
    assert_eq!(input.action_url.unwrap().text(), "https://test.com/dtmf");

    let Action::Param(param) = only("pcmo/param.json") else { panic!("a param") };
    assert_eq!(param.text.unwrap().text(), r#"{ "type": "usersData" }"#);
}

#[test]
fn a_pipeline_is_typed_to_its_depth() {
    let json = r##"[{"action":"connect","params":{"caller_id":"919000000000","strategy":"sequential","options":{"max_duration_sec":900,"ring_timeout_sec":30,"machine_detection":true,"recording":{"enabled":true,"channels":"dual","format":"mp3"},"waiting_music":"wait.mp3"},"metadata":{"k":"v"}},"endpoints":[{"type":"pstn","number":"919000000001"},{"type":"sip","uri":"sip:101@pbx","headers":{"X-A":"1"}},{"type":"agent","id":"c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0"}]},{"action":"play_get_input","prompt":{"type":"say","say":"Hello","voice_id":"v1","language":"en-IN","speed":1.0},"input":["dtmf","speech"],"on_result":{"type":"pcmo","ref":"next"},"dtmf":{"min_digits":1,"max_digits":4,"finish_on_key":"#","flush_buffer":true},"retries":{"max":2,"no_input_prompt":{"type":"file","file_name":"again.wav"}}},{"action":"param","data":{"order_id":"A-1","n":3,"vip":false}},{"action":"record","format":"wav","channels":"dual"},{"action":"hangup"}]"##;
    let pcmo = Pcmo::parse(json.as_bytes()).unwrap();
    assert_eq!(pcmo.to_json(), json);
    let generations: Vec<_> = pcmo.actions.iter().map(Action::generation).collect();
    let v3 = Some(Generation::V3);
    assert_eq!(generations, [v3, v3, v3, v3, None]);

    let [Action::Connect(connect), Action::PlayGetInput(input), Action::Param(param), ..] = &pcmo.actions[..]
    else {
        panic!("in this order")
    };
    let options = connect.params.as_ref().unwrap().get().unwrap().options.unwrap().get().unwrap();
    assert_eq!(options.max_duration_sec.unwrap().seconds(), Some(900));
    assert_eq!(options.recording.unwrap().get().unwrap().format.unwrap().text(), "mp3");
    let endpoints = connect.endpoints.as_ref().unwrap().get().unwrap();
    assert_eq!(endpoints[0], Endpoint::pstn_text("919000000001"));
    assert_eq!(endpoints[1].headers.as_ref().unwrap().get("X-A"), Some("1".into()));
    assert_eq!(endpoints[2], Endpoint::agent("c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0"));
    let kinds: Vec<_> = input.input.as_ref().unwrap().get().unwrap();
    assert_eq!(kinds, ["dtmf".into(), "speech".into()]);
    assert_eq!(input.prompt.as_ref().unwrap().get().unwrap().speed.unwrap().as_json(), "1.0");
    assert_eq!(input.on_result.as_ref().unwrap().get().unwrap().reference.unwrap().text(), "next");
    assert_eq!(input.dtmf.as_ref().unwrap().get().unwrap().finish_on_key.unwrap().text(), "#");
    let retries = input.retries.as_ref().unwrap().get().unwrap();
    let again = retries.no_input_prompt.unwrap().get().unwrap();
    assert_eq!(again.file_name.unwrap().text(), "again.wav");
    assert_eq!(param.data.as_ref().unwrap().get("n"), Some(3.into()));
}

#[test]
fn generations_are_told_apart_by_keys() {
    fn check(json: &str, expected: Option<Generation>) {
        let action = Action::from_raw(json.parse().unwrap());
        assert_eq!(action.generation(), expected, "{json}");
        assert_eq!(action.to_json(), json);
    }
    let (legacy, v3) = (Some(Generation::Legacy), Some(Generation::V3));
    check(r#"{"action":"connect","from":1,"connect":[]}"#, legacy);
    check(r#"{"action":"connect","params":{},"endpoints":[]}"#, v3);
    check(r#"{"action":"play","file_name":"a.wav"}"#, None);
    check(r#"{"action":"play","file_url":"https://example.com/a.wav"}"#, legacy);
    check(r#"{"action":"input","action_url":"https://example.com"}"#, legacy);
    check(r#"{"action":"input","on_result":{},"action_url":"https://example.com"}"#, v3);
    check(r#"{"action":"param","text":"x"}"#, legacy);
    check(r#"{"action":"clear"}"#, legacy);
    check(r#"{"action":"transfer"}"#, None);
}

#[test]
fn what_is_no_documented_action_is_kept() {
    let json = r#"[{"action":"Play","n":1e400},{"file":1},"hangup",null,[[]],{"action":7}]"#;
    let pcmo = Pcmo::parse(json.as_bytes()).unwrap();
    assert!(pcmo.actions.iter().all(|action| matches!(action, Action::Other(_))));
    assert_eq!(pcmo.to_json(), json);
    assert_eq!(pcmo.actions[0].name().as_deref(), Some("Play"));
    assert_eq!(pcmo.actions[0].get("n").as_ref().map(Raw::as_json), Some("1e400"));
    assert_eq!(pcmo.actions[5].name(), None);
}

#[test]
fn what_is_no_array_is_an_error() {
    fn check(json: &str, kind: &str) {
        let error = Pcmo::parse(json.as_bytes()).unwrap_err();
        assert_eq!(error.kind().to_string(), kind, "{json}");
    }
    check(r#"{"action":"hangup"}"#, "expected a JSON array, found an object");
    check("[", "not JSON: the input ends where a value is expected");
    let wrong: Nested<Endpoint> = serde_json::from_str::<Raw>("[1]").map(nested).unwrap();
    assert!(matches!(wrong.get().unwrap_err().kind(), ParseErrorKind::NotAnObject { .. }));
    assert_eq!(wrong.as_json(), "[1]");
}

fn nested(raw: Raw) -> Nested<Endpoint> {
    piopiy_events::FieldValue::from_raw(raw)
}

#[test]
fn constructors_write_what_is_documented() {
    fn check(action: &Action, expected: &str) {
        assert_eq!(action.to_json(), expected);
        assert_eq!(&Action::from_raw(expected.parse().unwrap()).to_json(), expected);
    }
    check(
        &Action::play_url("https://example.com/a.mp3"),
        r#"{"action":"play","file_url":"https://example.com/a.mp3"}"#,
    );
    check(&Action::play_file("welcome.mp3"), r#"{"action":"play","file_name":"welcome.mp3"}"#);
    check(&Action::speak("Hi \"you\""), r#"{"action":"speak","text":"Hi \"you\""}"#);
    check(&Action::param("{}"), r#"{"action":"param","text":"{}"}"#);
    check(&Action::record(), r#"{"action":"record"}"#);
    check(&Action::hangup(), r#"{"action":"hangup"}"#);
    check(
        &Action::input(4, "https://example.com/dtmf"),
        r#"{"action":"input","max_digit":4,"action_url":"https://example.com/dtmf"}"#,
    );
    check(
        &Action::stream("ws://127.0.0.1:9", "both"),
        r#"{"action":"stream","ws_url":"ws://127.0.0.1:9","listen_mode":"both"}"#,
    );
    check(
        &Action::connect(&[Endpoint::sip_uri("sip:1@pbx"), Endpoint::sip_user("bob")]),
        r#"{"action":"connect","params":{},"endpoints":[{"type":"sip","uri":"sip:1@pbx"},{"type":"sip","user":"bob"}]}"#,
    );
}
