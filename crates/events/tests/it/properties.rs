//! What holds of every payload, with the crate's own strategies.

use std::collections::BTreeSet;

use piopiy_events::answer::{AnswerRequest, DtmfRequest};
use piopiy_events::pcmo::Pcmo;
use piopiy_events::rest::{legacy, v3};
use piopiy_events::stream::StreamMessage;
use piopiy_events::{
    CallState, Calls, Cdr, Form, LiveEvent, Map, OpenObject, ParseErrorKind, Profile, Raw, Unrecognised,
    Webhook, strategy,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

fn profiles() -> impl Strategy<Value = Profile> {
    select(&Profile::ALL[..])
}

fn documented() -> impl Strategy<Value = (Profile, Webhook)> {
    profiles().prop_flat_map(|profile| (Just(profile), strategy::webhook(profile)))
}

#[test]
fn every_event_name_and_every_optional_field_is_made() {
    let mut runner = TestRunner::deterministic();
    for profile in Profile::ALL {
        let webhooks = strategy::webhook(profile);
        let (mut names, mut with, mut without) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for _ in 0..1000 {
            let webhook = webhooks.new_tree(&mut runner).unwrap().current();
            let form = webhook.validate(profile).form.unwrap();
            names.insert(form.name);
            for field in form.fields.iter().filter(|field| !field.required) {
                let seen = if webhook.get(field.key).is_some() { &mut with } else { &mut without };
                seen.insert((form.name, field.key));
            }
        }
        let expected: BTreeSet<_> = Form::all(profile).iter().map(|form| form.name).collect();
        assert_eq!(names, expected, "{profile}");
        let optional = Form::all(profile).iter().flat_map(|form| {
            form.fields.iter().filter(|field| !field.required).map(|field| (form.name, field.key))
        });
        let optional: BTreeSet<_> = optional.collect();
        assert_eq!(with, optional, "{profile}");
        assert_eq!(without, optional, "{profile}");
    }
}

proptest! {
    #[test]
    fn documented_webhooks_validate_and_come_out_as_they_came((profile, webhook) in documented()) {
        let validation = webhook.validate(profile);
        prop_assert_eq!(validation.findings, []);
        prop_assert_eq!(validation.form.map(|form| form.kind), webhook.kind());
        let json = webhook.to_json();
        let read = Webhook::parse(json.as_bytes()).unwrap();
        prop_assert_eq!(read.to_json(), json);
        prop_assert_eq!(&read, &webhook);
        prop_assert_eq!(read.identity(), webhook.identity());
        prop_assert!(webhook.identity().is_some());
    }

    #[test]
    fn live_events_and_cdrs_are_of_their_kind(
        (profile, event, cdr) in profiles().prop_flat_map(|profile| {
            (Just(profile), strategy::live_event(profile), strategy::cdr(profile))
        }),
    ) {
        for webhook in [Webhook::from(event), Webhook::from(cdr)] {
            prop_assert_eq!(webhook.validate(profile).findings, []);
            let read = Webhook::parse(webhook.to_json().as_bytes()).unwrap();
            prop_assert_eq!(read.kind(), webhook.kind());
        }
    }

    /// Keys are compared decoded: a documented key comes out in its plain spelling.
    #[test]
    fn any_object_round_trips_token_for_token(json in strategy::any_object()) {
        let whole: Map = serde_json::from_str(&json).unwrap();
        let webhook = Webhook::parse(json.as_bytes()).unwrap();
        prop_assert_eq!(webhook.members(), whole.members());
        let written = webhook.to_json();
        prop_assert_eq!(&Webhook::parse(written.as_bytes()).unwrap(), &webhook);
        prop_assert_eq!(&serde_json::to_string(&webhook).unwrap(), &written);
        prop_assert_eq!(serde_json::from_str::<Webhook>(&json).unwrap(), webhook);
        let read = Webhook::parse(json.as_bytes()).unwrap();
        for (key, _) in whole.members() {
            prop_assert_eq!(read.get(&key).cloned(), whole.get(&key));
        }
        let text_keys = whole.members().iter().filter(|(key, value)| whole.get(key).as_ref() == Some(value)).count();
        let lone_keys = ["\\ud800", "\\udfff"].iter().filter(|key| has_own_key(&json, key)).count();
        prop_assert!(text_keys + lone_keys >= whole.members().len());
    }

    #[test]
    fn the_key_order_does_not_change_the_identity(
        members in prop_oneof![
            documented().prop_map(|(_, webhook)| webhook),
            strategy::any_webhook().prop_filter("keys that are text", |webhook| {
                webhook.members().iter().all(|(key, _)| key != "\u{fffd}")
            }),
        ].prop_flat_map(|webhook| {
            let members = webhook.members();
            (Just(webhook), Just(members).prop_shuffle())
        }),
    ) {
        let (webhook, members) = members;
        let shuffled = Map::new(members.iter().map(|(key, value)| (key.as_str(), value.clone())));
        let shuffled = Webhook::parse(shuffled.as_json().as_bytes()).unwrap();
        prop_assert_eq!(shuffled.identity(), webhook.identity());
        prop_assert_eq!(shuffled.kind(), webhook.kind());
        prop_assert_eq!(
            webhook.identity().map(|identity| identity.key()),
            shuffled.identity().map(|identity| identity.key())
        );
    }

    #[test]
    fn what_is_set_is_got(
        webhook in strategy::any_webhook(),
        key in select(&["status", "leg", "duration", "x", "", "new", "a/b", "\n", "type"][..]),
        value in strategy::any_json(),
    ) {
        let others = |webhook: &Webhook| {
            let mut members = webhook.members();
            members.retain(|(name, _)| name != key);
            members
        };
        let mut changed = webhook.clone();
        changed.set(key, Some(value.clone()));
        prop_assert_eq!(changed.get(key), Some(&value));
        prop_assert_eq!(others(&changed), others(&webhook));
        prop_assert_eq!(&Webhook::parse(changed.to_json().as_bytes()).unwrap(), &changed);
        changed.set(key, None);
        prop_assert_eq!(changed.get(key), None);
        prop_assert_eq!(changed.members(), others(&webhook));
    }

    #[test]
    fn call_flows_and_stream_messages_round_trip(
        pcmo in strategy::pcmo(),
        message in strategy::stream_message(),
    ) {
        prop_assert_eq!(&Pcmo::parse(pcmo.to_json().as_bytes()).unwrap(), &pcmo);
        prop_assert_eq!(&StreamMessage::parse(message.to_json().as_bytes()).unwrap(), &message);
        prop_assert!(pcmo.actions.iter().all(|action| action.name().is_some()));
    }

    #[test]
    fn any_array_is_a_call_flow_token_for_token(
        items in prop::collection::vec(strategy::any_json(), 0..5),
    ) {
        let json = piopiy_events::List::new(&items).as_json().to_owned();
        let pcmo = Pcmo::parse(json.as_bytes()).unwrap();
        prop_assert_eq!(pcmo.actions.len(), items.len());
        for (action, item) in pcmo.actions.iter().zip(&items) {
            prop_assert_eq!(action.to_json().parse::<Raw>().unwrap(), item.clone());
        }
    }

    #[test]
    fn reading_never_panics(bytes in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..64),
        damaged(),
    ]) {
        if let Ok(webhook) = Webhook::parse(&bytes) {
            prop_assert_eq!(&Webhook::parse(webhook.to_json().as_bytes()).unwrap(), &webhook);
            for profile in Profile::ALL {
                let _ = webhook.validate(profile);
            }
            prop_assert_eq!(webhook.identity().is_some(), webhook.kind().is_some());
        }
        if let Ok(message) = StreamMessage::parse(&bytes) {
            prop_assert_eq!(&StreamMessage::parse(message.to_json().as_bytes()).unwrap(), &message);
        }
        if let Err(error) = Pcmo::parse(&bytes) {
            prop_assert!(error.offset() <= bytes.len());
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// What is JSON is decided as `serde_json` decides it.
    #[test]
    fn the_grammar_is_that_of_serde_json(bytes in damaged()) {
        let theirs = serde_json::from_slice::<&serde_json::value::RawValue>(&bytes);
        match (Webhook::parse(&bytes), theirs) {
            (Ok(_), theirs) => prop_assert!(theirs.is_ok(), "{theirs:?}"),
            (Err(error), Ok(theirs)) => prop_assert!(
                matches!(error.kind(), ParseErrorKind::NotAnObject { .. } | ParseErrorKind::DuplicateKey),
                "{error} of {theirs}"
            ),
            (Err(_), Err(_)) => {}
        }
    }
}

/// Whether an object, or one in it, has the key with this spelling.
fn has_own_key(json: &str, inner: &str) -> bool {
    let quoted = format!("\"{inner}\"");
    json.match_indices(&quoted).any(|(at, _)| json[at + quoted.len()..].trim_start().starts_with(':'))
}

/// JSON with bytes changed, left out or put in.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let json = prop_oneof![
        strategy::any_object(),
        documented().prop_map(|(_, webhook)| webhook.to_json()),
        strategy::pcmo().prop_map(|pcmo| pcmo.to_json()),
    ];
    let byte = prop_oneof![any::<u8>(), select(&b"{}[]\",:\\0-.eE+tfn \x80\xff"[..])];
    let change = (any::<Index>(), byte, 0..3_u8);
    (json, prop::collection::vec(change, 0..4)).prop_map(|(json, changes)| {
        let mut bytes = json.into_bytes();
        for (at, byte, how) in changes {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                _ => bytes.truncate(at),
            }
        }
        bytes
    })
}

