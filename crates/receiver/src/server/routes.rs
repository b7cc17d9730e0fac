//! What the server answers on which path.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use piopiy_events::{UnrecognisedReason, Webhook};

use super::numbers::without_numbers;
use super::observe::{self, Observer};
use super::pace::{self, Pace};
use super::{Malformed, ServerOptions};
use crate::clock::now_micros;
use crate::extract::BodyBudget;
use crate::metrics::{Counted, Metrics, Refusal};
use crate::traces::{Span, Tracer};
use crate::{Append, AppendError, Authentication, Entry, GroupCommit, PiopiyWebhook, WebhookRejection};

/// What the handlers share.
#[derive(Debug)]
pub(super) struct App {
    pub(super) options: ServerOptions,
    pub(super) commits: GroupCommit,
    pub(super) metrics: Metrics,
    pub(super) observer: Option<Observer>,
    pub(super) authentication: Authentication,
    /// What bodies that come in may take of the memory.
    reading: BodyBudget,
    pub(super) pace: Option<Pace>,
    tracer: Option<Tracer>,
}

impl App {
    pub(super) fn new(
        options: ServerOptions,
        commits: GroupCommit,
        metrics: Metrics,
        observer: Option<Observer>,
        authentication: Authentication,
        tracer: Option<Tracer>,
    ) -> Self {
        let reading = BodyBudget::new(options.max_reading_bytes);
        let pace = options.rate_limit.map(Pace::new);
        Self { options, commits, metrics, observer, authentication, reading, pace, tracer }
    }

    /// A text that came over the network, as it may stand in a log: on one line, and without what a terminal obeys.
    fn loggable<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let shown = if self.options.log_numbers { Cow::Borrowed(text) } else { without_numbers(text) };
        if shown.chars().any(char::is_control) {
            return Cow::Owned(shown.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect());
        }
        shown
    }
}

/// The paths that are not for webhooks.
pub(super) const OWN_PATHS: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/__observe"];

pub(super) fn router(app: &Arc<App>) -> Router {
    let authentication = &app.authentication;
    let path = &app.options.path;
    let mut webhooks = Router::new().route(path, post(receive));
    if authentication.has_token() {
        let with_token = format!("{}/{{token}}", path.trim_end_matches('/'));
        webhooks = webhooks.route(&with_token, post(receive));
    }
    // A layer costs each request something, so there is none where it would let everything through.
    if !authentication.is_empty() {
        webhooks = webhooks.layer(authentication.clone());
    }
    // Before anybody is asked for a secret: who guesses is slowed down, too.
    if app.pace.is_some() {
        webhooks = webhooks.layer(axum::middleware::from_fn_with_state(Arc::clone(app), pace::keep));
    }
    let mut router = webhooks
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics));
    if app.observer.is_some() {
        router = router.route("/__observe", get(observe::observe));
    }
    router.fallback(|| async { (StatusCode::NOT_FOUND, "not found\n") }).with_state(Arc::clone(app))
}

/// The one thing it is all about: acknowledge what is committed.
async fn receive(State(app): State<Arc<App>>, request: Request) -> Response {
    app.metrics.received.inc();
    let _in_flight = Counted::in_gauge(&app.metrics.in_flight);
    let mut span = app.tracer.as_ref().and_then(|tracer| tracer.begin(request.headers()));
    let response = take(&app, request, &mut span).await;
    if let Some(span) = span {
        span.end(response.status());
    }
    response
}

async fn take(app: &App, request: Request, span: &mut Option<Span>) -> Response {
    let received_at = now_micros();
    let (parts, body) = request.into_parts();
    let extracted = PiopiyWebhook::extract(&parts, body, &app.options.read, Some(&app.reading)).await;
    if let Some(span) = span {
        span.step("read");
    }
    let (response, outcome) = match extracted {
        Ok(PiopiyWebhook { webhook, identity, body }) => {
            let entry = Entry::webhook(&identity, body, received_at);
            if let Some(span) = span {
                span.note("piopiy.kind", identity.kind().as_str());
                span.note("piopiy.status", &app.loggable(identity.status()));
                span.note("piopiy.leg", &app.loggable(identity.leg().unwrap_or_default()));
                span.note("piopiy.cmiuuid", &app.loggable(identity.cmiuuid()));
            }
            // It may wait long for the store: what is no longer needed must not wait too.
            let client = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|client| client.0.ip());
            drop((identity, parts));
            let logged = tracing::enabled!(tracing::Level::DEBUG).then_some(webhook);
            let outcome = app.commits.append(entry).await;
            if let Some(webhook) = logged {
                log_webhook(app, client, &webhook, outcome);
            }
            match outcome {
                Ok(Append::Appended { .. }) => ((StatusCode::OK, "got it").into_response(), "new"),
                Ok(Append::Duplicate { .. }) => ((StatusCode::OK, "got it").into_response(), "repeat"),
                Err(error) => (unavailable(app, error), "not stored"),
            }
        }
        Err(rejection) => (not_understood(app, rejection, received_at).await, "not understood"),
    };
    if let Some(span) = span {
        span.step("store");
        span.note("piopiy.outcome", outcome);
    }
    response
}

