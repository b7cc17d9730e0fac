use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use futures_util::stream;
use piopiy_events::Profile;
use tokio::sync::mpsc;

use super::{MockPlatform, StartError, reading};
use crate::deliver::ledger::{Entry, RunEntry};
use crate::deliver::{
    Clock, DeliveryOptions, Faults, Ledger, Pace, Redelivery, Target, Targets, deliver_placed, fresh, wall_ms,
};
use crate::judge::Judge;
use crate::plan::{Nonce, PlanOptions, Seed};

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
}

impl Default for MockPlatformBuilder {
    fn default() -> Self {
        let plan = PlanOptions { nonce: Nonce(fresh()), epoch_ms: wall_ms(), ..PlanOptions::default() };
        let options = DeliveryOptions { pace: Pace::jump(), ..DeliveryOptions::default() };
        Self { live_to: None, cdr_to: None, allowed: Vec::new(), plan, options, ledger_file: None }
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

    /// Writes the ledger to a file too.
    pub fn ledger_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ledger_file = Some(path.into());
        self
    }

    /// Starts it, on the current tokio runtime.
    ///
    /// # Errors
    /// If a URL cannot be posted to, the options make no sense, or the ledger file cannot be created.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    #[expect(clippy::unused_async, reason = "it starts a task: whoever awaits it is in a runtime")]
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
            tokio::spawn(async move { deliver_placed(placed, &options, &ledger, clock).await })
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
        })
    }
}
