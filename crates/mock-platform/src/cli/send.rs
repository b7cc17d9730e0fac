use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use clap::Args;
use futures_util::stream;
use piopiy_events::{CallDirection, Evidence, Webhook};
use piopiy_mock_platform::deliver::Redelivery;
use piopiy_mock_platform::deliver::ledger::{Entry, Record, RunEntry};
use piopiy_mock_platform::plan::{PlanOptions, PlannedCall, PlannedWebhook, SingleOptions, set, single};

use super::exit::{Exit, Failure, OrExit};
use super::session::Session;
use super::target::{DeliveryArgs, Format, OutputArgs, PlanArgs, TargetArgs};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # One webhook, with a number of your own
  piopiy-mock send cdr.inbound.missed --to http://127.0.0.1:5000/webhook/cdr --set from=447700900123
  # The hang-up of leg b, as the older pages have it
  piopiy-mock send live.hangup --to http://127.0.0.1:5000/webhook/cdr --profile global-2022 --leg b
  # Exactly these bytes
  piopiy-mock send --body '{\"status\":\"new\"' --to http://127.0.0.1:5000/webhook/cdr
  piopiy-mock send --body - --to http://127.0.0.1:5000/webhook/cdr < body.json

`piopiy-mock events` lists the events.";

/// One webhook, now
///
/// It is sent once; --cdr-policy until-ack or always sends a CDR again on schedule.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// Which: `live.<status>` or `cdr.<direction>.<outcome>`
    #[arg(required_unless_present = "body")]
    event: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    /// Set a member: JSON as it is, anything else as a string; may be given several times
    #[arg(long, value_name = "KEY=JSON", help_heading = "Webhook")]
    set: Vec<String>,
    /// Send this instead: a file, - for stdin, or the text itself
    #[arg(long, value_name = "FILE|-|TEXT", help_heading = "Webhook")]
    body: Option<String>,
    /// The leg: a or b; the one that is documented best if not given
    #[arg(long, help_heading = "Webhook")]
    leg: Option<String>,
    /// The direction of its call: inbound or outbound; the one that is documented best if not given
    #[arg(long, value_parser = direction, help_heading = "Webhook")]
    direction: Option<CallDirection>,
    /// Send this many, each with ids of its own (with --body: the same bytes each time)
    #[arg(long, value_name = "N", default_value = "1", help_heading = "Webhook")]
    count: u64,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    delivery: DeliveryArgs,
    #[command(flatten)]
    output: OutputArgs,
}

pub(crate) async fn run(args: SendArgs) -> Result<Exit, Failure> {
    let plan = args.plan.options();
    let targets = args.target.targets()?;
    let options = args.delivery.options(Redelivery::Never, None, plan.seed)?;
    let body = args.body.as_deref().map(read_body).transpose()?;
    let calls: Vec<PlannedCall> =
        (0..args.count).map(|index| call(&args, &plan, body.as_deref(), index)).collect::<Result<_, _>>()?;
    let run = RunEntry::new("send", &plan, Some(&targets), &options);
    let session = Session {
        run,
        targets,
        options,
        target: &args.target,
        output: &args.output,
        reader: Box::new(tell_attempts(args.output.format)),
    };
    session.deliver(stream::iter(calls)).await
}

fn call(
    args: &SendArgs,
    plan: &PlanOptions,
    body: Option<&[u8]>,
    index: u64,
) -> Result<PlannedCall, Failure> {
    let mut webhook = match (body, &args.event) {
        (Some(body), event) => {
            let kind = Webhook::parse(body).ok().and_then(|webhook| webhook.kind());
            let name = event.clone().unwrap_or_else(|| "body".to_owned());
            PlannedWebhook::new(index, 0, 0, name.into(), kind, Evidence::Guess, body.to_vec())
        }
        (None, event) => {
            let mut options = SingleOptions::default();
            (options.seed, options.nonce, options.index) = (plan.seed, plan.nonce, index);
            options.now_ms = plan.epoch_ms;
            options.leg.clone_from(&args.leg);
            options.direction = args.direction;
            // Without a body there is an event: the command line is refused otherwise.
            let event = event.as_deref().unwrap_or_default();
            single(event, plan.profile, &options).or_exit(Exit::Usage)?
        }
    };
    for assignment in &args.set {
        webhook.body = set(&webhook.body, assignment).or_exit(Exit::Usage)?;
    }
    webhook.call = index;
    let story = webhook.name.clone();
    Ok(PlannedCall::new(index, plan.profile, story, vec![webhook]))
}

fn direction(text: &str) -> Result<CallDirection, String> {
    let directions = [CallDirection::Inbound, CallDirection::Outbound];
    directions
        .into_iter()
        .find(|direction| direction.as_str() == text)
        .ok_or_else(|| format!("{text:?} is neither inbound nor outbound"))
}

fn read_body(given: &str) -> Result<Vec<u8>, Failure> {
    if given == "-" {
        let mut body = Vec::new();
        std::io::stdin()
            .lock()
            .read_to_end(&mut body)
            .context("stdin cannot be read")
            .or_exit(Exit::Usage)?;
        return Ok(body);
    }
    if Path::new(given).is_file() {
        return std::fs::read(given).with_context(|| format!("{given} cannot be read")).or_exit(Exit::Usage);
    }
    Ok(given.as_bytes().to_vec())
}

/// A line for each attempt.
fn tell_attempts(format: Format) -> impl FnMut(&Record) + Send + 'static {
    let mut names = BTreeMap::new();
    move |record| match &record.entry {
        Entry::Plan(plan) => {
            names.insert((plan.call, plan.webhook), plan.name.clone());
        }
        Entry::Attempt(attempt) => {
            let name = names.get(&(attempt.call, attempt.webhook)).map_or("", String::as_str);
            let line = super::call::answer(attempt);
            let line = format!("{name}  {line}");
            // Nobody may be reading.
            let _ = super::session::text(format, &line);
        }
        Entry::Outcome(outcome) => {
            names.remove(&(outcome.call, outcome.webhook));
        }
        _ => {}
    }
}
