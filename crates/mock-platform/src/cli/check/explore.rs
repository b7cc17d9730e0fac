use std::time::Duration;

use clap::Args;
use piopiy_mock_platform::deliver::check_run::{CheckOptions, ExploreOptions};

use crate::cli::duration;

/// Random schedules.
#[derive(Debug, Args)]
#[command(next_help_heading = "Exploration")]
pub(super) struct ExploreArgs {
    /// Try random hostile ways to deliver legal calls for so long, and make smaller what fails; the checks of the
    /// catalogue are run only where some are selected too, and only they are repeated by --repeat
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    explore: Option<Duration>,
    /// How long what fails is made smaller, after that
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration::parse, requires = "explore")]
    shrink_time: Duration,
}

impl ExploreArgs {
    /// Whether there is anything to explore.
    pub(super) fn is_wanted(&self) -> bool {
        self.explore.is_some()
    }

    pub(super) fn apply(&self, options: &mut CheckOptions) {
        options.explore = self.explore.map(|time| {
            let mut explore = ExploreOptions::default();
            (explore.time, explore.shrink_time) = (time, self.shrink_time);
            explore
        });
    }
}
