//! The platform in process.

use piopiy_events::Profile;
use piopiy_mock_platform::MockPlatform;
use piopiy_mock_platform::deliver::Redelivery;
use piopiy_mock_platform::deliver::ledger::DeliveryOutcome;
use piopiy_mock_platform::platform::PlaceError;
use wiremock::ResponseTemplate;

use crate::receivers::{answering, answering_in_turn};

#[tokio::test]
async fn calls_are_placed_side_by_side_with_ids_of_their_own() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let platform = MockPlatform::builder().to(receiver.uri()).profile(Profile::India).start().await.unwrap();
    let (one, other) = tokio::join!(platform.place_call("default"), platform.place_call("default"));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.is_acknowledged() && other.is_acknowledged());
    let summary = platform.stop().await.unwrap();
    assert_eq!(summary.calls, 2);
    let bodies: std::collections::BTreeSet<Vec<u8>> =
        receiver.received_requests().await.unwrap().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies.len() as u64, summary.planned, "no two webhooks are the same");
}

#[tokio::test]
async fn a_cdr_that_is_refused_is_sent_again_without_a_wait() {
    let receiver = answering_in_turn(&[500, 500, 200]).await;
    let platform = MockPlatform::start().await;
    platform.point_at(&receiver.uri()).unwrap();
    let delivery = platform.send("cdr.inbound.missed", &[]).await.unwrap();
    assert_eq!(delivery.outcome, DeliveryOutcome::Acknowledged);
    assert_eq!(delivery.attempts.len(), 3);
    assert_eq!(platform.summary().redeliveries, 2);
}

#[tokio::test]
async fn the_other_reading_sends_four_times() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let platform =
        MockPlatform::builder().to(receiver.uri()).cdr_policy(Redelivery::Always).start().await.unwrap();
    assert_eq!(platform.send("cdr.inbound.missed", &[]).await.unwrap().attempts.len(), 4);
}

#[tokio::test]
async fn the_same_seed_and_nonce_place_the_same_calls() {
    let mut told = Vec::new();
    for nonce in [1, 1, 2] {
        let receiver = answering(ResponseTemplate::new(200)).await;
        let platform = MockPlatform::builder().to(receiver.uri()).seed(3).nonce(nonce).start().await.unwrap();
        let report = platform.place_call("outbound-bridged").await.unwrap();
        let ids: Vec<String> = report
            .deliveries
            .iter()
            .map(|delivery| {
                let webhook = piopiy_events::Webhook::parse(&delivery.webhook.body).unwrap();
                format!("{} {:?}", delivery.webhook.name, webhook.text("cmiuuid"))
            })
            .collect();
        told.push(ids);
    }
    assert_eq!(told[0], told[1]);
    assert_ne!(told[0], told[2]);
}

#[tokio::test]
async fn what_cannot_be_placed_is_told() {
    let platform = MockPlatform::start().await;
    assert!(matches!(platform.place_call("inbound-answered").await, Err(PlaceError::NoTarget)));
    assert!(matches!(platform.place_call("inbound-anwsered").await, Err(PlaceError::Scenario(_))));
    assert!(matches!(platform.send("live.nothing", &[]).await, Err(PlaceError::Event(_))));
    assert!(platform.point_at("http://app.example/").is_err());
    let allowed = MockPlatform::builder().allow_host("app.example").start().await.unwrap();
    assert!(allowed.point_at("http://app.example/").is_ok());
}
