use std::path::PathBuf;

use clap::Args;
use piopiy_mock_platform::deliver::check_run::CheckOptions;

/// What failed checks leave behind.
#[derive(Debug, Args)]
#[command(next_help_heading = "Verdict")]
pub(super) struct FailuresArgs {
    /// Where each check that failed, or was inconclusive, gets a folder with all that it takes to see it again
    #[arg(long, value_name = "DIR", default_value = "failures")]
    failures: PathBuf,
    /// Write no such folders
    #[arg(long, conflicts_with = "failures")]
    no_failures: bool,
}

impl FailuresArgs {
    pub(super) fn apply(&self, options: &mut CheckOptions) {
        options.failures = (!self.no_failures).then(|| self.failures.clone());
    }
}
