//! Options from the environment and from `piopiy-mock.toml`. All of it follows from the definition of the command line:
//! an option that is there can be configured, and no other.

mod file;
mod layers;
pub(crate) mod template;

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;

use clap::{Arg, ArgAction, Args, Command, Subcommand};
use piopiy_mock_platform::platform;

use self::file::ConfigFile;
use self::layers::resolve;
use super::exit::{Exit, Failure, OrExit};

pub(crate) use self::layers::arguments;

/// The name of the file that is looked for.
pub(crate) const FILE_NAME: &str = "piopiy-mock.toml";

/// Say which options hold, and where they come from
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print the options that hold, as such a file
    Show {
        /// Only those of this command
        #[arg(value_name = "COMMAND")]
        of: Option<String>,
        /// Say where each comes from
        #[arg(long)]
        origin: bool,
    },
}

/// Which file is read, if any: `--config`, or what is found.
pub(crate) fn found(given: Option<PathBuf>) -> Option<PathBuf> {
    given.or_else(file::nearest)
}

pub(crate) fn run(args: &ConfigArgs, given: Option<PathBuf>, cli: &Command) -> Result<Exit, Failure> {
    let What::Show { of, origin } = &args.what;
    if let Some(name) = of.as_ref().filter(|name| !configurable(cli).any(|one| one.get_name() == **name)) {
        let names: Vec<&str> = configurable(cli).map(Command::get_name).collect();
        let error =
            anyhow::anyhow!("there is no command {name} with options; there are {}", names.join(", "));
        return Err(Failure::new(Exit::Usage, error));
    }
    let file = match found(given) {
        Some(path) => Some(ConfigFile::read(&path, cli)?),
        None => None,
    };
    let mut text = String::new();
    for command in configurable(cli).filter(|one| of.as_ref().is_none_or(|name| one.get_name() == *name)) {
        text.push_str(&format!("[{}]\n", command.get_name()));
        for arg in command.get_arguments().filter(|arg| is_configurable(arg)) {
            if let Some(setting) = resolve(command, arg, file.as_ref()) {
                setting.words(command, arg)?;
                let value = setting.toml(arg);
                let told = if *origin { format!("  # {}", setting.origin) } else { String::new() };
                text.push_str(&format!("{} = {value}{told}\n", key(arg)));
            }
        }
        text.push('\n');
    }
    std::io::stdout().lock().write_all(text.trim_end().as_bytes())?;
    writeln!(std::io::stdout().lock())?;
    Ok(Exit::Fine)
}

/// Whether a file is right.
pub(crate) fn check(path: &std::path::Path, cli: &Command) -> Result<(), Failure> {
    ConfigFile::read(path, cli)?;
    platform(Some(path), |_| ()).map(drop)
}

/// What `serve` is like, as a file says, and as is changed before it is checked.
pub(crate) fn platform(
    path: Option<&std::path::Path>,
    change: impl FnOnce(&mut platform::Config),
) -> Result<platform::Config, Failure> {
    let (name, text) = match path {
        Some(path) => (path.display().to_string(), file::text(path)?),
        None => (FILE_NAME.to_owned(), String::new()),
    };
    platform::Config::parse_with(&name, &text, change).or_exit(Exit::Usage)
}

/// The commands that have a table: `check` first, for it is what most people configure.
fn configurable(cli: &Command) -> impl Iterator<Item = &Command> {
    const WITHOUT: [&str; 11] = [
        "ca",
        "doctor",
        "learn",
        "init",
        "config",
        "completions",
        "man",
        "schema",
        "checks",
        "explain",
        "report",
    ];
    let has_options = |command: &&Command| {
        !WITHOUT.contains(&command.get_name()) && command.get_arguments().any(is_configurable)
    };
    let check = cli.get_subcommands().filter(|command| command.get_name() == "check");
    let others = cli.get_subcommands().filter(|command| command.get_name() != "check");
    check.chain(others).filter(has_options)
}

/// A secret is not for a file that is kept with the code: there are `--token-file` and the environment.
fn is_configurable(arg: &Arg) -> bool {
    !arg.is_hide_env_values_set() && !arg.is_global_set()
}

/// What an option is called in a file: as on the command line.
fn key(arg: &Arg) -> String {
    arg.get_long().map_or_else(|| arg.get_id().as_str().replace('_', "-"), str::to_owned)
}

/// Whether it takes several values.
fn is_many(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append) || arg.is_last_set()
}

/// The arguments of this process, with what the environment and the file add to them.
pub(crate) fn process_arguments(cli: &Command) -> Result<Vec<OsString>, Failure> {
    arguments(std::env::args_os().collect(), cli, &|name| std::env::var(name).ok(), &found)
}

#[cfg(test)]
mod tests;
