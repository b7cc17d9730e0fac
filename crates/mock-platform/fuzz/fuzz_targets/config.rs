//! Any text as the configuration of the platform.
#![no_main]

use libfuzzer_sys::fuzz_target;
use piopiy_mock_platform::platform::Config;

fuzz_target!(|text: &str| {
    if let Err(error) = Config::parse("fuzz.toml", text) {
        assert!(!error.to_string().is_empty(), "an error says what is wrong");
    }
});
