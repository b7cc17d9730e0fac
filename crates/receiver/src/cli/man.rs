use super::exit::Failure;
use super::output::Output;

/// Print the manual page, or that of a subcommand, in roff
#[derive(Debug, clap::Args)]
pub(crate) struct Man {
    /// A subcommand, such as `forward` or `forward replay`
    #[arg(value_name = "SUBCOMMAND")]
    words: Vec<String>,
}

impl Man {
    pub(crate) fn run(&self, mut command: clap::Command) -> Result<(), Failure> {
        // Gives the subcommands their whole names.
        command.build();
        for word in &self.words {
            let found = command.find_subcommand(word).cloned();
            command = found.ok_or_else(|| {
                Failure::usage(format!("there is no subcommand {word:?} of {}", command.get_name()))
            })?;
        }
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page).map_err(Failure::internal)?;
        let mut output = Output::open(None)?;
        output.write(&page)?;
        output.finish()
    }
}
