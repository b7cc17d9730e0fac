use clap::Args;
use piopiy_mock_platform::deliver::check_run::CheckOptions;
use piopiy_mock_platform::judge::check::Hook;

use super::receiver::ReceiverArgs;
use crate::cli::exit::Failure;

/// What the receiver stands among, and how that is changed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Surroundings")]
pub(crate) struct SurroundingsArgs {
    /// Another instance of the receiver, behind the same store
    #[arg(long, value_name = "URL")]
    second_url: Option<String>,
    /// A shell command that takes the receiver's store away
    #[arg(long, value_name = "CMD", requires = "hook_up")]
    hook_down: Option<String>,
    /// A shell command that brings it back
    #[arg(long, value_name = "CMD")]
    hook_up: Option<String>,
}

impl SurroundingsArgs {
    pub(crate) fn apply(&self, receiver: &ReceiverArgs, options: &mut CheckOptions) -> Result<(), Failure> {
        let second = self.second_url.as_ref().map(|url| receiver.trusted(url));
        options.second = second.transpose()?;
        let hooks = [(Hook::Down, &self.hook_down), (Hook::Up, &self.hook_up)];
        options.hooks = hooks.into_iter().filter_map(|(hook, cmd)| Some((hook, cmd.clone()?))).collect();
        Ok(())
    }
}
