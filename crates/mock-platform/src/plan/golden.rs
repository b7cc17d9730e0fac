use piopiy_events::Profile;

use super::file::{self, PlanHeader};
use super::{PlanOptions, Scenario, ScenarioError, Seed, Simulator};

const SEED: Seed = Seed(0x5eed);
const CALLS: u64 = 30;

/// The golden plans: what the generator of this version makes of the default scenario, with the path of each file.
/// As long as [`GENERATOR`](super::GENERATOR) stays, they do.
///
/// # Errors
/// Where the built-in default scenario cannot be read.
///
/// # Examples
/// ```
/// let golden = piopiy_mock_platform::plan::golden()?;
/// assert_eq!(golden[0].0, "fixtures/golden/global.plan.jsonl");
/// # Ok::<(), piopiy_mock_platform::plan::ScenarioError>(())
/// ```
pub fn golden() -> Result<Vec<(String, String)>, ScenarioError> {
    let scenario = Scenario::builtin("default")?;
    let plan = |profile: Profile| {
        let mut options = PlanOptions::new(profile, SEED);
        options.calls = Some(CALLS);
        let simulator = Simulator::new(&scenario, options);
        let mut text = Vec::new();
        // Writing into memory does not fail.
        let _ = file::write_header(&mut text, &PlanHeader::new(&scenario, simulator.options()));
        for call in simulator.calls() {
            let _ = file::write_call(&mut text, &call);
        }
        let path = format!("fixtures/golden/{profile}.plan.jsonl");
        (path, String::from_utf8_lossy(&text).into_owned())
    };
    Ok(Profile::ALL.into_iter().map(plan).collect())
}
