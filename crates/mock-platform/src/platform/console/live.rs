//! Server-sent events: that something has changed. The page then asks for itself again.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use tokio::sync::broadcast::error::RecvError;

use super::Console;

/// Changes that come this close together are told as one.
const TOGETHER: Duration = Duration::from_millis(80);
/// How often the times of calls that are on are shown anew.
const TICK: Duration = Duration::from_secs(1);

pub(super) async fn events(State(console): State<Console>) -> Response {
    let Ok(seat) = console.watchers.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n").into_response();
    };
    let changes = console.exchange.board().changes();
    let checks = console.checking.changes();
    let state = (console, changes, checks, seat);
    let events = stream::unfold(state, |(console, mut changes, mut checks, seat)| async move {
        loop {
            tokio::select! {
                change = changes.recv() => match change {
                    // Who is far behind has missed nothing: the page is asked for as it is now.
                    Ok(_) | Err(RecvError::Lagged(_)) => break,
                    Err(RecvError::Closed) => return None,
                },
                changed = checks.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return None,
                },
                () = tokio::time::sleep(TICK) => if console.exchange.board().is_busy() { break },
            }
        }
        tokio::time::sleep(TOGETHER).await;
        changes = changes.resubscribe();
        checks.mark_unchanged();
        // A browser passes over an event without data.
        let event = Event::default().event("change").data("something");
        Some((Ok::<_, Infallible>(event), (console, changes, checks, seat)))
    });
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}
