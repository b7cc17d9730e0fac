use std::collections::BTreeSet;
use std::sync::Mutex;

use piopiy_events::{Kind, Webhook};
use serde_json::{Value, json};

use super::Group;

pub(super) const GROUP: Group = Group {
    flaws: &[
        ("calls-every-call-missed", "ORD-001"),
        ("believes-the-last-event", "ORD-002"),
        ("believes-the-last-event", "ORD-003"),
        ("believes-the-last-event", "ORD-004"),
        ("keeps-legs-apart", "ORD-005"),
        ("refuses-orphans", "ORD-006"),
        ("wants-the-start", "ORD-007"),
        ("has-one-current-call", "ORD-008"),
        ("believes-the-last-event", "ORD-009"),
        ("believes-the-last-event", "ORD-010"),
        ("believes-the-last-event", "ORD-011"),
        ("refuses-what-is-old", "ORD-011"),
    ],
    body: |flaw, body| match flaw {
        "refuses-orphans" if is_orphan(&body) => Vec::new(),
        "refuses-what-is-old" if is_old(&body) => Vec::new(),
        _ => body,
    },
    effects: |flaw, mut effect| {
        match flaw {
            "calls-every-call-missed" if effect["state"] == "ended_answered" => {
                effect["state"] = json!("ended_missed");
            }
            "believes-the-last-event" => effect["state"] = json!(state_of(&effect)),
            "keeps-legs-apart" if effect["leg"] == "b" => effect["state"] = json!(state_of(&effect)),
            "wants-the-start" if !is_known(&effect) && effect["kind"] == "cdr" => return Vec::new(),
            "has-one-current-call" => {
                static CURRENT: Mutex<Value> = Mutex::new(Value::Null);
                let mut current = CURRENT.lock().unwrap();
                let before = std::mem::replace(&mut *current, effect["state"].clone());
                effect["state"] = if before.is_null() { current.clone() } else { before };
            }
            _ => {}
        }
        vec![effect]
    },
    ..Group::NONE
};

/// What one webhook says, whatever was known before.
fn state_of(effect: &Value) -> &'static str {
    let status = effect["status"].as_str().unwrap_or_default();
    match status.trim_start_matches("in_").trim_start_matches("out_") {
        "answered" if effect["kind"] == "cdr" => "ended_answered",
        "missed" => "ended_missed",
        "hangup" => "ended_answered",
        "answered" | "bridged" => "active",
        "stream_connected" => "streaming",
        _ => "ringing",
    }
}

fn is_orphan(body: &[u8]) -> bool {
    static BEGUN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let Some(identity) = Webhook::parse(body).ok().and_then(|webhook| webhook.identity()) else {
        return false;
    };
    let is_new = BEGUN.lock().unwrap().insert(identity.cmiuuid().to_owned());
    is_new && identity.kind() == Kind::LiveEvent && !identity.status().ends_with("started")
}

/// More than 30 minutes behind the newest one.
fn is_old(body: &[u8]) -> bool {
    static NEWEST: Mutex<u64> = Mutex::new(0);
    let time = serde_json::from_slice::<Value>(body).ok().and_then(|body| body["time"].as_u64()).unwrap_or(0);
    let mut newest = NEWEST.lock().unwrap();
    *newest = newest.max(time);
    time + 30 * 60_000 < *newest
}

fn is_known(effect: &Value) -> bool {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    // A call that never had a start is none, whatever comes.
    let id = effect["cmiuuid"].to_string();
    let mut seen = SEEN.lock().unwrap();
    if effect["kind"] == "event" { !seen.insert(id) } else { seen.contains(&id) }
}
