//! What goes wrong beside what a command tells: a line each, on stderr.

use std::io::{IsTerminal as _, Write as _};

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use super::exit::{Exit, Failure};
use super::terminal;

/// What is said where nobody asks for more, of this program and its crate: a library's warnings are about what a receiver does, which the reports tell.
const USUAL: &str = "error,piopiy_mock=warn";
/// Who wants more, or less: in the syntax of `tracing-subscriber`'s `EnvFilter`.
const VARIABLE: &str = "PIOPIY_MOCK_LOG";

/// Sends warnings and errors to stderr, or what `PIOPIY_MOCK_LOG` selects.
///
/// # Errors
/// Where the variable is no filter.
pub(crate) fn init() -> Result<(), Failure> {
    let wanted = std::env::var(VARIABLE).ok().filter(|wanted| !wanted.is_empty());
    let wanted = wanted.as_deref().unwrap_or(USUAL);
    let filter = EnvFilter::builder().parse(wanted);
    let filter = filter.with_context(|| format!("{VARIABLE}={wanted:?} is no filter: try `debug`"));
    let is_terminal = std::io::stderr().is_terminal();
    let is_watched = is_terminal && !terminal::is_dumb();
    let writer = move || {
        // Over the line of progress, if there is one. Nobody may be reading.
        if is_watched {
            let _ = std::io::stderr().write_all(b"\r\x1b[2K");
        }
        std::io::stderr()
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter.map_err(|error| Failure { exit: Exit::Usage, error })?)
        .with_writer(writer)
        .with_ansi(terminal::is_coloured(clap::ColorChoice::Auto, is_terminal))
        // Printing to a stderr that is gone panics.
        .log_internal_errors(false)
        .with_target(false)
        .without_time()
        .try_init()
        .map_err(|error| Failure { exit: Exit::Internal, error: anyhow::anyhow!(error) })
}
