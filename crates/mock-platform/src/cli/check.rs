//! `check`: from the command line to verdicts, reports and an exit code.

pub(super) mod actions;
pub(crate) mod again;
mod explore;
mod failures;
pub(crate) mod observation;
pub(crate) mod progress;
pub(crate) mod receiver;
pub(crate) mod screen;
mod select;
pub(crate) mod sinks;
mod stimuli;
mod stream;
pub(crate) mod surroundings;
pub(crate) mod verdicts;

use std::io::Write;

use anyhow::Context as _;
use clap::Args;
use piopiy_mock_platform::deliver::check_run::{CheckOptions, CheckRunError, broken, empty, run_checks};
use piopiy_mock_platform::judge::repeated;
use piopiy_mock_platform::judge::report::{CheckReport, Human};

use super::exit::{Exit, Failure, OrExit};
use super::signals::Signals;

pub(crate) const EXAMPLES: &str = "\
Examples:
  # What can be seen from outside
  piopiy-mock check http://127.0.0.1:5000/webhook/cdr
  # What the receiver did, too, and a report
  piopiy-mock check http://127.0.0.1:5000/webhook/cdr --observe-url http://127.0.0.1:5000/__observe --report html=check.html
  # One group, on a receiver that is started, killed and started again
  piopiy-mock check http://127.0.0.1:5000/webhook/cdr --group RTY -- ./receiver --port 5000
  # Random schedules for a minute, and the smallest one that fails
  piopiy-mock check http://127.0.0.1:5000/webhook/cdr --explore 60s --observe-url http://127.0.0.1:5000/__observe";

pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  no check at or above --fail-on failed, those known to fail aside, and no random schedule
    1  a check at or above --fail-on failed, or a random schedule, or the list of known failures is wrong
    2  the command line, or a file that it names, is wrong
    3  something outside is not there: the receiver, the look at its effects, a disk
    4  nothing can be said: a check was inconclusive, or none was selected, or a random schedule failed
       only once
    5  a bug of this program
  130  stopped with Ctrl-C (143 with SIGTERM); reports are written all the same,
       unless it is stopped once more";

/// Say whether a receiver stands what the platform may do
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// The URL of the receiver
    url: String,
    #[command(flatten)]
    receiver: receiver::ReceiverArgs,
    #[command(flatten)]
    select: select::SelectArgs,
    #[command(flatten)]
    stimuli: stimuli::StimuliArgs,
    #[command(flatten)]
    explore: explore::ExploreArgs,
    #[command(flatten)]
    observation: observation::ObservationArgs,
    #[command(flatten)]
    surroundings: surroundings::SurroundingsArgs,
    #[command(flatten)]
    sinks: sinks::SinkArgs,
    #[command(flatten)]
    screen: screen::ScreenArgs,
    #[command(flatten)]
    failures: failures::FailuresArgs,
    #[command(flatten)]
    verdict: verdicts::VerdictArgs,

    /// Start the receiver with this command, and kill and restart it where a check says so
    #[arg(last = true, value_name = "CMD")]
    command: Vec<String>,
}

