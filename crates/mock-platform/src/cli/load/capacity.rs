use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::load::{
    CapacityOptions, LoadError, LoadOptions, LoadOptionsError, LoadReport, Progress, Rate, find_capacity,
    run_load,
};
use piopiy_mock_platform::plan::Simulator;

use crate::cli::duration;
use crate::cli::exit::{Exit, Failure};

/// The search for the largest rate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Capacity")]
pub(super) struct CapacityArgs {
    /// Search for the largest rate with nothing lost, doubled or refused and p99 below --p99: from --rate N or --cps N on, in
    /// trials as long as --duration [default: 5s]
    #[arg(long, conflicts_with_all = ["calls", "erlangs", "stage", "shard", "start_at", "ledger"])]
    find_capacity: bool,
    /// Within which 99 in 100 webhooks have to be answered
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration::parse)]
    p99: Duration,
    /// How often the largest rate has to do
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    repeats: u32,
}

const TRIAL: Duration = Duration::from_secs(5);

impl CapacityArgs {
    pub(super) fn is_given(&self) -> bool {
        self.find_capacity
    }

    /// Whether there is a rate to begin with.
    pub(super) fn check(&self, options: &LoadOptions) -> Result<(), Failure> {
        let has_rate =
            matches!(options.rate, Rate::Webhooks(_) | Rate::Calls(_)) && options.arrivals_at.is_none();
        if self.find_capacity && !has_rate {
            return Err(Failure::new(Exit::Usage, LoadOptionsError::Capacity));
        }
        Ok(())
    }

    /// One load, or as many as the search needs.
    pub(super) fn run(
        &self,
        simulator: &Simulator,
        target: &Target,
        options: &LoadOptions,
        trial: Option<Duration>,
        progress: &Arc<Progress>,
    ) -> Result<LoadReport, LoadError> {
        if !self.find_capacity {
            return run_load(simulator, target, options, progress);
        }
        let mut capacity = CapacityOptions::new(self.p99);
        (capacity.trial, capacity.repeats) = (trial.unwrap_or(TRIAL), self.repeats);
        find_capacity(simulator, target, options, &capacity, progress, &mut |trial| {
            // Nobody may be reading.
            let _ = writeln!(std::io::stderr().lock(), "{trial}");
        })
    }
}
