//! A file with every option in it, each with its help and its default, commented out.

use clap::{Arg, Command};

use super::layers::word;
use super::{configurable, is_configurable, is_many, key};

const HEAD: &str = "\
# Options of piopiy-mock, a table for each command. Take the # away from what is to hold.
# A flag comes before PIOPIY_MOCK_… in the environment (PIOPIY_MOCK_SETTLE for --settle), and that before this file.
# Secrets are not for this file: there are --token-file and PIOPIY_MOCK_TOKEN. Those of [platform] are nobody's.
";

/// The table of `serve`, which follows from no option.
pub(super) const PLATFORM: &str = include_str!("platform.toml");

/// The whole file.
pub(crate) fn template(cli: &Command) -> String {
    let mut text = HEAD.to_owned();
    for command in configurable(cli) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        text.push_str(&format!(
            "\n# {}\n[{}]\n",
            about.lines().next().unwrap_or_default(),
            command.get_name()
        ));
        for arg in command.get_arguments().filter(|arg| is_configurable(arg)) {
            let help = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
            for line in help.lines().filter(|line| !line.is_empty()) {
                text.push_str(&format!("# {line}\n"));
            }
            text.push_str(&format!("# {} = {}\n", key(arg), example(arg)));
        }
    }
    text.push_str(PLATFORM);
    text
}

/// The default, or what stands for a value in the help.
fn example(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return "false".to_owned();
    }
    let defaults: Vec<String> =
        arg.get_default_values().iter().map(|value| word(&value.to_string_lossy())).collect();
    let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string);
    let values = if defaults.is_empty() {
        vec![word(&name.unwrap_or_else(|| key(arg).to_ascii_uppercase()))]
    } else {
        defaults
    };
    if is_many(arg) { format!("[{}]", values.join(", ")) } else { values.concat() }
}