macro_rules! round_trips {
    ($($test:ident: $name:ty;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                fn $test(object in strategy::object::<$name>()) {
                    let json = object.to_json();
                    let read = <$name>::parse(json.as_bytes()).unwrap();
                    prop_assert_eq!(&read, &object);
                    prop_assert_eq!(read.to_json(), json);
                }
            )*
        }
    };
}

round_trips! {
    live_event_round_trips: LiveEvent;
    cdr_round_trips: Cdr;
    unrecognised_round_trips: Unrecognised;
    answer_request_round_trips: AnswerRequest;
    dtmf_request_round_trips: DtmfRequest;
    make_call_round_trips: legacy::MakeCall;
    make_call_response_round_trips: legacy::MakeCallResponse;
    call_action_round_trips: legacy::CallAction;
    cmiuuid_cdr_round_trips: legacy::CmiuuidCdr;
    request_id_cdr_round_trips: legacy::RequestIdCdr;
    cdr_response_round_trips: legacy::CdrResponse;
    add_sip_round_trips: legacy::AddSip;
    add_sip_response_round_trips: legacy::AddSipResponse;
    stream_setting_round_trips: legacy::StreamSetting;
    stream_setting_response_round_trips: legacy::StreamSettingResponse;
    ai_call_round_trips: v3::AiCall;
    pcmo_call_round_trips: v3::PcmoCall;
    flow_call_round_trips: v3::FlowCall;
    pcmo_transfer_round_trips: v3::PcmoTransfer;
    call_hangup_round_trips: v3::CallHangup;
    transfer_action_round_trips: v3::TransferAction;
    hangup_action_round_trips: v3::HangupAction;
    response_round_trips: v3::Response;
}

