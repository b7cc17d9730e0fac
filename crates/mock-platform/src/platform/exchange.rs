//! The running platform: accounts, calls that are on, their webhooks, one clock and one ledger. REST, the control API,
//! the console and tests all act through it.

mod accounts;
mod acts;
mod placing;
mod settings;
mod targets;
mod transfers;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use futures_util::stream;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::board::Board;
use super::call::Command;
use super::config::{Config, ConfigError};
use super::rest::Gate;
use super::stream::{Shelf, StreamFaults};
use crate::deliver::ledger::{Entry, LedgerError, MessageEntry, RunEntry};
use crate::deliver::{
    Asker, Clock, DeliverError, Faults, Ledger, PlacedCall, Targets, deliver_placed, fresh, wall_ms,
};
use crate::judge::{Judge, Summary};
use crate::plan::{LiveCalls, Nonce, PlanOptions, Seed};

pub use acts::{HangUpError, NoSuchCall, ResendError, TransferError};
pub use placing::{Inbound, Outbound, PlaceCallError, Placed, Then};
pub use transfers::{Transfer, TransferStatus};

/// A running platform. Cheap to clone; all clones are one platform.
#[derive(Clone)]
pub struct Exchange {
    shared: Arc<Shared>,
}

/// Webhooks on their way to the engine.
type Webhooks = mpsc::UnboundedSender<(PlacedCall, Arc<Targets>)>;

/// How a call that is on is spoken to.
struct Line {
    commands: mpsc::UnboundedSender<Command>,
    /// Whether anybody is on leg b.
    on_leg_b: Arc<AtomicBool>,
}

pub(super) struct Shared {
    config: RwLock<Arc<Config>>,
    pub(super) clock: Clock,
    pub(super) ledger: Ledger,
    pub(super) board: Arc<Board>,
    pub(super) asker: Asker,
    seed: Seed,
    nonce: Nonce,
    epoch_ms: u64,
    next_call: AtomicU64,
    /// Gone once the platform stops.
    webhooks: Mutex<Option<Webhooks>>,
    engine: Mutex<Option<JoinHandle<Result<(), DeliverError>>>>,
    /// Asks the engine to forget what is not in flight.
    forget: mpsc::UnboundedSender<oneshot::Sender<()>>,
    calls: Mutex<HashMap<u64, Line>>,
    faults: RwLock<Faults>,
    /// What they are after a reset.
    usual_faults: RwLock<Faults>,
    /// By app: millionths.
    balances: Mutex<BTreeMap<u64, i128>>,
    transfers: transfers::Transfers,
    judge: Arc<Mutex<Judge>>,
    /// What stands before the REST APIs.
    pub(super) gate: Mutex<Gate>,
    /// What goes wrong with audio streams.
    stream_faults: RwLock<StreamFaults>,
    /// Where it listens: nothing is ever asked of it, or told to it, by itself.
    listens: RwLock<Vec<SocketAddr>>,
    /// Where recordings are.
    pub(super) shelf: Shelf,
    /// The names of SIP endpoints.
    sip: Mutex<BTreeSet<(u64, String)>>,
    /// Whether no more calls are taken.
    is_stopping: AtomicBool,
}

