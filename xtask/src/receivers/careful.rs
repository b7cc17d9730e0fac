//! Receivers in other languages that were not made with the suite: correct, or with one flaw of their list.

use std::path::Path;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::process::Process;
use crate::tally::Missing;
use crate::workspace;

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Careful {
    Node,
    Python,
}

/// A row of `flaws.tsv`.
#[derive(Debug, Clone)]
pub(crate) struct Flaw {
    pub(crate) name: String,
    /// The checks of which at least one has to find it.
    pub(crate) checks: Vec<String>,
}

impl Careful {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Node, Self::Python];

    /// The name in reports, and of its folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Python => "python",
        }
    }

    /// What it needs that this machine has not.
    pub(crate) fn missing(self) -> Option<Missing> {
        match self {
            Self::Node if !workspace::works("node", &["--version"]) => Some(Missing("node")),
            Self::Python if !workspace::works("python3", &["-c", "import sqlite3"]) => {
                Some(Missing("python3 with sqlite3"))
            }
            Self::Node | Self::Python => None,
        }
    }

    /// Its program and arguments, for a port and a store.
    ///
    /// # Errors
    /// Where a path is no text.
    pub(crate) fn command(self, port: u16, store: &Path, flaw: Option<&str>) -> anyhow::Result<Vec<String>> {
        let (program, script) = match self {
            Self::Node => ("node", "fixtures/receivers/node/server.js"),
            Self::Python => ("python3", "fixtures/receivers/python/server.py"),
        };
        let script = workspace::root().join(script);
        let text = |path: &Path| path.to_str().map(str::to_owned).context("a path that is no text");
        let mut command = vec![program.to_owned(), text(&script)?, port.to_string()];
        command.extend(["--store".to_owned(), text(store)?]);
        if let Some(flaw) = flaw {
            command.extend(["--flaw".to_owned(), flaw.to_owned()]);
        }
        Ok(command)
    }

    /// Starts it on a free port.
    ///
    /// # Errors
    /// Where it does not come up.
    pub(crate) async fn start(self, store: &Path, flaw: Option<&str>) -> anyhow::Result<Process> {
        let words = self.command(0, store, flaw)?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        Process::start(command).await.context(self.name())
    }

    /// The flaws that it can have.
    ///
    /// # Errors
    /// Where the list cannot be read.
    pub(crate) fn flaws(self) -> anyhow::Result<Vec<Flaw>> {
        let path = workspace::root().join("fixtures/receivers").join(self.name()).join("flaws.tsv");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let row = |line: &str| {
            let columns: Vec<&str> = line.split('\t').collect();
            ensure!(columns.len() == 3, "{}: {line:?} has not three columns", path.display());
            let checks = columns[1].split(' ').map(str::to_owned).collect();
            Ok(Flaw { name: columns[0].to_owned(), checks })
        };
        text.lines().map(row).collect()
    }
}
