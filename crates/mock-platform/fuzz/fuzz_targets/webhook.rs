//! Any bytes as a webhook: it is refused, or comes out as it went in, and everything that is asked of it has an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use piopiy_events::{CallState, Calls, Profile, Webhook};

fuzz_target!(|body: &[u8]| {
    let Ok(webhook) = Webhook::parse(body) else { return };
    let text = webhook.to_json();
    let again = Webhook::parse(text.as_bytes()).expect("what was written is read");
    assert_eq!(again.to_json(), text, "the second time it comes out otherwise");
    assert_eq!(again.identity(), webhook.identity(), "it is the same webhook");
    assert_eq!(again.kind(), webhook.kind());
    for profile in Profile::ALL {
        let _ = webhook.validate(profile);
    }
    // A repeat changes nothing.
    let (mut call, mut calls) = (CallState::default(), Calls::default());
    call.apply(&webhook);
    calls.apply(&webhook);
    let phase = call.phase();
    assert!(!call.apply(&webhook), "a repeat is no news");
    assert!(!calls.apply(&webhook), "a repeat is no news");
    assert_eq!(call.phase(), phase);
    if let Some(key) = calls.call_of(&webhook) {
        let _ = calls.phase(&key);
    }
});
