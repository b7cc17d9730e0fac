use std::time::Duration;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use piopiy_events::{ParseError, UnrecognisedReason, Webhook};

/// Why a request gave no [`PiopiyWebhook`](super::PiopiyWebhook). As a response: the status, and a text that says
/// what was wrong, and where, but no value of the payload.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookRejection {
    /// 413.
    #[error(transparent)]
    BodyTooLarge(#[from] BodyTooLarge),
    /// 408, and the connection closes.
    #[error(transparent)]
    BodyTooSlow(#[from] BodyTooSlow),
    /// 400.
    #[error(transparent)]
    BodyInterrupted(#[from] BodyInterrupted),
    /// 415.
    #[error(transparent)]
    EncodedBody(#[from] EncodedBody),
    /// 400.
    #[error(transparent)]
    EmptyBody(#[from] EmptyBody),
    /// 400.
    #[error(transparent)]
    MalformedBody(#[from] MalformedBody),
    /// 422.
    #[error(transparent)]
    UnrecognisedBody(#[from] UnrecognisedBody),
    /// 403.
    #[error(transparent)]
    AppIdNotAllowed(#[from] AppIdNotAllowed),
    /// 503 with `Retry-After`, by a [`Server`](crate::Server) only.
    #[error(transparent)]
    TooManyBodies(#[from] TooManyBodies),
}

/// The body is over the limit.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the body is over the limit of {limit} bytes")]
#[non_exhaustive]
pub struct BodyTooLarge {
    /// The limit, in bytes.
    pub limit: usize,
}

/// The body did not come whole in time.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the body did not arrive within {deadline:?}")]
#[non_exhaustive]
pub struct BodyTooSlow {
    /// The deadline for the whole body.
    pub deadline: Duration,
}

/// The connection, or the framing of the body, broke.
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
#[non_exhaustive]
pub struct BodyInterrupted {
    /// What went wrong.
    pub source: axum::Error,
}

/// The body is compressed or otherwise encoded.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("no Content-Encoding but identity is understood")]
#[non_exhaustive]
pub struct EncodedBody;

/// There is no body.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the body is empty, expected one JSON object")]
#[non_exhaustive]
pub struct EmptyBody;

/// The body is not one JSON object within limits, or has a key twice with different values.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
#[non_exhaustive]
pub struct MalformedBody {
    /// What is wrong, and where.
    pub error: ParseError,
    /// The body as received.
    pub body: Bytes,
}

/// The body is a JSON object, but neither a live event nor a CDR.
#[derive(Debug, Clone, thiserror::Error)]
#[error("not a webhook: {reason}")]
#[non_exhaustive]
pub struct UnrecognisedBody {
    /// What is missing or unknown.
    pub reason: UnrecognisedReason,
    /// The body as received.
    pub body: Bytes,
}

/// The webhook is of an `appid` that is not allowed, or of none.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the appid is not on the list of those allowed")]
#[non_exhaustive]
pub struct AppIdNotAllowed {
    /// The body as received.
    pub body: Bytes,
}

/// More bodies are being read at once than there is memory for: see
/// [`ServerOptions::max_reading_bytes`](crate::ServerOptions::max_reading_bytes).
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("too many bodies come in at once, try again")]
#[non_exhaustive]
pub struct TooManyBodies;

/// What a text of a rejection may hold; keys of the payload can be of any length.
const MAX_TEXT: usize = 300;

impl UnrecognisedBody {
    pub(super) fn new(webhook: &Webhook, body: Bytes) -> Self {
        let reason = match webhook {
            Webhook::Unrecognised(object) => object.reason(),
            // Not reached: only what is unrecognised has no identity.
            _ => UnrecognisedReason::UnknownType,
        };
        Self { reason, body }
    }
}

impl WebhookRejection {
    /// The status of the response.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::EncodedBody(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyInterrupted(_) | Self::EmptyBody(_) | Self::MalformedBody(_) => StatusCode::BAD_REQUEST,
            Self::UnrecognisedBody(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::AppIdNotAllowed(_) => StatusCode::FORBIDDEN,
            Self::TooManyBodies(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The text of the response: what was wrong, shortened where it is long.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = self.to_string();
        if text.len() > MAX_TEXT {
            let end = (0..=MAX_TEXT).rev().find(|&end| text.is_char_boundary(end));
            text.truncate(end.unwrap_or_default());
            text.push('…');
        }
        text
    }

    /// The body, where it came whole and was not understood or is of another `appid`: what can be quarantined.
    #[must_use]
    pub fn body(&self) -> Option<&Bytes> {
        match self {
            Self::MalformedBody(malformed) => Some(&malformed.body),
            Self::UnrecognisedBody(unrecognised) => Some(&unrecognised.body),
            Self::AppIdNotAllowed(other) => Some(&other.body),
            _ => None,
        }
    }
}

impl IntoResponse for WebhookRejection {
    fn into_response(self) -> Response {
        let mut response = (self.status(), self.text() + "\n").into_response();
        // What is left of the body is not worth reading.
        if matches!(
            self,
            Self::BodyTooLarge(_)
                | Self::BodyTooSlow(_)
                | Self::BodyInterrupted(_)
                | Self::EncodedBody(_)
                | Self::TooManyBodies(_)
        ) {
            let close = HeaderValue::from_static("close");
            response.headers_mut().insert(header::CONNECTION, close);
        }
        if matches!(self, Self::TooManyBodies(_)) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
