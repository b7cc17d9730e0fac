//! Who may post: a [`tower::Layer`] in front of any route.
//!
//! The platform documents no signature, so what there is to tell it from others is a secret in the URL, its address
//! and the `appid` in the payload.

mod credentials;
mod ip_range;

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::{ConnectInfo, Request};
use axum::response::{IntoResponse as _, Response};
use futures_util::future::{Either, Ready, ready};
use http::{HeaderValue, StatusCode, header};
use piopiy_events::Webhook;
use tower::{Layer, Service};

pub use credentials::{Basic, InvalidToken, Token};
pub use ip_range::{InvalidIpRange, IpRange};

/// What a request must show to get through. Empty, it lets everything through.
///
/// Where a token or basic credentials are set, a request must show one of them: 401 if not. Where addresses are set, it
/// must come from one of them, else 403; the peer's address is read from [`ConnectInfo`], and a request without one is
/// refused. Where `appid`s are set, [`PiopiyWebhook`](crate::PiopiyWebhook) refuses webhooks of others with 403; a
/// [`Server`](crate::Server) keeps them aside, unless it is to refuse what it does not understand.
///
/// # Examples
/// ```
/// use piopiy_receiver::{Authentication, PiopiyWebhook, webhook_router};
///
/// let authentication = Authentication::new()
///     .token("s3cret".parse()?)
///     .allow_ip("127.0.0.0/8".parse()?)
///     .app_ids(["2222222".to_owned()]);
/// let app: axum::Router = webhook_router(|_: PiopiyWebhook| async { "got it" }).layer(authentication);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Authentication {
    tokens: Vec<Token>,
    basic: Vec<Basic>,
    ips: Vec<IpRange>,
    app_ids: Option<AllowedAppIds>,
}

/// The `appid`s whose webhooks are taken; put into the request for the extractor, which has read the body.
#[derive(Debug, Clone)]
pub(crate) struct AllowedAppIds(Arc<[String]>);

impl AllowedAppIds {
    pub(crate) fn admits(&self, webhook: &Webhook) -> bool {
        app_id(webhook).is_some_and(|app_id| self.0.iter().any(|allowed| *allowed == app_id))
    }
}

/// The wire has `appid`, some tables of the documentation `app_id`.
pub(crate) fn app_id(webhook: &Webhook) -> Option<Cow<'_, str>> {
    webhook.text("appid").or_else(|| webhook.text("app_id"))
}

impl Authentication {
    /// Lets everything through.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets requests through that have this token as the last segment of their path, or as `?token=`.
    #[must_use]
    pub fn token(mut self, token: Token) -> Self {
        self.tokens.push(token);
        self
    }

    /// Lets requests through that have these basic credentials.
    #[must_use]
    pub fn basic(mut self, basic: Basic) -> Self {
        self.basic.push(basic);
        self
    }

    /// Lets requests through from these addresses, and from no others than are added.
    #[must_use]
    pub fn allow_ip(mut self, range: IpRange) -> Self {
        self.ips.push(range);
        self
    }

    /// Lets webhooks through that are of these `appid`s.
    #[must_use]
    pub fn app_ids(mut self, app_ids: impl IntoIterator<Item = String>) -> Self {
        self.app_ids = Some(AllowedAppIds(app_ids.into_iter().collect()));
        self
    }

    /// Whether a request must show a secret.
    #[must_use]
    pub fn needs_secret(&self) -> bool {
        !self.tokens.is_empty() || !self.basic.is_empty()
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.needs_secret() && self.ips.is_empty() && self.app_ids.is_none()
    }

    /// The `appid`s whose webhooks are taken; `None` where all are.
    pub(crate) fn allowed_app_ids(&self) -> Option<&AllowedAppIds> {
        self.app_ids.as_ref()
    }

    /// Whether a secret can stand in the path.
    pub(crate) fn has_token(&self) -> bool {
        !self.tokens.is_empty()
    }

    fn check<B>(&self, request: &http::Request<B>) -> Result<(), StatusCode> {
        if !self.ips.is_empty() {
            let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
            let known = peer.is_some_and(|peer| self.ips.iter().any(|range| range.contains(peer.0.ip())));
            if !known {
                return Err(StatusCode::FORBIDDEN);
            }
        }
        self.check_secret(request)
    }

    /// The part of the check that shows who asks, not from where.
    pub(crate) fn check_secret<B>(&self, request: &http::Request<B>) -> Result<(), StatusCode> {
        if self.needs_secret() {
            let has_token = self.tokens.iter().any(|token| token.is_in(request.uri()));
            let has_basic = self.basic.iter().any(|basic| basic.is_in(request.headers()));
            if !has_token && !has_basic {
                return Err(StatusCode::UNAUTHORIZED);
            }
        }
        Ok(())
    }
}

impl<S> Layer<S> for Authentication {
    type Service = Authenticated<S>;

    fn layer(&self, inner: S) -> Authenticated<S> {
        Authenticated { authentication: Arc::new(self.clone()), inner }
    }
}

/// A service behind an [`Authentication`].
#[derive(Debug, Clone)]
pub struct Authenticated<S> {
    authentication: Arc<Authentication>,
    inner: S,
}

impl<S: Service<Request, Response = Response>> Service<Request> for Authenticated<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        match self.authentication.check(&request) {
            Ok(()) => {
                if let Some(app_ids) = &self.authentication.app_ids {
                    request.extensions_mut().insert(app_ids.clone());
                }
                Either::Left(self.inner.call(request))
            }
            Err(status) => Either::Right(ready(Ok(refuse(status)))),
        }
    }
}

/// Marks a response as made here, so that the server can count it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NotAuthenticated;

pub(crate) fn refuse(status: StatusCode) -> Response {
    let text = if status == StatusCode::UNAUTHORIZED {
        "a secret is missing or wrong\n"
    } else {
        "not allowed from this address\n"
    };
    let mut response = (status, text).into_response();
    response.extensions_mut().insert(NotAuthenticated);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"webhooks\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
