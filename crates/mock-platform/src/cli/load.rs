mod actions;
mod awake;
mod capacity;
mod course;
mod outcome;
mod saved;
mod scraped;
mod shard;
mod sinks;
mod view;

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Subcommand};
use piopiy_mock_platform::deliver::Target;
use piopiy_mock_platform::deliver::check_run::Observation;
use piopiy_mock_platform::load::{
    Expected, LoadError, LoadOptions, LoadOptionsError, LoadReport, Progress, Rate, Threshold,
};
use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator, Spacing, Stage};

use tokio::sync::mpsc::unbounded_channel;

use self::awake::AwakeArg;
use self::course::Arrivals;
use super::check::observation::ObservationArgs;
use super::duration;
use super::exit::{Exit, Failure, OrExit};
use super::open_files;
use super::signals::Signals;
use super::target::{FaultArgs, PlanArgs, scenario, scenario_help};
use super::trust::TrustArgs;
use super::untold;
use view::View;

pub(crate) const EXAMPLES: &str = "\
Examples:
  # 200 webhooks per second for half a minute, and a bound on how long the answers take
  piopiy-mock load http://127.0.0.1:5000/webhook/cdr --rate 200 --duration 30s --assert 'p99<500ms'
  # 20 calls per second that last as long as calls do, a hundred times as fast
  piopiy-mock load http://127.0.0.1:5000/webhook/cdr --cps 20 --time-scale 100 --duration 1m
  # From 10 calls a second to 100, a burst, and an hour at 100
  piopiy-mock load http://127.0.0.1:5000/webhook/cdr --cps 10 --stage ramp:100:5m --stage burst:500:10s --stage soak:1h
  # The largest rate of webhooks with nothing lost or doubled and p99 below 200 ms
  piopiy-mock load http://127.0.0.1:5000/webhook/cdr --find-capacity --p99 200ms --observe-url http://127.0.0.1:5000/__observe
  # As fast as it answers
  piopiy-mock load http://127.0.0.1:5000/webhook/cdr --rate max --duration 10s --report json=load.json";

/// What `--help` says about exit codes.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  the load was generated, every threshold holds, and whoever looked at the receiver found nothing
    1  a threshold does not hold, webhooks were lost, doubled or changed, as far as that was looked at, or the receiver
       acknowledged nothing, was so slow that webhooks were dropped, or takes no rate safely
    2  the command line, or a file that it names, is wrong
    3  something outside is not there: the target, a port, a disk; or the receiver's effects could not be seen to the end,
       and nothing else was wrong: the report is written all the same
    4  inconclusive: the generator was the bottleneck, a threshold is of effects and nobody looked,
       nothing was sent, or a search did not come to its end
    5  a bug of this program
  130  stopped with Ctrl-C (143 with SIGTERM); the report is written all the same";

/// Load: whole calls at a rate, and how the receiver takes them
///
/// Instants are planned before anything is sent, and latency counts from them: a receiver that stalls is seen to stall by
/// every webhook that would have come meanwhile. Where the generator itself was the bottleneck the run says so, and nothing of how fast the receiver is.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct LoadCommand {
    #[command(subcommand)]
    saved: Option<Saved>,
    #[command(flatten)]
    load: LoadArgs,
}

/// What is done with reports that were saved.
#[derive(Debug, Subcommand)]
enum Saved {
    #[command(after_help = saved::COMPARE)]
    Compare(saved::CompareArgs),
    #[command(after_help = saved::MERGE)]
    Merge(saved::MergeArgs),
}

