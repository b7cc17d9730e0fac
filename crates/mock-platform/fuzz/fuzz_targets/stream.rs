//! Any bytes as a message of an audio stream.
#![no_main]

use libfuzzer_sys::fuzz_target;
use piopiy_events::stream::StreamMessage;

fuzz_target!(|body: &[u8]| {
    let Ok(message) = StreamMessage::parse(body) else { return };
    let text = message.to_json();
    let again = StreamMessage::parse(text.as_bytes()).expect("what was written is read");
    assert_eq!(again.to_json(), text, "the second time it comes out otherwise");
});
