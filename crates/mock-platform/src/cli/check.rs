//! `check`: from the command line to verdicts, reports and an exit code.

mod select;
mod verdicts;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use piopiy_events::Profile;
use piopiy_mock_platform::deliver::check_run::{
    CheckOptions, CheckRunError, Observation, Progress, run_checks,
};
use piopiy_mock_platform::deliver::{Target, fresh};
use piopiy_mock_platform::judge::check::{Hook, KnownFailures, Malformed};
use piopiy_mock_platform::judge::report::{CheckReport, Human, KINDS, Reporter, reporter};
use piopiy_mock_platform::plan::{Nonce, Seed};

use super::duration;
use super::exit::{Exit, Failure, OrExit};
use super::rerun::quoted;
use super::signals::Signals;

pub(crate) const EXAMPLES: &str = "\
Examples:
  # What can be seen from outside
  piopiy-mock check http://127.0.0.1:5000/webhook/cdr
  # What the receiver did, too, and a report
  piopiy-mock check http://127.0.0.1:5000/webhook/cdr --observe-url http://127.0.0.1:5000/__observe --report json=out.json
  # One group, on a receiver that is started, killed and started again
  piopiy-mock check http://127.0.0.1:5000/webhook/cdr --group RTY -- ./receiver --port 5000";

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  no check at or above --fail-on failed, those known to fail aside
    1  a check at or above --fail-on failed, or the list of known failures is wrong
    2  the command line, or a file that it names, is wrong
    3  something outside is not there: the receiver, the look at its effects, a disk
    4  nothing can be said: a check was inconclusive, or none was selected
    5  a bug of this program
  130  stopped with Ctrl-C (143 with SIGTERM); reports are written all the same";

/// Say whether a receiver stands what the platform may do
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The URL of the receiver
    url: String,
    #[command(flatten)]
    select: select::SelectArgs,
    /// What is right for a body that cannot be understood: either, reject or quarantine
    #[arg(long, value_name = "POLICY", default_value = "either")]
    malformed: Malformed,
    /// The revision of the wire: global, global-2022 or india
    #[arg(long, default_value = "global")]
    profile: Profile,
    /// What the stimuli and their order follow from, decimal or 0x…; random if not given
    #[arg(long, env = "PIOPIY_MOCK_SEED")]
    seed: Option<Seed>,
    /// What the ids follow from, with the seed; fresh if not given
    #[arg(long)]
    nonce: Option<Nonce>,
    /// What the receiver has, as NAME or NAME=VALUE, one a line: secret, appid, health=/PATH
    #[arg(long, value_name = "FILE")]
    capabilities: Option<PathBuf>,
    /// Send `Authorization: Bearer TOKEN`; with a space in it, such as `Basic dTpw`, it is the whole value
    #[arg(long, env = "PIOPIY_MOCK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// How long an answer may take
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration::parse)]
    ack_limit: Duration,
    /// Allow a host that is not this machine, as HOST or HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST")]
    allow_host: Vec<String>,
    /// Wait this long for the receiver to listen
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    wait_for: Duration,

    /// Ask the receiver there what it did (observe protocol v1)
    #[arg(long, value_name = "URL", group = "observation", help_heading = "Observation")]
    observe_url: Option<String>,
    /// Read what the receiver did from a file to which it appends effect records
    #[arg(long, value_name = "FILE", group = "observation", help_heading = "Observation")]
    observe_file: Option<PathBuf>,
    /// Run a shell command that prints how many effects there are
    #[arg(long, value_name = "CMD", group = "observation", help_heading = "Observation")]
    verify_cmd: Option<String>,
    /// How long nothing must change at the receiver before it is believed to be done
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration::parse, help_heading = "Observation")]
    settle: Duration,

    /// Another instance of the receiver, behind the same store
    #[arg(long, value_name = "URL", help_heading = "Surroundings")]
    second_url: Option<String>,
    /// A shell command that takes the receiver's store away
    #[arg(long, value_name = "CMD", requires = "hook_up", help_heading = "Surroundings")]
    hook_down: Option<String>,
    /// A shell command that brings it back
    #[arg(long, value_name = "CMD", help_heading = "Surroundings")]
    hook_up: Option<String>,

    /// Write a report, as KIND=PATH, `-` for stdout; may be given several times. Kinds: json, text
    #[arg(long, value_name = "KIND=PATH", value_parser = parse_sink, help_heading = "Verdict")]
    report: Vec<Sink>,
    /// The lowest severity whose failure fails the run
    #[arg(long, value_name = "SEVERITY", default_value = "must", help_heading = "Verdict")]
    fail_on: FailOn,
    /// End with 0 whatever was found
    #[arg(long, help_heading = "Verdict")]
    exit_zero: bool,
    /// Failures that are put up with: a TOML file with `[[known]]` tables: id, reason, until
    #[arg(long, value_name = "FILE", help_heading = "Verdict")]
    known_failures: Option<PathBuf>,

    /// Start the receiver with this command, and kill and restart it where a check says so
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// The lowest severity whose failure fails a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    /// A MUST
    Must,
    /// A MUST or a SHOULD
    Should,
    /// Nothing
    Never,
}