#[derive(Debug, Args)]
struct LoadArgs {
    /// The URL of the receiver
    #[arg(required = true)]
    url: Option<String>,
    /// Allow a host that is not this machine, as HOST or HOST:PORT; may be given several times
    #[arg(long, value_name = "HOST", help_heading = "Target")]
    allow_host: Vec<String>,
    /// More than 100 webhooks a second, each as often as it may be sent again, a rate that is not known before, or more than 256 connections for a host that is not this
    /// machine: it is mine, and may be loaded
    #[arg(long, help_heading = "Target")]
    i_own_this_target: bool,
    #[command(flatten, next_help_heading = "Target")]
    trust: TrustArgs,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    capacity: capacity::CapacityArgs,
    #[command(flatten)]
    shard: shard::ShardArgs,
    #[command(flatten)]
    redelivery: course::RedeliveryArgs,
    #[command(flatten)]
    faults: FaultArgs,
    /// The connections, over all threads
    #[arg(long, value_name = "N", default_value_t = 64, help_heading = "Limits")]
    connections: usize,
    /// The threads; all cores if not given, as far as there are connections
    #[arg(long, value_name = "N", help_heading = "Limits")]
    threads: Option<usize>,
    /// Whether threads stay awake between webhooks: a core that sleeps wakes up late. `auto` where webhooks are less than a millisecond apart, fewer threads than
    /// the machine has cores, and CPU time is unlimited; `always` takes up a core for each thread, which the receiver must not need
    #[arg(long, value_name = "WHEN", num_args = 0..=1, require_equals = true, default_value = "auto", default_missing_value = "always", help_heading = "Limits")]
    awake: AwakeArg,
    /// The most webhooks that wait for a connection; what is due beyond that is dropped, and counted
    #[arg(long, value_name = "N", default_value_t = 1_000_000, help_heading = "Limits")]
    backlog: usize,
    /// How long an answer may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration::parse, help_heading = "Limits")]
    timeout: Duration,
    #[arg(long, value_name = "NAME|FILE", default_value = "default", help_heading = "Plan", help = scenario_help())]
    scenario: String,
    #[command(flatten)]
    plan: PlanArgs,
    #[command(flatten)]
    observation: ObservationArgs,
    /// What has to hold, such as 'p99<500ms', 'errors<0.1%' or 'rate>=990'; may be given several times
    #[arg(long, value_name = "THRESHOLD", help_heading = "Verdict")]
    assert: Vec<Threshold>,
    #[command(flatten)]
    sinks: sinks::SinkArgs,
    /// Write what became of each webhook to a file, as JSON Lines: when it was planned, sent and answered, in nanoseconds from the start, and
    /// which attempt it was, if not the first, or that it was a copy
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    ledger: Option<PathBuf>,
}

/// How much, and how fast.
#[derive(Debug, Args)]
#[command(next_help_heading = "Pace")]
struct PaceArgs {
    /// Calls per second, each with its own timing
    #[arg(long, value_name = "N", group = "pace")]
    cps: Option<f64>,
    /// Calls in progress at once, on average
    #[arg(long, value_name = "N", group = "pace")]
    erlangs: Option<f64>,
    /// Webhooks per second, those of whole calls one after another, or `max`: as fast as they are answered
    /// [default: 100]
    #[arg(long, value_name = "N|max", group = "pace", value_parser = rate)]
    rate: Option<Rate>,
    /// How arrivals lie in time: poisson, constant, or file:PATH with an instant a line at which a call begins, in seconds from the start
    /// [default: constant for --rate, poisson otherwise]
    #[arg(long, value_name = "PROCESS", value_parser = Arrivals::parse)]
    arrivals: Option<Arrivals>,
    /// Change the rate, from --rate, --cps or --erlangs on: `ramp:200:30s`, `step:400:1m`, `burst:1000:5s` (and back), `soak:2h`; may be
    /// given several times, one after the other [default: those of the scenario, from its arrivals per second on where no rate is given]
    #[arg(long, value_name = "STAGE", value_parser = course::stage, conflicts_with = "duration")]
    stage: Vec<Stage>,
    /// For how long calls begin; those that have begun are sent whole [default: 10s without --calls]
    #[arg(long, value_name = "DURATION", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// How many calls
    #[arg(long, value_name = "N")]
    calls: Option<u64>,
    /// How much faster than in life a call goes by, with --cps and --erlangs
    #[arg(long, value_name = "N", default_value_t = 1.0)]
    time_scale: f64,
}

const DEFAULT_RATE: f64 = 100.0;
const DEFAULT_DURATION: Duration = Duration::from_secs(10);
/// What is open beside connections: reports, the clock, whoever looks at effects or is looked at.
const FILES: u64 = 256;
/// What anybody may be asked to take, per second.
const MODEST: f64 = 100.0;
/// And how many connections.
const FEW: usize = 256;

pub(crate) async fn run(command: LoadCommand) -> Result<Exit, Failure> {
    match command {
        LoadCommand { saved: Some(Saved::Compare(args)), .. } => saved::compare(&args),
        LoadCommand { saved: Some(Saved::Merge(args)), .. } => saved::join(&args),
        LoadCommand { saved: None, load: args } => load(args).await,
    }
}

