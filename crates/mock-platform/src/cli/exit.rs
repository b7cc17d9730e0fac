use std::io;
use std::process::ExitCode;

/// The exit codes. They are part of the interface: documented in `--help`, tested, stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was as it should be.
    Fine = 0,
    /// Something was refused, lost, doubled, or not valid.
    Failed = 1,
    /// The command line, or a file that it names, is wrong.
    Usage = 2,
    /// Something outside is not there: the target, a port, a disk.
    Environment = 3,
    /// Nothing can be said: nothing was sent.
    Inconclusive = 4,
    /// A bug of this program.
    Internal = 5,
    /// Ctrl-C.
    Interrupted = 130,
    /// SIGTERM.
    Terminated = 143,
}

impl Exit {
    /// In one word, for machines: the output `result` of a step.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Fine => "passed",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Environment => "environment",
            Self::Inconclusive => "inconclusive",
            Self::Internal => "internal",
            Self::Interrupted | Self::Terminated => "interrupted",
        }
    }
}

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  everything was acknowledged (no answer is ambiguous, and no failure by itself) and, as far
       as could be seen, had its effect once
    1  something was refused, lost, doubled, or not valid
    2  the command line, or a file that it names, is wrong
    3  something outside is not there: the target, a port, a disk
    4  nothing can be said: nothing was sent
    5  a bug of this program
  130  stopped with Ctrl-C (143 with SIGTERM); the summary and the ledger are written all the same";

/// Why a command did not come to an end, and with which code the program ends.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, error: error.into() }
    }

    /// Whether whoever read the output has gone away, which is no trouble: `piopiy-mock events | head`.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        // Not somewhere down the chain: a receiver that hangs up is another matter.
        self.error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// What is not sorted out by [`OrExit`] is a failure of the output, or a bug.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let exit = if error.is::<io::Error>() { Exit::Environment } else { Exit::Internal };
        Self { exit, error }
    }
}

/// Gives an error its exit code.
pub(crate) trait OrExit<T> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, exit: Exit) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(exit, error))
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
