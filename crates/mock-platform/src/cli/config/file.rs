use std::path::{Path, PathBuf};

use clap::Command;
use toml::de::{DeTable, DeValue};

use super::{FILE_NAME, configurable, is_configurable, key};
use crate::cli::exit::{Exit, Failure, OrExit};

/// What `serve` is like: read by the platform itself.
const PLATFORM: &str = "platform";

/// A file that was read: its options, checked by name.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// An option of a file.
#[derive(Debug)]
pub(super) struct Entry {
    table: String,
    key: String,
    pub(super) values: Vec<String>,
    pub(super) line: usize,
}

impl ConfigFile {
    pub(super) fn read(path: &Path, cli: &Command) -> Result<Self, Failure> {
        let text = text(path)?;
        Self::parse(path, &text, cli).map_err(|told| {
            Failure::new(Exit::Usage, anyhow::anyhow!("{}:{}: {}", path.display(), told.line, told.text))
        })
    }

    /// What a table says of an option.
    pub(super) fn get(&self, command: &str, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.table == command && entry.key == key)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn parse(path: &Path, text: &str, cli: &Command) -> Result<Self, Told> {
        let line_of =
            |at: usize| 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|&&b| b == b'\n').count();
        let document = DeTable::parse(text).map_err(|error| Told {
            line: error.span().map_or(1, |span| line_of(span.start)),
            text: error.message().to_owned(),
        })?;
        let mut entries = Vec::new();
        for (name, table) in document.get_ref() {
            let line = line_of(name.span().start);
            let name = name.get_ref().as_ref();
            if name == PLATFORM {
                continue;
            }
            let commands = || configurable(cli).map(Command::get_name);
            let command = configurable(cli).find(|command| command.get_name() == name).ok_or_else(|| {
                let text = format!(
                    "there is no table for `{name}`{}",
                    did_you_mean(name, commands().chain([PLATFORM]))
                );
                Told { line, text }
            })?;
            let DeValue::Table(table) = table.get_ref() else {
                let text =
                    format!("`{name}` is to be a table, as [{name}], with the options of that command");
                return Err(Told { line, text });
            };
            for (given, value) in table {
                let line = line_of(given.span().start);
                let given = given.get_ref().as_ref();
                let args: Vec<_> =
                    command.get_arguments().filter(|arg| is_configurable(arg)).map(key).collect();
                if !args.iter().any(|known| known == given) {
                    let is_secret = command.get_arguments().any(|arg| key(arg) == given);
                    let text = if is_secret {
                        format!(
                            "`{given}` is a secret, and not for this file: give it by a file of its own (`{given}-file`), or in the environment"
                        )
                    } else {
                        let hint = did_you_mean(given, args.iter().map(String::as_str));
                        format!("`{name}` has no option `{given}`{hint}")
                    };
                    return Err(Told { line, text });
                }
                let values = values(value.get_ref()).ok_or_else(|| Told {
                    line,
                    text: format!("`{given}` is to be a text, a number, true or false, or an array of those"),
                })?;
                entries.push(Entry { table: name.to_owned(), key: given.to_owned(), values, line });
            }
        }
        Ok(Self { path: path.to_owned(), entries })
    }
}

pub(super) fn text(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| anyhow::anyhow!("the configuration {} cannot be read: {error}", path.display()))
        .or_exit(Exit::Usage)
}

/// What is wrong with a file, and where.
struct Told {
    line: usize,
    text: String,
}

fn values(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(values) => values.iter().map(|value| one(value.get_ref())).collect(),
        value => Some(vec![one(value)?]),
    }
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

fn did_you_mean<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    let similarity = |name: &str| strsim::jaro_winkler(given, name);
    let best = known.map(|name| (similarity(name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(similarity, _)| *similarity > 0.8).map_or_else(
        || "; `piopiy-mock init -` prints all that there is".to_owned(),
        |(_, name)| format!("; did you mean `{name}`?"),
    )
}

/// The file of the project that this is called in, or else of the user.
pub(super) fn nearest() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let user = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".config")));
    of_project(&here)
        .or_else(|| Some(user?.join("piopiy-mock").join("config.toml")).filter(|path| path.is_file()))
}

/// The nearest one, from a folder up to the root of its repository; where there is none, in that folder alone.
pub(super) fn of_project(here: &Path) -> Option<PathBuf> {
    let is_root =
        |folder: &Path| [".git", ".hg", ".jj", ".svn"].iter().any(|name| folder.join(name).exists());
    let top = here.ancestors().find(|folder| is_root(folder)).unwrap_or(here);
    here.ancestors()
        .take_while(|folder| folder.starts_with(top))
        .map(|folder| folder.join(FILE_NAME))
        .find(|path| path.is_file())
}