async fn load(args: LoadArgs) -> Result<Exit, Failure> {
    let trust = args.trust.trust()?;
    let parsed = |url: &str| {
        let target = Target::parse(url, &args.allow_host).or_exit(Exit::Usage)?;
        Ok(target.trusting(trust.clone()))
    };
    let target = parsed(args.url())?;
    let mut plan = args.plan.options();
    let mut scenario = scenario(&args.scenario)?;
    let mut options = args.options(&plan, &scenario)?;
    args.shard.apply(args.plan.is_epoch_given(), &mut plan, &mut options);
    options.observation = args.observation.given(parsed)?;
    options.settle = args.observation.settle();
    if plan.shard.is_some() && matches!(options.observation, Some(Observation::Command(_))) {
        let text = "--verify-cmd counts the effects of all shards, and this is one of them: give --observe-url or --observe-file, or count behind all of them";
        return Err(Failure::new(Exit::Usage, anyhow::anyhow!("{text}")));
    }
    options.check().or_exit(Exit::Usage)?;
    open_files::allow(FILES.saturating_add(options.connections as u64));
    if let Rate::Calls(per_second) = options.rate {
        // The times in the payloads are those of the arrivals.
        scenario.arrivals.per_second = per_second;
        scenario.arrivals.spacing = options.spacing;
    }
    let simulator = Simulator::new(&scenario, plan);
    args.capacity.check(&simulator, &options, args.pace.duration)?;
    args.check_owner(&simulator, &options)?;
    if let Some(warning) = course::empty_erlangs(&simulator, &options) {
        say(&warning);
    }
    args.sinks.begin()?;
    untold::check(&simulator, &scenario.name)?;
    let rerun = outcome::rerun(&simulator, &target);
    say(&rerun);
    if options.observation.is_none() {
        let mut unseen = args.assert.iter().filter(|threshold| threshold.is_of_effects());
        if let Some(threshold) = unseen.next() {
            say(&format!(
                "warning: nobody will know whether {threshold}: give --observe-url, --observe-file or --verify-cmd\n"
            ));
        }
    }
    let signals = Signals::listen();
    let progress = Arc::new(Progress::default());
    let scraped = args.sinks.serve(&progress).await?;
    for one in &scraped {
        say(&format!("metrics at http://{}/metrics, while it runs\n", one.address));
    }
    let mut report = match generate(&args, simulator, target, options, &progress, &signals).await {
        // Nothing was sent, and nothing is to be told.
        Err(failure) if matches!(failure.error.downcast_ref::<LoadError>(), Some(LoadError::Stopped)) => {
            return Ok(signals.seen().unwrap_or(Exit::Interrupted));
        }
        report => report?,
    };
    report.judge(&args.assert);
    let ended = outcome::finish(&report, &args.sinks)?;
    say(&rerun);
    Ok(signals.seen().unwrap_or(ended))
}

/// Runs the load beside the runtime, which looks after signals and tells how far it is.
async fn generate(
    args: &LoadArgs,
    simulator: Simulator,
    target: Target,
    options: LoadOptions,
    progress: &Arc<Progress>,
    signals: &Signals,
) -> Result<LoadReport, Failure> {
    let (capacity, trial) = (args.capacity.clone(), args.pace.duration);
    let mut of_one = options.clone();
    of_one.duration = capacity.trial(trial).or(options.duration);
    let mut view = View::new(Expected::of(&simulator, &of_one), options.rate == Rate::Max);
    let shared = Arc::clone(progress);
    let (told, mut trials) = unbounded_channel();
    let mut run = tokio::task::spawn_blocking(move || {
        capacity.run(&simulator, &target, &options, trial, &shared, &told)
    });
    let mut ticks = tokio::time::interval(view.every());
    // The first is at once, when nothing has happened.
    ticks.tick().await;
    let mut is_stopping = false;
    let ended = loop {
        tokio::select! {
            // What there is to tell is told first.
            biased;
            Some(line) = trials.recv() => view.tell(&line),
            ended = &mut run => break ended,
            () = signals.wait(), if !is_stopping => {
                is_stopping = true;
                progress.stop();
                view.stopping();
                view.show(&progress.now());
            }
            _ = ticks.tick() => {
                progress.troubles().iter().for_each(|trouble| view.tell(trouble));
                view.show(&progress.now());
            }
        }
    };
    while let Ok(line) = trials.try_recv() {
        view.tell(&line);
    }
    view.clear();
    let report = ended.map_err(|error| anyhow::anyhow!("the generator has panicked: {error}"))?;
    report.map_err(|error| {
        let exit = if matches!(error, LoadError::Options(_)) { Exit::Usage } else { Exit::Environment };
        Failure::new(exit, error)
    })
}

