//! Any bytes as a call flow.
#![no_main]

use libfuzzer_sys::fuzz_target;
use piopiy_events::pcmo::Pcmo;

fuzz_target!(|body: &[u8]| {
    let Ok(flow) = Pcmo::parse(body) else { return };
    let text = flow.to_json();
    let again = Pcmo::parse(text.as_bytes()).expect("what was written is read");
    assert_eq!(again.to_json(), text, "the second time it comes out otherwise");
});
