//! Reading a webhook from a request.

mod body;
mod budget;
mod rejection;

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::request::Parts;
use piopiy_events::{Identity, Limits, Webhook};

pub(crate) use body::refusal;
pub(crate) use budget::BodyBudget;
pub use rejection::{
    AppIdNotAllowed, BodyInterrupted, BodyTooLarge, BodyTooSlow, EmptyBody, EncodedBody, MalformedBody,
    TooManyBodies, UnrecognisedBody, WebhookRejection,
};

use self::budget::Taken;
use crate::auth::AllowedAppIds;

/// A webhook, extracted from a request of whatever content type, or none.
///
/// ⚠️ It consumes the body, so it must be the last argument of a handler.
///
/// # Rejections
/// Each cause is a type of its own, collected in [`WebhookRejection`]; none of them is a 5xx but the last, which only a
/// [`Server`](crate::Server) gives:
///
/// | cause | status |
/// |---|---|
/// | [`BodyTooLarge`]: over [`ReadLimits::max_bytes`], declared or counted | 413 |
/// | [`BodyTooSlow`]: not whole within [`ReadLimits::body_deadline`] | 408 |
/// | [`BodyInterrupted`]: the connection or the framing broke | 400 |
/// | [`EncodedBody`]: a `Content-Encoding` other than `identity` | 415 |
/// | [`EmptyBody`] | 400 |
/// | [`MalformedBody`]: not one JSON object, or one key with two values, or nested too deep | 400 |
/// | [`UnrecognisedBody`]: a JSON object that is no webhook | 422 |
/// | [`AppIdNotAllowed`]: [`Authentication::app_ids`](crate::Authentication::app_ids) does not list its `appid` | 403 |
/// | [`TooManyBodies`]: over [`ServerOptions::max_reading_bytes`](crate::ServerOptions::max_reading_bytes) | 503 |
///
/// # Examples
/// ```
/// use axum::http::StatusCode;
/// use piopiy_receiver::{PiopiyWebhook, webhook_router};
///
/// async fn handle(webhook: PiopiyWebhook) -> StatusCode {
///     println!("{}", webhook.identity);
///     StatusCode::NO_CONTENT
/// }
/// let app: axum::Router = webhook_router(handle);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PiopiyWebhook {
    /// The webhook, typed.
    pub webhook: Webhook,
    /// What makes two deliveries the same webhook.
    pub identity: Identity,
    /// The body, byte for byte as received.
    pub body: Bytes,
}

/// How much of a request is read, and for how long. To change the defaults, layer it over the routes as an
/// [`Extension`](axum::Extension).
///
/// # Examples
/// ```
/// use axum::Extension;
/// use piopiy_receiver::{PiopiyWebhook, ReadLimits, webhook_router};
///
/// let limits = ReadLimits { max_bytes: 64 * 1024, ..ReadLimits::default() };
/// let app: axum::Router = webhook_router(|_: PiopiyWebhook| async { "got it" }).layer(Extension(limits));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct ReadLimits {
    /// Bytes of a body; default 1 MiB.
    pub max_bytes: usize,
    /// Arrays and objects inside one another; default 128.
    pub max_depth: usize,
    /// Time for the whole body, however it trickles in; default 10 s.
    pub body_deadline: Duration,
}

impl Default for ReadLimits {
    fn default() -> Self {
        let Limits { max_bytes, max_depth } = Limits::default();
        Self { max_bytes, max_depth, body_deadline: Duration::from_secs(10) }
    }
}

impl<S: Send + Sync> FromRequest<S> for PiopiyWebhook {
    type Rejection = WebhookRejection;

    async fn from_request(request: Request, _: &S) -> Result<Self, WebhookRejection> {
        let (parts, body) = request.into_parts();
        let limits = parts.extensions.get::<ReadLimits>().copied().unwrap_or_default();
        Self::extract(&parts, body, &limits, None).await
    }
}

impl PiopiyWebhook {
    pub(crate) async fn extract(
        parts: &Parts,
        body: Body,
        limits: &ReadLimits,
        budget: Option<&BodyBudget>,
    ) -> Result<Self, WebhookRejection> {
        // Held until the webhook is read too, for that takes as much again.
        let mut taken = Taken::of(budget);
        let body = body::read(&parts.headers, body, limits, &mut taken).await?;
        Self::admit(body, limits, parts.extensions.get::<AllowedAppIds>())
    }

    /// What a body is, as it came or as it was kept.
    pub(crate) fn admit(
        body: Bytes,
        limits: &ReadLimits,
        allowed: Option<&AllowedAppIds>,
    ) -> Result<Self, WebhookRejection> {
        if body.is_empty() {
            return Err(EmptyBody.into());
        }
        let limits = Limits { max_bytes: limits.max_bytes, max_depth: limits.max_depth };
        let webhook = match Webhook::parse_within(&body, &limits) {
            Ok(webhook) => webhook,
            Err(error) => return Err(MalformedBody { error, body }.into()),
        };
        // First: what is of a type yet to come is kept whatever else holds, so it has to be of whom it is taken from.
        if allowed.is_some_and(|allowed| !allowed.admits(&webhook)) {
            return Err(AppIdNotAllowed { body }.into());
        }
        match webhook.identity() {
            Some(identity) => Ok(Self { webhook, identity, body }),
            None => Err(UnrecognisedBody::new(&webhook, body).into()),
        }
    }
}