pub(crate) async fn run(args: CheckArgs) -> Result<Exit, Failure> {
    let mut checks = args.select.checks().or_exit(Exit::Usage)?;
    if args.select.list {
        return super::checks::list(&checks, false);
    }
    if args.explore.is_wanted() && !args.select.is_given() {
        checks.clear();
    }
    args.sinks.check()?;
    let target = args.receiver.target(&args.url)?;
    let options = args.options()?;
    let exit_zero = args.verdict.exit_zero;
    let rerun = format!(
        "piopiy-mock {}, profile {}, to {}, seed {}, nonce {}; rerun: {} --seed {}{}",
        env!("CARGO_PKG_VERSION"),
        options.profile,
        target.shown(),
        options.seed,
        options.nonce,
        again::again(&again::FIXED),
        options.seed,
        options.again_tail,
    );
    let stream = args.sinks.begin()?;
    let actions = actions::Actions::begin(secrets(&options));
    say(&rerun);
    for pattern in args.select.unmatched() {
        say(&format!("warning: no check has an id like {pattern}; `piopiy-mock checks` lists them"));
    }
    if checks.is_empty() && !args.explore.is_wanted() {
        say("no check was selected; `piopiy-mock checks` lists them");
        let exit = if exit_zero { Exit::Fine } else { Exit::Inconclusive };
        args.told(actions, &stream, &empty(&target, &options), exit)?;
        return Ok(exit);
    }
    let signals = Signals::listen_for_two();
    let mut runs = Vec::new();
    for turn in 0..args.verdict.repeat {
        let mut options = options.clone();
        options.nonce.0 = options.nonce.0.wrapping_add(u64::from(turn));
        if turn > 0 {
            // It repeats by itself what it finds.
            options.explore = None;
        }
        let line = progress::Line::new(checks.len());
        let watch = stream::Watch { line: &line, stream: &stream, is_first: turn == 0 };
        let report = tokio::select! {
            report = run_checks(&target, &checks, &options, &watch, signals.wait()) => report,
            // A receiver that was started is ended with what is dropped here.
            exit = signals.second() => {
                line.clear();
                return Ok(exit);
            }
        };
        line.clear();
        match report {
            Ok(report) => runs.push(report),
            Err(error) => {
                let report = broken(&target, &checks, &options, &error);
                let failure = failure(error, exit_zero);
                args.told(actions, &stream, &report, failure.exit)?;
                return Err(failure);
            }
        }
        if signals.seen().is_some() {
            break;
        }
    }
    let report = repeated(runs).context("nothing ran")?;
    let mut text = Human.render_styled(&report, &args.screen.style(&std::io::stderr()));
    text.push_str(&rerun);
    say(&text);
    for trouble in &report.unwritten {
        say(&format!("error: {trouble}"));
    }
    let exit = signals.seen().unwrap_or_else(|| args.verdict.exit(&report));
    args.told(actions, &stream, &report, exit)?;
    Ok(exit)
}

impl CheckArgs {
    /// Writes the reports, and tells GitHub.
    fn told(
        &self,
        actions: Option<actions::Actions>,
        stream: &stream::Stream,
        report: &CheckReport,
        exit: Exit,
    ) -> Result<(), Failure> {
        let written = self.sinks.finish(stream, report);
        if let Some(actions) = actions {
            let folder = self.sinks.folder().map(|folder| folder.display().to_string());
            let folder = folder.map(|folder| if folder.is_empty() { ".".to_owned() } else { folder });
            actions.tell(report, exit.word(), &folder.unwrap_or_default());
        }
        written
    }

    fn options(&self) -> Result<CheckOptions, Failure> {
        let mut options = CheckOptions::default();
        self.stimuli.apply(&mut options);
        self.receiver.apply(&mut options)?;
        self.observation.apply(&self.receiver, &mut options)?;
        self.surroundings.apply(&self.receiver, &mut options)?;
        self.explore.apply(&mut options);
        self.verdict.apply(&mut options)?;
        self.failures.apply(&mut options);
        options.command = (!self.command.is_empty()).then(|| self.command.clone());
        options.again = again::again(&again::ONE_CHECK);
        options.again_tail = again::tail(&self.command);
        Ok(options)
    }
}

pub(crate) fn failure(error: CheckRunError, exit_zero: bool) -> Failure {
    let exit = if matches!(error, CheckRunError::Case(_)) { Exit::Usage } else { Exit::Environment };
    Failure::new(if exit_zero { Exit::Fine } else { exit }, error)
}

/// What must not be told: values of header lines, and the tokens in them.
fn secrets(options: &CheckOptions) -> impl Iterator<Item = &str> {
    options
        .headers
        .iter()
        .flat_map(|(_, value)| [Some(value.as_str()), value.split_once(' ').map(|(_, token)| token)])
        .flatten()
}

pub(crate) fn say(text: &str) {
    // Nobody may be reading.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
