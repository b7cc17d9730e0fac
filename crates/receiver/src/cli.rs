//! The command line: one file per subcommand.

mod backup;
mod call;
mod calls;
mod completions;
mod config;
mod count;
mod exit;
mod export;
mod forward;
mod forward_state;
mod forwarding;
mod import;
mod instant;
mod logging;
mod man;
mod open_files;
mod output;
mod page;
mod quantity;
mod retention;
mod secret;
mod serve;
mod signals;
mod store_value;
mod tail;
mod verify;
mod waiting;

use std::process::ExitCode;
use std::sync::Arc;

use clap::{CommandFactory as _, Parser, Subcommand};
use piopiy_receiver::{Records, RunningStore, Store, StoreLocation};

use self::exit::Failure;

/// Receives PIOPIY (TeleCMI) webhooks and loses none. Unofficial, not affiliated with TeleCMI.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 110, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 no (there is no such call, the store is not whole), 2 wrong usage, 3 the environment \
failed (port in use, store cannot be opened, ...), 5 a bug, 130 and 143 a second Ctrl-C or SIGTERM.";

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::Serve>),
    Config(config::Config),
    Tail(tail::Tail),
    Calls(calls::Calls),
    Call(call::Call),
    Count(count::Count),
    Export(export::Export),
    Import(import::Import),
    Verify(verify::Verify),
    Backup(backup::Backup),
    Retention(retention::RetentionArgs),
    Vacuum(retention::Vacuum),
    Forward(forward::Forward),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Which store is read.
#[derive(Debug, clap::Args)]
struct StoreArg {
    /// The store: sqlite:FILE or postgres://USER:PASSWORD@HOST:PORT/DATABASE. A receiver may write to it meanwhile
    #[arg(
        long,
        value_name = "STORE",
        default_value = "sqlite:piopiy.sqlite",
        env = "PIOPIY_RECEIVER_STORE",
        hide_env_values = true,
        value_parser = store_value::StoreValue
    )]
    store: StoreLocation,
}

impl StoreArg {
    fn open(&self) -> Result<Arc<dyn Records>, Failure> {
        let records = self.store.open_to_read().map_err(Failure::environment)?;
        let gone = "a memory store is gone with its process: give --store sqlite:FILE or postgres://…";
        records.ok_or_else(|| Failure::usage(gone))
    }

    /// The store of a receiver that runs, which carries out what it is asked to, or the store itself.
    fn open_to_write(&self) -> Result<Box<dyn Store>, Failure> {
        match &self.store {
            // One that starts has the store before it hears.
            StoreLocation::Sqlite(path) => waiting::until_free(|| match RunningStore::connect(path)? {
                Some(running) => Ok(Box::new(running) as Box<dyn Store>),
                None => Ok(self.store.open(false)?.store),
            })
            .map_err(Failure::environment),
            StoreLocation::Memory => {
                Err(Failure::usage("a memory store is gone with its process: give --store sqlite:FILE"))
            }
            _ => Ok(self.store.open(false).map_err(Failure::environment)?.store),
        }
    }
}

pub(crate) fn run() -> ExitCode {
    exit::report(carry_out())
}

fn carry_out() -> Result<(), Failure> {
    let cli = Cli::command();
    match Cli::parse_from(config::arguments(std::env::args_os().collect(), &cli)?).command {
        Command::Serve(serve) => serve.run(),
        Command::Config(config) => config.run(&cli),
        Command::Tail(tail) => tail.run(),
        Command::Calls(calls) => calls.run(),
        Command::Call(call) => call.run(),
        Command::Count(count) => count.run(),
        Command::Export(export) => export.run(),
        Command::Import(import) => import.run(),
        Command::Verify(verify) => verify.run(),
        Command::Backup(backup) => backup.run(),
        Command::Retention(retention) => retention.run(),
        Command::Vacuum(vacuum) => vacuum.run(),
        Command::Forward(forward) => forward.run(),
        Command::Completions(completions) => completions.run(cli),
        Command::Man(man) => man.run(cli),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guides_show_commands_that_there_are() {
        let guides = [
            include_str!("../../../docs/operating.md"),
            include_str!("../../../docs/forwarding.md"),
            include_str!("../../../docs/page.md"),
        ];
        let blocks = guides.iter().flat_map(|guide| guide.split("```sh\n").skip(1));
        let lines = blocks.filter_map(|rest| rest.split("```").next()).flat_map(str::lines);
        let mut seen = 0;
        for line in lines.filter(|line| line.starts_with("piopiy-receiver ")) {
            let words = line.split(" #").next().unwrap().split(" >").next().unwrap().split_whitespace();
            if let Err(error) = Cli::try_parse_from(words) {
                panic!("{line}: {error}");
            }
            seen += 1;
        }
        assert!(seen > 20, "{seen}");
    }
}
