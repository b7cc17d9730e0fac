//! Receivers on loopback that behave in one way each, and what delivers to them.

use std::sync::Arc;
use std::time::Duration;

use piopiy_events::{Evidence, Kind, Profile};
use piopiy_mock_platform::deliver::ledger::{AttemptEntry, Entry, OutcomeEntry, Record};
use piopiy_mock_platform::deliver::{DeliveryOptions, Ending, Ledger, Pace, Target, Targets, deliver};
use piopiy_mock_platform::plan::{PlanOptions, PlannedCall, PlannedWebhook, Scenario, Simulator};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

/// A receiver that always gives the same answer.
pub(crate) async fn answering(answer: ResponseTemplate) -> MockServer {
    let receiver = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&receiver).await;
    receiver
}

/// A receiver that gives each answer once, then the last one for ever.
pub(crate) async fn answering_in_turn(statuses: &[u16]) -> MockServer {
    let receiver = MockServer::start().await;
    let (last, first) = statuses.split_last().unwrap();
    for status in first {
        Mock::given(any())
            .respond_with(ResponseTemplate::new(*status))
            .up_to_n_times(1)
            .mount(&receiver)
            .await;
    }
    Mock::given(any()).respond_with(ResponseTemplate::new(*last)).mount(&receiver).await;
    receiver
}

/// A socket that reads a request, writes `answer` and closes; returns its URL. It ends with the test's runtime.
pub(crate) async fn raw(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = [0; 4_096];
            let _ = socket.read(&mut request).await;
            let _ = socket.write_all(answer).await;
        }
    });
    url
}

/// A URL that nobody listens on.
pub(crate) async fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}/", listener.local_addr().unwrap())
}

pub(crate) fn jump() -> DeliveryOptions {
    let mut options = DeliveryOptions::default();
    options.pace = Pace::jump();
    options.timeout_ms = 2_000;
    options
}

pub(crate) fn cdr(call: u64) -> PlannedCall {
    let body = format!(
        r#"{{"cmiuuid":"33079756-faed-4a29-8b36-{call:012}","leg":"a","status":"missed","duration":0}}"#
    );
    let name = "cdr.inbound.missed".into();
    let webhook = PlannedWebhook::new(call, 0, 0, name, Some(Kind::Cdr), Evidence::Documented, body.into());
    PlannedCall::new(call, Profile::Global, "inbound, missed".into(), vec![webhook])
}

pub(crate) fn calls(count: u64) -> Vec<PlannedCall> {
    let mut plan = PlanOptions::default();
    plan.calls = Some(count);
    Simulator::new(&Scenario::default(), plan).calls().collect()
}

/// Delivers calls and returns the ledger.
pub(crate) async fn delivered(url: &str, calls: Vec<PlannedCall>, options: &DeliveryOptions) -> Ledger {
    let ledger = Ledger::builder().in_memory().open().unwrap();
    let targets = Targets::both(Target::parse(url, &[]).unwrap());
    let calls = futures_util::stream::iter(calls);
    let run = deliver(calls, &targets, options, &ledger, std::future::pending());
    let ending = tokio::time::timeout(Duration::from_secs(60), run)
        .await
        .expect("a jump never waits for long")
        .unwrap();
    assert_eq!(ending, Ending::Complete);
    ledger
}

pub(crate) fn attempts(records: &[Arc<Record>]) -> Vec<AttemptEntry> {
    let found = records.iter().filter_map(|record| match &record.entry {
        Entry::Attempt(attempt) => Some(attempt.clone()),
        _ => None,
    });
    found.collect()
}

pub(crate) fn outcomes(records: &[Arc<Record>]) -> Vec<OutcomeEntry> {
    let found = records.iter().filter_map(|record| match &record.entry {
        Entry::Outcome(outcome) => Some(outcome.clone()),
        _ => None,
    });
    found.collect()
}