/// Where a report goes.
#[derive(Clone)]
struct Sink {
    reporter: &'static dyn Reporter,
    /// `None` for stdout.
    path: Option<PathBuf>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("path", &self.path).finish_non_exhaustive()
    }
}

fn parse_sink(text: &str) -> Result<Sink, String> {
    let known = KINDS.iter().map(|(kind, _)| *kind).collect::<Vec<_>>().join(", ");
    let (kind, path) =
        text.split_once('=').ok_or_else(|| format!("write it like json=report.json; kinds: {known}"))?;
    let reporter = reporter(kind).ok_or_else(|| format!("there is no kind {kind:?}; kinds: {known}"))?;
    if path.is_empty() {
        return Err(format!("{text:?} names no file; `-` is stdout"));
    }
    Ok(Sink { reporter, path: (path != "-").then(|| path.into()) })
}

pub(crate) async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let checks = args.select.checks().or_exit(Exit::Usage)?;
    if args.select.list {
        return super::checks::list(&checks, false);
    }
    if args.report.iter().filter(|sink| sink.path.is_none()).count() > 1 {
        let error = anyhow::anyhow!("two reports cannot both go to stdout");
        return Err(Failure::new(Exit::Usage, error));
    }
    let target = Target::parse(&args.url, &args.allow_host).or_exit(Exit::Usage)?;
    let options = args.options()?;
    let line = format!(
        "piopiy-mock {}, profile {}, to {}, seed {}, nonce {}; rerun: {} --seed {}{}",
        env!("CARGO_PKG_VERSION"),
        options.profile,
        target.shown(),
        options.seed,
        options.nonce,
        again(&FIXED),
        options.seed,
        options.again_tail,
    );
    say(&line);
    if checks.is_empty() {
        say("no check was selected; `piopiy-mock checks` lists them");
        return Ok(if args.exit_zero { Exit::Fine } else { Exit::Inconclusive });
    }
    let signals = Signals::listen();
    let report = run_checks(&target, &checks, &options, &Line::new(), signals.wait()).await;
    let report = report.map_err(|error| failure(error, args.exit_zero))?;
    let mut text = Human.render(&report);
    text.push_str(&line);
    say(&text);
    write_reports(&args.report, &report)?;
    Ok(match signals.seen() {
        Some(signal) => signal,
        None if args.exit_zero => Exit::Fine,
        None => verdicts::exit(&report, args.fail_on),
    })
}

