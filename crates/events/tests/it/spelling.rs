//! How JSON spells a string changes nothing that is read from it.

use piopiy_events::{DirectionKind, JsonType, Kind, LegKind, Profile, Webhook, strategy};
use proptest::prelude::*;
use proptest::sample::select;

fn webhook(json: &str) -> Webhook {
    Webhook::parse(json.as_bytes()).unwrap()
}

/// The text with letters and digits in strings written as escapes, wherever a bit of `picks` says so.
fn respelt(json: &str, picks: u64) -> String {
    let (mut out, mut inside, mut escape) = (String::new(), false, 0_u8);
    for (at, character) in json.chars().enumerate() {
        let plain = inside && escape == 0 && character.is_ascii_alphanumeric();
        if plain && picks >> (at % 64) & 1 == 1 {
            out.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            out.push(character);
        }
        (inside, escape) = match (inside, escape, character) {
            (true, 0, '\\') => (true, 1),
            (true, 1, 'u') => (true, 2),
            (true, 2..=4, _) => (true, escape + 1),
            (true, 1 | 5, _) => (true, 0),
            (_, _, '"') => (!inside, 0),
            _ => (inside, 0),
        };
    }
    out
}

#[test]
fn respelling_works() {
    let json = r#"{"a":"b\"\u0041","n":1}"#;
    assert_eq!(respelt(json, u64::MAX), r#"{"\u0061":"\u0062\"\u0041","\u006e":1}"#);
    assert_eq!(respelt(json, 0), json);
}

proptest! {
    #[test]
    fn no_spelling_changes_what_a_webhook_is(
        webhook in prop_oneof![
            select(&Profile::ALL[..]).prop_flat_map(strategy::webhook),
            strategy::any_webhook(),
        ],
        picks in any::<u64>(),
    ) {
        let json = webhook.to_json();
        let other = Webhook::parse(respelt(&json, picks).as_bytes()).unwrap();
        prop_assert_eq!(other.kind(), webhook.kind());
        prop_assert_eq!(other.identity(), webhook.identity());
        prop_assert_eq!(other.members().len(), webhook.members().len());
        for profile in Profile::ALL {
            let (one, two) = (webhook.validate(profile), other.validate(profile));
            prop_assert_eq!(one.form, two.form);
            let pointers = |findings: &[piopiy_events::Finding]| {
                findings.iter().map(|finding| finding.pointer.clone()).collect::<Vec<_>>()
            };
            prop_assert_eq!(pointers(&one.findings), pointers(&two.findings));
        }
        // Readings are of strings: any other value is given as it came.
        let is_text = |key: &str| webhook.get(key).is_some_and(|value| value.json_type() == JsonType::String);
        if let (Some(one), Some(two)) = (webhook.as_live_event(), other.as_live_event()) {
            if is_text("status") {
                prop_assert_eq!(one.status.as_ref().unwrap().kind(), two.status.as_ref().unwrap().kind());
            }
            if is_text("leg") {
                prop_assert_eq!(one.leg.as_ref().unwrap().kind(), two.leg.as_ref().unwrap().kind());
            }
        }
    }
}

#[test]
fn kinds_are_read_through_escapes() {
    fn check(json: &str, expected: Option<Kind>) {
        assert_eq!(webhook(json).kind(), expected, "{json}");
    }
    check(r#"{"cmiuuid":"x","status":"missed","type":"\u0063dr"}"#, Some(Kind::Cdr));
    check(r#"{"cmiuuid":"x","status":"missed","type":"even\u0074","duration":0}"#, Some(Kind::LiveEvent));
    check(r#"{"cmiuuid":"x","status":"missed","type":"\u0043dr"}"#, None);
    check(r#"{"cmiuuid":"x","status":"missed","type":"\ud800"}"#, None);
    check(r#"{"cmiuuid":"\u0000","status":"\ud800"}"#, Some(Kind::LiveEvent));
    check(r#"{"cmiuuid":"","status":"missed"}"#, None);

    let event = webhook(r#"{"cmiuuid":"x","status":"ringing","leg":"\u0061","direction":"\u0069nbound"}"#);
    let event = event.as_live_event().unwrap();
    assert_eq!(event.leg.as_ref().unwrap().kind(), LegKind::A);
    assert_eq!(event.direction.as_ref().unwrap().kind(), DirectionKind::Inbound);
}

#[test]
fn identities_tell_lone_surrogates_apart() {
    let key = |cmiuuid: &str| {
        let record = format!(r#"{{"cmiuuid":{cmiuuid},"status":"missed","leg":"a","duration":0}}"#);
        webhook(&record).identity().unwrap().key()
    };
    let different =
        [r#""\ud800""#, r#""\udfff""#, r#""\ufffd""#, r#""\\ud800""#, r#""\\\\ud800""#, r#"["\ud800"]"#];
    for (at, one) in different.iter().enumerate() {
        assert!(different[..at].iter().all(|other| key(one) != key(other)), "{one}");
    }
    assert_eq!(key(r#""\uD800""#), key(r#""\ud800""#));
    assert_eq!(key(r#""\u0078""#), key(r#""x""#));
    assert_eq!(key(r#"{ "\u0078": [1] }"#), key(r#"{"x":[1]}"#));
    let plain = webhook(r#"{"cmiuuid":"caf\u00e9 \"x\"","status":"Parked","time":1}"#).identity().unwrap();
    assert_eq!((plain.cmiuuid(), plain.status()), ("caf\u{e9} \"x\"", "Parked"));
}
