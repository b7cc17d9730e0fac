use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;

use super::Group;

/// The calls that a receiver has a row of.
static ROWS: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("breaks-under-load", "CON-001"),
        ("refuses-every-twentieth", "CON-002"),
        ("breaks-at-a-rate", "CON-003"),
        ("stays-slow-after-a-burst", "CON-004"),
        ("one-row-per-call", "CON-005"),
        ("doubles", "CON-007"),
    ],
    effects: |flaw, effect| match flaw {
        "one-row-per-call" => {
            let is_new = ROWS.lock().unwrap().insert(effect["cmiuuid"].to_string());
            if is_new { vec![effect] } else { Vec::new() }
        }
        "doubles" => vec![effect.clone(), effect],
        _ => vec![effect],
    },
    wrap: |flaw, receiver| {
        if !GROUP.flaws.iter().any(|(name, _)| *name == flaw) {
            return receiver;
        }
        let (count, at_once) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        receiver.layer(from_fn(move |request: Request, next: Next| {
            let (count, at_once) = (Arc::clone(&count), Arc::clone(&at_once));
            async move {
                if !request.uri().path().starts_with("/webhook") {
                    return next.run(request).await;
                }
                let nth = count.fetch_add(1, Ordering::Relaxed);
                let beside = at_once.fetch_add(1, Ordering::Relaxed);
                let breaks = match flaw {
                    "breaks-under-load" => beside > 4 || nth > 100 && nth % 100 == 99,
                    "refuses-every-twentieth" => nth % 5 == 4 && nth > 10,
                    "breaks-at-a-rate" => nth > 60 && nth % 10 == 0,
                    _ => false,
                };
                if flaw == "stays-slow-after-a-burst" && nth > 200 {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                let answer = if breaks {
                    StatusCode::INTERNAL_SERVER_ERROR.into_response()
                } else {
                    next.run(request).await
                };
                at_once.fetch_sub(1, Ordering::Relaxed);
                answer
            }
        }))
    },
    ..Group::NONE
};
