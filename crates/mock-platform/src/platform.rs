//! The mock platform in one process: start it, point it at a receiver, place calls.

mod board;
mod builder;
mod call;
mod config;
mod console;
mod control;
mod error;
mod exchange;
mod guard;
mod hidden;
mod live;
mod outgoing;
mod rest;
mod serve;
mod stream;
mod tls;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::deliver::ledger::{LedgerError, Record};
use crate::deliver::{
    CallReport, DeliverError, DeliveryReport, Ledger, PlacedCall, Target, TargetError, Targets,
    effects_from_url, wall_ms,
};
use crate::judge::{Effect, Judge, Summary};
use crate::plan::{
    PlanOptions, PlannedCall, PlannedWebhook, Scenario, Simulator, SingleOptions, set, single,
};

pub use piopiy_events::Phase;

pub use board::{Board, CallView, Change, Row, WebhookRow};
pub use builder::MockPlatformBuilder;
pub use call::{Ender, Hold};
pub use config::{
    AfterLast, Answers, App, BadAnswer, Choices, Config, ConfigError, Delivery, FaultRates, KnownPerson,
    LegacyCodes, LegacyErrors, NoDigits, Number, Person, UnknownAction,
};
pub use control::control_openapi;
pub use error::{PlaceError, StartError};
pub use exchange::{
    Exchange, ExchangeError, HangUpError, Inbound, NoSuchCall, Outbound, PlaceCallError, Placed, ResendError,
    Then, Transfer, TransferError, TransferStatus,
};
pub use live::{CallHandle, Expectation, Times, WaitError, WebhookMatcher};
pub use rest::{Failure, RestRules, rest_openapi};
pub use serve::{ServeError, ServeOptions, Serving};
pub use stream::{StreamCheck, StreamCheckError, StreamFaults, Streams};
pub use tls::{CaError, LocalCa};

/// A PIOPIY in this process.
///
/// Every platform is on its own: its own seed, ids, clock and ledger, so tests may run side by side. It stops when it
/// is dropped. By default virtual time jumps over gaps, so that a call of minutes, or a CDR that is sent again after
/// half an hour, takes as long as the receiver needs to answer.
///
/// Calls come in two ways. [`place_call`](Self::place_call) plans a whole call from a scenario and posts its webhooks: for a
/// receiver. [`call_in`](Self::call_in), [`call_out`](Self::call_out) and whatever an application asks for at
/// [`rest_url`](Self::rest_url) are live: the application decides what happens, the test acts in the call, and its virtual time
/// runs ten times faster than the clock unless [`time_scale`](MockPlatformBuilder::time_scale) says otherwise. Ledger and
/// summary of the platform itself are those of planned calls; live ones have theirs in [`exchange`](Self::exchange).
///
/// # Examples
/// ```
/// use piopiy_mock_platform::MockPlatform;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Your receiver; here one that says yes to everything.
/// let receiver = wiremock::MockServer::start().await;
/// wiremock::Mock::given(wiremock::matchers::method("POST"))
///     .respond_with(wiremock::ResponseTemplate::new(200).set_body_string("got it"))
///     .mount(&receiver)
///     .await;
///
/// let platform = MockPlatform::start().await;
/// platform.point_at(&receiver.uri())?;
/// let report = platform.place_call("inbound-answered").await?;
///
/// assert!(report.is_acknowledged());
/// assert_eq!(report.named("cdr.inbound.answered").count(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a platform stops when it is dropped"]
pub struct MockPlatform {
    plan: PlanOptions,
    targets: Mutex<Option<Arc<Targets>>>,
    allowed: Vec<String>,
    next_call: AtomicU64,
    calls: mpsc::UnboundedSender<(PlacedCall, Arc<Targets>)>,
    engine: JoinHandle<Result<(), DeliverError>>,
    ledger: Ledger,
    judge: Arc<Mutex<Judge>>,
    live: live::Live,
}

impl MockPlatform {
    /// Starts a platform that has not been told any webhook URL yet: see [`point_at`](Self::point_at). Its plan is
    /// the same in every process but for the ids, which are fresh.
    ///
    /// # Panics
    /// If the HTTP client cannot be set up, which is not known to happen.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// assert_eq!(platform.ledger().records().len(), 1, "it has started, no more");
    /// # }
    /// ```
    pub async fn start() -> Self {
        match Self::builder().start().await {
            Ok(platform) => platform,
            Err(error) => panic!("the default platform did not start: {error}"),
        }
    }

