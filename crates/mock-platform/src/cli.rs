//! The command line: thin, one file for each command.

mod ca;
mod call;
mod check;
mod checks;
mod completions;
mod config;
mod doctor;
mod duration;
mod effects;
mod events;
mod exit;
mod explain;
mod init;
mod learn;
mod load;
mod logging;
mod man;
mod open_files;
mod plan;
mod replay;
mod report;
mod rerun;
mod run;
mod schema;
mod send;
mod serve;
mod session;
mod signals;
mod stream_check;
mod target;
mod terminal;
mod trust;
mod untold;
mod validate;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use exit::{EXIT_CODES, Exit, Failure};

const OVERVIEW: &str = "\
Examples:
  # Realistic calls until Ctrl-C
  piopiy-mock run --to http://127.0.0.1:5000/webhook/cdr
  # One call, drawn as it happens
  piopiy-mock call inbound-answered --to http://127.0.0.1:5000/webhook/cdr --jump
  # The whole platform, for an application that makes and takes calls
  piopiy-mock serve --answer-url http://127.0.0.1:5000/answer --webhook-url http://127.0.0.1:5000/webhook/cdr
  # Whether a receiver stands what the platform may do
  piopiy-mock check http://127.0.0.1:5000/webhook/cdr
  # One webhook
  piopiy-mock send cdr.inbound.missed --to http://127.0.0.1:5000/webhook/cdr

Targets on this machine are free; anything else has to be named with --allow-host.
Warnings go to stderr; PIOPIY_MOCK_LOG=debug tells more there, PIOPIY_MOCK_LOG=off nothing.
This is an unofficial project, not affiliated with TeleCMI.";

/// A PIOPIY that runs here: plans whole calls and posts their webhooks to your receiver
#[derive(Debug, Parser)]
#[command(name = "piopiy-mock", version, max_term_width = 100, after_help = format!("{OVERVIEW}\n\n{EXIT_CODES}"))]
struct Cli {
    /// Read options from this file; otherwise from the nearest piopiy-mock.toml of the repository, or else from
    /// piopiy-mock/config.toml in the user's configuration
    #[arg(long, global = true, value_name = "FILE", env = "PIOPIY_MOCK_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", run::EXAMPLES))]
    Run(run::RunArgs),
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", call::EXAMPLES))]
    Call(call::CallArgs),
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", send::EXAMPLES))]
    Send(send::SendArgs),
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", replay::EXAMPLES))]
    Replay(replay::ReplayArgs),
    #[command(after_help = format!("{}\n\n{EXIT_CODES}", serve::EXAMPLES))]
    Serve(serve::ServeArgs),
    #[command(after_help = ca::EXAMPLES)]
    Ca(ca::CaArgs),
    #[command(after_help = stream_check::EXAMPLES)]
    StreamCheck(stream_check::StreamCheckArgs),
    #[command(after_help = format!("{}\n\n{}", check::EXAMPLES, check::EXIT_CODES))]
    Check(Box<check::CheckArgs>),
    #[command(after_help = format!("{}\n\n{}", load::EXAMPLES, load::EXIT_CODES))]
    Load(Box<load::LoadCommand>),
    #[command(after_help = report::EXAMPLES)]
    Report(report::ReportArgs),
    Checks(checks::ChecksArgs),
    Explain(explain::ExplainArgs),
    Events(events::EventsArgs),
    Plan(plan::PlanCommandArgs),
    Validate(validate::ValidateArgs),
    #[command(after_help = learn::EXAMPLES)]
    Learn(learn::LearnArgs),
    #[command(after_help = doctor::EXAMPLES)]
    Doctor(doctor::DoctorArgs),
    Init(init::InitArgs),
    Config(config::ConfigArgs),
    Schema(schema::SchemaArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Runs the command line of this process.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::command();
    // A failed check is replayed with the options of `check`; a ledger or a plan with those of a delivery.
    let ended = logging::init().and_then(|()| match replay::case::CaseArgs::of_process() {
        Some(args) => block_on(replay::case::run(args)),
        None => config::process_arguments(&cli).map(Cli::parse_from).and_then(|args| dispatch(args, &cli)),
    });
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) if failure.is_broken_pipe() => Exit::Fine.into(),
        Err(Failure { exit, error }) => {
            // Nobody may be reading.
            let _ =
                std::io::Write::write_fmt(&mut std::io::stderr().lock(), format_args!("error: {error:#}\n"));
            exit.into()
        }
    }
}

fn dispatch(Cli { config, command }: Cli, cli: &clap::Command) -> Result<Exit, Failure> {
    match command {
        Command::Run(args) => block_on(run::run(args)),
        Command::Call(args) => block_on(call::run(args)),
        Command::Send(args) => block_on(send::run(args)),
        Command::Replay(args) => block_on(replay::run(args)),
        Command::Serve(args) => block_on(serve::run(args, config)),
        Command::Ca(args) => ca::run(&args),
        Command::StreamCheck(args) => block_on(stream_check::run(args)),
        Command::Check(args) => block_on(check::run(*args)),
        Command::Load(args) => block_on(load::run(*args)),
        Command::Report(args) => report::run(&args),
        Command::Checks(args) => checks::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Events(args) => events::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Validate(args) => validate::run(&args),
        Command::Learn(args) => learn::run(&args),
        Command::Doctor(args) => block_on(doctor::run(args, config, cli.clone())),
        Command::Init(args) => init::run(&args, cli),
        Command::Config(args) => config::run(&args, config, cli),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args, replay::case::told_with(cli.clone())),
        Command::Man(args) => man::run(&args, replay::case::told_with(cli.clone())),
    }
}

fn block_on(command: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(command)
}
