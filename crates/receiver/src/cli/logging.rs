//! Logs go to stderr: text for people, JSON for machines. Nothing that answers a request ever waits for stderr.

mod lossy;

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::time::Duration;

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use self::lossy::Lossy;
use super::exit::Failure;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

static STDERR: OnceLock<Lossy> = OnceLock::new();

/// How long the end of the program waits for stderr to take what was said.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Sends logs to stderr, and what [`say`] says after them.
pub(crate) fn init(format: LogFormat, level: &str) -> Result<(), Failure> {
    let filter = filter(level)?
        // At debug it tells the values of every statement, which are webhooks.
        .add_directive("tokio_postgres=info".parse().map_err(Failure::internal)?);
    let writer = Lossy::start(std::io::stderr()).map_err(Failure::environment)?;
    let writer: &'static Lossy = STDERR.get_or_init(|| writer);
    // Internal errors would be printed, and printing to a stderr that is gone panics.
    let logs = tracing_subscriber::fmt()
        .log_internal_errors(false)
        .with_writer(move || writer.line())
        .with_env_filter(filter);
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let set = match format {
        LogFormat::Json => logs.json().flatten_event(true).with_ansi(false).try_init(),
        LogFormat::Text => logs.with_ansi(colours).with_target(false).try_init(),
    };
    set.map_err(|error| Failure::Internal(anyhow::anyhow!(error)))?;
    // The default hook writes to stderr itself, and would wait for it as long as that takes.
    std::panic::set_hook(Box::new(|panic| {
        say(&panic.to_string());
        finish();
    }));
    Ok(())
}

/// What is logged at this level.
pub(crate) fn filter(level: &str) -> Result<EnvFilter, Failure> {
    let filter = EnvFilter::builder().parse(level);
    filter.map_err(|error| Failure::usage(format!("--log `{level}`: {error}")))
}

/// Says a line on stderr. Where logs go there, it neither waits nor overtakes them.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    let line = format!("{line}\n");
    match STDERR.get() {
        Some(stderr) => stderr.send(line.as_bytes()),
        // A stderr that is gone is no reason to fail, and there is nowhere to say so.
        None => drop(std::io::stderr().write_all(line.as_bytes())),
    }
}

/// Waits a moment for stderr to take what was said.
pub(crate) fn finish() {
    if let Some(stderr) = STDERR.get() {
        stderr.flush(LAST_WORDS);
    }
}
