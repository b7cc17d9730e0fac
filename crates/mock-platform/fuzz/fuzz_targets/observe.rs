//! Any line as what a receiver says it did.
#![no_main]

use libfuzzer_sys::fuzz_target;
use piopiy_mock_platform::judge::Effect;

fuzz_target!(|line: &str| {
    let Ok(effect) = serde_json::from_str::<Effect>(line) else { return };
    let text = serde_json::to_string(&effect).expect("what was read can be written");
    let again: Effect = serde_json::from_str(&text).expect("what was written is read");
    assert_eq!(again, effect);
});
