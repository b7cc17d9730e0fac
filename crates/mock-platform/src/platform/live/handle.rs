use std::fmt;
use std::time::Duration;

use piopiy_events::{Cdr, LiveEvent, Webhook};

use super::expect::is_acknowledged;
use super::matcher::WebhookMatcher;
use super::report;
use crate::deliver::ledger::MessageKind;
use crate::platform::board::{BY_HAND, CallView, Row};
use crate::platform::call::Ender;
use crate::platform::exchange::{Exchange, HangUpError, NoSuchCall};

/// A live call that a test has in its hand. Dropping it leaves the call as it is.
///
/// Waiting is told of changes, asks nobody in turns, and gives up when the platform's
/// [`patience`](crate::platform::MockPlatformBuilder::patience) is over; the error shows the call.
#[derive(Debug, Clone)]
pub struct CallHandle {
    exchange: Exchange,
    call: u64,
    patience: Duration,
}

/// What was waited for did not come in time.
#[derive(thiserror::Error)]
#[error("{what} within {patience:?}\n\n{shown}")]
pub struct WaitError {
    what: String,
    patience: Duration,
    shown: String,
}

impl CallHandle {
    pub(super) fn new(exchange: Exchange, call: u64, patience: Duration) -> Self {
        Self { exchange, call, patience }
    }

    /// Which call of the platform, from 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.call
    }

    /// Leg a's `cmiuuid`; v3 calls it `call_id`.
    ///
    /// # Panics
    /// As [`view`](Self::view).
    #[must_use]
    pub fn cmiuuid(&self) -> String {
        self.view().begin.cmiuuid
    }

    /// The call as far as it has come.
    ///
    /// # Panics
    /// If it is forgotten: a thousand newer ones were placed, or the board was cleared.
    #[must_use]
    pub fn view(&self) -> CallView {
        self.exchange.board().call(self.call).expect("the newest thousand calls are remembered")
    }

    /// The caller presses keys: `0` to `9`, `*`, `#`, `A` to `D`.
    ///
    /// They count for whoever asks next, as on a telephone; those that are pressed before a `play_get_input` begins do not.
    ///
    /// # Errors
    /// If the call is over.
    pub fn press(&self, digits: &str) -> Result<(), NoSuchCall> {
        self.exchange.press(self.call, digits)
    }

    /// Whoever is on leg a hangs up.
    ///
    /// # Errors
    /// If the call is over.
    pub fn hang_up(&self) -> Result<(), HangUpError> {
        self.hang_up_by(Ender::Caller)
    }

    /// Somebody hangs up. The call is over then, unless it is whoever is on leg b: it goes on with the next action.
    ///
    /// # Errors
    /// If the call is over, or nobody is on leg b who could hang up.
    pub fn hang_up_by(&self, by: Ender) -> Result<(), HangUpError> {
        self.exchange.hang_up(self.call, by)
    }

    /// The connection of the call's audio stream breaks, or is closed with a code.
    ///
    /// # Errors
    /// If the call is over.
    pub fn drop_stream(&self, code: Option<u16>) -> Result<(), NoSuchCall> {
        self.exchange.drop_stream(self.call, code)
    }

    /// Waits until the call is over and nothing more will come of its webhooks.
    ///
    /// # Errors
    /// If that takes too long.
    pub async fn over(&self) -> Result<CallView, WaitError> {
        self.until("the call was not over", |view| view.is_over && view.is_settled()).await
    }

    /// Waits until a webhook of the call was acknowledged; the first one that fits.
    ///
    /// # Errors
    /// If that takes too long.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::MockPlatform;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
    /// # let app = MockServer::start().await;
    /// # let flow = serde_json::json!([{ "action": "speak", "text": "A text that nobody hears to its end." }]);
    /// # Mock::given(path("/answer")).respond_with(ResponseTemplate::new(200).set_body_json(flow)).mount(&app).await;
    /// # Mock::given(path("/webhooks")).respond_with(ResponseTemplate::new(200)).mount(&app).await;
    /// # let platform = MockPlatform::builder()
    /// #     .answer_url(format!("{}/answer", app.uri())).to(format!("{}/webhooks", app.uri())).start().await?;
    /// let call = platform.call_in(447_700_900_123)?;
    /// let answered = call.until_webhook("live.in_answered").await?;
    /// assert_eq!(answered.text("cmiuuid").as_deref(), Some(&*call.cmiuuid()));
    /// call.hang_up()?;
    /// call.over().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn until_webhook(&self, matcher: impl Into<WebhookMatcher>) -> Result<Webhook, WaitError> {
        let matcher = matcher.into();
        let fits = |view: &CallView| {
            view.webhooks()
                .find(|row| matcher.fits(row) && is_acknowledged(row))
                .and_then(|row| Webhook::parse(row.plan.body.as_bytes()).ok())
        };
        let what = format!("webhook {matcher} was not acknowledged");
        if let Err(error) = matcher.check(self.exchange.config().profile) {
            return Err(WaitError::new(error.to_string(), Duration::ZERO, String::new()));
        }
        self.find(&what, fits).await
    }

    /// Waits until something holds of the call; `what` is said where it does not.
    ///
    /// # Errors
    /// If that takes too long.
    pub async fn until(&self, what: &str, holds: impl Fn(&CallView) -> bool) -> Result<CallView, WaitError> {
        self.find(what, |view| holds(view).then(|| view.clone())).await
    }

    async fn find<T>(&self, what: &str, find: impl Fn(&CallView) -> Option<T>) -> Result<T, WaitError> {
        let board = self.exchange.board();
        let mut changes = board.changes();
        let waiting = async {
            loop {
                if let Some(found) = board.call(self.call).as_ref().and_then(&find) {
                    return found;
                }
                // Whoever is told too late looks again all the same; what happens in others is none of its business.
                while changes.recv().await.is_ok_and(|change| change.call != Some(self.call)) {}
            }
        };
        tokio::time::timeout(self.patience, waiting).await.map_err(|_| {
            let scale = self.exchange.config().time_scale;
            let shown = board.call(self.call).map(|view| report::ladder(&view, scale)).unwrap_or_default();
            WaitError::new(what.to_owned(), self.patience, shown)
        })
    }
}

impl WaitError {
    pub(super) fn new(what: String, patience: Duration, shown: String) -> Self {
        Self { what, patience, shown }
    }
}

/// What `unwrap` shows is for people, too.
impl fmt::Debug for WaitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Typed payloads.
impl CallView {
    /// The live events, in the order in which they were sent, or were to be sent where nobody said where; copies that were
    /// sent by hand left out.
    #[must_use]
    pub fn events(&self) -> Vec<LiveEvent> {
        self.payloads().filter_map(|webhook| webhook.as_live_event().cloned()).collect()
    }

    /// The CDRs, likewise.
    #[must_use]
    pub fn cdrs(&self) -> Vec<Cdr> {
        self.payloads().filter_map(|webhook| webhook.as_cdr().cloned()).collect()
    }

    fn payloads(&self) -> impl Iterator<Item = Webhook> {
        self.rows.iter().filter_map(|row| {
            let body = match row {
                Row::Webhook(row) if row.plan.webhook < BY_HAND => &row.plan.body,
                Row::Message(message) if message.what == MessageKind::Unsent => message.request.as_ref()?,
                _ => return None,
            };
            Webhook::parse(body.as_bytes()).ok()
        })
    }
}
