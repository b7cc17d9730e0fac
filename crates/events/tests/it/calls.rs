//! Which call a webhook belongs to, and where the call stands.

use piopiy_events::{CallState, Calls, Phase, Webhook};

fn webhook(json: &str) -> Webhook {
    Webhook::parse(json.as_bytes()).unwrap()
}

/// A leg b that shares leg a's `cmiuuid`, as on an inbound call; the event's time is its place in the list.
fn check(statuses: &[&str], expected: Phase) {
    let webhooks: Vec<_> = statuses
        .iter()
        .enumerate()
        .map(|(time, status)| {
            let (leg, status) = status.split_once(' ').unwrap();
            let record = if matches!(status, "missed" | "answered") { r#","duration":0"# } else { "" };
            webhook(&format!(r#"{{"cmiuuid":"x","leg":"{leg}","status":"{status}","time":{time}{record}}}"#))
        })
        .collect();
    let fold = |webhooks: &mut dyn Iterator<Item = &Webhook>| {
        let mut state = CallState::default();
        for webhook in webhooks {
            state.apply(webhook);
        }
        state.phase()
    };
    assert_eq!(fold(&mut webhooks.iter()), expected, "{statuses:?}");
    assert_eq!(fold(&mut webhooks.iter().rev().chain(&webhooks)), expected, "{statuses:?}, backwards");
}

#[test]
fn a_missed_attempt_does_not_end_a_later_one() {
    check(&["a in_answered"], Phase::Active);
    check(&["a in_answered", "b out_bridged"], Phase::Bridged);
    check(&["a in_answered", "b missed", "b out_bridged"], Phase::Bridged);
    check(&["a in_answered", "b missed", "b out_bridged", "b out_hangup"], Phase::Active);
    check(&["a in_answered", "b missed", "b out_bridged", "b answered"], Phase::Active);
    check(&["a in_answered", "b out_bridged", "b out_hangup", "b out_bridged"], Phase::Bridged);
    check(
        &["a in_answered", "b out_bridged", "b out_hangup", "b out_bridged", "b out_hangup"],
        Phase::Active,
    );
    check(&["a in_answered", "b missed", "b out_bridged", "a in_hangup"], Phase::EndedAnswered);
}

const LOOSE: &str = r#"{"cmiuuid":"x","leg":"a","status":"in_answered","time":1}"#;
const KEYED: &str = r#"{"cmiuuid":"x","leg":"a","status":"in_answered","time":1,"conversation_uuid":"c"}"#;
const OTHER: &str = r#"{"cmiuuid":"x","leg":"a","status":"in_answered","time":1,"conversation_uuid":"d"}"#;

#[test]
fn a_webhook_is_news_once_whatever_conversation_it_names() {
    for order in [[LOOSE, KEYED, OTHER], [OTHER, KEYED, LOOSE], [KEYED, LOOSE, OTHER]] {
        let mut calls = Calls::default();
        let news = order.map(|json| calls.apply(&webhook(json)));
        assert_eq!(news, [true, false, false], "{order:?}");
        assert_eq!(calls.phase("c"), Some(Phase::Active), "the conversation is taken in all the same");
        assert_eq!(calls.phase("d"), Some(Phase::Active));
        assert_eq!(calls.phase("x"), None);
    }
}

#[test]
fn an_unrecognised_webhook_is_of_no_call() {
    let mut calls = Calls::default();
    let unrecognised = webhook(r#"{"conversation_uuid":"c","leg":"a"}"#);
    assert!(!calls.apply(&unrecognised));
    assert_eq!(calls.call_of(&unrecognised), None);
    assert_eq!(calls.call_of(&webhook(KEYED)).as_deref(), Some("c"));
}

#[test]
fn conversations_are_told_apart_like_identities() {
    let mut calls = Calls::default();
    for id in [r"\ud800", r"\udfff", r"\ufffd"] {
        let json =
            format!(r#"{{"cmiuuid":"{id}","status":"in_answered","time":1,"conversation_uuid":"{id}"}}"#);
        assert!(calls.apply(&webhook(&json)), "{id}");
        let key = calls.call_of(&webhook(&json)).unwrap();
        assert_eq!(calls.state(&key).unwrap().seen().len(), 1, "{id}");
    }
    assert_eq!(calls.states().len(), 3);
}
