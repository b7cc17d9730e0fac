//! The Express and Flask receivers that PIOPIY documents: set up from their lock files, started on a free port.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::install::{npm_ci, venv, venv_python};
use crate::process::Process;
use crate::tally::Missing;
use crate::workspace;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Documented {
    Express,
    Flask,
}

impl Documented {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Express, Self::Flask];

    /// The name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Express => "express receiver",
            Self::Flask => "flask receiver",
        }
    }

    /// What it needs that this machine has not.
    pub(crate) fn missing(self) -> Option<Missing> {
        match self {
            Self::Express if !workspace::works("node", &["--version"]) => Some(Missing("node")),
            Self::Express if !workspace::works("npm", &["--version"]) => Some(Missing("npm")),
            Self::Flask if !workspace::works("python3", &["-c", "import ensurepip, venv"]) => {
                Some(Missing("python3 with venv"))
            }
            Self::Express | Self::Flask => None,
        }
    }

    /// Installs what its lock file names, where that is not there yet.
    ///
    /// # Errors
    /// Where the installation fails.
    pub(crate) fn set_up(self) -> anyhow::Result<()> {
        let folder = self.folder();
        match self {
            Self::Express => npm_ci(&folder),
            Self::Flask => venv(&folder),
        }
    }

    /// Starts it on a free port; every effect becomes a line of the file.
    ///
    /// # Errors
    /// Where it does not come up.
    pub(crate) async fn start(self, observe_file: &Path) -> anyhow::Result<Process> {
        self.start_with(observe_file, &[]).await
    }

    /// The same, with options of its own.
    ///
    /// # Errors
    /// Where it does not come up.
    pub(crate) async fn start_with(self, observe_file: &Path, options: &[&str]) -> anyhow::Result<Process> {
        let mut command = tokio::process::Command::new(self.program());
        command.current_dir(self.folder()).arg(self.script());
        command.arg("0").arg("--observe-file").arg(observe_file).args(options);
        Process::start(command).await.context(self.name())
    }

    /// Starts it on a free port and on one core, as it is documented: no effect becomes a line of anything.
    ///
    /// # Errors
    /// Where it does not come up.
    pub(crate) async fn start_on(self, core: &str) -> anyhow::Result<Process> {
        let mut command = workspace::pinned(core, self.program());
        command.current_dir(self.folder()).args([self.script(), "0"]);
        Process::start(command.into()).await.context(self.name())
    }

    fn program(self) -> PathBuf {
        match self {
            Self::Express => PathBuf::from("node"),
            Self::Flask => venv_python(&self.folder().join(".venv")),
        }
    }

    fn script(self) -> &'static str {
        match self {
            Self::Express => "server.js",
            Self::Flask => "app.py",
        }
    }

    fn folder(self) -> PathBuf {
        workspace::root().join(match self {
            Self::Express => "fixtures/receivers/express",
            Self::Flask => "fixtures/receivers/flask",
        })
    }
}