/// Why a platform did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The configuration means nothing.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The ledger file cannot be created.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// There is no folder for recordings.
    #[error("there is no folder for recordings: set `recordings` in [platform]")]
    Recordings(#[source] std::io::Error),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

impl Exchange {
    /// Starts a platform on the current tokio runtime; its ledger is written to a file too where one is given.
    ///
    /// # Errors
    /// If the configuration means nothing, or the ledger file cannot be created.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::platform::{Config, Exchange, Inbound};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let exchange = Exchange::start(Config::default().completed(), None)?;
    /// let placed = exchange.call_in(Inbound::from_to(447_700_900_123, 441_632_960_000))?;
    /// assert_eq!(exchange.board().calls()[0].call, placed.call);
    /// # Ok(())
    /// # }
    /// ```
    pub fn start(config: Config, ledger_file: Option<std::path::PathBuf>) -> Result<Self, ExchangeError> {
        let mut config = config;
        config.check()?;
        let shelf = Shelf::new().map_err(ExchangeError::Recordings)?;
        config.recordings.get_or_insert_with(|| shelf.temporary().to_owned());
        let stream_faults = RwLock::new(config.stream.faults);
        let asker = Asker::new().map_err(ExchangeError::Client)?;
        let seed = Seed(config.seed.unwrap_or_else(fresh));
        let nonce = Nonce(fresh());
        let options = config.delivery_options();
        let clock = Clock::start(options.pace);
        let epoch_ms = wall_ms();
        let board = Arc::new(Board::default());
        // Nobody looks at effects here, and a platform may run for days: it keeps sums alone.
        let judge = Arc::new(Mutex::new(Judge::new()));
        let mut ledger = Ledger::builder().reader(board.reader()).reader({
            let judge = Arc::clone(&judge);
            move |record| judge.lock().unwrap_or_else(PoisonError::into_inner).read(record)
        });
        if let Some(path) = ledger_file {
            ledger = ledger.file(path);
        }
        let ledger = ledger.open()?;
        let mut plan = PlanOptions::new(config.profile, seed);
        (plan.nonce, plan.epoch_ms) = (nonce, epoch_ms);
        ledger.append(Entry::Run(Box::new(RunEntry::new("live", &plan, None, &options))));
        let (webhooks, waiting) = mpsc::unbounded_channel();
        let waiting = Box::pin(stream::unfold(waiting, |mut waiting| async move {
            waiting.recv().await.map(|placed| (placed, waiting))
        }));
        let (forget, forgetting) = mpsc::unbounded_channel();
        let engine = {
            let (ledger, clock) = (ledger.clone(), clock.clone());
            let mut options = options.clone();
            // Drawn for each webhook by the call that sends it: they can be changed while it runs.
            options.faults = Faults::default();
            tokio::spawn(async move { deliver_placed(waiting, &options, &ledger, clock, forgetting).await })
        };
        let balances =
            config.apps.iter().map(|app| (app.appid, i128::from(config.opening_balance))).collect();
        let faults = config.faults.faults(seed.0);
        let gate = Mutex::new(Gate::new(config.rest.clone()));
        Ok(Self {
            shared: Arc::new(Shared {
                config: RwLock::new(Arc::new(config)),
                clock,
                ledger,
                board,
                asker,
                seed,
                nonce,
                epoch_ms,
                next_call: AtomicU64::new(0),
                webhooks: Mutex::new(Some(webhooks)),
                engine: Mutex::new(Some(engine)),
                forget,
                calls: Mutex::default(),
                usual_faults: RwLock::new(faults.clone()),
                faults: RwLock::new(faults),
                balances: Mutex::new(balances),
                transfers: transfers::Transfers::default(),
                judge,
                gate,
                stream_faults,
                listens: RwLock::default(),
                shelf,
                sip: Mutex::default(),
                is_stopping: AtomicBool::new(false),
            }),
        })
    }

    /// What it is like now.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.shared.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes it another one. Calls that are on go on as they began; seed, time scale and delivery stay.
    ///
    /// # Errors
    /// If the configuration means nothing; then nothing has changed.
    pub fn reload(&self, config: Config) -> Result<(), ConfigError> {
        let mut config = config;
        config.check()?;
        config.check_urls(&self.listens())?;
        let before = self.config();
        // What is set was checked with the rest.
        if config.faults != before.faults {
            self.set_usual_faults(config.faults.faults(self.shared.seed.0));
        }
        if config.rest != before.rest {
            let _ = self.set_rest_rules(config.rest.clone());
        }
        if config.stream.faults != before.stream.faults {
            let _ = self.set_stream_faults(config.stream.faults);
        }
        config.recordings.get_or_insert_with(|| self.shared.shelf.temporary().to_owned());
        // Nobody is told what does not hold.
        (config.seed, config.time_scale) = (before.seed, before.time_scale);
        config.delivery = before.delivery.clone();
        {
            let mut balances = lock(&self.shared.balances);
            for app in &config.apps {
                balances.entry(app.appid).or_insert_with(|| i128::from(config.opening_balance));
            }
        }
        *self.shared.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }

    /// What happened so far, by call.
    #[must_use]
    pub fn board(&self) -> &Board {
        &self.shared.board
    }

    /// The record of it all.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.shared.ledger
    }

    /// What came of it so far.
    pub fn summary(&self) -> Summary {
        lock(&self.shared.judge).summary()
    }

    /// What random choices follow from.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.shared.seed
    }

    /// Virtual milliseconds since it started.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        self.shared.clock.now_us() / 1_000
    }

    /// Moves virtual time forward: redeliveries that become due are made. Audio goes on in real time.
    pub fn advance(&self, by_ms: u64) {
        self.shared.clock.advance(by_ms.saturating_mul(1_000));
    }

    /// The number of the call with this id: its number, a leg's `cmiuuid`, or its `request_id`. Calls that are over too,
    /// as long as they are remembered.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<u64> {
        self.shared.board.find(id)
    }

    /// Whether a call is on: nothing that is done to it any more has an effect once its end has begun.
    pub(super) fn is_on(&self, call: u64) -> bool {
        lock(&self.shared.calls).get(&call).is_some_and(|line| !line.commands.is_closed())
    }

    /// How many calls are on.
    pub(super) fn calls_on(&self) -> usize {
        lock(&self.shared.calls).len()
    }

    /// Ends every call, waits until their webhooks are out or `patience` is over, and ends the ledger.
    ///
    /// # Errors
    /// If the ledger file could not be written.
    pub async fn stop(&self, patience: std::time::Duration) -> Result<Summary, LedgerError> {
        let on: Vec<u64> = {
            let calls = lock(&self.shared.calls);
            self.shared.is_stopping.store(true, Ordering::Relaxed);
            calls.keys().copied().collect()
        };
        for call in on {
            // One that ended meanwhile is over.
            let _ = self.hang_up(call, super::call::Ender::Platform);
        }
        let deadline = tokio::time::Instant::now() + patience;
        while !lock(&self.shared.calls).is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        lock(&self.shared.webhooks).take();
        let engine = lock(&self.shared.engine).take();
        let mut interrupted = false;
        if let Some(mut engine) = engine
            && tokio::time::timeout_at(deadline, &mut engine).await.is_err()
        {
            interrupted = true;
            engine.abort();
        }
        let judge = lock(&self.shared.judge).clone();
        self.shared.ledger.summarise(&judge, interrupted);
        self.shared.ledger.close()?;
        Ok(judge.summary())
    }

    /// Forgets every webhook that is not in flight: redeliveries, second copies, what is held back on purpose.
    pub(super) async fn forget_webhooks(&self) {
        let (forgotten, told) = oneshot::channel();
        if self.shared.forget.send(forgotten).is_ok() {
            // A platform that stops forgets them, too.
            let _ = told.await;
        }
    }

    /// Ends it at once: nothing is sent any more.
    pub(super) fn abandon(&self) {
        lock(&self.shared.webhooks).take();
        if let Some(engine) = lock(&self.shared.engine).take() {
            engine.abort();
        }
        // A call that hears nothing any more is over.
        let mut calls = lock(&self.shared.calls);
        self.shared.is_stopping.store(true, Ordering::Relaxed);
        calls.clear();
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Hands a webhook to the engine; whether there is one.
    pub(super) fn send(&self, placed: PlacedCall, targets: Arc<Targets>) -> bool {
        let webhooks = lock(&self.shared.webhooks);
        webhooks.as_ref().is_some_and(|webhooks| webhooks.send((placed, targets)).is_ok())
    }

    /// Writes that something happened.
    pub(super) fn tell(&self, message: MessageEntry) {
        let mut message = message;
        message.shorten();
        self.shared.ledger.append(Entry::Message(Box::new(message)));
    }

    pub(super) fn settle_transfer(&self, id: &str, status: TransferStatus) {
        self.shared.transfers.settle(id, status, self.now_ms());
    }

    pub(super) fn forget(&self, call: u64) {
        lock(&self.shared.calls).remove(&call);
        // Nothing settles them any more.
        self.shared.transfers.settle_all(call, TransferStatus::Failed("unreachable"), self.now_ms());
    }

    pub(super) fn live_calls(&self, config: &Config, appid: u64) -> LiveCalls {
        let shared = &self.shared;
        let calls = LiveCalls::new(config.profile, appid, shared.seed, shared.nonce, shared.epoch_ms)
            .price_per_minute(config.price_per_minute);
        if config.documented_only { calls.documented_only(appid) } else { calls }
    }

    fn next_call(&self) -> u64 {
        self.shared.next_call.fetch_add(1, Ordering::Relaxed)
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("ledger", &self.shared.ledger).finish_non_exhaustive()
    }
}

/// What a thread that panicked left is still whole: every change is one assignment.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