/// Tells people; nobody may be reading.
fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

impl LoadArgs {
    /// It is required, unless another command is given.
    fn url(&self) -> &str {
        self.url.as_deref().unwrap_or_default()
    }

    fn options(&self, plan: &PlanOptions, scenario: &Scenario) -> Result<LoadOptions, Failure> {
        let pace = &self.pace;
        let stages = self.stages(scenario);
        let rate = match (pace.cps, pace.erlangs) {
            (Some(cps), _) => Rate::Calls(cps),
            (None, Some(erlangs)) => Rate::Erlangs(erlangs),
            // Stages of a scenario are of its calls.
            (None, None) if pace.stage.is_empty() && !stages.is_empty() => {
                pace.rate.unwrap_or(Rate::Calls(scenario.arrivals.per_second))
            }
            (None, None) => pace.rate.unwrap_or(Rate::Webhooks(DEFAULT_RATE)),
        };
        let arrivals_at = pace.arrivals.as_ref().map(Arrivals::read).transpose()?.flatten();
        let is_paced = pace.cps.is_some() || pace.erlangs.is_some() || pace.rate.is_some();
        if arrivals_at.is_some() && is_paced {
            return Err(Failure::new(Exit::Usage, LoadOptionsError::Arrivals));
        }
        let rate = arrivals_at.as_ref().map_or(rate, |instants| course::mean_rate(instants));
        let mut options = LoadOptions::new(rate);
        options.arrivals_at = arrivals_at;
        options.stages = stages;
        options.faults = self.faults.faults(plan.seed.0);
        self.redelivery.apply(&mut options);
        let usual = match rate {
            Rate::Webhooks(_) => Spacing::Constant,
            // The rate is that of the scenario, stages or not.
            _ if !is_paced && options.arrivals_at.is_none() => scenario.arrivals.spacing,
            _ => Spacing::Poisson,
        };
        options.spacing = pace.arrivals.as_ref().and_then(Arrivals::spacing).unwrap_or(usual);
        options.calls = pace.calls;
        let has_no_end = pace.calls.is_none() && options.stages.is_empty() && options.arrivals_at.is_none();
        options.duration = pace.duration.or(has_no_end.then_some(DEFAULT_DURATION));
        options.time_scale = pace.time_scale;
        options.connections = self.connections;
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        options.threads = self.threads.unwrap_or(cores.min(self.connections).max(1));
        options.awake = self.awake.into();
        options.backlog = self.backlog;
        options.timeout = self.timeout;
        options.ledger.clone_from(&self.ledger);
        Ok(options)
    }

    /// Those of the command line, or else of the scenario, where nothing that was asked for has another course.
    fn stages(&self, scenario: &Scenario) -> Vec<Stage> {
        let pace = &self.pace;
        let is_listed = matches!(pace.arrivals, Some(Arrivals::File(_)));
        match () {
            () if !pace.stage.is_empty() => pace.stage.clone(),
            () if is_listed || pace.rate == Some(Rate::Max) || self.capacity.is_given() => Vec::new(),
            () => scenario.stages.clone(),
        }
    }

    /// Refuses to load a stranger.
    fn check_owner(&self, simulator: &Simulator, options: &LoadOptions) -> Result<(), Failure> {
        let is_modest = !self.capacity.is_given()
            && options.connections <= FEW
            && options.peak_webhooks(simulator).is_some_and(|peak| peak <= MODEST);
        if is_modest || self.i_own_this_target || Target::parse(self.url(), &[]).is_ok() {
            return Ok(());
        }
        let text = "more than 100 webhooks a second, each as often as it may be sent again, a rate that is not known before, and more than 256 connections are for a host of one's own: if it is yours, say `--i-own-this-target`";
        Err(Failure::new(Exit::Usage, anyhow::anyhow!("{text}")))
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    text.parse().map(Rate::Webhooks).map_err(|_| format!("{text:?} is neither a number nor `max`"))
}
