//! The webhooks that the runs and benches send.

use piopiy_events::Profile;
use piopiy_mock_platform::plan::{Nonce, PlanOptions, Scenario, Seed, Simulator};

/// Where the receivers take them.
pub(crate) const PATH: &str = "/webhook/cdr";

/// The bodies of realistic calls without end, each webhook once; another nonce gives other ids.
pub(crate) fn bodies(profile: Profile, nonce: u64) -> impl Iterator<Item = Vec<u8>> {
    let simulator = simulator(profile, nonce);
    let indices = simulator.options().indices();
    indices.flat_map(move |index| simulator.call(index).webhooks).map(|webhook| webhook.body)
}

/// The simulator of the default scenario.
pub(crate) fn simulator(profile: Profile, nonce: u64) -> Simulator {
    let mut options = PlanOptions::new(profile, Seed(0x5eed));
    options.nonce = Nonce(nonce);
    Simulator::new(&Scenario::default(), options)
}

/// A number that no earlier run had: nanoseconds since 1970.
pub(crate) fn fresh_nonce() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // The low 64 bits last until the year 2554.
    now.as_nanos() as u64
}

/// So many calls of [`LONG_CALLS_SCENARIO`] are to be in progress at once.
pub(crate) const LONG_CALLS: usize = 100_000;
/// So many begin at [`LONG_CALLS_PER_SECOND`], nearly all before the first of them ends.
pub(crate) const LONG_CALLS_BEGUN: usize = 105_000;
pub(crate) const LONG_CALLS_PER_SECOND: usize = 5_000;

/// Calls that are all as long, so that all of them are in progress once the last has begun.
pub(crate) const LONG_CALLS_SCENARIO: &str = r#"
description = "Calls of half a minute, one like the other"

[calls]
inbound-answered = 2
outbound-answered = 2
inbound-bridged = 1

[times]
ring = "1s"
talk = "26s"
bridge-after = "1s"
bridge-ring = "1s"

[bridge]
no-answer = 0.0
"#;
