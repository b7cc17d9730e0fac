use clap::Args;
use futures_util::stream;
use piopiy_mock_platform::deliver::Redelivery;
use piopiy_mock_platform::deliver::ledger::{AttemptOutcome, Entry, Record, RunEntry};
use piopiy_mock_platform::plan::Simulator;

use super::exit::{Exit, Failure};
use super::session::Session;
use super::target::{DeliveryArgs, FaultArgs, OutputArgs, PlanArgs, TargetArgs, scenario, scenario_help};
use super::untold;

/// How many failed attempts are told while a run goes on; the summary counts all.
const TOLD: usize = 10;

pub(crate) const EXAMPLES: &str = "\
Examples:
  # Realistic calls until Ctrl-C, in real time
  piopiy-mock run --to http://127.0.0.1:5000/webhook/cdr
  # 50 calls as fast as the receiver answers, and a look at what it did with them
  piopiy-mock run --to http://127.0.0.1:5000/webhook/cdr --calls 50 --jump --observe-url http://127.0.0.1:5000/__observe
  # The same with copies, losses, delays and the wrong order, written down for `replay`
  piopiy-mock run --to http://127.0.0.1:5000/webhook/cdr --calls 50 --jump --chaos --ledger run.jsonl";

/// Realistic calls until Ctrl-C, or as many as asked for
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// Stop after this many calls
    #[arg(long, value_name = "N", help_heading = "Plan")]
    calls: Option<u64>,
    #[arg(long, value_name = "NAME|FILE", default_value = "default", help_heading = "Plan", help = scenario_help())]
    scenario: String,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    delivery: DeliveryArgs,
    #[command(flatten)]
    faults: FaultArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: RunArgs) -> Result<Exit, Failure> {
    let scenario = scenario(&args.scenario)?;
    let mut plan = args.plan.options();
    plan.calls = args.calls;
    let targets = args.target.targets()?;
    let options = args.delivery.options(Redelivery::UntilAck, Some(&args.faults), plan.seed)?;
    let run = RunEntry::new(&scenario.name, &plan, Some(&targets), &options);
    let simulator = Simulator::new(&scenario, plan);
    untold::check(&simulator, &scenario.name)?;
    let session = Session {
        run,
        targets,
        options,
        target: &args.target,
        output: &args.output,
        reader: Box::new(tell_failures()),
    };
    session.deliver(stream::iter(simulator.calls())).await
}

/// Tells the first failed attempts on stderr.
pub(crate) fn tell_failures() -> impl FnMut(&Record) + Send + 'static {
    let mut told = 0;
    move |record| {
        let Entry::Attempt(attempt) = &record.entry else { return };
        if attempt.outcome == AttemptOutcome::Acknowledged || told > TOLD {
            return;
        }
        let line = if told == TOLD {
            "more attempts fail; the summary counts them all".to_owned()
        } else {
            let status = attempt.status.map_or_else(String::new, |status| format!(" {status}"));
            let error = attempt.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
            let ambiguous = if attempt.ambiguous { " (ambiguous: the receiver may have acted)" } else { "" };
            format!(
                "call {} webhook {} attempt {}: {}{status}{error}{ambiguous}",
                attempt.call,
                attempt.webhook,
                attempt.attempt,
                attempt.outcome.as_str()
            )
        };
        told += 1;
        // Nobody may be reading.
        let _ = std::io::Write::write_fmt(&mut std::io::stderr().lock(), format_args!("{line}\n"));
    }
}
