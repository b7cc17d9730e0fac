//! `serve --config FILE`. Which keys there are follows from the options of `serve`; `default.toml` says what they are for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches as _};
use toml::de::{DeTable, DeValue};

use super::exit::Failure;
use super::output::Output;
use super::serve::Serve;

/// Print the commented default of a configuration file
///
/// It has every option of `serve`, with what it is for.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Say whether `serve` would take this file, with what the environment says here, in place of that; the port and the
    /// store are not tried
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

const DEFAULT: &str = include_str!("config/default.toml");

impl Config {
    pub(crate) fn run(&self, cli: &Command) -> Result<(), Failure> {
        let mut output = Output::open(None)?;
        match &self.check {
            Some(path) => {
                check(path, cli)?;
                let told =
                    format!("{}: `serve` takes it; its port and its store were not tried\n", path.display());
                output.write(told.as_bytes())?;
            }
            None => output.write(DEFAULT.as_bytes())?,
        }
        output.finish()
    }
}

/// Whether `serve --config` would start with this file.
fn check(path: &Path, cli: &Command) -> Result<(), Failure> {
    // With the line of each mistake, what would be ruled out by the environment included.
    read(path, serve(cli))?;
    let place = format!("--config {}", path.display());
    let words = ["piopiy-receiver", "serve", "--config"].map(OsString::from);
    let all = arguments(words.into_iter().chain([path.into()]).collect(), cli)?;
    let told = |error: clap::Error| {
        let text = error.to_string();
        let text = text.split("\n\n").next().unwrap_or_default().trim_start_matches("error: ");
        Failure::usage(format!("{place}: {}", text.split_whitespace().collect::<Vec<_>>().join(" ")))
    };
    let matches = cli.clone().try_get_matches_from(all).map_err(told)?;
    let Some(given) = matches.subcommand_matches("serve") else { return Ok(()) };
    let serve = Serve::from_arg_matches(given).map_err(told)?;
    serve.check().map_err(|failure| match failure {
        Failure::Usage(text) => Failure::Usage(format!("{place}: {text}")),
        Failure::Environment(error) => Failure::Environment(error.context(place.clone())),
        other => other,
    })
}

/// The command line, with what the file behind `--config` says besides: what the command line or the environment give,
/// and what that rules out, is left as it is.
pub(super) fn arguments(args: Vec<OsString>, cli: &Command) -> Result<Vec<OsString>, Failure> {
    // Help, the version and what is wrong are told when it is read in earnest.
    let Ok(matches) = cli.clone().ignore_errors(true).try_get_matches_from(&args) else { return Ok(args) };
    let Some(("serve", given)) = matches.subcommand() else { return Ok(args) };
    let Some(path) = given.try_get_one::<PathBuf>("config").ok().flatten() else { return Ok(args) };
    let serve = serve(cli);
    let mut all = args;
    for setting in read(path, serve)? {
        let Some(arg) = options(serve).find(|arg| key(arg) == setting.key) else { continue };
        if is_given(arg, given) || rivals(serve, arg).any(|rival| is_given(rival, given)) {
            continue;
        }
        all.extend(setting.words);
    }
    Ok(all)
}

/// A line of a file: an option, and what it comes to on the command line.
struct Setting {
    key: String,
    words: Vec<OsString>,
}

fn read(path: &Path, serve: &Command) -> Result<Vec<Setting>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!("--config {}: it cannot be read: {error}", path.display()))
    })?;
    parse(&text, serve).map_err(|(line, reason)| {
        Failure::usage(format!("--config {}, line {line}: {reason}", path.display()))
    })
}

/// What is wrong, and in which line.
type Told = (usize, String);

fn parse(text: &str, serve: &Command) -> Result<Vec<Setting>, Told> {
    let line_of =
        |at: usize| 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|&&byte| byte == b'\n').count();
    let document = DeTable::parse(text)
        .map_err(|error| (error.span().map_or(1, |span| line_of(span.start)), error.message().to_owned()))?;
    let mut settings = Vec::new();
    for (name, value) in document.get_ref() {
        let line = line_of(name.span().start);
        let told = |reason: String| (line, reason);
        let name = name.get_ref().as_ref();
        let arg = options(serve).find(|arg| key(arg) == name).ok_or_else(|| {
            if let "token" | "page-token" = name {
                let variable = name.to_uppercase().replace('-', "_");
                told(format!(
                    "a token is not for this file: give `{name}-file`, or PIOPIY_RECEIVER_{variable}"
                ))
            } else {
                told(format!(
                    "there is no option `{name}`: `piopiy-receiver config` prints all that there are"
                ))
            }
        })?;
        let words = words(arg, value.get_ref()).map_err(|reason| told(format!("`{name}`: {reason}")))?;
        settings.push(Setting { key: name.to_owned(), words });
    }
    Ok(settings)
}

