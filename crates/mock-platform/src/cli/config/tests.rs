use std::path::Path;

use clap::CommandFactory;

use super::*;
use crate::cli::Cli;

/// The command line that comes of one, a file's text and the environment; without the program's name.
fn lay(args: &str, text: &str, environment: &[(&str, &str)]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    std::fs::write(&path, text).unwrap();
    let args = std::iter::once("piopiy-mock").chain(args.split_whitespace()).map(OsString::from).collect();
    let value = |name: &str| {
        environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    let laid = arguments(args, &Cli::command(), &value, &|given| given.or(Some(path.clone())));
    let in_words = |args: Vec<OsString>| {
        let words: Vec<String> = args.iter().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
        words.join(" ")
    };
    laid.map(in_words).map_err(|failure| {
        assert_eq!(failure.exit, Exit::Usage);
        format!("{:#}", failure.error).replace(&path.display().to_string(), "FILE")
    })
}

fn check(args: &str, text: &str, environment: &[(&str, &str)], expected: &str) {
    assert_eq!(lay(args, text, environment).as_deref(), Ok(expected), "{args}, {text:?}, {environment:?}");
}

const URL: &str = "http://127.0.0.1:1/";

#[test]
fn a_flag_comes_before_the_environment_and_that_before_the_file() {
    let file = "[check]\nsettle = '1s'\n";
    check(&format!("check {URL}"), "", &[], &format!("check {URL}"));
    check(&format!("check {URL}"), file, &[], &format!("check --settle=1s {URL}"));
    let environment = [("PIOPIY_MOCK_SETTLE", "2s")];
    check(&format!("check {URL}"), file, &environment, &format!("check --settle=2s {URL}"));
    check(&format!("check {URL} --settle 3s"), file, &environment, &format!("check {URL} --settle 3s"));
}

#[test]
fn values_have_the_form_that_they_have_on_the_command_line() {
    let file = "[check]\nurl = 'http://127.0.0.1:1/'\nskip = ['SEC-*', 'LAT-001']\nall = true\nsoak = false\nrepeat = 3\ncommand = ['./receiver', '--port', '1']\n";
    check(
        "check --tag slow",
        file,
        &[],
        &format!(
            "check {URL} --skip=SEC-* --skip=LAT-001 --all --repeat=3 --tag slow -- ./receiver --port 1"
        ),
    );
    check("check x -- ./other", "[check]\ncommand = ['./receiver']\n", &[], "check x -- ./other");
}

#[test]
fn what_the_command_line_rules_out_is_left_out() {
    let file = "[check]\nobserve-url = 'http://127.0.0.1:1/'\nfail-fast = true\n";
    check("check x --verify-cmd y --max-fail 2", file, &[], "check x --verify-cmd y --max-fail 2");
}

#[test]
fn other_commands_and_help_are_left_alone() {
    check("check x", "[run]\nto = 'y'\n", &[], "check x");
    check("check --help", "[check]\nsettle = '1s'\n", &[], "check --help");
    check("events", "[check]\nsettle = '1s'\n", &[], "events");
}

fn refuse(text: &str, expected: &str) {
    assert_eq!(lay("check x", text, &[]), Err(expected.to_owned()), "{text:?}");
}

#[test]
fn mistakes_are_told_with_their_line() {
    refuse("[check]\n\nsetle = '1s'\n", "FILE:3: `check` has no option `setle`; did you mean `settle`?");
    refuse("[chekc]\n", "FILE:1: there is no table for `chekc`; did you mean `check`?");
    refuse(
        "[check]\nall = 'perhaps'\n",
        "FILE:2: `all` of `check`: it is true or false, and not \"perhaps\"",
    );
    refuse("[check]\nrepeat = [1, 2]\n", "FILE:2: `repeat` of `check`: it has one value");
    refuse(
        "[check]\nsettle = 5\n",
        "FILE:2: `settle` of `check`: \"5\" is no duration: write it like 250ms, 5s, 10m or 1h",
    );
    refuse(
        "[check]\ntoken = 's3cret'\n",
        "FILE:2: `token` is a secret, and not for this file: give it by a file of its own (`token-file`), or in the environment",
    );
    assert!(lay("check x", "[check\n", &[]).unwrap_err().starts_with("FILE:1: "));
}

#[test]
fn the_template_has_every_option_and_each_is_understood() {
    let cli = Cli::command();
    let text = template::template(&cli);
    let check = cli.find_subcommand("check").unwrap();
    let section = text.split("\n[check]\n").nth(1).unwrap().split("\n[").next().unwrap();
    for arg in check.get_arguments().filter(|arg| is_configurable(arg)) {
        let line = format!("\n# {} = ", key(arg));
        assert!(section.contains(&line) || section.starts_with(&line[1..]), "{} is not in it", key(arg));
    }
    let keys: Vec<String> = cli.get_subcommands().flat_map(Command::get_arguments).map(key).collect();
    let is_option = |line: &str| {
        line.strip_prefix("# ")
            .and_then(|rest| rest.split_once(" = "))
            .is_some_and(|(key, _)| keys.contains(&key.to_owned()))
    };
    let options = text.trim_end_matches(template::PLATFORM);
    let uncommented: Vec<&str> =
        options.lines().map(|line| if is_option(line) { &line[2..] } else { line }).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    for text in [text.clone(), uncommented.join("\n")] {
        std::fs::write(&path, text).unwrap();
        let read = ConfigFile::read(&path, &cli);
        assert!(read.is_ok(), "{:#}", read.unwrap_err().error);
    }
}

#[test]
fn the_nearest_file_is_found_up_to_the_root_of_the_repository() {
    let folder = tempfile::tempdir().unwrap();
    let (outside, repository) = (folder.path().join(FILE_NAME), folder.path().join("repository"));
    let deep = repository.join("a/b");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(&outside, "").unwrap();
    let found = |here: &Path| file::of_project(here);
    assert_eq!(found(&deep), None, "no repository: nothing above is its business");
    std::fs::create_dir(repository.join(".git")).unwrap();
    assert_eq!(found(&deep), None);
    std::fs::write(repository.join(FILE_NAME), "").unwrap();
    assert_eq!(found(&deep), Some(repository.join(FILE_NAME)));
    std::fs::write(deep.join(FILE_NAME), "").unwrap();
    assert_eq!(found(&deep), Some(deep.join(FILE_NAME)));
}

/// The keys of a table, as its reader tells them to who gives one that there is not.
fn keys<T: serde::de::DeserializeOwned + std::fmt::Debug>() -> Vec<String> {
    let told = toml::from_str::<T>("no-such-key = 1").unwrap_err().message().to_owned();
    let (_, known) = told.split_once(", expected ").unwrap_or_else(|| panic!("{told}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_template_has_every_key_of_the_platform_and_its_default() {
    use piopiy_mock_platform::platform::{
        Choices, Config, Delivery, Failure, FaultRates, Number, Person, RestRules, StreamFaults, Streams,
    };
    let tables = [
        ("[platform]", keys::<Config>()),
        ("[[platform.number]]", keys::<Number>()),
        ("[platform.caller]", keys::<Person>()),
        ("[platform.delivery]", keys::<Delivery>()),
        ("[platform.faults]", keys::<FaultRates>()),
        ("[platform.choices]", keys::<Choices>()),
        ("[platform.rest]", keys::<RestRules>()),
        ("[[platform.rest.fail]]", keys::<Failure>()),
        ("[platform.stream]", keys::<Streams>()),
        ("[platform.stream.faults]", keys::<StreamFaults>()),
    ];
    let text = template::PLATFORM;
    for (table, keys) in tables {
        let (_, section) = text.split_once(&format!("{table}\n")).unwrap_or_else(|| panic!("{table}"));
        let section = section.split("\n\n").next().unwrap();
        for key in keys {
            let (name, array) =
                (table.trim_matches(['[', ']']), format!("[[{}.{key}]]", table.trim_matches(['[', ']'])));
            let is_there = section.lines().any(|line| line.starts_with(&format!("# {key} = ")))
                || text.contains(&format!("\n[{name}.{key}]\n"))
                || text.contains(&array)
                // Whose habits they are is said of a person alone.
                || (table, &*key) == ("[platform.caller]", "number");
            assert!(is_there, "{key} of {table} is not in it");
        }
    }
    let is_key = |line: &str| {
        let key = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = ")).map(|(key, _)| key);
        key.is_some_and(|key| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'))
            || line.starts_with("# [[")
    };
    // No default is what needs a file or another entry.
    let examples = ["files", "recordings", "says", "ca", "seed", "rate-limit", "hangs-up-after = \"60s\""];
    let examples_of_streams = ["drop-after-ms", "close-after-ms", "close-code"];
    let is_example = |line: &str| {
        examples.iter().chain(&examples_of_streams).any(|key| line.starts_with(&format!("# {key}")))
    };
    let holds = |line: &&str| !is_key(line) || !is_example(line);
    let uncommented = |line: &str| if is_key(line) { line[2..].to_owned() } else { line.to_owned() };
    let lines: Vec<String> = text.lines().filter(holds).map(uncommented).collect();
    let read = |text: &str| Config::parse("template", text).unwrap();
    let mut all = read(&lines.join("\n"));
    assert_eq!(all.numbers.pop().map(|number| number.number), Some(Config::ZERO.3));
    assert_eq!((all.people.len(), all.rest.fail.len()), (1, 1));
    (all.people, all.rest.fail) = (Vec::new(), Vec::new());
    let mut default = read("");
    default.numbers.clear();
    assert_eq!(all, default);
    assert_eq!(read(text), Config::default().completed());
}
