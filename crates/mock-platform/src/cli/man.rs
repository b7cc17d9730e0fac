use std::io::Write;

use anyhow::Context as _;

use super::exit::{Exit, Failure, OrExit};

/// Print the manual page, or that of a subcommand, in roff
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// A subcommand
    #[arg(value_name = "SUBCOMMAND")]
    subcommand: Option<String>,
}

pub(crate) fn run(args: &ManArgs, mut command: clap::Command) -> Result<Exit, Failure> {
    // Gives the subcommands their whole names.
    command.build();
    let command = match &args.subcommand {
        Some(name) => {
            let found = command.find_subcommand(name).cloned();
            found.with_context(|| format!("there is no subcommand {name:?}")).or_exit(Exit::Usage)?
        }
        None => command,
    };
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    std::io::stdout().lock().write_all(&page)?;
    Ok(Exit::Fine)
}
