//! Delivery over real sockets: how each way to answer, or not to, is told.

use std::time::Duration;

use piopiy_mock_platform::deliver::ledger::{AttemptOutcome, DeliveryOutcome};
use piopiy_mock_platform::deliver::{Faults, Redelivery};
use piopiy_mock_platform::judge::Judge;
use wiremock::ResponseTemplate;

use crate::receivers::{
    answering, answering_in_turn, attempts, calls, cdr, closed, delivered, jump, outcomes, raw,
};

/// One attempt to `url` ends so.
async fn check(url: &str, expected: AttemptOutcome, status: Option<u16>, ambiguous: bool) {
    let mut options = jump();
    options.cdr_policy = Redelivery::Never;
    options.timeout_ms = 300;
    let records = delivered(url, vec![cdr(0)], &options).await.records();
    let attempts = attempts(&records);
    assert_eq!(attempts.len(), 1);
    let attempt = &attempts[0];
    assert_eq!(
        (attempt.outcome, attempt.status, attempt.ambiguous),
        (expected, status, ambiguous),
        "{:?}",
        attempt.error
    );
    let outcome = &outcomes(&records)[0];
    let acknowledged = expected == AttemptOutcome::Acknowledged;
    assert_eq!(outcome.outcome == DeliveryOutcome::Acknowledged, acknowledged);
    assert_eq!(outcome.ambiguous, ambiguous);
}

#[tokio::test]
async fn any_2xx_is_an_acknowledgement_and_nothing_else_is() {
    for status in [200, 201, 202, 204, 299] {
        let receiver = answering(ResponseTemplate::new(status)).await;
        check(&receiver.uri(), AttemptOutcome::Acknowledged, Some(status), false).await;
    }
    for status in [400, 404, 413, 500, 503, 599] {
        let receiver = answering(ResponseTemplate::new(status)).await;
        check(&receiver.uri(), AttemptOutcome::Refused, Some(status), false).await;
    }
}

#[tokio::test]
async fn a_redirect_is_told_and_not_followed() {
    let elsewhere = answering(ResponseTemplate::new(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let answer = ResponseTemplate::new(status).insert_header("location", elsewhere.uri());
        let receiver = answering(answer).await;
        check(&receiver.uri(), AttemptOutcome::Redirect, Some(status), false).await;
    }
    assert_eq!(elsewhere.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn what_gives_no_answer_is_ambiguous_unless_there_was_no_connection() {
    let slow = answering(ResponseTemplate::new(200).set_delay(Duration::from_secs(30))).await;
    check(&slow.uri(), AttemptOutcome::Timeout, None, true).await;
    check(&closed().await, AttemptOutcome::ConnectError, None, false).await;
    check(&raw(b"").await, AttemptOutcome::Reset, None, true).await;
    check(&raw(b"HTTP/1.1 200 O").await, AttemptOutcome::Reset, None, true).await;
    check(&raw(b"SSH-2.0-OpenSSH\r\n\r\n").await, AttemptOutcome::ProtocolError, None, true).await;
}

#[tokio::test]
async fn the_status_counts_even_if_the_rest_of_the_answer_never_comes() {
    let cut = raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ngot").await;
    let records = delivered(&cut, vec![cdr(0)], &jump()).await.records();
    let attempt = &attempts(&records)[0];
    assert_eq!((attempt.outcome, attempt.cut_off), (AttemptOutcome::Acknowledged, true));
}

#[tokio::test]
async fn a_huge_answer_is_not_read_to_its_end() {
    let receiver = answering(ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 4 << 20])).await;
    let mut options = jump();
    options.answer_limit = 1_000;
    let records = delivered(&receiver.uri(), vec![cdr(0)], &options).await.records();
    let attempt = &attempts(&records)[0];
    assert_eq!((attempt.outcome, attempt.cut_off), (AttemptOutcome::Acknowledged, true));
    assert!((1_001..1 << 20).contains(&attempt.answer_bytes), "{}", attempt.answer_bytes);
}

#[tokio::test]
async fn a_refused_cdr_comes_again_byte_for_byte() {
    let receiver = answering_in_turn(&[503, 500, 200]).await;
    let records = delivered(&receiver.uri(), vec![cdr(0)], &jump()).await.records();
    let told: Vec<_> = attempts(&records).iter().map(|attempt| (attempt.status, attempt.offset_ms)).collect();
    assert_eq!(told, [(Some(503), 0), (Some(500), 300_000), (Some(200), 900_000)]);
    let requests = receiver.received_requests().await.unwrap();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.body, cdr(0).webhooks[0].body);
        assert_eq!(request.headers["content-type"], "application/json");
        assert!(request.headers["user-agent"].to_str().unwrap().starts_with("piopiy-mock/"));
    }
}

#[tokio::test]
async fn live_events_and_cdrs_may_go_to_different_urls() {
    use piopiy_mock_platform::deliver::{Ledger, Target, Targets, deliver};

    let (live, cdr) =
        (answering(ResponseTemplate::new(200)).await, answering(ResponseTemplate::new(200)).await);
    let targets = Targets {
        live: Target::parse(&live.uri(), &[]).unwrap(),
        cdr: Target::parse(&cdr.uri(), &[]).unwrap(),
    };
    let ledger = Ledger::builder().open().unwrap();
    let stream = futures_util::stream::iter(calls(10));
    let _complete = deliver(stream, &targets, &jump(), &ledger, std::future::pending()).await.unwrap();
    let kinds = async |receiver: &wiremock::MockServer| -> Vec<bool> {
        let requests = receiver.received_requests().await.unwrap();
        requests
            .iter()
            .map(|request| String::from_utf8_lossy(&request.body).contains("\"duration\""))
            .collect()
    };
    let (live, cdr) = (kinds(&live).await, kinds(&cdr).await);
    assert!(!live.is_empty() && live.iter().all(|is_cdr| !is_cdr));
    assert!(!cdr.is_empty() && cdr.iter().all(|is_cdr| *is_cdr));
}

#[tokio::test]
async fn with_every_fault_the_sums_come_out() {
    let receiver = answering(ResponseTemplate::new(200)).await;
    let mut options = jump();
    options.faults = Faults::chaos(3);
    let records = delivered(&receiver.uri(), calls(60), &options).await.records();
    let mut judge = Judge::new();
    records.iter().for_each(|record| judge.read(record));
    let summary = judge.summary();
    assert!(summary.injected_losses > 0 && summary.copies > 0, "{summary:?}");
    assert_eq!(summary.planned - summary.injected_losses, summary.acknowledged);
    assert_eq!(summary.attempts, summary.acknowledged + summary.copies);
    assert_eq!(receiver.received_requests().await.unwrap().len() as u64, summary.attempts);
    assert_eq!((summary.lost(), summary.duplicated()), (None, None), "nobody looked");
    assert_eq!(summary.faults["duplicate"], summary.copies);
    assert_eq!(summary.faults["loss"], summary.injected_losses);
}
