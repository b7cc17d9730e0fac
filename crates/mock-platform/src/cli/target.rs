//! The options that commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use piopiy_events::Profile;
use piopiy_mock_platform::deliver::{
    CDR_SCHEDULE_MS, DeliveryOptions, Faults, Order, Pace, Redelivery, Target, Targets, fresh, wall_ms,
};
use piopiy_mock_platform::plan::{Nonce, PlanOptions, Scenario, Seed};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::duration;
use super::exit::{Exit, Failure, OrExit};

/// Where webhooks go.
#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
pub(crate) struct TargetArgs {
    /// The URL of the receiver, for live events and CDRs
    #[arg(long, value_name = "URL", required_unless_present_all = ["live_to", "cdr_to"])]
    to: Option<String>,
    /// Another URL for live events
    #[arg(long, value_name = "URL")]
    live_to: Option<String>,
    /// Another URL for CDRs
    #[arg(long, value_name = "URL")]
    cdr_to: Option<String>,
    /// Allow a host that is not this machine, as HOST or HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST")]
    pub(crate) allow_host: Vec<String>,
    /// Wait this long for the receiver to listen
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = duration::parse)]
    wait: Duration,
}

impl TargetArgs {
    pub(crate) fn targets(&self) -> Result<Targets, Failure> {
        let parse = |own: &Option<String>| {
            // One of the two is there: the command line is refused otherwise.
            let url = own.as_ref().or(self.to.as_ref()).map_or("", String::as_str);
            Target::parse(url, &self.allow_host).and_then(Target::without_tls).or_exit(Exit::Usage)
        };
        Ok(Targets { live: parse(&self.live_to)?, cdr: parse(&self.cdr_to)? })
    }

    /// Waits until somebody listens, so that a forgotten receiver is told at once and not as a thousand failures.
    pub(crate) async fn reach(&self, targets: &Targets) -> Result<(), Failure> {
        let deadline = Instant::now() + self.wait;
        for target in [&targets.live, &targets.cdr] {
            let address = target.authority();
            loop {
                let connected = timeout(Duration::from_secs(2), TcpStream::connect(&address)).await;
                let why = match connected {
                    Ok(Ok(_)) => break,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => "no answer within 2 s".to_owned(),
                };
                if Instant::now() >= deadline {
                    let error = anyhow::anyhow!(
                        "nothing can be reached at {address} ({why}): start the receiver first, or let me wait for it with `--wait 10s`"
                    );
                    return Err(Failure::new(Exit::Environment, error));
                }
                sleep(Duration::from_millis(50)).await;
            }
        }
        Ok(())
    }
}

/// What the plan follows from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Plan")]
pub(crate) struct PlanArgs {
    /// The revision of the wire: global, global-2022 or india
    #[arg(long, default_value = "global")]
    pub(crate) profile: Profile,
    /// What the calls follow from, decimal or 0x…; random if not given
    #[arg(long, env = "PIOPIY_MOCK_SEED")]
    seed: Option<Seed>,
    /// What the ids follow from, with the seed; fresh if not given
    #[arg(long)]
    nonce: Option<Nonce>,
    /// When the run starts, in the payloads: milliseconds since 1970; if not given now, for `plan`
    /// the start of 2026
    #[arg(long, value_name = "MS")]
    epoch: Option<u64>,
    /// Leave out payloads that no page documents
    #[arg(long)]
    documented_only: bool,
}

impl PlanArgs {
    /// Whether it is said when the run starts, in the payloads.
    pub(crate) fn is_epoch_given(&self) -> bool {
        self.epoch.is_some()
    }

    pub(crate) fn options(&self) -> PlanOptions {
        self.options_from(wall_ms())
    }

    /// The options, starting at `epoch_ms` where the command line does not say when.
    pub(crate) fn options_from(&self, epoch_ms: u64) -> PlanOptions {
        let mut options = PlanOptions::new(self.profile, self.seed.unwrap_or_else(|| Seed(fresh() >> 32)));
        options.nonce = self.nonce.unwrap_or_else(|| Nonce(fresh()));
        options.epoch_ms = self.epoch.unwrap_or(epoch_ms);
        options.documented_only = self.documented_only;
        options
    }
}

/// How webhooks are delivered.
#[derive(Debug, Args)]
#[command(next_help_heading = "Delivery")]
pub(crate) struct DeliveryArgs {
    /// Whether CDRs are sent again: until-ack, always or never [default: until-ack; for `send` never]
    #[arg(long, value_name = "POLICY")]
    cdr_policy: Option<Redelivery>,
    /// Whether live events are sent again: until-ack, always or never [default: never]
    #[arg(long, value_name = "POLICY")]
    live_policy: Option<Redelivery>,
    /// When a webhook is sent again, from the start of its first attempt [default: 0s,5m,15m,30m]
    #[arg(long, value_name = "DURATIONS", value_delimiter = ',', value_parser = duration::parse_ms)]
    schedule: Vec<u64>,
    /// Whether the webhooks of a call wait for one another: per-call or free [default: per-call]
    #[arg(long)]
    order: Option<Order>,
    /// How long to wait for an answer, in wall time [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse_ms)]
    timeout: Option<u64>,
    /// The most attempts in flight at once [default: 64]
    #[arg(long, value_name = "N")]
    concurrency: Option<usize>,
    /// The most connections [default: 64]
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    /// Run virtual time N times as fast [default: 1]
    #[arg(long, value_name = "N", conflicts_with = "jump")]
    time_scale: Option<f64>,
    /// Skip gaps in which nothing happens
    #[arg(long)]
    jump: bool,
}

