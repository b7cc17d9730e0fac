//! `replay failures/ID`: what a check failed with, again.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory, Parser};
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::{CheckOptions, Observation, replay_case};
use piopiy_mock_platform::judge::check::CaseFile;
use piopiy_mock_platform::judge::report::{Human, Reporter};
use piopiy_mock_platform::plan::Nonce;

use crate::cli::check::{
    self, again, failure, observation, progress, receiver, say, sinks, surroundings, verdicts,
};
use crate::cli::exit::{Exit, Failure, OrExit};
use crate::cli::signals::Signals;

const EXAMPLES: &str = "\
Examples:
  # At the same receiver, with fresh ids
  piopiy-mock replay failures/DUP-002
  # At another one
  piopiy-mock replay failures/DUP-002 http://127.0.0.1:5001/webhook/cdr --observe-url http://127.0.0.1:5001/__observe";

/// What a check failed with, again, judged by that check
///
/// The steps, bytes and expectations are those of the file; nothing is generated. The ids get new values of the same
/// shape, unless --exact-ids is given. Neither the environment nor `piopiy-mock.toml` is read: the options of the failed run
/// are in the file, all but its secrets.
#[derive(Debug, Parser)]
#[command(name = "replay", bin_name = "piopiy-mock replay", max_term_width = 100, after_help = format!("{EXAMPLES}\n\n{}", check::EXIT_CODES))]
pub(crate) struct CaseArgs {
    /// The folder of the failed check, or its `case.json`
    file: PathBuf,
    /// The URL of the receiver; that of the failed run if not given
    url: Option<String>,
    #[command(flatten)]
    receiver: receiver::ReceiverArgs,
    /// Leave the ids as they are
    #[arg(long, help_heading = "Ids")]
    exact_ids: bool,
    /// What the new ids follow from; fresh if not given
    #[arg(long, conflicts_with = "exact_ids", help_heading = "Ids")]
    nonce: Option<Nonce>,
    #[command(flatten)]
    observation: observation::ObservationArgs,
    #[command(flatten)]
    surroundings: surroundings::SurroundingsArgs,
    #[command(flatten)]
    sinks: sinks::SinkArgs,
    #[command(flatten)]
    verdict: verdicts::VerdictArgs,

    /// Start the receiver with this command, and kill and restart it where the check says so
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

const FILE: &str = "case.json";
/// Where a receiver that failed does not fail again.
const REPEAT: &str = "What it sends has no id that could be new: a receiver that has kept it takes it for a repeat. \
    Replay it at one that starts with nothing.\n";

/// The command line for shells and manuals: with `replay` in both of its forms, which are read apart.
pub(crate) fn told_with(cli: Command) -> Command {
    cli.mut_subcommand("replay", |replay| {
        let is_new = |arg: &&Arg| {
            let is_it = |known: &Arg| {
                known.get_id() == arg.get_id()
                    || (arg.get_long().is_some() && known.get_long() == arg.get_long())
            };
            !replay.get_arguments().any(is_it)
        };
        let case = CaseArgs::command();
        let new: Vec<Arg> =
            case.get_arguments().filter(is_new).map(|arg| arg.clone().help_heading(HEADING)).collect();
        replay.args(new)
    })
}

const HEADING: &str = "Failed checks";

impl CaseArgs {
    /// The arguments of this process, if they are about a failed check: a folder, or a document of that kind.
    pub(crate) fn of_process() -> Option<Self> {
        let args: Vec<OsString> = std::env::args_os().skip(1).collect();
        let (command, rest) = args.split_first()?;
        let own = rest.iter().take_while(|arg| *arg != "--");
        let is_case = own.clone().any(|arg| is_case(Path::new(arg)));
        (command == "replay" && is_case).then(|| Self::parse_from([command].into_iter().chain(rest)))
    }

