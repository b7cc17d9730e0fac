use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use piopiy_events::Webhook;
use piopiy_mock_platform::judge::check::Hook;

use super::{Flawed, Group, Store, listen, process};

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("conflict-for-repeats", "RTY-001"),
        ("asks-then-inserts", "RTY-002"),
        ("acknowledges-without-store", "RTY-003"),
        ("does-not-say-when", "RTY-004"),
        ("writes-behind", "RTY-005"),
        ("keeps-all-in-memory", "RTY-005"),
        ("keeps-all-in-memory", "DUP-008"),
        ("remembers-in-memory", "DUP-008"),
        ("remembers-in-memory", "RTY-006"),
        ("dies-at-once", "RTY-007"),
        ("stumbles-over-poison", "RTY-008"),
    ],
    body: |flaw, body| match flaw {
        "stumbles-over-poison" if stumbles(&body) => Vec::new(),
        _ => body,
    },
    serve: |flaw| match flaw {
        "acknowledges-without-store" | "does-not-say-when" => Some(beside_a_store(flaw).boxed()),
        "writes-behind" | "keeps-all-in-memory" | "remembers-in-memory" | "dies-at-once" => {
            Some(process::receiver(flaw).boxed())
        }
        _ => None,
    },
    ..Group::NONE
};

/// What is answered while the store is away.
pub(super) fn without_store(flaw: &str) -> Response {
    match flaw {
        "acknowledges-without-store" => StatusCode::OK.into_response(),
        "does-not-say-when" => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")]).into_response(),
    }
}

/// A receiver whose store can be taken away.
pub(super) async fn beside_a_store(flaw: &'static str) -> Flawed {
    let down = tempfile::tempdir().unwrap().keep().join("down");
    let mut receiver = listen(Arc::new(Store { flaw, down: Some(down.clone()), ..Store::default() })).await;
    receiver.hooks.insert(Hook::Down, format!("touch {}", down.display()));
    receiver.hooks.insert(Hook::Up, format!("rm {}", down.display()));
    receiver
}

/// The next one after one that could not be understood.
fn stumbles(body: &[u8]) -> bool {
    static WAS_BAD: AtomicBool = AtomicBool::new(false);
    let is_bad = Webhook::parse(body).ok().and_then(|webhook| webhook.identity()).is_none();
    WAS_BAD.swap(is_bad, Ordering::Relaxed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_says_503_while_its_store_is_away_passes() {
    use piopiy_mock_platform::judge::check::{Verdict, find};
    let receiver = beside_a_store("none").await;
    let checks = ["RTY-003", "RTY-004"].map(|id| find(id).unwrap());
    let report = crate::check::run(&receiver.url, &checks, &crate::check::options_for(&receiver)).await;
    for check in &report.checks {
        assert_eq!(check.outcome.verdict, Verdict::Pass, "{}: {}", check.id, check.outcome.detail);
    }
}
