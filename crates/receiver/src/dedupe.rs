//! One effect for each webhook, in an application of one's own.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::Method;
use tokio::sync::watch;
use tokio::time::Instant;
use tower::{Layer, Service};

use crate::extract::refusal;
use crate::forward::webhook_id;
use crate::{PiopiyWebhook, ReadLimits, WebhookRejection};

/// A century: an instant that is later than that may be none.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Lets each webhook through once, and answers its repeats `200 got it`: a [`tower::Layer`] for any axum route.
///
/// A webhook counts as taken care of when what is inside answers 2xx. One that is answered otherwise is let through again
/// when it comes again, and one that comes while the first is being handled waits for what becomes of that. What is no
/// webhook is passed on as it is, and what is no POST, encoded or declared to be over the limit unread; a body that breaks
/// off, is too slow or grows over the limit is answered as [`PiopiyWebhook`] would.
///
/// It remembers in this process only: what came before a restart, or to another replica, is let through. Where that
/// matters, have a [`Server`](crate::Server) store webhooks first and forward them, or make the effect itself idempotent with
/// [`Identity::key`](piopiy_events::Identity::key).
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use piopiy_receiver::{Dedupe, PiopiyWebhook, webhook_router};
///
/// async fn handle(webhook: PiopiyWebhook) -> &'static str {
///     println!("for the first time: {}", webhook.identity);
///     "got it"
/// }
/// let app: axum::Router = webhook_router(handle).layer(Dedupe::new().remember_for(Duration::from_secs(7200)));
/// ```
#[derive(Debug, Clone)]
pub struct Dedupe {
    remember_for: Duration,
    at_most: usize,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    webhooks: HashMap<Arc<str>, State>,
    /// Those that are done, the first first, and when they may be forgotten.
    done: VecDeque<(Instant, Arc<str>)>,
}

#[derive(Debug)]
enum State {
    /// It is being handled; whoever has the other end is told when that is over.
    Running(watch::Receiver<()>),
    Done,
}

/// What is to be done with a webhook.
enum Begun {
    /// It is the first.
    First(Running),
    /// It was taken care of.
    Done,
    /// Another is being handled.
    Wait(watch::Receiver<()>),
}

/// A webhook that is being handled. Dropped before it is done, it may come again.
struct Running {
    dedupe: Dedupe,
    key: Arc<str>,
    /// Those who wait are told when it is dropped.
    _over: watch::Sender<()>,
    is_done: bool,
}

impl Default for Dedupe {
    fn default() -> Self {
        Self::new()
    }
}

impl Dedupe {
    /// Remembers 100,000 webhooks for an hour, twice as long as the platform sends a CDR again.
    #[must_use]
    pub fn new() -> Self {
        Self { remember_for: Duration::from_secs(3600), at_most: 100_000, seen: Arc::default() }
    }

    /// Remembers for so long.
    #[must_use]
    pub fn remember_for(mut self, time: Duration) -> Self {
        self.remember_for = time.min(FOR_EVER);
        self
    }

    /// Remembers so many, the newest, in about 200 bytes each.
    #[must_use]
    pub fn remember_at_most(mut self, webhooks: usize) -> Self {
        self.at_most = webhooks;
        self
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: &str) -> Begun {
        let now = Instant::now();
        let mut seen = self.seen();
        while seen.done.front().is_some_and(|(until, _)| *until <= now) || seen.done.len() > self.at_most {
            if let Some((_, old)) = seen.done.pop_front() {
                seen.webhooks.remove(&old);
            }
        }
        match seen.webhooks.get(key) {
            Some(State::Done) => Begun::Done,
            Some(State::Running(over)) => Begun::Wait(over.clone()),
            None => {
                let (sender, over) = watch::channel(());
                let key: Arc<str> = key.into();
                seen.webhooks.insert(Arc::clone(&key), State::Running(over));
                Begun::First(Running { dedupe: self.clone(), key, _over: sender, is_done: false })
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let until = Instant::now() + self.dedupe.remember_for;
        let mut seen = self.dedupe.seen();
        if self.is_done {
            seen.webhooks.insert(Arc::clone(&self.key), State::Done);
            seen.done.push_back((until, Arc::clone(&self.key)));
        } else {
            seen.webhooks.remove(&self.key);
        }
    }
}

impl<S> Layer<S> for Dedupe {
    type Service = Deduped<S>;

    fn layer(&self, inner: S) -> Deduped<S> {
        Deduped { dedupe: self.clone(), inner }
    }
}

/// A service behind a [`Dedupe`].
#[derive(Debug, Clone)]
pub struct Deduped<S> {
    dedupe: Dedupe,
    inner: S,
}

impl<S> Service<Request> for Deduped<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The one that was asked whether it is ready.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let dedupe = self.dedupe.clone();
        Box::pin(once(dedupe, inner, request))
    }
}

async fn once<S>(dedupe: Dedupe, mut inner: S, request: Request) -> Result<Response, S::Error>
where
    S: Service<Request, Response = Response>,
{
    let (parts, body) = request.into_parts();
    let limits = parts.extensions.get::<ReadLimits>().copied().unwrap_or_default();
    // What is not read is left to those inside, be it a page beside the webhooks or one more to refuse.
    if parts.method != Method::POST || refusal(&parts.headers, &body, &limits).is_some() {
        return inner.call(Request::from_parts(parts, body)).await;
    }
    let webhook = match PiopiyWebhook::extract(&parts, body, &limits, None).await {
        Ok(webhook) => webhook,
        Err(WebhookRejection::EmptyBody(_)) => {
            return inner.call(Request::from_parts(parts, Body::empty())).await;
        }
        Err(rejection) => {
            return match rejection.body().cloned() {
                Some(body) => inner.call(Request::from_parts(parts, Body::from(body))).await,
                // It is not whole, so there is nothing to pass on.
                None => Ok(rejection.into_response()),
            };
        }
    };
    // However long the identity is, what is remembered of it is short.
    let key = webhook_id(&webhook.identity.key());
    let mut running = loop {
        match dedupe.begin(&key) {
            Begun::First(running) => break running,
            Begun::Done => return Ok("got it".into_response()),
            // An error says that the other end is gone, which is what is waited for.
            Begun::Wait(mut over) => drop(over.changed().await),
        }
    };
    let response = inner.call(Request::from_parts(parts, Body::from(webhook.body))).await?;
    running.is_done = response.status().is_success();
    Ok(response)
}
