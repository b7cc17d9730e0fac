//! Exit codes, and how a failure is told.

use std::io;
use std::process::ExitCode;

use super::logging::{self, say};

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Exit code 1: it was done, and what was looked for is not there, or what was looked at is not well.
    Negative(String),
    /// Exit code 2: the arguments make no sense together.
    Usage(String),
    /// Exit code 3: a file, a port or the system did not play along.
    Environment(anyhow::Error),
    /// Exit code 5: a bug.
    Internal(anyhow::Error),
    /// Exit code 0: whoever read the output has seen enough.
    BrokenPipe,
}

impl Failure {
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    pub(crate) fn environment(error: impl Into<anyhow::Error>) -> Self {
        Self::Environment(error.into())
    }

    pub(crate) fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self::Internal(error.into())
    }

    /// A failure to write to `place`.
    pub(crate) fn write(place: &str, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::BrokenPipe
        } else {
            Self::Environment(anyhow::Error::new(error).context(format!("cannot write to {place}")))
        }
    }
}

/// Says what failed, on stderr, and gives the exit code.
pub(crate) fn report(outcome: Result<(), Failure>) -> ExitCode {
    let code = match outcome {
        Ok(()) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Err(Failure::Negative(text)) => {
            say(&text);
            ExitCode::from(1)
        }
        Err(Failure::Usage(text)) => {
            say(&format!("error: {text}"));
            ExitCode::from(2)
        }
        Err(Failure::Environment(error)) => {
            say(&format!("error: {error:#}"));
            ExitCode::from(3)
        }
        Err(Failure::Internal(error)) => {
            say(&format!("error: this is a bug: {error:#}"));
            ExitCode::from(5)
        }
    };
    logging::finish();
    code
}
