//! The Express and Flask receivers that PIOPIY documents: set up from their lock files, started on a free port.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

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
            Self::Express => {
                let installed = folder.join("node_modules/.package-lock.json");
                if is_newer(&installed, &folder.join("package-lock.json")) {
                    return Ok(());
                }
                let mut npm = workspace::command("npm");
                workspace::run(npm.args(["ci", "--no-audit", "--no-fund", "--prefix"]).arg(&folder))
            }
            Self::Flask => {
                let venv = folder.join(".venv");
                let python = venv_python(&venv);
                // One that was copied or moved names a Python elsewhere: it is made anew.
                if !workspace::works(&python.to_string_lossy(), &["-m", "pip", "--version"]) {
                    workspace::run(workspace::command("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
                }
                let mut pip = workspace::command(&python);
                pip.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]);
                workspace::run(pip.arg("--requirement").arg(folder.join("requirements.txt")))
            }
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
        let folder = self.folder();
        let mut command = match self {
            Self::Express => tokio::process::Command::new("node"),
            Self::Flask => tokio::process::Command::new(venv_python(&folder.join(".venv"))),
        };
        command.current_dir(&folder);
        command.arg(match self {
            Self::Express => "server.js",
            Self::Flask => "app.py",
        });
        command.arg("0").arg("--observe-file").arg(observe_file).args(options);
        Process::start(command).await.context(self.name())
    }

    fn folder(self) -> PathBuf {
        workspace::root().join(match self {
            Self::Express => "fixtures/receivers/express",
            Self::Flask => "fixtures/receivers/flask",
        })
    }
}

fn venv_python(venv: &Path) -> PathBuf {
    venv.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}

/// Whether `file` exists and is not older than `than`.
fn is_newer(file: &Path, than: &Path) -> bool {
    let written = |path: &Path| std::fs::metadata(path)?.modified();
    matches!((written(file), written(than)), (Ok(file), Ok(than)) if file >= than)
}
