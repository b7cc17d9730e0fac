use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream;
use piopiy_events::Profile;
use tokio::sync::mpsc;

use super::config::{Config, Delivery};
use super::exchange::Exchange;
use super::live::Live;
use super::serve::{ServeOptions, Serving};
use super::{MockPlatform, StartError, reading};
use crate::deliver::ledger::{Entry, RunEntry};
use crate::deliver::{
    Clock, DeliveryOptions, Faults, Ledger, Pace, Redelivery, Target, Targets, deliver_placed, fresh, wall_ms,
};
use crate::judge::Judge;
use crate::plan::{Length, Nonce, PlanOptions, Seed};

/// Says what a [`MockPlatform`] is like.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::MockPlatform;
/// use piopiy_mock_platform::deliver::{Faults, Pace};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let platform = MockPlatform::builder()
///     .live_to("http://127.0.0.1:5000/events")
///     .cdr_to("http://127.0.0.1:5000/webhook/cdr")
///     .faults(Faults::chaos(1))
///     .pace(Pace::scaled(600.0))
///     .start()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is started before `start`"]
pub struct MockPlatformBuilder {
    live_to: Option<String>,
    cdr_to: Option<String>,
    allowed: Vec<String>,
    plan: PlanOptions,
    options: DeliveryOptions,
    ledger_file: Option<PathBuf>,
    config: Option<Config>,
    answer_url: Option<String>,
    time_scale: Option<f64>,
    patience: Duration,
}

/// How much faster than the clock live calls run: an application on a busy machine still answers within virtual seconds.
const TIME_SCALE: f64 = 10.0;
/// How long a test waits for something.
const PATIENCE: Duration = Duration::from_secs(10);

impl Default for MockPlatformBuilder {
    fn default() -> Self {
        let plan = PlanOptions { nonce: Nonce(fresh()), epoch_ms: wall_ms(), ..PlanOptions::default() };
        let options = DeliveryOptions { pace: Pace::jump(), ..DeliveryOptions::default() };
        Self {
            live_to: None,
            cdr_to: None,
            allowed: Vec::new(),
            plan,
            options,
            ledger_file: None,
            config: None,
            answer_url: None,
            time_scale: None,
            patience: PATIENCE,
        }
    }
}

impl MockPlatformBuilder {
    /// Where live events and CDRs go.
    pub fn to(self, url: impl Into<String>) -> Self {
        let url = url.into();
        self.live_to(url.clone()).cdr_to(url)
    }

    /// Where live events go; CDRs too, if no URL is set for them.
    pub fn live_to(mut self, url: impl Into<String>) -> Self {
        self.live_to = Some(url.into());
        self
    }

    /// Where CDRs go; live events too, if no URL is set for them.
    pub fn cdr_to(mut self, url: impl Into<String>) -> Self {
        self.cdr_to = Some(url.into());
        self
    }

