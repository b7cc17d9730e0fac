//! Any text as a scenario: it is refused with a sentence, or calls follow from it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use piopiy_events::Profile;
use piopiy_mock_platform::plan::{PlanOptions, Scenario, Seed, Simulator};

fuzz_target!(|text: &str| {
    match Scenario::parse("fuzz.toml", text) {
        Ok(scenario) => {
            let simulator = Simulator::new(&scenario, PlanOptions::new(Profile::Global, Seed(7)));
            for index in [0, 1, 1_000_000] {
                let _ = simulator.call(index);
            }
        }
        Err(error) => assert!(!error.to_string().is_empty(), "an error says what is wrong"),
    }
});
