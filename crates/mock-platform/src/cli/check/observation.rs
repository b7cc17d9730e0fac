use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::{CheckOptions, Observation};

use super::receiver::ReceiverArgs;
use crate::cli::duration;
use crate::cli::exit::Failure;

/// How what the receiver did is seen.
#[derive(Debug, Args)]
#[command(next_help_heading = "Observation")]
pub(crate) struct ObservationArgs {
    /// Ask the receiver there what it did (observe protocol v1)
    #[arg(long, value_name = "URL", group = "observation")]
    observe_url: Option<String>,
    /// Read what the receiver did from a file to which it appends effect records
    #[arg(long, value_name = "FILE", group = "observation")]
    observe_file: Option<PathBuf>,
    /// Run a shell command that prints how many effects there are
    #[arg(long, value_name = "CMD", group = "observation")]
    verify_cmd: Option<String>,
    /// How long nothing must change at the receiver before it is believed to be done
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration::parse)]
    settle: Duration,
}

impl ObservationArgs {
    pub(crate) fn apply(&self, receiver: &ReceiverArgs, options: &mut CheckOptions) -> Result<(), Failure> {
        options.settle = self.settle;
        let given = self.given(|url| receiver.trusted(url))?;
        options.observation = given.or(options.observation.take());
        Ok(())
    }

    /// How long nothing must change.
    pub(crate) fn settle(&self) -> Duration {
        self.settle
    }

    /// What is asked for; `trusted` makes a target of a URL.
    pub(crate) fn given(
        &self,
        trusted: impl Fn(&str) -> Result<Target, Failure>,
    ) -> Result<Option<Observation>, Failure> {
        Ok(match (&self.observe_url, &self.observe_file, &self.verify_cmd) {
            (Some(url), ..) => Some(Observation::Url(trusted(url)?)),
            (_, Some(file), _) => Some(Observation::File(file.clone())),
            (.., Some(command)) => Some(Observation::Command(command.clone())),
            _ => None,
        })
    }
}
