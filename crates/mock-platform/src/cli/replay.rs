pub(crate) mod case;

use std::path::PathBuf;

use clap::Args;
use futures_util::stream;
use piopiy_mock_platform::deliver::ledger::RunEntry;
use piopiy_mock_platform::deliver::{DeliveryOptions, Redelivery, Replay, fresh};
use piopiy_mock_platform::plan::{Nonce, Seed};

use super::exit::{Exit, Failure, OrExit};
use super::run::tell_failures;
use super::session::Session;
use super::target::{DeliveryArgs, FaultArgs, OutputArgs, TargetArgs};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # What a run did, again: the same bodies, times, faults and redeliveries, with fresh ids
  piopiy-mock replay run.jsonl --to http://127.0.0.1:5000/webhook/cdr
  # To the last byte: a receiver that keeps its data will take these for repeats
  piopiy-mock replay run.jsonl --to http://127.0.0.1:5000/webhook/cdr --exact-ids
  # A plan, with every CDR sent four times
  piopiy-mock replay plan.jsonl --to http://127.0.0.1:5000/webhook/cdr --jump --cdr-policy always
  # A check that failed; it takes the options of `check`, and `replay failures/DUP-002 --help` lists them
  piopiy-mock replay failures/DUP-002";

/// What a ledger or a plan says, or a check that failed sent, again
///
/// Bodies and the times of first attempts are those of the file. So are the faults, policies and schedule of a ledger,
/// where only the pace may be another; a plan has none, and is delivered as the options say. The ids (`cmiuuid`,
/// `conversation_uuid`, `request_id`) get new values of the same shape, consistently, unless --exact-ids is given.
#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The ledger, or the plan
    file: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    /// Leave the ids as they are
    #[arg(long, help_heading = "Ids")]
    exact_ids: bool,
    /// What the new ids follow from; fresh if not given
    #[arg(long, conflicts_with = "exact_ids", help_heading = "Ids")]
    nonce: Option<Nonce>,
    #[command(flatten)]
    delivery: DeliveryArgs,
    #[command(flatten)]
    faults: FaultArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: ReplayArgs) -> Result<Exit, Failure> {
    let targets = args.target.targets()?;
    let mut replay = Replay::from_file(&args.file, &DeliveryOptions::default()).or_exit(Exit::Usage)?;
    let options = if replay.is_of_plan() {
        let seed = Seed(replay.run().seed);
        let options = args.delivery.options(Redelivery::UntilAck, Some(&args.faults), seed)?;
        replay = replay.with_options(&options);
        options
    } else {
        of_ledger(&args, &replay)?
    };
    if !args.exact_ids {
        replay = replay.rekeyed(args.nonce.unwrap_or_else(|| Nonce(fresh())).0);
    }
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

/// A ledger says itself how it was delivered; only the pace may be another.
fn of_ledger(args: &ReplayArgs, replay: &Replay) -> Result<DeliveryOptions, Failure> {
    if let Some(given) = args.delivery.given().or_else(|| args.faults.given()) {
        let error = anyhow::anyhow!(
            "{given} is for plans: {} is a ledger, which is delivered again as it was (leave {given} out)",
            args.file.display()
        );
        return Err(Failure::new(Exit::Usage, error));
    }
    let mut options = replay.run().options.clone();
    options.pace = args.delivery.pace().unwrap_or(options.pace);
    options.check().or_exit(Exit::Usage)?;
    Ok(options)
}
