//! `cargo xtask test`: every test there is.

use std::process::ExitCode;

use crate::cargo_test;
use crate::receivers::Documented;
use crate::tally::{Missing, Tally};

mod faults;
mod page;

/// How to treat what cannot run here.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Fail, instead of skipping by name, where PostgreSQL, Node, Python or Chromium is missing
    #[arg(long)]
    require_all: bool,
}

/// Runs the workspace's tests, then those of the documented receivers, then that of the HTML report.
///
/// # Errors
/// Where cargo cannot be started.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let mut tally = Tally::default();
    cargo_test::run(&mut tally)?;
    // They are among the tests above, and have nothing to do where there is no server.
    if piopiy_postgres::programs().is_none() {
        let missing = Missing(piopiy_postgres::PACKAGE);
        tally.skip("tests of the PostgreSQL store", &missing, options.require_all);
    }
    for receiver in Documented::ALL {
        match receiver.missing() {
            Some(missing) => tally.skip(receiver.name(), &missing, options.require_all),
            None => faults::check(receiver, &mut tally),
        }
    }
    match page::missing() {
        Some(missing) => tally.skip(page::NAME, &missing, options.require_all),
        None => tally.part(page::NAME, page::check),
    }
    Ok(tally.finish())
}
