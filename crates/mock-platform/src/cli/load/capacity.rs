use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::load::{
    CapacityOptions, LoadError, LoadOptions, LoadReport, Progress, find_capacity, run_load,
};
use piopiy_mock_platform::plan::Simulator;
use tokio::sync::mpsc::UnboundedSender;

use crate::cli::duration;
use crate::cli::exit::{Exit, Failure, OrExit as _};

/// The search for the largest rate.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Capacity")]
pub(super) struct CapacityArgs {
    /// Search for the largest rate with nothing lost, doubled or refused and p99 below --p99: from --rate N or --cps N on, in
    /// trials as long as --duration [default: 5s], which with --cps are to be ten times as long as a call
    #[arg(long, conflicts_with_all = ["calls", "erlangs", "stage", "shard", "start_at", "ledger"])]
    find_capacity: bool,
    /// Within which 99 in 100 webhooks have to be answered
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration::parse, requires = "find_capacity")]
    p99: Duration,
    /// How often the largest rate has to do
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100), requires = "find_capacity")]
    repeats: u32,
}

impl CapacityArgs {
    pub(super) fn is_given(&self) -> bool {
        self.find_capacity
    }

    /// Whether there can be a search with such loads.
    pub(super) fn check(
        &self,
        simulator: &Simulator,
        options: &LoadOptions,
        trial: Option<Duration>,
    ) -> Result<(), Failure> {
        match self.options(trial) {
            Some(capacity) => capacity.check(simulator, options).or_exit(Exit::Usage),
            None => Ok(()),
        }
    }

    /// What there is to find; `None` where nothing is searched for.
    fn options(&self, trial: Option<Duration>) -> Option<CapacityOptions> {
        let mut capacity = CapacityOptions::new(self.p99);
        (capacity.trial, capacity.repeats) = (trial.unwrap_or(capacity.trial), self.repeats);
        self.find_capacity.then_some(capacity)
    }

    /// How long one load of the search is; `None` where there is none.
    pub(super) fn trial(&self, trial: Option<Duration>) -> Option<Duration> {
        self.options(trial).map(|capacity| capacity.trial)
    }

    /// One load, or as many as the search needs; what comes of each trial is told.
    pub(super) fn run(
        &self,
        simulator: &Simulator,
        target: &Target,
        options: &LoadOptions,
        trial: Option<Duration>,
        progress: &Arc<Progress>,
        told: &UnboundedSender<String>,
    ) -> Result<LoadReport, LoadError> {
        let Some(capacity) = self.options(trial) else {
            return run_load(simulator, target, options, progress);
        };
        find_capacity(simulator, target, options, &capacity, progress, &mut |trial| {
            // Nobody may be listening.
            let _ = told.send(trial.to_string());
        })
    }
}
