use std::path::PathBuf;

use clap::Args;
use futures_util::stream;
use piopiy_mock_platform::deliver::ledger::RunEntry;
use piopiy_mock_platform::deliver::{DeliveryOptions, Pace, Replay};
use piopiy_mock_platform::plan::Nonce;

use super::exit::{Exit, Failure, OrExit};
use super::run::tell_failures;
use super::session::Session;
use super::target::{OutputArgs, TargetArgs, fresh};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # What a run did, again: the same bodies, times, faults and redeliveries, with fresh ids
  piopiy-mock replay run.jsonl --to http://127.0.0.1:5000/webhook/cdr
  # To the last byte: a receiver that keeps its data will take these for repeats
  piopiy-mock replay run.jsonl --to http://127.0.0.1:5000/webhook/cdr --exact-ids";

/// What a ledger or a plan says, again
///
/// Bodies, the times of first attempts, faults, policies and schedule are those of the file. The ids (`cmiuuid`,
/// `conversation_uuid`, `request_id`) get new values of the same shape, consistently, unless --exact-ids is given.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The ledger, or the plan
    file: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    /// Leave the ids as they are
    #[arg(long)]
    exact_ids: bool,
    /// What the new ids follow from; fresh if not given
    #[arg(long, conflicts_with = "exact_ids")]
    nonce: Option<Nonce>,
    /// Run virtual time N times as fast, instead of as the file says
    #[arg(long, value_name = "N", conflicts_with = "jump")]
    time_scale: Option<f64>,
    /// Skip gaps in which nothing happens, instead of what the file says
    #[arg(long)]
    jump: bool,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: ReplayArgs) -> Result<Exit, Failure> {
    let targets = args.target.targets()?;
    let replay = Replay::from_file(&args.file, &DeliveryOptions::default()).or_exit(Exit::Usage)?;
    let replay =
        if args.exact_ids { replay } else { replay.rekeyed(args.nonce.unwrap_or_else(|| Nonce(fresh())).0) };
    let mut options = replay.run().options.clone();
    if args.jump {
        options.pace = Pace::jump();
    } else if let Some(scale) = args.time_scale {
        options.pace = Pace::scaled(scale);
    }
    options.check().or_exit(Exit::Usage)?;
    let run = RunEntry::replaying(replay.run(), &targets, &options);
    let session = Session {
        run,
        targets,
        options,
        target: &args.target,
        output: &args.output,
        reader: Box::new(tell_failures()),
    };
    session.deliver(stream::iter(replay.into_calls())).await
}