    fn read(&self) -> Result<CaseFile, Failure> {
        let path = if self.file.is_dir() { self.file.join(FILE) } else { self.file.clone() };
        let place = path.display().to_string();
        let text = std::fs::read_to_string(&path)
            .map_err(|error| anyhow::anyhow!("the failed check {place} cannot be read: {error}"))
            .or_exit(Exit::Usage)?;
        CaseFile::parse(&place, &text).or_exit(Exit::Usage)
    }

    fn target(&self, file: &CaseFile) -> Result<Target, Failure> {
        match &self.url {
            Some(url) => self.receiver.target(url),
            None if file.target().contains("***") => {
                let error = anyhow::anyhow!(
                    "the URL {} has a secret, which the file leaves out: give the URL",
                    file.target()
                );
                Err(Failure::new(Exit::Usage, error))
            }
            None => self.receiver.target(file.target()),
        }
    }

    fn options(&self, file: &CaseFile) -> Result<CheckOptions, Failure> {
        let mut options = CheckOptions::of(file);
        if self.url.is_none() {
            options.observation = looked(file, &self.receiver)?;
        }
        options.exact_ids = self.exact_ids;
        options.nonce = self.nonce.unwrap_or(options.nonce);
        self.receiver.apply(&mut options)?;
        self.observation.apply(&self.receiver, &mut options)?;
        self.surroundings.apply(&self.receiver, &mut options)?;
        self.verdict.apply(&mut options)?;
        options.command = (!self.command.is_empty()).then(|| self.command.clone());
        options.again = again::again(&[("--nonce", true), ("--token", true)]);
        options.again_tail = again::tail(&self.command);
        Ok(options)
    }
}

/// How the failed run saw effects, as far as the file says it.
fn looked(file: &CaseFile, receiver: &receiver::ReceiverArgs) -> Result<Option<Observation>, Failure> {
    Ok(match (file.observation(), file.observed_at()) {
        ("observe-url", Some(url)) if !url.contains("***") => Some(Observation::Url(receiver.trusted(url)?)),
        ("observe-file", Some(path)) => Some(Observation::File(path.into())),
        _ => None,
    })
}

fn is_case(path: &Path) -> bool {
    const HEAD: u64 = 1_024;
    if path.is_dir() {
        return true;
    }
    let mut head = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && CaseFile::is_one(&String::from_utf8_lossy(&head))
}

pub(crate) async fn run(args: CaseArgs) -> Result<Exit, Failure> {
    args.sinks.check()?;
    let file = args.read()?;
    let target = args.target(&file)?;
    let options = args.options(&file)?;
    let ids = if args.exact_ids { "the very ids".to_owned() } else { format!("nonce {}", options.nonce) };
    let line = format!(
        "piopiy-mock {}, {} of {}, to {}, {ids}; rerun: {}{}",
        env!("CARGO_PKG_VERSION"),
        file.id(),
        args.file.display(),
        target.shown(),
        options.again,
        options.again_tail,
    );
    say(&line);
    if options.observation.is_none() && file.observation() != "none" {
        say(&format!("the failed run saw effects by {}; this one does not look at any", file.observation()));
    }
    let signals = Signals::listen_for_two();
    let (exit_zero, progress) = (args.verdict.exit_zero, progress::Line::new(1));
    let report = tokio::select! {
        report = replay_case(&target, &file, &options, &progress, signals.wait()) => report,
        // A receiver that was started is ended with what is dropped here.
        exit = signals.second() => {
            progress.clear();
            return Ok(exit);
        }
    };
    progress.clear();
    let report = report.map_err(|error| failure(error, exit_zero))?;
    let mut text = Human.render(&report);
    if let Some(check) = report.checks.first() {
        text.push_str(&format!(
            "{} was {}, and is {} now\n",
            file.id(),
            file.verdict(),
            check.outcome.verdict
        ));
        let is_same = target.shown() == file.target() && !args.exact_ids;
        if is_same && check.outcome.verdict != file.verdict() && file.may_be_a_repeat() {
            text.push_str(REPEAT);
        }
    }
    text.push_str(&line);
    say(&text);
    args.sinks.write(&report)?;
    Ok(signals.seen().unwrap_or_else(|| args.verdict.exit(&report)))
}
