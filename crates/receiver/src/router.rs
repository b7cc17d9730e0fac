use axum::Router;
use axum::handler::Handler;
use axum::routing::post;

/// The path that the platform's own samples use.
pub const DEFAULT_PATH: &str = "/webhook/cdr";

/// A router that hands webhooks POSTed to [`DEFAULT_PATH`] to a handler; any other method is answered 405 with `Allow`.
///
/// A handler that takes a [`PiopiyWebhook`](crate::PiopiyWebhook) gets webhooks only. One that takes a
/// `Result<PiopiyWebhook, WebhookRejection>` decides itself what becomes of the rest. It must answer 2xx only when it
/// has made sure of the webhook, for an acknowledged webhook may never come again, and it must expect each webhook
/// more than once: [`Server`](crate::Server) does both.
///
/// # Examples
/// ```no_run
/// use piopiy_receiver::{PiopiyWebhook, webhook_router};
///
/// #[tokio::main]
/// async fn main() -> std::io::Result<()> {
///     let app = webhook_router(|webhook: PiopiyWebhook| async move {
///         println!("{}", webhook.identity);
///         "got it"
///     });
///     let listener = tokio::net::TcpListener::bind("127.0.0.1:5000").await?;
///     axum::serve(listener, app).await
/// }
/// ```
pub fn webhook_router<H, T, S>(handler: H) -> Router<S>
where
    H: Handler<T, S>,
    T: 'static,
    S: Clone + Send + Sync + 'static,
{
    Router::new().route(DEFAULT_PATH, post(handler))
}