/// Webhooks of few calls, legs and times, so that they meet: legal or not.
fn crowd() -> impl Strategy<Value = Vec<Webhook>> {
    let webhook = (
        select(&["x", "y", "c"][..]),
        select(&[Some("a"), Some("b"), Some("c"), None][..]),
        select(
            &[
                "in_answered",
                "out_answered",
                "answered",
                "missed",
                "out_started",
                "ringing",
                "out_bridged",
                "in_hangup",
                "hangup",
                "stream_connected",
                "STREAM_DISCONNECTED",
                "stream_error",
                "Parked",
            ][..],
        ),
        1..4_i64,
        select(&[None, Some("c"), Some("d"), Some("")][..]),
        any::<bool>(),
    );
    let webhook = webhook.prop_map(|(cmiuuid, leg, status, time, conversation, is_cdr)| {
        let mut members: Vec<(&str, Raw)> =
            vec![("cmiuuid", cmiuuid.into()), ("status", status.into()), ("time", time.into())];
        members.extend(leg.map(|leg| ("leg", leg.into())));
        members.extend(conversation.map(|conversation| ("conversation_uuid", conversation.into())));
        if is_cdr {
            members.push(("duration", 0.into()));
        }
        Webhook::parse(Map::new(members).as_json().as_bytes()).unwrap()
    });
    prop::collection::vec(webhook, 0..12)
}

