//! What the judge makes of a ledger and of effects.

use piopiy_events::{Evidence, Kind, Profile};
use piopiy_mock_platform::deliver::Ledger;
use piopiy_mock_platform::deliver::Redelivery;
use piopiy_mock_platform::judge::{Effect, Judge, Summary};
use piopiy_mock_platform::plan::{PlannedCall, PlannedWebhook};
use proptest::prelude::*;
use wiremock::ResponseTemplate;

use crate::receivers::{answering, cdr, delivered, jump, raw};

/// The effect of CDR `call`, as a receiver tells it.
fn effect(seq: u64, call: u64) -> Effect {
    let webhook = cdr(call).webhooks.remove(0);
    let fields = String::from_utf8(webhook.body).unwrap();
    let text = format!(
        r#"{{"seq":{seq},"cmiuuid":"33079756-faed-4a29-8b36-{call:012}","kind":"cdr","fields":{fields}}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn judged(ledger: &Ledger, effects: Vec<Effect>) -> Summary {
    let seen = Ledger::builder().in_memory().open().unwrap();
    seen.observe(effects);
    let mut judge = Judge::observing();
    ledger.records().iter().chain(&seen.records()).for_each(|record| judge.read(record));
    judge.summary()
}

#[tokio::test]
async fn lost_doubled_and_phantom_effects_are_told_apart() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let ledger = delivered(&receiver.uri(), (0..4).map(cdr).collect(), &jump()).await;

    let all = judged(&ledger, (0..4).map(|call| effect(call + 1, call)).collect());
    assert!(all.is_clean());
    assert_eq!(all.equation(), "planned 4 = acknowledged 4 = effects 4, lost 0, duplicated 0");

    let troubled = judged(&ledger, vec![effect(1, 0), effect(2, 0), effect(3, 1), effect(4, 9)]);
    assert!(!troubled.is_clean());
    insta::assert_snapshot!(
        troubled.to_string().lines().filter(|line| !line.contains(" p50 ")).collect::<Vec<_>>().join("\n")
    );
}

#[tokio::test]
async fn what_was_not_acknowledged_is_not_lost() {
    let receiver = answering(ResponseTemplate::new(503)).await;
    let mut options = jump();
    options.cdr_policy = Redelivery::Never;
    let ledger = delivered(&receiver.uri(), vec![cdr(0)], &options).await;
    let summary = judged(&ledger, vec![]);
    assert_eq!((summary.lost(), summary.unacknowledged), (Some(0), 1));
    // It may have acted all the same: refused is not phantom.
    assert_eq!(judged(&ledger, vec![effect(1, 0)]).phantom(), Some(0));
}

/// Live events of one leg, one for each body.
fn events(bodies: &[String]) -> PlannedCall {
    let webhooks = bodies.iter().zip(0..).map(|(body, seq)| {
        let body = body.clone().into_bytes();
        PlannedWebhook::new(0, seq, 0, "live.x".into(), Some(Kind::LiveEvent), Evidence::Documented, body)
    });
    PlannedCall::new(0, Profile::Global, "events".into(), webhooks.collect())
}

