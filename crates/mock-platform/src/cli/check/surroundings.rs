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
    /// Wait as long as the platform does where time has to pass at the receiver: up to half an hour
    #[arg(long)]
    real_time: bool,
    /// A shell command that takes the receiver's store away; it is run with PIOPIY_HOOK=on
    ///
    /// Every hook is run with PIOPIY_HOOK=on in its environment to make its change, and with PIOPIY_HOOK=off to undo it; what
    /// --hook-down does is undone by --hook-up. A change that is still made when a case is over is undone then, whether the
    /// check failed, took too long or was stopped with Ctrl-C. Undoing what was never made must do no harm. A command has a
    /// minute, and fails with any other exit code than 0.
    #[arg(long, value_name = "CMD", requires = "hook_up")]
    hook_down: Option<String>,
    /// A shell command that brings it back; it is run with PIOPIY_HOOK=off
    #[arg(long, value_name = "CMD", requires = "hook_down")]
    hook_up: Option<String>,
    /// A shell command that makes whatever comes after the receiver take 3 seconds longer (on), and no longer (off)
    #[arg(long, value_name = "CMD")]
    hook_slow: Option<String>,
    /// A shell command that leaves the receiver's store no room, or makes it read-only (on), and gives it back (off)
    #[arg(long, value_name = "CMD")]
    hook_disk_full: Option<String>,
    /// A shell command that sets the receiver's clock PIOPIY_CLOCK_OFFSET seconds ahead of the true time (on; negative is
    /// behind), and right again (off; then it is 0). It may start the receiver anew, which is waited for
    #[arg(long, value_name = "CMD")]
    hook_clock: Option<String>,
}

impl SurroundingsArgs {
    pub(crate) fn apply(&self, receiver: &ReceiverArgs, options: &mut CheckOptions) -> Result<(), Failure> {
        let second = self.second_url.as_ref().map(|url| receiver.trusted(url));
        options.second = second.transpose()?;
        options.real_time = self.real_time;
        let hooks = [
            (Hook::Down, &self.hook_down),
            (Hook::Up, &self.hook_up),
            (Hook::Slow, &self.hook_slow),
            (Hook::DiskFull, &self.hook_disk_full),
            (Hook::Clock, &self.hook_clock),
        ];
        options.hooks = hooks.into_iter().filter_map(|(hook, cmd)| Some((hook, cmd.clone()?))).collect();
        Ok(())
    }
}
