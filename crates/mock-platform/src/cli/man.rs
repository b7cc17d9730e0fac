use std::io::Write;

use anyhow::Context as _;

use super::exit::{Exit, Failure, OrExit};

/// Print the manual page, or that of a subcommand, in roff
#[derive(Debug, clap::Args)]
pub(crate) struct ManArgs {
    /// A subcommand, such as `load` or `load merge`
    #[arg(value_name = "SUBCOMMAND")]
    words: Vec<String>,
}

pub(crate) fn run(args: &ManArgs, mut command: clap::Command) -> Result<Exit, Failure> {
    // Gives the subcommands their whole names.
    command.build();
    for word in &args.words {
        let found = command.find_subcommand(word).cloned();
        let missing = || format!("there is no subcommand {word:?} of {}", command.get_name());
        command = found.with_context(missing).or_exit(Exit::Usage)?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    std::io::stdout().lock().write_all(&page)?;
    Ok(Exit::Fine)
}