fn event(status: &str) -> String {
    format!(r#"{{"cmiuuid":"x","leg":"a","status":"{status}","time":1}}"#)
}

/// What the judge says of `effects`, given without their `seq`, where all of `bodies` were acknowledged:
/// lost, duplicated, phantom, unattributed.
async fn check_observed(bodies: &[String], effects: &[&str], expected: (u64, u64, u64, u64)) {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let ledger = delivered(&receiver.uri(), vec![events(bodies)], &jump()).await;
    let effects = effects.iter().zip(1..).map(|(effect, seq)| {
        let text = format!(r#"{{"seq":{seq},{}"#, effect.trim_start_matches('{'));
        serde_json::from_str(&text).unwrap()
    });
    let observed = judged(&ledger, effects.collect()).observed.unwrap();
    let told = (observed.lost, observed.duplicated, observed.phantom, observed.unattributed);
    assert_eq!(told, expected, "{observed:?}");
}

#[tokio::test]
async fn effects_that_say_little_are_given_to_webhooks_such_that_all_have_one() {
    let three = [event("started"), event("answered"), event("hangup")];
    let [vague, answered, started] = [
        r#"{"cmiuuid":"x"}"#,
        r#"{"cmiuuid":"x","status":"answered"}"#,
        r#"{"cmiuuid":"x","status":"started"}"#,
    ];
    check_observed(&three, &[vague, started, answered], (0, 0, 0, 0)).await;
    check_observed(&three, &[vague, answered, vague], (0, 0, 0, 0)).await;
    check_observed(&three, &[vague, vague], (1, 0, 0, 0)).await;
    check_observed(&three, &[vague, vague, vague, vague, vague], (0, 1, 0, 0)).await;
    check_observed(&three, &[answered, answered, vague], (1, 1, 0, 0)).await;
}

#[tokio::test]
async fn what_is_kept_aside_is_known_by_its_payload() {
    let body = event("parked");
    let kept = format!(r#"{{"quarantined":true,"kind":"unknown","fields":{body}}}"#);
    check_observed(&[body], &[&kept], (0, 0, 0, 0)).await;
}

#[tokio::test]
async fn a_body_without_an_identity_is_no_phantom() {
    let nameless = r#"{"hello":"world"}"#.to_owned();
    let kept = r#"{"kind":"unknown","fields":{"hello":"world"}}"#;
    check_observed(std::slice::from_ref(&nameless), &[kept], (0, 0, 0, 1)).await;
    check_observed(&[nameless.clone(), event("started")], &[kept, r#"{"cmiuuid":"x"}"#], (0, 0, 0, 1)).await;
    check_observed(&[event("started")], &[kept, r#"{"cmiuuid":"x"}"#], (0, 0, 1, 0)).await;
    let stranger = r#"{"cmiuuid":"y","kind":"cdr","status":"missed"}"#;
    check_observed(&[nameless], &[stranger], (0, 0, 1, 0)).await;
    let no_status = r#"{"cmiuuid":"x","leg":"a"}"#.to_owned();
    let kept = r#"{"cmiuuid":"x","kind":"unknown"}"#;
    let full = r#"{"cmiuuid":"x","kind":"event","status":"started"}"#;
    check_observed(&[no_status, event("started")], &[full, kept], (0, 0, 0, 1)).await;
}

#[tokio::test]
async fn no_answer_alone_is_no_failure() {
    let mut options = jump();
    options.cdr_policy = Redelivery::Never;
    let ledger = delivered(&raw(b"").await, vec![cdr(0)], &options).await;
    let summary = judged(&ledger, vec![]);
    assert_eq!((summary.unacknowledged, summary.ambiguous, summary.is_clean()), (1, 1, true));
}

#[test]
fn nothing_planned_is_not_clean() {
    assert!(!Judge::new().summary().is_clean());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn lost_and_doubled_are_what_the_effects_say(effects in prop::collection::vec(0_u64..3, 8)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ledger = runtime.block_on(async {
            let receiver = answering(ResponseTemplate::new(204)).await;
            delivered(&receiver.uri(), (0..8).map(cdr).collect(), &jump()).await
        });
        let seen = effects.iter().zip(0..).flat_map(|(times, call)| (0..*times).map(move |_| call));
        let summary = judged(&ledger, seen.zip(1..).map(|(call, seq)| effect(seq, call)).collect());
        prop_assert_eq!(summary.lost(), Some(effects.iter().filter(|times| **times == 0).count() as u64));
        prop_assert_eq!(summary.duplicated(), Some(effects.iter().filter(|times| **times > 1).count() as u64));
        prop_assert_eq!(summary.phantom(), Some(0));
        prop_assert_eq!(summary.is_clean(), effects.iter().all(|times| *times == 1));
    }
}