fn serve(cli: &Command) -> &Command {
    cli.find_subcommand("serve").unwrap_or(cli)
}

/// The options that a file may have. A token would be kept with all the rest.
fn options(serve: &Command) -> impl Iterator<Item = &Arg> {
    let is_other = |arg: &&Arg| !["config", "token", "page_token", "help"].contains(&arg.get_id().as_str());
    serve.get_arguments().filter(is_other)
}

fn key(arg: &Arg) -> &str {
    arg.get_long().unwrap_or_default()
}

fn is_given(arg: &Arg, given: &ArgMatches) -> bool {
    let source = given.value_source(arg.get_id().as_str());
    matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

/// The options that cannot be given beside one, whichever of them says so.
fn rivals<'a>(serve: &'a Command, arg: &'a Arg) -> impl Iterator<Item = &'a Arg> {
    let told = serve.get_arguments().filter(move |other| {
        serve.get_arg_conflicts_with(other).iter().any(|rival| rival.get_id() == arg.get_id())
    });
    serve.get_arg_conflicts_with(arg).into_iter().chain(told)
}

/// A value as words of the command line, if the option takes it.
fn words(arg: &Arg, value: &DeValue<'_>) -> Result<Vec<OsString>, String> {
    let is_many = matches!(arg.get_action(), ArgAction::Append);
    let values = match value {
        DeValue::Array(values) if is_many => values.iter().map(|value| one(value.get_ref())).collect(),
        DeValue::Array(_) => return Err("it has one value, and no array".to_owned()),
        value => one(value).map(|value| vec![value]),
    };
    let values = values.ok_or("it is a text, a number, or true or false")?;
    if !arg.get_action().takes_values() {
        return match values.first().map(String::as_str) {
            Some("true") => Ok(vec![format!("--{}", key(arg)).into()]),
            Some("false") => Ok(Vec::new()),
            _ => Err("it is true or false".to_owned()),
        };
    }
    values
        .into_iter()
        .map(|value| acceptable(arg, &value).map(|()| format!("--{}={value}", key(arg)).into()))
        .collect()
}

fn one(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(is_so) => Some(is_so.to_string()),
        _ => None,
    }
}