    /// A platform with other settings.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::Profile;
    /// use piopiy_mock_platform::MockPlatform;
    /// use piopiy_mock_platform::deliver::Redelivery;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let platform = MockPlatform::builder()
    ///     .to("http://127.0.0.1:5000/webhook/cdr")
    ///     .profile(Profile::India)
    ///     .seed(7)
    ///     .cdr_policy(Redelivery::Always)
    ///     .start()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> MockPlatformBuilder {
        MockPlatformBuilder::default()
    }

    /// Sets the webhook URL for live events and CDRs of the calls that are placed from now on, as in the dashboard.
    ///
    /// # Errors
    /// If it is no `http` URL, or its host is neither on this machine nor allowed.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.point_at("http://127.0.0.1:5000/webhook/cdr")?;
    /// assert!(platform.point_at("http://app.example/").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn point_at(&self, url: &str) -> Result<(), TargetError> {
        let targets = Targets::both(Target::parse(url, &self.allowed)?.without_tls()?);
        self.live.point_at(url);
        *self.targets.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(targets));
        Ok(())
    }

    /// Places a call after a built-in scenario (`default`, `inbound-answered`, …) and waits until it is over, CDRs and
    /// redeliveries included.
    ///
    /// # Errors
    /// If there is no such scenario or no webhook URL. What the receiver answered is in the report.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let receiver = wiremock::MockServer::start().await;
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(204)).mount(&receiver).await;
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.point_at(&receiver.uri())?;
    /// let report = platform.place_call("inbound-abandoned").await?;
    /// assert_eq!(report.named("cdr.inbound.missed").count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn place_call(&self, scenario: &str) -> Result<CallReport, PlaceError> {
        self.place_call_of(&Scenario::builtin(scenario)?).await
    }

    /// Places a call after a scenario of your own.
    ///
    /// # Errors
    /// If there is no webhook URL.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::plan::Scenario;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let receiver = wiremock::MockServer::start().await;
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(204)).mount(&receiver).await;
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.point_at(&receiver.uri())?;
    /// let scenario = Scenario::parse("mine.toml", "[calls]\noutbound-missed = 1")?;
    /// assert_eq!(platform.place_call_of(&scenario).await?.named("cdr.outbound.missed").count(), 1);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn place_call_of(&self, scenario: &Scenario) -> Result<CallReport, PlaceError> {
        let call = Simulator::new(scenario, self.plan.clone()).call(self.next_index());
        self.deliver(call).await
    }

    /// Sends one webhook by its name, with some of its members set to values of your own.
    ///
    /// # Errors
    /// If the profile has no such event, a member cannot be set, or there is no webhook URL.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let receiver = wiremock::MockServer::start().await;
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(204)).mount(&receiver).await;
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.point_at(&receiver.uri())?;
    /// let delivery = platform.send("cdr.inbound.missed", &["from=447700900123"]).await?;
    /// assert_eq!(delivery.attempts[0].status, Some(204));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send(&self, event: &str, set_members: &[&str]) -> Result<DeliveryReport, PlaceError> {
        let index = self.next_index();
        let options = SingleOptions {
            seed: self.plan.seed,
            nonce: self.plan.nonce,
            index,
            now_ms: wall_ms(),
            ..SingleOptions::default()
        };
        let mut webhook = single(event, self.plan.profile, &options)?;
        for assignment in set_members {
            webhook.body = set(&webhook.body, assignment)?;
        }
        self.send_as(index, webhook).await
    }

    /// Sends a webhook of your own, byte for byte, as a call of its own.
    ///
    /// # Errors
    /// If there is no webhook URL.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::Evidence;
    /// use piopiy_mock_platform::plan::PlannedWebhook;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let receiver = wiremock::MockServer::start().await;
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(400)).mount(&receiver).await;
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.point_at(&receiver.uri())?;
    /// let nonsense = PlannedWebhook::new(0, 0, 0, "nonsense".into(), None, Evidence::Guess, b"[1,2".to_vec());
    /// assert_eq!(platform.send_webhook(nonsense).await?.attempts[0].status, Some(400));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn send_webhook(&self, webhook: PlannedWebhook) -> Result<DeliveryReport, PlaceError> {
        self.send_as(self.next_index(), webhook).await
    }

    async fn send_as(&self, index: u64, webhook: PlannedWebhook) -> Result<DeliveryReport, PlaceError> {
        let webhook = PlannedWebhook { call: index, seq: 0, ..webhook };
        let story = webhook.name.clone();
        let call = PlannedCall::new(index, self.plan.profile, story, vec![webhook]);
        let report = self.deliver(call).await?;
        report.deliveries.into_iter().next().ok_or(PlaceError::Stopped)
    }

    /// What was planned, sent and answered so far.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let receiver = wiremock::MockServer::start().await;
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(204)).mount(&receiver).await;
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.point_at(&receiver.uri())?;
    /// platform.send("cdr.inbound.missed", &[]).await?;
    /// let kinds: Vec<_> = platform.ledger().records().iter().map(|record| record.entry.kind()).collect();
    /// assert_eq!(kinds, ["run", "plan", "attempt", "outcome"]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Tells the judge what the receiver did, all of it, so that the summary knows what was lost or doubled.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let receiver = wiremock::MockServer::start().await;
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(204)).mount(&receiver).await;
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.point_at(&receiver.uri())?;
    /// platform.send("cdr.inbound.missed", &[]).await?;
    /// assert_eq!(platform.summary().lost(), None, "nobody has looked yet");
    /// platform.observe([]);
    /// assert_eq!(platform.summary().lost(), Some(1), "it said yes and did nothing");
    /// # Ok(())
    /// # }
    /// ```
    pub fn observe(&self, effects: impl IntoIterator<Item = Effect>) {
        self.ledger.observe(effects);
    }

    /// Asks the receiver what it did: `GET URL?since=N`, observe protocol v1.
    ///
    /// # Errors
    /// If the URL is not allowed, or does not answer with effect records.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let receiver = wiremock::MockServer::start().await;
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(200)).mount(&receiver).await;
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.observe_at(&format!("{}/__observe", receiver.uri()), 0).await?;
    /// assert_eq!(platform.summary().lost(), Some(0));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn observe_at(&self, url: &str, since: u64) -> Result<(), PlaceError> {
        let url = Target::parse(url, &self.allowed)?;
        self.observe(effects_from_url(&url, since).await?);
        Ok(())
    }

    /// What came of it so far.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// assert_eq!(platform.summary().planned, 0);
    /// # }
    /// ```
    pub fn summary(&self) -> Summary {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner).summary()
    }

    /// Waits until every call is over, ends the ledger with a summary, and stops.
    ///
    /// # Errors
    /// If the ledger file could not be written.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("run.jsonl");
    /// let platform = piopiy_mock_platform::MockPlatform::builder().ledger_file(&path).start().await?;
    /// let summary = platform.stop().await?;
    /// assert_eq!(summary.planned, 0);
    /// assert!(std::fs::read_to_string(&path)?.contains(r#""kind":"summary""#));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop(mut self) -> Result<Summary, LedgerError> {
        // The engine ends with its calls.
        self.calls = mpsc::unbounded_channel().0;
        let ended = (&mut self.engine).await;
        let interrupted = !matches!(ended, Ok(Ok(())));
        let judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.ledger.summarise(&judge, interrupted);
        self.ledger.close()?;
        Ok(judge.summary())
    }

    fn next_index(&self) -> u64 {
        self.next_call.fetch_add(1, Ordering::Relaxed)
    }

    async fn deliver(&self, call: PlannedCall) -> Result<CallReport, PlaceError> {
        let targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let targets = targets.ok_or(PlaceError::NoTarget)?;
        let (placed, report) = PlacedCall::now(call);
        self.calls.send((placed, targets)).map_err(|_| PlaceError::Stopped)?;
        report.await.map_err(|_| PlaceError::Stopped)
    }
}

/// Nothing is in flight for somebody who is gone; what was expected is checked, and was not waited for.
impl Drop for MockPlatform {
    fn drop(&mut self) {
        self.engine.abort();
        self.live.end();
    }
}

/// Shows records to a judge that others can ask.
fn reading(judge: &Arc<Mutex<Judge>>) -> impl FnMut(&Record) + Send + 'static {
    let judge = Arc::clone(judge);
    move |record| judge.lock().unwrap_or_else(PoisonError::into_inner).read(record)
}
