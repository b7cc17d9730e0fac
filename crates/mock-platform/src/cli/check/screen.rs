use std::io::IsTerminal;

use clap::Args;
use piopiy_mock_platform::judge::report::TextStyle;

use crate::cli::terminal;

/// How text for people looks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct ScreenArgs {
    /// When to use colour: auto, always or never
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: clap::ColorChoice,
    /// List what could not be seen too
    #[arg(short, long)]
    verbose: bool,
}

impl ScreenArgs {
    /// For what is written to a stream.
    pub(crate) fn style(&self, stream: &impl IsTerminal) -> TextStyle {
        let is_terminal = stream.is_terminal();
        TextStyle {
            color: terminal::is_coloured(self.color, is_terminal),
            unicode: terminal::is_utf8(),
            width: terminal::columns(is_terminal).unwrap_or(110).clamp(40, 140),
            verbose: self.verbose,
        }
    }
}