/// What goes wrong on purpose. Each fault is named in the ledger and follows from the seed.
#[derive(Debug, Args)]
#[command(next_help_heading = "Faults (probabilities, such as 0.01 or 1%)")]
pub(crate) struct FaultArgs {
    /// Everything below at once, each now and then
    #[arg(long)]
    chaos: bool,
    /// Send a second copy, at once or shortly after
    #[arg(long, value_name = "P", value_parser = probability)]
    fault_duplicate: Option<f64>,
    /// Send behind later webhooks of the call
    #[arg(long, value_name = "P", value_parser = probability)]
    fault_reorder: Option<f64>,
    /// Hold back
    #[arg(long, value_name = "P", value_parser = probability)]
    fault_delay: Option<f64>,
    /// Never send
    #[arg(long, value_name = "P", value_parser = probability)]
    fault_loss: Option<f64>,
}

/// Reads `0.01` or `1%`.
fn probability(text: &str) -> Result<f64, String> {
    let (digits, of) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    let wrong = || format!("{text:?} is no probability: write it like 0.01 or 1%");
    let probability = digits.trim().parse::<f64>().map_err(|_| wrong())? / of;
    Ok(probability)
}

impl FaultArgs {
    /// What is given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--chaos", self.chaos),
            ("--fault-duplicate", self.fault_duplicate.is_some()),
            ("--fault-reorder", self.fault_reorder.is_some()),
            ("--fault-delay", self.fault_delay.is_some()),
            ("--fault-loss", self.fault_loss.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }

    pub(crate) fn faults(&self, seed: u64) -> Faults {
        let mut faults = if self.chaos { Faults::chaos(seed) } else { Faults::seeded(seed) };
        for (given, probability) in [
            (self.fault_duplicate, &mut faults.duplicate),
            (self.fault_reorder, &mut faults.reorder),
            (self.fault_delay, &mut faults.delay),
            (self.fault_loss, &mut faults.loss),
        ] {
            *probability = given.unwrap_or(*probability);
        }
        faults
    }
}

impl DeliveryArgs {
    /// The options; CDRs have the policy `cdr` where none is given.
    pub(crate) fn options(
        &self,
        cdr: Redelivery,
        faults: Option<&FaultArgs>,
        seed: Seed,
    ) -> Result<DeliveryOptions, Failure> {
        let mut options = DeliveryOptions::default();
        options.cdr_policy = self.cdr_policy.unwrap_or(cdr);
        options.live_policy = self.live_policy.unwrap_or(options.live_policy);
        options.schedule_ms =
            if self.schedule.is_empty() { CDR_SCHEDULE_MS.to_vec() } else { self.schedule.clone() };
        options.order = self.order.unwrap_or(options.order);
        options.timeout_ms = self.timeout.unwrap_or(options.timeout_ms);
        options.concurrency = self.concurrency.unwrap_or(options.concurrency);
        options.connections = self.connections.unwrap_or(options.connections);
        options.pace = self.pace().unwrap_or(options.pace);
        options.faults = faults.map_or_else(|| Faults::seeded(seed.0), |faults| faults.faults(seed.0));
        options.check().or_exit(Exit::Usage)?;
        Ok(options)
    }

    /// How virtual time runs, where the command line says so.
    pub(crate) fn pace(&self) -> Option<Pace> {
        if self.jump { Some(Pace::jump()) } else { self.time_scale.map(Pace::scaled) }
    }

    /// What is given beside the pace.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("--cdr-policy", self.cdr_policy.is_some()),
            ("--live-policy", self.live_policy.is_some()),
            ("--schedule", !self.schedule.is_empty()),
            ("--order", self.order.is_some()),
            ("--timeout", self.timeout.is_some()),
            ("--concurrency", self.concurrency.is_some()),
            ("--connections", self.connections.is_some()),
        ];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }
}

/// What is written down.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Write the ledger to a file: JSON Lines, to be read by others and by `replay`
    #[arg(long, value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,
    /// Ask the receiver there what it did (observe protocol v1), to know what was lost or doubled
    #[arg(long, value_name = "URL")]
    pub(crate) observe_url: Option<String>,
    /// Read what the receiver did from a file to which it appends effect records
    #[arg(long, value_name = "FILE", conflicts_with = "observe_url")]
    pub(crate) observe_file: Option<PathBuf>,
    /// How long nothing must change at the receiver before it is believed to be done
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = duration::parse)]
    pub(crate) settle: Duration,
    /// What goes to stdout: text for people, or one JSON document (text then goes to stderr); nothing where the run
    /// could not begin
    #[arg(long, default_value = "text")]
    pub(crate) format: Format,
}

/// What goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON document
    Json,
}

/// What can be given as a scenario.
pub(crate) fn scenario_help() -> String {
    let names: Vec<&str> = Scenario::builtin_names().collect();
    format!("A TOML file, or one of the built-in scenarios: {}", names.join(", "))
}

/// A built-in scenario by its name, or a file: what has a dot or a separator in it.
pub(crate) fn scenario(name: &str) -> Result<Scenario, Failure> {
    if !name.contains(['.', '/', std::path::MAIN_SEPARATOR]) {
        return Scenario::builtin(name).or_exit(Exit::Usage);
    }
    let text = std::fs::read_to_string(name)
        .map_err(|error| anyhow::anyhow!("the scenario {name} cannot be read: {error}"))
        .or_exit(Exit::Usage)?;
    Scenario::parse(name, &text).or_exit(Exit::Usage)
}
