//! Open objects: where members stand, what kind of webhook they make, and what serde makes of them.

use piopiy_events::pcmo::{Action, Pcmo};
use piopiy_events::stream::StreamMessage;
use piopiy_events::{
    Cdr, Code, Kind, LiveEvent, Map, OpenObject, Raw, Seconds, Status, StatusKind, Text, Webhook,
};

fn event(json: &str) -> LiveEvent {
    LiveEvent::parse(json.as_bytes()).unwrap()
}

#[test]
fn what_is_set_keeps_its_place_or_goes_to_the_end() {
    let mut object = event(r#"{"leg":"a","x":1,"status":"ringing"}"#);
    object.set("leg", Some("b".into()));
    object.set("x", Some(2.into()));
    assert_eq!(object.to_json(), r#"{"leg":"b","x":2,"status":"ringing"}"#);
    object.set("leg", None);
    object.set("leg", Some("a".into()));
    assert_eq!(object.to_json(), r#"{"x":2,"status":"ringing","leg":"a"}"#);
    object.set("time", Some(1.into()));
    object.set("y", Some(3.into()));
    object.set("x", None);
    object.set("x", Some(4.into()));
    object.set("appid", Some(5.into()));
    assert_eq!(object.to_json(), r#"{"status":"ringing","leg":"a","time":1,"y":3,"x":4,"appid":5}"#);
}

#[test]
fn what_is_assigned_keeps_the_place_it_was_read_in_or_comes_last() {
    let mut object = event(r#"{"leg":"a","x":1}"#);
    object.leg = None;
    object.time = Some(1.into());
    object.status = Some("ringing".into());
    assert_eq!(object.to_json(), r#"{"x":1,"status":"ringing","time":1}"#);
    object.leg = Some("b".into());
    assert_eq!(object.to_json(), r#"{"leg":"b","x":1,"status":"ringing","time":1}"#);
    object.leg = None;
    object.set("y", Some(2.into()));
    object.set("leg", Some("c".into()));
    assert_eq!(object.to_json(), r#"{"x":1,"status":"ringing","time":1,"y":2,"leg":"c"}"#);
    object.set("time", Some(7.into()));
    assert_eq!(object.to_json(), r#"{"x":1,"status":"ringing","time":7,"y":2,"leg":"c"}"#);
}

#[test]
fn a_typed_object_becomes_the_webhook_that_its_members_say() {
    fn check(webhook: &Webhook, expected: Option<Kind>) {
        assert_eq!(webhook.kind(), expected, "{webhook:?}");
        assert_eq!(&Webhook::parse(webhook.to_json().as_bytes()).unwrap(), webhook);
    }
    let [live, record] =
        [r#"{"status":"missed","cmiuuid":"x"}"#, r#"{"status":"missed","cmiuuid":"x","duration":0}"#];
    let cdr = |json: &str| Cdr::parse(json.as_bytes()).unwrap();
    check(&event(live).into(), Some(Kind::LiveEvent));
    check(&event(record).into(), Some(Kind::Cdr));
    check(&cdr(record).into(), Some(Kind::Cdr));
    check(&cdr(live).into(), Some(Kind::LiveEvent));
    check(&LiveEvent::default().into(), None);
    check(&Cdr::default().into(), None);
    let mut typed = cdr(record);
    typed.payload_type = Some("event".into());
    check(&typed.into(), Some(Kind::LiveEvent));
    let mut built = Cdr::default();
    (built.status, built.cmiuuid) = (Some(Status::new("missed")), Some("x".into()));
    built.duration = Some(Seconds::new(0));
    check(&built.into(), Some(Kind::Cdr));
}

/// A reader hands over what it did not walk through, however deep it is.
#[test]
fn deserialised_text_is_limited_in_depth() {
    fn check<T: serde::de::DeserializeOwned>(shallow: &str, deep: &str) {
        assert!(serde_json::from_str::<T>(shallow).is_ok(), "{}", std::any::type_name::<T>());
        let error = serde_json::from_str::<T>(deep).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("nested deeper than the limit of 128"), "{error:?}");
    }
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let object = |depth: usize| format!(r#"{{"x":{}}}"#, nested(depth - 1));
    check::<Raw>(&nested(128), &nested(129));
    check::<Text>(&nested(128), &nested(100_000));
    check::<Pcmo>(&nested(128), &nested(100_000));
    check::<StreamMessage>(&nested(128), &nested(100_000));
    check::<Webhook>(&object(128), &object(129));
    check::<LiveEvent>(&object(128), &object(100_000));
    assert!(nested(1000).parse::<Raw>().is_ok(), "no limit of its own");
}

/// As documented: only text keeps the digits.
#[test]
fn serde_values_are_no_text() {
    let raw: Raw = "12345678901234567890.10".parse().unwrap();
    assert_eq!(serde_json::to_string(&raw).unwrap(), raw.as_json());
    assert_eq!(serde_json::from_str::<Raw>(raw.as_json()).unwrap(), raw);
    assert_ne!(serde_json::to_value(&raw).unwrap().to_string(), raw.as_json());
    assert!(serde_json::to_value("1e400".parse::<Raw>().unwrap()).is_err());
}

#[test]
fn a_raw_value_has_no_conflicting_repeats() {
    assert!(r#"[{"a":1,"a":1}]"#.parse::<Raw>().is_ok());
    assert!(r#"[{"a":1,"a":2}]"#.parse::<Raw>().is_err());
}

/// A key with a lone surrogate is no text, and not the key that it reads as.
#[test]
fn keys_are_told_apart_by_what_they_spell() {
    let json = r#"{"\ud800":1,"\udfff":2,"\u005c":3,"\ufffd":4}"#;
    let mut object = event(json);
    assert_eq!(object.members().len(), 4);
    assert_eq!(object.get("\u{fffd}"), Some(&4.into()));
    assert_eq!(object.get("\\"), Some(&3.into()));
    object.set("\u{fffd}", Some(5.into()));
    assert_eq!(object.to_json(), json.replace('4', "5"));
    object.set("\u{fffd}", None);
    assert_eq!(object.get("\u{fffd}"), None);
    let map: Map = serde_json::from_str(json).unwrap();
    assert_eq!((map.get("\u{fffd}"), map.get("\\")), (Some(4.into()), Some(3.into())));
    let action = Action::from_raw(json.parse().unwrap());
    assert_eq!(action.get("\u{fffd}"), Some(4.into()));
}

#[test]
fn readings_of_texts() {
    assert_eq!(StatusKind::of("STREAM_DISCONNECTED"), StatusKind::StreamDisconnected);
    assert_eq!(StatusKind::of("Parked"), StatusKind::Other("Parked".into()));
    assert_eq!(Code::prefixed(200).number(), Some(200));
    let signed: Code = serde_json::from_str(r#""+200""#).unwrap();
    assert_eq!(signed.number(), None);
}
