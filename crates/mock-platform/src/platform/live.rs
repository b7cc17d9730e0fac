//! Live calls of a [`MockPlatform`]: the application is asked what to do, and the test watches, presses keys, hangs up.

mod expect;
mod handle;
mod matcher;
mod report;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use piopiy_events::pcmo::Pcmo;

use super::MockPlatform;
use super::board::CallView;
use super::config::Config;
use super::exchange::{Exchange, Inbound, Outbound, PlaceCallError, Placed, Then};
use super::serve::Serving;
use expect::Expectations;

pub use expect::{Expectation, Times};
pub use handle::{CallHandle, WaitError};
pub use matcher::WebhookMatcher;

/// What a [`MockPlatform`] needs for live calls.
#[derive(Debug)]
pub(super) struct Live {
    serving: Serving,
    expectations: Expectations,
    patience: Duration,
    /// The calls that a test has a handle of, by number.
    handed: Mutex<BTreeSet<u64>>,
}

impl Live {
    pub(super) fn new(serving: Serving, patience: Duration) -> Self {
        Self { serving, expectations: Expectations::default(), patience, handed: Mutex::default() }
    }

    /// Sends all webhooks of all numbers to a URL that was checked.
    pub(super) fn point_at(&self, url: &str) {
        let mut config = Config::clone(&self.exchange().config());
        for number in &mut config.numbers {
            (number.event_url, number.cdr_url) = (Some(url.to_owned()), None);
        }
        // Nothing else has changed, and the URL is allowed.
        let _ = self.exchange().reload(config);
    }

    fn exchange(&self) -> &Exchange {
        self.serving.exchange()
    }

    fn place(
        &self,
        place: impl FnOnce(&Exchange) -> Result<Placed, PlaceCallError>,
    ) -> Result<CallHandle, PlaceCallError> {
        // Held while it is placed: `next_call` never sees a call that is about to be handed out.
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        let placed = place(self.exchange())?;
        handed.insert(placed.call);
        Ok(CallHandle::new(self.exchange().clone(), placed.call, self.patience))
    }

    /// The oldest call that nobody has a handle of.
    fn take_unseen(&self) -> Option<CallHandle> {
        let mut handed = self.handed.lock().unwrap_or_else(PoisonError::into_inner);
        let calls = self.exchange().board().calls();
        let unseen = calls.iter().rev().map(|view| view.call).find(|call| !handed.contains(call))?;
        handed.insert(unseen);
        Some(CallHandle::new(self.exchange().clone(), unseen, self.patience))
    }

    /// Ends what is on, and panics where an expectation did not hold, unless the thread panics already.
    pub(super) fn end(&self) {
        let report =
            if std::thread::panicking() { None } else { self.expectations.failures(self.exchange()) };
        self.exchange().abandon();
        if let Some(report) = report {
            panic!("{report}");
        }
    }
}

