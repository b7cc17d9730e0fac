//! The command line: one file per subcommand.

mod calls;
mod count;
mod exit;
mod export;
mod forward;
mod forwarding;
mod logging;
mod open_files;
mod output;
mod quantity;
mod secret;
mod serve;
mod tail;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use piopiy_receiver::{SqliteRecords, StoreLocation};

use self::exit::Failure;

/// Receives PIOPIY (TeleCMI) webhooks and loses none. Unofficial, not affiliated with TeleCMI.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 2 wrong usage, 3 the environment failed (port in use, store cannot be opened, ...),
5 a bug, 130 and 143 a second Ctrl-C or SIGTERM.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Serve>),
    Tail(tail::Tail),
    Export(export::Export),
    Calls(calls::Calls),
    Count(count::Count),
    Forward(forward::Forward),
}

/// Which store is read.
#[derive(Debug, clap::Args)]
struct StoreArg {
    /// The store: sqlite:FILE. A receiver may write to it meanwhile
    #[arg(long, value_name = "STORE", default_value = "sqlite:piopiy.sqlite", env = "PIOPIY_RECEIVER_STORE")]
    store: StoreLocation,
}

impl StoreArg {
    fn open(&self) -> Result<SqliteRecords, Failure> {
        match &self.store {
            StoreLocation::Sqlite(path) => SqliteRecords::open(path).map_err(Failure::environment),
            _ => Err(Failure::usage("a memory store is gone with its process: give --store sqlite:FILE")),
        }
    }
}

pub(crate) fn run() -> ExitCode {
    let command = Cli::parse().command;
    let outcome = match command {
        Command::Serve(serve) => serve.run(),
        Command::Tail(tail) => tail.run(),
        Command::Export(export) => export.run(),
        Command::Calls(calls) => calls.run(),
        Command::Count(count) => count.run(),
        Command::Forward(forward) => forward.run(),
    };
    exit::report(outcome)
}