    /// Allows a host beyond this machine: `HOST` or `HOST:PORT`.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        self.allowed.push(host.into());
        self
    }

    /// The profile of the payloads; `global` by default.
    pub fn profile(mut self, profile: Profile) -> Self {
        self.plan.profile = profile;
        self
    }

    /// What the calls follow from; 0 by default.
    pub fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = Seed(seed);
        self
    }

    /// What the ids follow from, with the seed; fresh by default.
    pub fn nonce(mut self, nonce: u64) -> Self {
        self.plan.nonce = Nonce(nonce);
        self
    }

    /// Leaves out payloads that no page documents.
    pub fn documented_only(mut self) -> Self {
        self.plan.documented_only = true;
        self
    }

    /// Whether, and how long, CDRs are sent again; `until-ack` by default.
    pub fn cdr_policy(mut self, policy: Redelivery) -> Self {
        self.options.cdr_policy = policy;
        self
    }

    /// Whether live events are sent again; `never` by default.
    pub fn live_policy(mut self, policy: Redelivery) -> Self {
        self.options.live_policy = policy;
        self
    }

    /// How virtual time runs; it jumps by default.
    pub fn pace(mut self, pace: Pace) -> Self {
        self.options.pace = pace;
        self
    }

    /// What goes wrong on purpose; nothing by default.
    pub fn faults(mut self, faults: Faults) -> Self {
        self.options.faults = faults;
        self
    }

    /// All that can be said about deliveries at once, in place of what was said before.
    pub fn options(mut self, options: DeliveryOptions) -> Self {
        self.options = options;
        self
    }

    /// Who is asked what to do with live calls to the numbers that have no answer URL of their own.
    pub fn answer_url(mut self, url: impl Into<String>) -> Self {
        self.answer_url = Some(url.into());
        self
    }

    /// Apps, numbers, people, choices and more, as a file would say; its profile, seed, delivery and hosts take the place of
    /// what was said before. Numbers without URLs get those that are said here.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::MockPlatform;
    /// use piopiy_mock_platform::platform::Config;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config::parse("test", "[platform.callee]\nanswers = \"busy\"")?;
    /// let platform = MockPlatform::builder().config(config).start().await?;
    /// assert_eq!(platform.number(), 441_632_960_000);
    /// # Ok(())
    /// # }
    /// ```
    pub fn config(mut self, config: Config) -> Self {
        self.plan.profile = config.profile;
        self.plan.documented_only = config.documented_only;
        if let Some(seed) = config.seed {
            self.plan.seed = Seed(seed);
        }
        self.allowed.clone_from(&config.allow_hosts);
        self.options = DeliveryOptions { pace: self.options.pace, ..config.delivery_options() };
        self.config = Some(config);
        self
    }

    /// How many times faster than the clock the virtual time of live calls runs: 10, or what the configuration says.
    /// The faster, the less time an application has to answer before somebody gives up. Audio is always in real time.
    pub fn time_scale(mut self, times: f64) -> Self {
        self.time_scale = Some(times);
        self
    }

    /// How long `over`, `until…`, `next_call` and `verify` wait: ten seconds by default, by the clock.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Writes the ledger of planned calls to a file too.
    pub fn ledger_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ledger_file = Some(path.into());
        self
    }

    /// Starts it, on the current tokio runtime.
    ///
    /// # Errors
    /// If a URL cannot be posted to, the options make no sense, the ledger file cannot be created, or nothing can be listened
    /// at.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(self) -> Result<MockPlatform, StartError> {
        self.options.check()?;
        let live = self.live_to.as_ref().or(self.cdr_to.as_ref());
        let cdr = self.cdr_to.as_ref().or(self.live_to.as_ref());
        let targets = match (live, cdr) {
            (Some(live), Some(cdr)) => Some(Targets {
                live: Target::parse(live, &self.allowed)?.without_tls()?,
                cdr: Target::parse(cdr, &self.allowed)?.without_tls()?,
            }),
            _ => None,
        };
        let live = self.start_live().await?;
        let judge = Arc::new(Mutex::new(Judge::observing()));
        let mut ledger = Ledger::builder().in_memory().reader(reading(&judge));
        if let Some(path) = self.ledger_file {
            ledger = ledger.file(path);
        }
        let ledger = ledger.open()?;
        let run = RunEntry::new("in process", &self.plan, targets.as_ref(), &self.options);
        ledger.append(Entry::Run(Box::new(run)));
        let (calls, placed) = mpsc::unbounded_channel();
        let placed = Box::pin(stream::unfold(placed, |mut placed| async move {
            placed.recv().await.map(|call| (call, placed))
        }));
        let engine = {
            let (options, ledger) = (self.options, ledger.clone());
            let clock = Clock::start(options.pace);
            // A plan is delivered as it is: nobody asks for it to be forgotten.
            let (_, forgetting) = mpsc::unbounded_channel();
            tokio::spawn(async move { deliver_placed(placed, &options, &ledger, clock, forgetting).await })
        };
        Ok(MockPlatform {
            plan: self.plan,
            targets: Mutex::new(targets.map(Arc::new)),
            allowed: self.allowed,
            next_call: AtomicU64::new(0),
            calls,
            engine,
            ledger,
            judge,
            live,
        })
    }

    async fn start_live(&self) -> Result<Live, StartError> {
        let exchange = Exchange::start(self.live_config(), None)?;
        // The windows and all: a configuration has rates alone.
        exchange.set_usual_faults(self.options.faults.clone());
        let mut options = ServeOptions::default();
        options.rest.set_port(0);
        options.control.set_port(0);
        Ok(Live::new(Serving::start(exchange, &options).await?, self.patience))
    }

    /// What live calls are like.
    fn live_config(&self) -> Config {
        let mut config =
            self.config.clone().unwrap_or_else(|| Config { time_scale: TIME_SCALE, ..Config::default() });
        config = config.completed();
        config.profile = self.plan.profile;
        config.documented_only = self.plan.documented_only;
        config.seed = Some(self.plan.seed.0);
        config.allow_hosts.clone_from(&self.allowed);
        config.time_scale = self.time_scale.unwrap_or(config.time_scale);
        config.delivery = Delivery {
            cdr_policy: self.options.cdr_policy,
            live_policy: self.options.live_policy,
            schedule: self.options.schedule_ms.iter().map(|&ms| Length::from_millis(ms)).collect(),
            timeout: Length::from_millis(self.options.timeout_ms),
            order: self.options.order,
        };
        for number in &mut config.numbers {
            number.answer_url = number.answer_url.take().or_else(|| self.answer_url.clone());
            if number.event_url.is_none() && number.cdr_url.is_none() {
                (number.event_url, number.cdr_url) = (self.live_to.clone(), self.cdr_to.clone());
            }
        }
        config
    }
}
