mod ladder;

use std::io::{IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use futures_util::stream;
use piopiy_mock_platform::deliver::Redelivery;
use piopiy_mock_platform::deliver::ledger::{AttemptEntry, AttemptOutcome, RunEntry};
use piopiy_mock_platform::plan::Simulator;

use super::exit::{Exit, Failure};
use super::session::Session;
use super::target::{
    DeliveryArgs, FaultArgs, Format, OutputArgs, PlanArgs, TargetArgs, scenario, scenario_help,
};
use super::{terminal, untold};
use ladder::{Ladder, Style};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # Some call, in real time
  piopiy-mock call --to http://127.0.0.1:5000/webhook/cdr
  # A call that is streamed, ten times as fast
  piopiy-mock call inbound-streamed --to http://127.0.0.1:5000/webhook/cdr --time-scale 10
  # At once, with every CDR sent four times
  piopiy-mock call outbound-bridged --to http://127.0.0.1:5000/webhook/cdr --jump --cdr-policy always";

/// One call, drawn as it happens
///
/// Each line is an attempt: virtual time, event (guess: no page documents the payload), answer and latency.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    #[arg(default_value = "default", help = scenario_help())]
    scenario: String,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    delivery: DeliveryArgs,
    #[command(flatten)]
    faults: FaultArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// When to use colour: auto, always or never
    #[arg(long, value_name = "WHEN", default_value = "auto", help_heading = "Output")]
    color: clap::ColorChoice,
    /// Draw with plain characters
    #[arg(long, help_heading = "Output")]
    ascii: bool,
}

pub(crate) async fn run(args: CallArgs) -> Result<Exit, Failure> {
    let scenario = scenario(&args.scenario)?;
    let mut plan = args.plan.options();
    plan.calls = Some(1);
    let targets = args.target.targets()?;
    let options = args.delivery.options(Redelivery::UntilAck, Some(&args.faults), plan.seed)?;
    let run = RunEntry::new(&scenario.name, &plan, Some(&targets), &options);
    let simulator = Simulator::new(&scenario, plan);
    untold::check(&simulator, &scenario.name)?;
    let mut call = simulator.call(0);
    // Nobody wants to watch the wait for the first call.
    let first_ms = call.webhooks.iter().map(|webhook| webhook.at_ms).min().unwrap_or(0);
    for webhook in &mut call.webhooks {
        webhook.at_ms -= first_ms;
    }
    call.starts_at_ms = 0;
    let mut ladder = Ladder::new(style(&args));
    let format = args.output.format;
    let session = Session {
        run,
        targets,
        options,
        target: &args.target,
        output: &args.output,
        reader: Box::new(move |record| {
            for line in ladder.lines(record) {
                // Nobody may be reading.
                let _ = super::session::text(format, &line);
            }
            let _ = std::io::stdout().flush();
        }),
    };
    session.deliver(stream::iter([call])).await
}

/// What the terminal can do.
fn style(args: &CallArgs) -> Style {
    let terminal = match args.output.format {
        Format::Text => std::io::stdout().is_terminal(),
        Format::Json => std::io::stderr().is_terminal(),
    };
    let (color, width) = (terminal::is_coloured(args.color, terminal), terminal::columns(terminal));
    Style { unicode: terminal::is_utf8() && !args.ascii, color, width: width.unwrap_or(100).clamp(40, 120) }
}

/// The answer to an attempt, short: `200  1.2 ms`.
pub(crate) fn answer(attempt: &AttemptEntry) -> String {
    let latency = Duration::from_nanos(attempt.latency_ns).as_secs_f64() * 1e3;
    match (attempt.status, attempt.outcome) {
        (Some(status), _) => format!("{status} {latency:.1} ms"),
        (None, AttemptOutcome::Timeout) => "timeout".to_owned(),
        (None, AttemptOutcome::ConnectError) => "refused".to_owned(),
        (None, AttemptOutcome::Reset) => "reset".to_owned(),
        (None, _) => "no HTTP".to_owned(),
    }
}