/// Quarantines what can be, refuses the rest.
async fn not_understood(app: &App, rejection: WebhookRejection, received_at: i64) -> Response {
    // What is of a type yet to come would only come again, and be lost in the end.
    let is_new = matches!(&rejection, WebhookRejection::UnrecognisedBody(body) if body.reason == UnrecognisedReason::UnknownType);
    let is_kept = is_new || app.options.malformed == Malformed::Quarantine;
    let body = rejection.body().filter(|_| is_kept);
    let Some(body) = body.cloned() else {
        let reason = rejection.text();
        let reason = app.loggable(&reason);
        tracing::warn!(status = rejection.status().as_u16(), %reason, "refused");
        app.metrics.refuse(refusal(&rejection));
        return rejection.into_response();
    };
    let reason = rejection.text();
    match app.commits.append(Entry::quarantined(reason.clone(), body, received_at)).await {
        Ok(Append::Appended { seq } | Append::Duplicate { of: seq }) => {
            tracing::warn!(seq, reason = %app.loggable(&reason), "quarantined");
            (StatusCode::ACCEPTED, format!("kept aside: {reason}\n")).into_response()
        }
        Err(error) => unavailable(app, error),
    }
}

fn unavailable(app: &App, error: AppendError) -> Response {
    let (refusal, retry_after) = match error {
        AppendError::Overloaded => (Refusal::overloaded, "1"),
        AppendError::StoreFailed => (Refusal::store_failed, "5"),
        AppendError::TimedOut => (Refusal::store_too_slow, "5"),
        AppendError::Closed => (Refusal::shutting_down, "5"),
    };
    app.metrics.refuse(refusal);
    let retry_after = [(header::RETRY_AFTER, HeaderValue::from_static(retry_after))];
    (StatusCode::SERVICE_UNAVAILABLE, retry_after, format!("{error}, try again\n")).into_response()
}

fn refusal(rejection: &WebhookRejection) -> Refusal {
    match rejection {
        WebhookRejection::BodyTooLarge(_) => Refusal::too_large,
        WebhookRejection::BodyTooSlow(_) => Refusal::too_slow,
        WebhookRejection::BodyInterrupted(_) => Refusal::interrupted,
        WebhookRejection::EncodedBody(_) => Refusal::encoding,
        WebhookRejection::EmptyBody(_) => Refusal::empty,
        WebhookRejection::MalformedBody(_) => Refusal::malformed,
        WebhookRejection::UnrecognisedBody(_) => Refusal::unrecognised,
        WebhookRejection::AppIdNotAllowed(_) => Refusal::app_id,
        WebhookRejection::TooManyBodies(_) => Refusal::overloaded,
    }
}

fn log_webhook(app: &App, client: Option<IpAddr>, webhook: &Webhook, outcome: Result<Append, AppendError>) {
    let field = |key| webhook.text(key).map(|text| app.loggable(&text).into_owned());
    let number = |key| field(key).filter(|_| app.options.log_numbers);
    tracing::debug!(
        client = client.map(tracing::field::display),
        kind = webhook.kind().map(piopiy_events::Kind::as_str),
        status = ?field("status"),
        leg = ?field("leg"),
        cmiuuid = ?field("cmiuuid"),
        from = number("from").map(tracing::field::debug),
        to = number("to").map(tracing::field::debug),
        ?outcome,
        "webhook"
    );
}

async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.commits.is_ready().await {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the store fails\n").into_response()
    }
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let content_type = HeaderValue::from_static(prometheus_client::encoding::prometheus_text::CONTENT_TYPE);
    ([(header::CONTENT_TYPE, content_type)], app.metrics.encode()).into_response()
}
