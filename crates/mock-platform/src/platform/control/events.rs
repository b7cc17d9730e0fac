use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

use super::Control;
use super::refusal::Refusal;

/// `GET /api/events`: server-sent events. `ready` once, `change` with the call in which something is to be seen, `missed`
/// where there was more than could be told.
pub(super) async fn stream(
    State(control): State<Control>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let place = control.watchers.clone().try_acquire_owned();
    let place = place.map_err(|_| Refusal::too_many("too many watch already"))?;
    let changes = control.exchange.board().changes();
    let ready = json!({ "now_ms": control.exchange.now_ms() });
    let ready = stream::iter([Event::default().event("ready").data(ready.to_string())]);
    let told = stream::unfold((changes, place), |(mut changes, place)| async move {
        let event = match changes.recv().await {
            Ok(change) => Event::default().event("change").data(json!({ "call": change.call }).to_string()),
            Err(RecvError::Lagged(missed)) => {
                Event::default().event("missed").data(json!({ "missed": missed }).to_string())
            }
            Err(RecvError::Closed) => return None,
        };
        Some((event, (changes, place)))
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Ok(Sse::new(ready.chain(told).map(Ok)).keep_alive(keep_alive))
}
