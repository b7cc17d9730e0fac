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
