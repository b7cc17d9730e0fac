//! `piopiy-receiver` as a process.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::process::Process;
use crate::workspace::{self, Profile};

/// The built binary.
#[derive(Debug, Clone)]
pub(crate) struct Durable {
    binary: PathBuf,
}

/// Where it keeps webhooks.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kept<'a> {
    /// In a SQLite file, durable.
    Sqlite(&'a Path),
    /// In a PostgreSQL database, by its URL.
    Postgres(&'a str),
    /// In memory.
    Memory,
}

impl Kept<'_> {
    /// What `--store` is given.
    pub(crate) fn store(self) -> OsString {
        match self {
            Self::Sqlite(file) => {
                let mut store = OsString::from("sqlite:");
                store.push(file);
                store
            }
            Self::Postgres(url) => url.into(),
            Self::Memory => "memory".into(),
        }
    }
}

impl Durable {
    /// Builds it.
    ///
    /// # Errors
    /// Where it does not build.
    pub(crate) fn build(profile: Profile) -> anyhow::Result<Self> {
        Ok(Self { binary: workspace::build("piopiy-receiver", "piopiy-receiver", profile)? })
    }

    /// Where the binary is.
    pub(crate) fn binary(&self) -> &Path {
        &self.binary
    }

    /// The arguments that serve on `listen`, `host:port`, with these options more.
    pub(crate) fn arguments(listen: &str, kept: Kept<'_>, options: &[&str]) -> Vec<OsString> {
        let mut arguments: Vec<OsString> =
            ["serve", "--listen", listen, "--store"].map(OsString::from).into();
        arguments.push(kept.store());
        arguments.extend(options.iter().map(OsString::from));
        arguments
    }

    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// Where it does not come up.
    pub(crate) async fn serve(
        &self,
        listen: &str,
        kept: Kept<'_>,
        options: &[&str],
    ) -> anyhow::Result<Process> {
        let mut command = tokio::process::Command::new(&self.binary);
        command.args(Self::arguments(listen, kept, options));
        Process::start(command).await.context("piopiy-receiver")
    }
}