/// Whether the option takes a value; here for the sake of where it stands.
fn acceptable(arg: &Arg, value: &str) -> Result<(), String> {
    let alone = Arg::new("value").long("value").value_parser(arg.get_value_parser().clone());
    let alone =
        Command::new("option").arg(alone).try_get_matches_from(["option", &format!("--value={value}")]);
    alone.map(drop).map_err(|error| {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        source.unwrap_or_else(|| format!("{value:?} is none of its values"))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Cli;

    /// The settings of the default file, with the `#` before each taken away.
    fn settings() -> Vec<String> {
        let is_setting =
            |line: &&str| line.starts_with('#') && line[1..].starts_with(|c: char| c.is_ascii_lowercase());
        DEFAULT.lines().filter(is_setting).map(|line| line[1..].to_owned()).collect()
    }

    fn key_of(setting: &str) -> &str {
        setting.split(" =").next().unwrap()
    }

    fn told(text: &str) -> String {
        match parse(text, serve(&Cli::command())) {
            Ok(_) => panic!("taken: {text}"),
            Err((line, reason)) => format!("{line}: {reason}"),
        }
    }

    #[test]
    fn the_default_has_every_option_once_and_holds_as_it_is() {
        let cli = Cli::command();
        let mut known: Vec<&str> = options(serve(&cli)).map(key).collect();
        let settings = settings();
        let mut there: Vec<&str> = settings.iter().map(|setting| key_of(setting)).collect();
        known.sort_unstable();
        there.sort_unstable();
        assert_eq!(there, known, "default.toml has what `serve` has");
        assert_eq!(parse(DEFAULT, serve(&cli)).map_err(|told| told.1).unwrap().len(), 0);
        let all = parse(&settings.join("\n"), serve(&cli)).map_err(|told| told.1).unwrap();
        assert_eq!(all.len(), known.len(), "each is taken as it stands there");
    }

    #[test]
    fn the_defaults_that_it_tells_are_those_that_hold() {
        let cli = Cli::command();
        let told: BTreeMap<String, Vec<OsString>> = parse(&settings().join("\n"), serve(&cli))
            .map_err(|told| told.1)
            .unwrap()
            .into_iter()
            .map(|setting| (setting.key, setting.words))
            .collect();
        for arg in options(serve(&cli)) {
            let key = key(arg);
            if !arg.get_action().takes_values() {
                assert_eq!(told[key], [""; 0], "{key} is false unless it is given");
            }
            for default in arg.get_default_values() {
                assert_eq!(told[key], [format!("--{key}={}", default.to_string_lossy()).as_str()]);
            }
        }
    }

    #[test]
    fn a_file_says_what_the_command_line_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receiver.toml");
        let text = "path = \"/hooks\"\nmax-depth = 7\nlog-numbers = true\nobserve = false\nallow-ip = [\"10.0.0.0/8\", \"::1\"]\n\
            forward-file = \"forward.toml\"\n";
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let check = |given: &[&str], expected: &[&str]| {
            let args: Vec<&str> = [&["piopiy-receiver", "serve", "--config", path], given].concat();
            let all = arguments(args.iter().map(OsString::from).collect(), &Cli::command()).unwrap();
            let added: Vec<&str> = all[args.len()..].iter().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(added, expected, "{given:?}");
            assert!(Cli::command().try_get_matches_from(&all).is_ok(), "{all:?}");
        };
        let all = [
            "--path=/hooks",
            "--max-depth=7",
            "--log-numbers",
            "--allow-ip=10.0.0.0/8",
            "--allow-ip=::1",
            "--forward-file=forward.toml",
        ];
        check(&[], &sorted(&all));
        let rest: Vec<&str> = all.iter().copied().filter(|word| !word.starts_with("--path")).collect();
        check(&["--path", "/mine"], &sorted(&rest));
        let rest: Vec<&str> = all.iter().copied().filter(|word| !word.starts_with("--forward")).collect();
        check(&["--forward-to", "http://127.0.0.1:9/"], &sorted(&rest));
    }

    /// In the order of keys, in which a table is read.
    fn sorted<'a>(words: &[&'a str]) -> Vec<&'a str> {
        let mut words = words.to_vec();
        words.sort_unstable();
        words
    }

    #[test]
    fn numbers_are_taken_whole_and_not() {
        let cli = Cli::command();
        for (text, word) in
            [("0.25", "--otlp-ratio=0.25"), ("1", "--otlp-ratio=1"), ("\"0.5\"", "--otlp-ratio=0.5")]
        {
            let settings =
                parse(&format!("otlp-ratio = {text}"), serve(&cli)).map_err(|told| told.1).unwrap();
            assert_eq!(settings[0].words, [word]);
        }
    }

    #[test]
    fn mistakes_are_told_where_they_are() {
        assert_eq!(
            told("\nmax-boddy = \"1MiB\"\n"),
            "2: there is no option `max-boddy`: `piopiy-receiver config` prints all that there are"
        );
        assert_eq!(
            told("max-body = \"1MB\""),
            "1: `max-body`: expected a number of bytes, or one with KiB, MiB or GiB, such as 64KiB"
        );
        assert_eq!(told("malformed = \"keep\""), "1: `malformed`: \"keep\" is none of its values");
        assert_eq!(told("listen = [\"a\"]"), "1: `listen`: it has one value, and no array");
        assert_eq!(told("observe = \"yes\""), "1: `observe`: it is true or false");
        assert_eq!(
            told("[limits]\nmax-body = 1"),
            "1: there is no option `limits`: `piopiy-receiver config` prints all that there are"
        );
        assert!(told("token = \"s3cret\"").contains("not for this file"));
        assert!(told("path = ").starts_with("1: "));
    }
}
