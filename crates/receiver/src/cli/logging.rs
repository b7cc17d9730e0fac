//! Logs go to stderr: text for people, JSON for machines.

use std::io::IsTerminal as _;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use super::exit::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Sends logs to stderr; text where no format is asked for.
pub(crate) fn init(format: LogFormat, level: &str) -> Result<(), Failure> {
    let filter = EnvFilter::builder()
        .parse(level)
        .map_err(|error| Failure::usage(format!("--log `{level}`: {error}")))?;
    let logs = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let set = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_ansi(false).try_init(),
        LogFormat::Text => logs.with_ansi(colours).with_target(false).try_init(),
    };
    set.map_err(|error| Failure::Internal(anyhow::anyhow!(error)))
}
