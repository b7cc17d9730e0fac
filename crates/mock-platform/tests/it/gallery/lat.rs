use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};

use super::Group;

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("sleeps-now-and-then", "LAT-001"),
        ("answers-too-late", "LAT-002"),
        ("falls-asleep", "LAT-004"),
        ("one-at-a-time", "LAT-005"),
        ("waits-for-bodies-in-turn", "LAT-006"),
    ],
    wrap: |flaw, receiver| {
        let count = Arc::new(AtomicUsize::new(0));
        let turn = Arc::new(tokio::sync::Mutex::new(()));
        let last = Arc::new(Mutex::new(std::time::Instant::now()));
        if !GROUP.flaws.iter().any(|(name, _)| *name == flaw) {
            return receiver;
        }
        receiver.layer(from_fn(move |request: Request, next: Next| {
            let (count, turn, last) = (Arc::clone(&count), Arc::clone(&turn), Arc::clone(&last));
            async move {
                let is_webhook = request.uri().path().starts_with("/webhook");
                let nth = count.fetch_add(1, Ordering::Relaxed);
                let idle = std::mem::replace(&mut *last.lock().unwrap(), std::time::Instant::now()).elapsed();
                let wait = match flaw {
                    "sleeps-now-and-then" if nth % 40 == 39 => 300,
                    "answers-too-late" if nth > 10 => 1_200,
                    "falls-asleep" if idle > Duration::from_secs(1) => 1_200,
                    "one-at-a-time" => 25,
                    _ => 0,
                };
                let holds = is_webhook && matches!(flaw, "one-at-a-time" | "waits-for-bodies-in-turn");
                let _turn = if holds { Some(turn.lock().await) } else { None };
                if wait > 0 && is_webhook {
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                next.run(request).await
            }
        }))
    },
    ..Group::NONE
};
