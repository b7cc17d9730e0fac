//! `Arbitrary`: any bytes make a payload that comes out as it came.

use arbitrary::{Arbitrary, Unstructured};
use piopiy_events::answer::{AnswerRequest, DtmfRequest};
use piopiy_events::pcmo::{Action, Pcmo};
use piopiy_events::rest::{legacy, v3};
use piopiy_events::stream::StreamMessage;
use piopiy_events::{Cdr, LiveEvent, OpenObject, Profile, Raw, Webhook};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

/// A payload of each type, from the same bytes.
fn from_bytes<'a, T: Arbitrary<'a>>(bytes: &'a [u8]) -> T {
    T::arbitrary(&mut Unstructured::new(bytes)).expect("what is missing reads as zero")
}

fn round_trips<T: OpenObject + PartialEq + std::fmt::Debug + for<'a> Arbitrary<'a>>(bytes: &[u8]) {
    let object: T = from_bytes(bytes);
    let json = object.to_json();
    let read = T::parse(json.as_bytes()).expect(&json);
    assert_eq!(read.to_json(), json);
    assert_eq!(read, object);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_bytes_make_payloads_that_round_trip(bytes in prop::collection::vec(any::<u8>(), 0..1024)) {
        let webhook: Webhook = from_bytes(&bytes);
        prop_assert_eq!(&Webhook::parse(webhook.to_json().as_bytes()).unwrap(), &webhook);
        for profile in Profile::ALL {
            let _ = webhook.validate(profile);
        }
        let raw: Raw = from_bytes(&bytes);
        prop_assert_eq!(raw.as_json().parse::<Raw>().unwrap(), raw);
        let action: Action = from_bytes(&bytes);
        prop_assert_eq!(Action::from_raw(action.to_json().parse().unwrap()), action);
        let pcmo: Pcmo = from_bytes(&bytes);
        prop_assert_eq!(Pcmo::parse(pcmo.to_json().as_bytes()).unwrap(), pcmo);
        let message: StreamMessage = from_bytes(&bytes);
        prop_assert_eq!(StreamMessage::parse(message.to_json().as_bytes()).unwrap(), message);
        round_trips::<LiveEvent>(&bytes);
        round_trips::<Cdr>(&bytes);
        round_trips::<AnswerRequest>(&bytes);
        round_trips::<DtmfRequest>(&bytes);
        round_trips::<legacy::MakeCall>(&bytes);
        round_trips::<legacy::MakeCallResponse>(&bytes);
        round_trips::<legacy::CdrResponse>(&bytes);
        round_trips::<legacy::AddSipResponse>(&bytes);
        round_trips::<v3::PcmoCall>(&bytes);
        round_trips::<v3::TransferAction>(&bytes);
        round_trips::<v3::Response>(&bytes);
    }
}

#[test]
fn all_kinds_of_webhooks_are_reached() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let bytes = prop::collection::vec(any::<u8>(), 256..512);
    let (mut documented, mut live, mut cdrs, mut unrecognised) = (0, 0, 0, 0);
    for _ in 0..300 {
        let bytes = bytes.new_tree(&mut runner).unwrap().current();
        let webhook: Webhook = from_bytes(&bytes);
        if Profile::ALL.iter().any(|&profile| webhook.validate(profile).findings.is_empty()) {
            documented += 1;
        }
        match webhook {
            Webhook::LiveEvent(_) => live += 1,
            Webhook::Cdr(_) => cdrs += 1,
            _ => unrecognised += 1,
        }
    }
    let counts = [documented, live, cdrs, unrecognised];
    assert!(counts.iter().all(|&count| count > 20), "{counts:?}");
}

#[test]
fn near_documented_values_are_reached() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let bytes = prop::collection::vec(any::<u8>(), 512..1024);
    let (mut live, mut cdrs, mut lists) = (0, 0, 0);
    for _ in 0..600 {
        let bytes = bytes.new_tree(&mut runner).unwrap().current();
        let webhook: Webhook = from_bytes(&bytes);
        let fits = Profile::ALL.iter().any(|&profile| webhook.validate(profile).findings.is_empty());
        if !fits && webhook.as_live_event().is_some_and(|event| event.ws_status.is_some()) {
            live += 1;
        }
        if !fits && webhook.as_cdr().is_some_and(|cdr| cdr.balance.is_some()) {
            cdrs += 1;
        }
        let response: legacy::CdrResponse = from_bytes(&bytes);
        if let Some(list) = response.cdr
            && list.as_json().starts_with('[')
            && list.get().is_ok_and(|list| list.iter().any(|cdr| cdr.duration.is_some()))
        {
            lists += 1;
        }
    }
    assert!(live > 20 && cdrs > 20 && lists > 20, "{live} live events, {cdrs} CDRs, {lists} lists of CDRs");
}
