//! The code of the READMEs, run. `cargo xtask ci tidy` looks whether it is the same.

use std::error::Error;

use piopiy_mock_platform::MockPlatform;
use piopiy_receiver::{MemoryStore, Server};

use super::documented::application;

#[tokio::test]
async fn a_missed_call_is_kept() {
    let receiver = Server::builder(MemoryStore::new()).bind("127.0.0.1:0").await.unwrap();
    let platform = MockPlatform::builder().to(receiver.url()).start().await.unwrap();
    let report = platform.place_call("inbound-missed").await.unwrap();
    assert!(report.is_acknowledged());
}

#[tokio::test]
async fn a_person_presses_a_key() -> Result<(), Box<dyn Error>> {
    let app = application().await;
    let (answer, webhooks) = (format!("{app}/answer"), format!("{app}/webhooks"));

    let platform = MockPlatform::builder().answer_url(answer).to(webhooks).start().await?;
    platform.expect_dtmf("1");
    platform.expect_webhook("cdr.inbound.answered").times(1..);
    let call = platform.call_in(447_700_900_123)?;
    call.until_webhook("live.in_answered").await?;
    call.press("1")?;
    call.over().await?;
    Ok(())
}

#[tokio::test]
async fn a_call_is_placed() -> Result<(), Box<dyn Error>> {
    use piopiy_mock_platform::MockPlatform;

    let receiver = Server::builder(MemoryStore::new()).bind("127.0.0.1:0").await?;
    let receiver_url = receiver.url();

    let platform = MockPlatform::builder().to(receiver_url).start().await?;
    let call = platform.place_call("inbound-missed").await?;
    assert!(call.is_acknowledged());
    Ok(())
}
