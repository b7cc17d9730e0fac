use anyhow::anyhow;
use piopiy_mock_platform::plan::Simulator;

use super::exit::{Exit, Failure};

/// Refuses a plan that would never send anything, and tells of the calls that nobody will hear of.
pub(crate) fn check(simulator: &Simulator, scenario: &str) -> Result<(), Failure> {
    let untold = simulator.untold();
    let (kinds, profile) = (untold.kinds.join(", "), simulator.options().profile);
    let only = if simulator.options().documented_only { " with --documented-only" } else { "" };
    if untold.is_everything {
        let error = anyhow!(
            "the scenario {scenario} has nothing to send in profile {profile}{only} (its calls: {kinds}); choose \
             another scenario or profile{}",
            if only.is_empty() { "" } else { ", or leave --documented-only out" }
        );
        return Err(Failure::new(Exit::Usage, error));
    }
    if !untold.kinds.is_empty() {
        let line =
            format!("profile {profile}{only} tells nothing of some calls, which are left out: {kinds}\n");
        // Nobody may be reading.
        let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), line.as_bytes());
    }
    Ok(())
}
