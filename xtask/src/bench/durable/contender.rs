//! Who receives: the receiver with each of its stores, and one that stores nothing.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use piopiy_postgres::Postgres;
use tempfile::TempDir;

use super::{RECEIVER_CORE, STORED};
use crate::observe;
use crate::process::Process;
use crate::receivers::{Documented, Durable, Kept};
use crate::workspace::{self, Profile};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contender {
    Memory,
    Sqlite,
    Postgres,
    /// The receiver of PIOPIY's documentation for Node.js: Express and body-parser.
    Express,
}

/// What they are started from.
#[derive(Debug)]
pub(super) struct Programs {
    durable: Durable,
    /// Where PostgreSQL is installed.
    server: Option<Postgres>,
    has_express: bool,
}

impl Programs {
    /// The receiver alone.
    ///
    /// # Errors
    /// Where it does not build.
    pub(super) fn receiver() -> anyhow::Result<Self> {
        Ok(Self { durable: Durable::build(Profile::Release)?, server: None, has_express: false })
    }

    /// All that this machine has.
    ///
    /// # Errors
    /// Where something does not build, install or start.
    pub(super) fn all() -> anyhow::Result<Self> {
        // Not on the receiver's core alone, and not on ours.
        let server = match piopiy_postgres::programs() {
            Some(_) => Some(Postgres::start_anywhere(&["autovacuum=off"])?),
            None => None,
        };
        let has_express = Documented::Express.missing().is_none();
        if has_express {
            Documented::Express.set_up()?;
        }
        Ok(Self { server, has_express, ..Self::receiver()? })
    }

    /// Who can be started.
    pub(super) fn contenders(&self) -> Vec<Contender> {
        let can = |contender: &Contender| match contender {
            Contender::Memory | Contender::Sqlite => true,
            Contender::Postgres => self.server.is_some(),
            Contender::Express => self.has_express,
        };
        let all = [Contender::Sqlite, Contender::Memory, Contender::Postgres, Contender::Express];
        all.into_iter().filter(can).collect()
    }

    /// Starts one on its own core, with nothing stored.
    ///
    /// # Errors
    /// Where it does not come up.
    pub(super) async fn start(&self, contender: Contender) -> anyhow::Result<Started> {
        let folder = tempfile::tempdir()?;
        let store = match (contender, &self.server) {
            (Contender::Memory, _) => At::Memory,
            (Contender::Sqlite, _) => At::File(folder.path().join("store.sqlite")),
            (Contender::Postgres, Some(server)) => At::Url(server.database()?),
            (Contender::Postgres, None) => anyhow::bail!("PostgreSQL is not installed"),
            (Contender::Express, _) => {
                let process = Documented::Express.start_on(RECEIVER_CORE).await?;
                return Ok(Started { process, store: None, folder });
            }
        };
        let mut command = workspace::pinned(RECEIVER_CORE, self.durable.binary());
        command.args(Durable::arguments("127.0.0.1:0", store.kept(), &[]));
        let process = Process::start(command.into()).await?;
        Ok(Started { process, store: Some(store), folder })
    }

    /// Stops one, and holds it to what it acknowledged.
    ///
    /// # Errors
    /// Where it has stored something else.
    pub(super) async fn stop(&self, started: Started, acknowledged: usize) -> anyhow::Result<()> {
        let Some(store) = &started.store else { return started.process.stop().await };
        let stored = observe::metric(&started.process, STORED).await?;
        started.process.stop().await?;
        ensure!(
            stored == acknowledged as f64,
            "{acknowledged} webhooks were acknowledged and {stored} stored"
        );
        if !matches!(store, At::Memory) {
            let rows = self.rows(store.kept())?;
            ensure!(
                rows == acknowledged,
                "{acknowledged} webhooks were acknowledged and {rows} rows written"
            );
        }
        Ok(())
    }

    /// How many webhooks a store holds, as the receiver exports them.
    fn rows(&self, kept: Kept<'_>) -> anyhow::Result<usize> {
        let mut export = workspace::command(self.durable.binary());
        export.args(["export", "--store"]).arg(kept.store()).stdout(Stdio::piped());
        let mut child = export.spawn().context("cannot start the receiver")?;
        let mut lines = BufReader::new(child.stdout.take().context("export has no stdout")?);
        let (mut rows, mut line) = (0, Vec::new());
        while lines.read_until(b'\n', &mut line)? > 0 {
            rows += 1;
            line.clear();
        }
        let status = child.wait()?;
        ensure!(status.success(), "export ended with {status}");
        Ok(rows)
    }
}

/// One that runs.
#[derive(Debug)]
pub(super) struct Started {
    pub(super) process: Process,
    /// `None` where nothing is stored.
    store: Option<At>,
    /// Declared last, for it is to go last.
    folder: TempDir,
}

impl Started {
    /// A folder on the file system of its store.
    pub(super) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// How often it has committed.
    ///
    /// # Errors
    /// Where it does not tell.
    pub(super) async fn commits(&self) -> anyhow::Result<Option<f64>> {
        Ok(match self.store {
            Some(_) => Some(observe::metric(&self.process, super::COMMITS).await?),
            None => None,
        })
    }
}

/// Where webhooks are kept.
#[derive(Debug)]
enum At {
    Memory,
    File(PathBuf),
    Url(String),
}

impl At {
    fn kept(&self) -> Kept<'_> {
        match self {
            Self::Memory => Kept::Memory,
            Self::File(file) => Kept::Sqlite(file),
            Self::Url(url) => Kept::Postgres(url),
        }
    }
}
