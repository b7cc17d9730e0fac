//! Server-sent events: that something has changed. The page then asks for itself again.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use http::StatusCode;
use tokio::time::Instant;

use super::Pages;
use crate::DestinationStatus;

/// How often it is looked whether something has changed: under load, the page is asked for once a second, not once for
/// each webhook. Several receivers may write to one store, so what this one commits is not all there is.
const TICK: Duration = Duration::from_secs(1);
/// Who has gone away is noticed by writing to it.
const KEEP_ALIVE: Duration = Duration::from_secs(3);

/// What a page is about.
pub(super) type Version = (Option<u64>, bool, Vec<DestinationStatus>);

pub(super) async fn events(State(pages): State<Arc<Pages>>) -> Response {
    let Ok(seat) = Arc::clone(&pages.watchers).try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open\n").into_response();
    };
    // The page asks for itself when it hears that it is connected, so what is there now is no news.
    let seen = version(&pages).await;
    let events = stream::unfold((pages, seen, seat), |(pages, seen, seat)| async move {
        loop {
            let stop = pages.parts.stop.clone();
            let ticked = async {
                tokio::time::sleep(TICK).await;
                version(&pages).await
            };
            let now = stop.run_until_cancelled(ticked).await?;
            if now != seen {
                // A browser passes over an event without data.
                let event = Event::default().event("change").data("something");
                return Some((Ok::<_, Infallible>(event), (pages, now, seat)));
            }
        }
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// What there is now, or was half a tick ago: however many ask, it is looked at no more often.
async fn version(pages: &Arc<Pages>) -> Version {
    let mut latest = pages.latest.lock().await;
    if let Some((_, version)) = latest.as_ref().filter(|(at, _)| at.elapsed() < TICK / 2) {
        return version.clone();
    }
    let looked =
        pages.see(|pages| Ok((pages.recent.last_seq().ok(), pages.destinations().unwrap_or_default())));
    let (last, destinations) = looked.await.unwrap_or_default();
    let version = (last, pages.parts.commits.is_healthy(), destinations);
    *latest = Some((Instant::now(), version.clone()));
    version
}
