use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command};

use super::config::{FILE_NAME, template::template};
use super::exit::{Exit, Failure, OrExit};

/// Write a configuration file with every option in it, commented out
#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// Where to; - is stdout
    #[arg(value_name = "FILE", default_value = FILE_NAME)]
    file: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &InitArgs, cli: &Command) -> Result<Exit, Failure> {
    let text = template(cli);
    if args.file.as_os_str() == "-" {
        std::io::stdout().lock().write_all(text.as_bytes())?;
        return Ok(Exit::Fine);
    }
    let place = args.file.display();
    let mut options = OpenOptions::new();
    options.write(true);
    if args.force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut file = options
        .open(&args.file)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::AlreadyExists => {
                anyhow::anyhow!(
                    "{place} is there already: --force writes over it, and `init -` prints to stdout"
                )
            }
            _ => anyhow::anyhow!("{place} cannot be written: {error}"),
        })
        .or_exit(Exit::Usage)?;
    file.write_all(text.as_bytes())
        .map_err(|error| anyhow::anyhow!("{place} cannot be written: {error}"))
        .or_exit(Exit::Environment)?;
    // Nobody may be reading.
    let _ = writeln!(
        std::io::stderr().lock(),
        "{place}: written; `piopiy-mock config show --origin` says what holds"
    );
    Ok(Exit::Fine)
}
