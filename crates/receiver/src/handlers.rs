use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use piopiy_events::{Cdr, LiveEvent, StatusKind, Webhook};

use crate::{PiopiyWebhook, webhook_router};

/// A handler for each kind of webhook, typed.
///
/// What a handler answers is what the platform gets: 2xx says that the webhook is taken care of, and anything else that a
/// CDR is to come again. Webhooks that no handler is for are answered `200 got it`, for there is nothing to be done about
/// them. A webhook may come more than once: put a [`Dedupe`](crate::Dedupe) around it, or a [`Server`](crate::Server) before it.
///
/// # Examples
/// ```
/// use axum::http::StatusCode;
/// use piopiy_receiver::{Dedupe, WebhookHandlers};
///
/// let app: axum::Router = WebhookHandlers::new()
///     .on_cdr(|cdr| async move {
///         println!("{:?} took {:?} s", cdr.cmiuuid, cdr.duration);
///         StatusCode::NO_CONTENT
///     })
///     .on_stream_connected(|event| async move { println!("streaming: {:?}", event.cmiuuid) })
///     .router()
///     .layer(Dedupe::new());
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct WebhookHandlers {
    handlers: Vec<(What, Handler)>,
}

/// What a handler is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    Cdr,
    Event(StatusKind<'static>),
    AnyEvent,
    Rest,
}

type Handler = Arc<dyn Fn(PiopiyWebhook) -> Pin<Box<dyn Future<Output = Response> + Send>> + Send + Sync>;

impl WebhookHandlers {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Is called with each CDR.
    pub fn on_cdr<F, R>(self, handle: impl Fn(Cdr) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.with(What::Cdr, move |webhook| match webhook.webhook {
            Webhook::Cdr(cdr) => Some(handle(*cdr)),
            _ => None,
        })
    }

    /// Is called with live events of this kind.
    pub fn on_event<F, R>(
        self,
        kind: StatusKind<'static>,
        handle: impl Fn(LiveEvent) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.with(What::Event(kind), move |webhook| event_of(webhook).map(&handle))
    }

    /// Is called when a leg is dialled.
    pub fn on_started<F, R>(self, handle: impl Fn(LiveEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.on_event(StatusKind::Started, handle)
    }

    /// Is called when a leg was picked up.
    pub fn on_answered<F, R>(self, handle: impl Fn(LiveEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.on_event(StatusKind::Answered, handle)
    }

    /// Is called when leg b was joined to leg a.
    pub fn on_bridged<F, R>(self, handle: impl Fn(LiveEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.on_event(StatusKind::Bridged, handle)
    }

    /// Is called when a leg is over.
    pub fn on_hangup<F, R>(self, handle: impl Fn(LiveEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.on_event(StatusKind::Hangup, handle)
    }

    /// Is called when an audio stream is open.
    pub fn on_stream_connected<F, R>(self, handle: impl Fn(LiveEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.on_event(StatusKind::StreamConnected, handle)
    }

    /// Is called when an audio stream is closed.
    pub fn on_stream_disconnected<F, R>(self, handle: impl Fn(LiveEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.on_event(StatusKind::StreamDisconnected, handle)
    }

    /// Is called with live events that no other handler is for.
    pub fn on_any_event<F, R>(self, handle: impl Fn(LiveEvent) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.with(What::AnyEvent, move |webhook| event_of(webhook).map(&handle))
    }

    /// Is called with what no other handler is for.
    pub fn otherwise<F, R>(self, handle: impl Fn(PiopiyWebhook) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        self.with(What::Rest, move |webhook| Some(handle(webhook)))
    }

    /// A router that takes webhooks at [`DEFAULT_PATH`](crate::DEFAULT_PATH), as [`webhook_router`] does.
    pub fn router<S: Clone + Send + Sync + 'static>(self) -> Router<S> {
        webhook_router(move |webhook: PiopiyWebhook| {
            let handlers = self.clone();
            async move { handlers.handle(webhook).await }
        })
    }

    /// Has the handler answer that is for this webhook.
    pub async fn handle(&self, webhook: PiopiyWebhook) -> Response {
        let ways: &[What] = match &webhook.webhook {
            Webhook::Cdr(_) => &[What::Cdr, What::Rest],
            Webhook::LiveEvent(event) => {
                let kind = event.status.as_ref().map(|status| status.kind());
                let own =
                    kind.and_then(|kind| self.find(|what| matches!(what, What::Event(of) if *of == kind)));
                if let Some(handler) = own {
                    return handler(webhook).await;
                }
                &[What::AnyEvent, What::Rest]
            }
            _ => &[What::Rest],
        };
        match ways.iter().find_map(|way| self.find(|what| what == way)) {
            Some(handler) => handler(webhook).await,
            None => "got it".into_response(),
        }
    }

    fn find(&self, is_it: impl Fn(&What) -> bool) -> Option<Handler> {
        let found = self.handlers.iter().find(|(what, _)| is_it(what));
        found.map(|(_, handler)| Arc::clone(handler))
    }

    /// The last handler for a kind holds.
    fn with<F, R>(
        mut self,
        what: What,
        handle: impl Fn(PiopiyWebhook) -> Option<F> + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = R> + Send + 'static,
        R: IntoResponse,
    {
        let handler: Handler = Arc::new(move |webhook| {
            let answer = handle(webhook);
            Box::pin(async move {
                match answer {
                    Some(answer) => answer.await.into_response(),
                    // Not reached: it is called with its own kind only.
                    None => "got it".into_response(),
                }
            })
        });
        self.handlers.retain(|(other, _)| *other != what);
        self.handlers.push((what, handler));
        self
    }
}

fn event_of(webhook: PiopiyWebhook) -> Option<LiveEvent> {
    match webhook.webhook {
        Webhook::LiveEvent(event) => Some(*event),
        _ => None,
    }
}

impl fmt::Debug for WebhookHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.handlers.iter().map(|(what, _)| what)).finish()
    }
}