impl CheckArgs {
    fn options(&self) -> Result<CheckOptions, Failure> {
        let mut options = CheckOptions::default();
        options.profile = self.profile;
        options.seed = self.seed.unwrap_or_else(|| Seed(fresh() >> 32));
        options.nonce = self.nonce.unwrap_or_else(|| Nonce(fresh()));
        options.malformed = self.malformed;
        if let Some(token) = &self.token {
            let value = if token.contains(' ') { token.clone() } else { format!("Bearer {token}") };
            options.headers.push(("Authorization".to_owned(), value));
        }
        if let Some(path) = &self.capabilities {
            let text = std::fs::read_to_string(path)
                .map_err(|error| {
                    anyhow::anyhow!("the capabilities {} cannot be read: {error}", path.display())
                })
                .or_exit(Exit::Usage)?;
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
            options.capabilities = lines.map(str::to_owned).collect();
        }
        options.ack_limit = self.ack_limit;
        options.settle = self.settle;
        options.wait_for = self.wait_for;
        options.command = (!self.command.is_empty()).then(|| self.command.clone());
        options.observation = match (&self.observe_url, &self.observe_file, &self.verify_cmd) {
            (Some(url), ..) => {
                Some(Observation::Url(Target::parse(url, &self.allow_host).or_exit(Exit::Usage)?))
            }
            (_, Some(file), _) => Some(Observation::File(file.clone())),
            (.., Some(command)) => Some(Observation::Command(command.clone())),
            _ => None,
        };
        let second = self.second_url.as_ref().map(|url| Target::parse(url, &self.allow_host));
        options.second = second.transpose().or_exit(Exit::Usage)?;
        let hooks = [(Hook::Down, &self.hook_down), (Hook::Up, &self.hook_up)];
        options.hooks = hooks.into_iter().filter_map(|(hook, cmd)| Some((hook, cmd.clone()?))).collect();
        if let Some(path) = &self.known_failures {
            let place = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| anyhow::anyhow!("the known failures {place} cannot be read: {error}"))
                .or_exit(Exit::Usage)?;
            options.known = KnownFailures::parse(&place, &text).or_exit(Exit::Usage)?;
        }
        options.again = again(&ONE_CHECK);
        if !self.command.is_empty() {
            let words: Vec<String> = self.command.iter().map(|word| quoted(word)).collect();
            options.again_tail = format!(" -- {}", words.join(" "));
        }
        Ok(options)
    }
}

fn failure(error: CheckRunError, exit_zero: bool) -> Failure {
    Failure::new(if exit_zero { Exit::Fine } else { Exit::Environment }, error)
}

/// What a rerun says anew, or must not tell; whether a value follows.
const FIXED: [(&str, bool); 3] = [("--seed", true), ("--nonce", true), ("--token", true)];
/// And what a rerun of one check does.
const ONE_CHECK: [(&str, bool); 12] = [
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
];

fn again(without: &[(&str, bool)]) -> String {
    rewrite(std::env::args().skip(1), without)
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
            None => words.push(quoted(&arg)),
        }
    }
    words.join(" ")
}

fn say(text: &str) {
    // Nobody may be reading.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

fn write_reports(sinks: &[Sink], report: &CheckReport) -> Result<(), Failure> {
    for sink in sinks {
        let text = sink.reporter.render(report);
        match &sink.path {
            None => std::io::stdout().lock().write_all(text.as_bytes())?,
            Some(path) => write_whole(path, &text)
                .map_err(|error| anyhow::anyhow!("the report {} cannot be written: {error}", path.display()))
                .or_exit(Exit::Environment)?,
        }
    }
    Ok(())
}

/// Writes a file beside and renames it, so that nobody reads half of it.
fn write_whole(path: &std::path::Path, text: &str) -> std::io::Result<()> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        std::fs::create_dir_all(parent)?;
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.part", std::process::id()));
    std::fs::write(&beside, text)?;
    std::fs::rename(&beside, path)
}

/// A line that is written over, where somebody looks.
struct Line {
    is_watched: bool,
}

impl Line {
    fn new() -> Self {
        Self { is_watched: std::io::stderr().is_terminal() && std::env::var_os("CI").is_none() }
    }
}

impl Progress for Line {
    fn done(&self, over: usize, of: usize, check: &str) {
        if self.is_watched {
            const WIDTH: usize = 30;
            let bar: String = (0..WIDTH).map(|at| if at * of < over * WIDTH { '#' } else { '.' }).collect();
            let _ = write!(std::io::stderr().lock(), "\r\x1b[2K[{bar}] {over}/{of} {check}\r");
        }
    }
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
    fn sinks_are_a_kind_and_a_path() {
        assert_eq!(parse_sink("json=a/b.json").unwrap().path, Some("a/b.json".into()));
        assert_eq!(parse_sink("json=-").unwrap().path, None);
        for text in ["json", "nothing=x", "json="] {
            assert!(parse_sink(text).is_err(), "{text}");
        }
    }
}
