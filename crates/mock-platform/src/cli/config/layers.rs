use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use super::file::ConfigFile;
use super::{configurable, is_configurable, is_many, key};
use crate::cli::exit::{Exit, Failure};

/// An option, as it holds.
pub(super) struct Setting {
    values: Vec<String>,
    pub(super) origin: Origin,
}

/// Where an option comes from. The command line is before all of these.
pub(super) enum Origin {
    Environment(String),
    File(PathBuf, usize),
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment(name) => f.write_str(name),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl Setting {
    /// As it is written in a file.
    pub(super) fn toml(&self, arg: &Arg) -> String {
        let values: Vec<String> = self.values.iter().map(|value| word(value)).collect();
        if is_many(arg) { format!("[{}]", values.join(", ")) } else { values.concat() }
    }

    /// As words of the command line.
    ///
    /// # Errors
    /// If the option takes no such value.
    pub(super) fn words(&self, command: &Command, arg: &Arg) -> Result<Vec<OsString>, Failure> {
        words(arg, self).map_err(|reason| {
            let (key, name) = (key(arg), command.get_name());
            Failure::new(Exit::Usage, anyhow::anyhow!("{}: `{key}` of `{name}`: {reason}", self.origin))
        })
    }
}

/// A value of a file: what is a number or a truth value stays one.
pub(super) fn word(value: &str) -> String {
    let is_plain =
        value == "true" || value == "false" || value.parse::<i64>().is_ok_and(|n| n.to_string() == value);
    if is_plain { value.to_owned() } else { toml::Value::String(value.to_owned()).to_string() }
}

/// What holds for an option that the command line does not give.
pub(super) fn resolve(command: &Command, arg: &Arg, file: Option<&ConfigFile>) -> Option<Setting> {
    beyond_flags(command, arg, file, &|name| std::env::var(name).ok()).or_else(|| {
        let values = arg.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
        let values: Vec<String> = match arg.get_action() {
            ArgAction::SetTrue => vec!["false".to_owned()],
            _ => values.collect(),
        };
        (!values.is_empty()).then_some(Setting { values, origin: Origin::Default })
    })
}

/// The environment, then the file.
fn beyond_flags(
    command: &Command,
    arg: &Arg,
    file: Option<&ConfigFile>,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Setting> {
    let key = key(arg);
    let name = format!("PIOPIY_MOCK_{}", key.replace('-', "_").to_ascii_uppercase());
    if let Some(value) = environment(&name).filter(|value| !value.is_empty()) {
        return Some(Setting { values: vec![value], origin: Origin::Environment(name) });
    }
    let file = file?;
    let entry = file.get(command.get_name(), &key)?;
    let origin = Origin::File(file.path().to_owned(), entry.line);
    Some(Setting { values: entry.values.clone(), origin })
}

/// A command line with what the environment and the file say besides: what it gives itself, and what that rules out, is
/// left as it is.
pub(crate) fn arguments(
    args: Vec<OsString>,
    cli: &Command,
    environment: &dyn Fn(&str) -> Option<String>,
    found: &dyn Fn(Option<PathBuf>) -> Option<PathBuf>,
) -> Result<Vec<OsString>, Failure> {
    // Help, the version and what is wrong are told when it is read in earnest.
    let Ok(matches) = cli.clone().ignore_errors(true).try_get_matches_from(&args) else { return Ok(args) };
    let Some((name, given)) = matches.subcommand() else { return Ok(args) };
    // Those below a command have options of their own.
    if given.subcommand().is_some() {
        return Ok(args);
    }
    let Some(command) = configurable(cli).find(|command| command.get_name() == name) else { return Ok(args) };
    let Some(at) = args.iter().skip(1).position(|arg| arg == name).map(|at| at + 2) else { return Ok(args) };
    let path = given.try_get_one::<PathBuf>("config").ok().flatten().cloned();
    let file = match found(path) {
        Some(path) => Some(ConfigFile::read(&path, cli)?),
        None => None,
    };
    // Groups that options name are made when a command is built.
    let mut built = command.clone();
    built.build();
    let (mut options, mut last) = (Vec::new(), Vec::new());
    for arg in command.get_arguments().filter(|arg| is_configurable(arg)) {
        if is_given(arg, given) || rivals(&built, arg).any(|rival| is_given(rival, given)) {
            continue;
        }
        let Some(setting) = beyond_flags(command, arg, file.as_ref(), environment) else { continue };
        let words = setting.words(command, arg)?;
        if arg.is_last_set() {
            last = words;
        } else {
            options.extend(words);
        }
    }
    let mut all = args;
    if !last.is_empty() {
        all.push("--".into());
        all.extend(last);
    }
    all.splice(at..at, options);
    Ok(all)
}

fn is_given(arg: &Arg, given: &ArgMatches) -> bool {
    let source = given.value_source(arg.get_id().as_str());
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// The options that cannot be given beside one.
fn rivals<'a>(command: &'a Command, arg: &'a Arg) -> impl Iterator<Item = &'a Arg> {
    let is_of = |group: &clap::ArgGroup, arg: &Arg| group.get_args().any(|id| id == arg.get_id());
    let mut groups =
        command.get_groups().filter(|group| is_of(group, arg) && !(*group).clone().is_multiple());
    let group = groups.next();
    let in_group = command.get_arguments().filter(move |other| {
        other.get_id() != arg.get_id() && group.is_some_and(|group| is_of(group, other))
    });
    let direct = command.get_arg_conflicts_with(arg).into_iter();
    // A conflict may be told by either side.
    let told = command.get_arguments().filter(move |other| {
        command.get_arg_conflicts_with(other).iter().any(|rival| rival.get_id() == arg.get_id())
    });
    in_group.chain(direct).chain(told)
}

/// A setting as words of the command line.
fn words(arg: &Arg, setting: &Setting) -> Result<Vec<OsString>, String> {
    let values = &setting.values;
    if values.len() != 1 && !is_many(arg) {
        return Err("it has one value".to_owned());
    }
    let key = key(arg);
    if !arg.get_action().takes_values() {
        return match values[0].as_str() {
            "true" | "1" => Ok(vec![format!("--{key}").into()]),
            "false" | "0" => Ok(Vec::new()),
            other => Err(format!("it is true or false, and not {other:?}")),
        };
    }
    for value in values {
        acceptable(arg, value)?;
    }
    let word = |value: &String| match arg.get_long() {
        Some(long) => OsString::from(format!("--{long}={value}")),
        None => value.into(),
    };
    Ok(values.iter().map(word).collect())
}

/// Whether the option takes a value, told here for the sake of where it stands.
fn acceptable(arg: &Arg, value: &str) -> Result<(), String> {
    let mut alone = Arg::new("value").long("value").value_parser(arg.get_value_parser().clone());
    if let Some(delimiter) = arg.get_value_delimiter() {
        alone = alone.value_delimiter(delimiter);
    }
    let alone =
        Command::new("option").arg(alone).try_get_matches_from(["option", &format!("--value={value}")]);
    alone.map(drop).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        source.unwrap_or_else(|| format!("{value:?} is none of its values"))
    })
}
