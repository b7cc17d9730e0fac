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
    let uncommented: Vec<&str> =
        text.lines().map(|line| if is_option(line) { &line[2..] } else { line }).collect();
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
