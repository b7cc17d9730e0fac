//! What the judge makes of a ledger and of effects.

use piopiy_mock_platform::deliver::Ledger;
use piopiy_mock_platform::deliver::Redelivery;
use piopiy_mock_platform::judge::{Effect, Judge, Summary};
use proptest::prelude::*;
use wiremock::ResponseTemplate;

use crate::receivers::{answering, cdr, delivered, jump};

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
        troubled.to_string().lines().filter(|line| !line.contains("latency")).collect::<Vec<_>>().join("\n")
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