/// Live calls.
impl MockPlatform {
    /// Somebody calls the platform's first number; the application is asked at its answer URL what to do.
    ///
    /// # Errors
    /// If the configuration has no number, or its answer URL may not be asked.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::MockPlatform;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Your application; here one that says a sentence and hangs up.
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
    /// let app = MockServer::start().await;
    /// let flow = serde_json::json!([{ "action": "speak", "text": "Hello." }, { "action": "hangup" }]);
    /// Mock::given(path("/answer")).respond_with(ResponseTemplate::new(200).set_body_json(flow)).mount(&app).await;
    /// Mock::given(path("/webhooks")).respond_with(ResponseTemplate::new(200)).mount(&app).await;
    ///
    /// let platform = MockPlatform::builder()
    ///     .answer_url(format!("{}/answer", app.uri()))
    ///     .to(format!("{}/webhooks", app.uri()))
    ///     .start()
    ///     .await?;
    /// platform.expect_webhook("cdr.inbound.answered").times(1);
    ///
    /// let call = platform.call_in(447_700_900_123)?;
    /// let over = call.over().await?;
    /// assert_eq!(over.cdrs().len(), 1);
    ///
    /// platform.verify().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_in(&self, from: u64) -> Result<CallHandle, PlaceCallError> {
        self.live.place(|exchange| {
            let first = exchange.config().numbers.first().map_or(0, |number| number.number);
            exchange.call_in(Inbound::from_to(from, first))
        })
    }

    /// Somebody calls, and more is said of it: whom they call, how they behave, what happens in place of what the
    /// answer URL says.
    ///
    /// # Errors
    /// As [`call_in`](Self::call_in).
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::MockPlatform;
    /// use piopiy_mock_platform::platform::{Inbound, Person};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let platform = MockPlatform::start().await;
    /// let mut inbound = Inbound::from_to(447_700_900_123, platform.number());
    /// // Presses 1 the first time that something is asked, and 2 the second.
    /// inbound.caller = Some(Person::caller().pressing(["1", "2"]));
    /// let call = platform.call_in_as(inbound)?;
    /// assert_eq!(call.over().await?.cdrs().len(), 1, "nobody says what to do: it is missed");
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_in_as(&self, inbound: Inbound) -> Result<CallHandle, PlaceCallError> {
        self.live.place(|exchange| exchange.call_in(inbound))
    }

    /// The platform calls somebody for its first app, as when the application had asked for it by the REST API, and carries out
    /// a call flow when they pick up.
    ///
    /// # Errors
    /// If the configuration has no app.
    ///
    /// # Examples
    /// ```
    /// use piopiy_events::pcmo::Pcmo;
    /// use piopiy_mock_platform::MockPlatform;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let platform = MockPlatform::builder().time_scale(100.0).start().await?;
    /// let flow = Pcmo::parse(br#"[{"action":"speak","text":"Your parcel is here."},{"action":"hangup"}]"#)?;
    /// let call = platform.call_out(447_700_900_123, flow)?;
    /// let over = call.over().await?;
    /// assert_eq!(over.cdrs()[0].status.as_ref().map(|status| status.text()).as_deref(), Some("answered"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn call_out(&self, to: u64, flow: Pcmo) -> Result<CallHandle, PlaceCallError> {
        self.live.place(|exchange| {
            let config = exchange.config();
            let appid = config.apps.first().map_or(0, |app| app.appid);
            let from = config.numbers.first().map_or(0, |number| number.number);
            exchange.call_out(Outbound::new(appid, from, to, Then::Flow(flow)))
        })
    }

    /// Waits for the next call that the test did not place itself: one that the application asked for by the REST API.
    ///
    /// # Errors
    /// If none comes in time: see [`patience`](super::MockPlatformBuilder::patience).
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::MockPlatform;
    /// use serde_json::json;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let platform = MockPlatform::start().await;
    /// // What your application does; it has been told `platform.rest_url()`, appid and secret.
    /// let request = json!({
    ///     "appid": platform.appid(), "secret": platform.secret(), "from": platform.number(), "to": 447_700_900_123_u64,
    ///     "pcmo": [{ "action": "hangup" }],
    /// });
    /// let url = format!("{}/v2/global_pcmo_make_call", platform.rest_url());
    /// reqwest::Client::new().post(url).body(request.to_string()).send().await?;
    ///
    /// let call = platform.next_call().await?;
    /// assert_eq!(call.view().begin.to, 447_700_900_123);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn next_call(&self) -> Result<CallHandle, WaitError> {
        let mut changes = self.exchange().board().changes();
        let waiting = async {
            loop {
                if let Some(call) = self.live.take_unseen() {
                    return call;
                }
                // Whoever is told too late looks again all the same.
                let _ = changes.recv().await;
            }
        };
        let patience = self.live.patience;
        tokio::time::timeout(patience, waiting).await.map_err(|_| {
            let what = "nobody asked for a call by the REST API".to_owned();
            let shown =
                report::happened(&self.exchange().board().calls(), self.exchange().config().time_scale);
            WaitError::new(what, patience, shown)
        })
    }

    /// Expects a webhook to reach the receiver and to be acknowledged: once, unless [`times`](Expectation::times) says
    /// otherwise. It is named as in `piopiy-mock events`, or described by a [`WebhookMatcher`].
    ///
    /// # Panics
    /// If the profile has no webhook of that name.
    ///
    /// # Examples
    /// ```should_panic
    /// use piopiy_mock_platform::MockPlatform;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let platform = MockPlatform::start().await;
    /// platform.expect_webhook("cdr.inbound.answered").times(1);
    /// platform.verify().await; // there was no call at all
    /// # }
    /// ```
    #[track_caller]
    pub fn expect_webhook(&self, matcher: impl Into<WebhookMatcher>) -> Expectation {
        let matcher = matcher.into();
        if let Err(error) = matcher.check(self.exchange().config().profile) {
            panic!("{error}");
        }
        self.live.expectations.add_webhook(matcher)
    }

    /// Expects digits to be handed to the application's action URL, and to be taken: once, unless
    /// [`times`](Expectation::times) says otherwise.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let platform = piopiy_mock_platform::MockPlatform::start().await;
    /// platform.expect_dtmf("9").times(0);
    /// platform.verify().await;
    /// # Ok(())
    /// # }
    /// ```
    pub fn expect_dtmf(&self, digits: impl Into<String>) -> Expectation {
        self.live.expectations.add_digits(digits.into())
    }

    /// Waits until every call is over and its webhooks are out, as long as [`patience`](super::MockPlatformBuilder::patience)
    /// lasts, and checks what was expected. Dropping the platform checks as well, and does not wait.
    ///
    /// # Panics
    /// If an expectation does not hold: the message says which, and shows what passed in each call.
    #[expect(clippy::panic, reason = "this is how a test fails")]
    pub async fn verify(&self) {
        let exchange = self.exchange();
        let mut changes = exchange.board().changes();
        let quiet = async {
            while !exchange.board().is_settled() {
                let _ = changes.recv().await;
            }
        };
        let _ = tokio::time::timeout(self.live.patience, quiet).await;
        if let Some(report) = self.live.expectations.failures(exchange) {
            // Dropping it does not complain once more.
            self.live.expectations.clear();
            panic!("{report}");
        }
    }

    /// All live calls so far, the newest first.
    #[must_use]
    pub fn calls(&self) -> Vec<CallView> {
        self.exchange().board().calls()
    }

    /// The platform that carries live calls out: resend a webhook, set faults, advance virtual time, transfer calls.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        self.live.exchange()
    }

    /// Where the REST APIs are: `http://127.0.0.1:PORT`. That of v3 is at `/v3`.
    #[must_use]
    pub fn rest_url(&self) -> String {
        format!("http://{}", self.live.serving.rest())
    }

    /// Where control API and console are: `http://127.0.0.1:PORT`, the API at `/api`.
    #[must_use]
    pub fn control_url(&self) -> String {
        format!("http://{}", self.live.serving.control())
    }

    /// The first app's id.
    #[must_use]
    pub fn appid(&self) -> u64 {
        self.exchange().config().apps.first().map_or(0, |app| app.appid)
    }

    /// The first app's secret, for REST requests of the first generation.
    #[must_use]
    pub fn secret(&self) -> String {
        self.exchange().config().apps.first().map(|app| app.secret.clone()).unwrap_or_default()
    }

    /// The first app's bearer token, for v3; empty where it has none.
    #[must_use]
    pub fn token(&self) -> String {
        let config = self.exchange().config();
        config.apps.first().and_then(|app| app.token.clone()).unwrap_or_default()
    }

    /// The first number of the account.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.exchange().config().numbers.first().map_or(0, |number| number.number)
    }
}
