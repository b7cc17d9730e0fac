//! The command lines that do a run again, or one check of it.

use piopiy_mock_platform::deliver::without_secrets;

use crate::cli::rerun::quoted;

/// What a rerun says anew, or must not tell; whether a value follows.
pub(crate) const FIXED: [(&str, bool); 3] = [("--seed", true), ("--nonce", true), ("--token", true)];
/// And what a rerun of one check does.
pub(crate) const ONE_CHECK: [(&str, bool); 17] = [
    ("--token", true),
    ("--seed", true),
    ("--nonce", true),
    ("--only", true),
    ("--skip", true),
    ("--group", true),
    ("--level", true),
    ("--tag", true),
    ("--report", true),
    ("--known-failures", true),
    ("--exit-zero", false),
    ("--fail-on", true),
    ("--fail-fast", false),
    ("--max-fail", true),
    ("--repeat", true),
    ("--explore", true),
    ("--shrink-time", true),
];

pub(crate) fn again(without: &[(&str, bool)]) -> String {
    // A file's name need not be UTF-8: then the line shows what can be shown.
    rewrite(std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()), without)
}

/// The command line without some of its options, and without the receiver's command, which comes behind what is added.
fn rewrite(args: impl Iterator<Item = String>, without: &[(&str, bool)]) -> String {
    let (mut words, mut args) = (vec!["piopiy-mock".to_owned()], args);
    while let Some(arg) = args.next() {
        if arg == "--" {
            break;
        }
        let name = arg.split('=').next().unwrap_or_default();
        match without.iter().find(|(option, _)| *option == name) {
            Some((_, true)) if !arg.contains('=') => drop(args.next()),
            Some(_) => {}
            None => words.push(quoted(&without_secrets(&arg))),
        }
    }
    words.join(" ")
}

/// What comes behind all that is added: the receiver's command.
pub(crate) fn tail(command: &[String]) -> String {
    if command.is_empty() {
        return String::new();
    }
    let words: Vec<String> = command.iter().map(|word| quoted(&without_secrets(word))).collect();
    format!(" -- {}", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], without: &[(&str, bool)], expected: &str) {
        assert_eq!(rewrite(args.iter().map(|&arg| arg.to_owned()), without), expected);
    }

    #[test]
    fn a_rerun_leaves_out_what_it_says_anew() {
        let args = ["check", "http://x/", "--seed", "1", "--only=DUP-*", "--exit-zero", "--nonce=3"];
        check(&args, &FIXED, "piopiy-mock check http://x/ '--only=DUP-*' --exit-zero");
        check(&args, &ONE_CHECK, "piopiy-mock check http://x/");
        check(&["check", "http://x/", "--", "./receiver", "--seed"], &FIXED, "piopiy-mock check http://x/");
    }

    #[test]
    fn no_rerun_tells_a_secret() {
        let args = ["check", "http://me:hush@x/?token=hush", "--observe-url=http://me:hush@x/"];
        let expected = "piopiy-mock check 'http://***@x/?token=***' '--observe-url=http://***@x/'";
        check(&args, &FIXED, expected);
        let command = ["./receiver", "postgres://me:hush@db/calls"].map(str::to_owned);
        assert_eq!(tail(&command), " -- ./receiver 'postgres://***@db/calls'");
    }
}
