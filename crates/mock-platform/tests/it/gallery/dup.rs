use std::sync::Arc;

use futures_util::FutureExt;

use super::{Flawed, Group, Store, listen};

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("conflict-for-repeats", "DUP-001"),
        ("stores-repeats", "DUP-001"),
        ("asks-then-inserts", "DUP-002"),
        ("dedupes-by-bytes", "DUP-003"),
        ("dedupes-by-numbers", "DUP-005"),
        ("dedupes-by-cmiuuid", "DUP-006"),
        ("dedupes-without-time", "DUP-006"),
        ("dedupes-by-value", "DUP-007"),
        ("instances-dedupe-alone", "DUP-009"),
        ("asks-then-inserts", "DUP-010"),
        ("conflict-for-repeats", "DUP-011"),
    ],
    key: |flaw, body, webhook| {
        let identity = webhook.identity()?;
        let text = |key: &str| webhook.get(key).map(|value| value.as_json().to_owned()).unwrap_or_default();
        match flaw {
            "dedupes-by-bytes" => Some(String::from_utf8_lossy(body).into_owned()),
            "dedupes-by-numbers" => Some(["from", "to", "time", "leg", "status"].map(text).join("|")),
            "dedupes-by-cmiuuid" => Some(identity.cmiuuid().to_owned()),
            "dedupes-without-time" => Some(format!(
                "{:?}",
                (identity.kind(), identity.cmiuuid(), identity.leg(), identity.status())
            )),
            "dedupes-by-value" => Some(format!("{}{}", identity.key(), text("balance"))),
            _ => None,
        }
    },
    serve: |flaw| (flaw == "instances-dedupe-alone").then(|| two_instances().boxed()),
    ..Group::NONE
};

/// Two receivers, each with a memory of its own, that write to one table.
async fn two_instances() -> Flawed {
    let store = Arc::new(Store { flaw: "instances-dedupe-alone", ..Store::default() });
    let second = Arc::new(Store {
        flaw: "instances-dedupe-alone",
        effects: Arc::clone(&store.effects),
        ..Store::default()
    });
    let second_url = listen(second).await.url;
    Flawed { second_url: Some(second_url), ..listen(store).await }
}