/// The same webhooks in another order, some of them again.
fn redelivered(webhooks: Vec<Webhook>) -> impl Strategy<Value = (Vec<Webhook>, Vec<Webhook>)> {
    let again = prop::collection::vec(any::<Index>(), 0..6);
    (Just(webhooks), again).prop_flat_map(|(webhooks, again)| {
        let mut all = webhooks.clone();
        if !webhooks.is_empty() {
            all.extend(again.iter().map(|index| index.get(&webhooks).clone()));
        }
        (Just(webhooks), Just(all).prop_shuffle())
    })
}

fn fold(webhooks: &[Webhook]) -> CallState {
    let mut state = CallState::default();
    for webhook in webhooks {
        state.apply(webhook);
    }
    state
}

proptest! {
    #[test]
    fn the_state_of_a_call_is_a_function_of_the_set(
        (once, again) in crowd().prop_flat_map(redelivered),
        cut in any::<Index>(),
    ) {
        let (one, other) = (fold(&once), fold(&again));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.phase(), other.phase());

        let (left, right) = again.split_at(cut.index(again.len() + 1));
        let (mut forth, mut back) = (fold(left), fold(right));
        back.merge(&forth);
        forth.merge(&fold(right));
        forth.merge(&fold(right));
        prop_assert_eq!(&forth, &one);
        prop_assert_eq!(&back, &one);

        let mut state = one.clone();
        prop_assert!(once.iter().all(|webhook| !state.apply(webhook)), "nothing is news twice");
        prop_assert_eq!(state, one);
    }

    #[test]
    fn calls_are_a_function_of_the_set((once, again) in crowd().prop_flat_map(redelivered)) {
        let fold = |webhooks: &[Webhook]| {
            let mut calls = Calls::default();
            let news = webhooks.iter().filter(|webhook| calls.apply(webhook)).count();
            (calls, news)
        };
        let ((one, news), (other, again_news)) = (fold(&once), fold(&again));
        prop_assert_eq!(&one, &other);
        prop_assert_eq!(one.states(), other.states());
        prop_assert_eq!(news, again_news);
        for webhook in &once {
            let key = one.call_of(webhook).unwrap();
            prop_assert_eq!(&key, &other.call_of(webhook).unwrap());
            let state = one.state(&key).unwrap();
            prop_assert_eq!(one.phase(&key), Some(state.phase()));
            let identity = webhook.identity().unwrap();
            prop_assert!(state.seen().any(|seen| *seen == identity), "{key} has {identity}");
        }
    }

    #[test]
    fn a_call_is_forgotten_whole_and_alone(
        (mut calls, keys) in crowd().prop_flat_map(|webhooks| {
            let mut calls = Calls::default();
            for webhook in &webhooks {
                calls.apply(webhook);
            }
            let keys: Vec<String> = calls.states().into_keys().collect();
            (Just(calls), Just(keys).prop_shuffle())
        }),
    ) {
        let mut others = calls.states();
        for key in &keys {
            prop_assert_eq!(calls.forget(key), others.remove(key));
            prop_assert_eq!(&calls.states(), &others);
            prop_assert_eq!(calls.forget(key), None);
        }
        prop_assert_eq!(calls, Calls::default());
    }
}
