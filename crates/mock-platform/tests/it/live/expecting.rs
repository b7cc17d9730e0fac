//! Expectations of live calls: what holds, what a test that fails says, and when.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use piopiy_events::StatusKind;
use piopiy_events::pcmo::Pcmo;
use piopiy_mock_platform::MockPlatform;
use piopiy_mock_platform::plan::{Distribution, Length, Shape};
use piopiy_mock_platform::platform::{Config, Inbound, Person, WebhookMatcher};
use serde_json::json;

use super::app::App;

const CALLER: u64 = 447_700_900_123;

/// An application that asks for a digit and hangs up, and a platform that calls it.
async fn menu() -> (App, MockPlatform) {
    let (app, url) = App::start().await;
    let menu =
        json!([{ "action": "input", "max_digit": 1, "timeout": 600, "action_url": format!("{url}/digits") }]);
    app.answer("/answer", 200, &menu.to_string());
    app.answer("/digits", 200, r#"[{"action":"hangup"}]"#);
    let builder = MockPlatform::builder().answer_url(format!("{url}/answer")).to(format!("{url}/webhooks"));
    (app, builder.seed(7).time_scale(100.0).start().await.unwrap())
}

/// What `verify` panics with.
async fn complaint(platform: MockPlatform) -> String {
    let failed = tokio::spawn(async move { platform.verify().await }).await.unwrap_err();
    *failed.into_panic().downcast::<String>().unwrap()
}

/// Without ids, times, and how long an answer took.
fn same_every_time(report: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("call ") {
            return line.rsplit_once(" (").unwrap().0.to_owned();
        }
        let timed = line.strip_prefix("  ").and_then(|line| line.trim_start().split_once("  "));
        let Some((_, said)) = timed.filter(|(time, _)| time.ends_with(" s") || time.ends_with(" min")) else {
            return line.to_owned();
        };
        // The talk is as long as the machine is busy, too.
        let said = match said.split_once("duration ") {
            Some((before, rest)) => {
                format!("{before}duration N{}", rest.trim_start_matches(|digit: char| digit.is_ascii_digit()))
            }
            None => said.to_owned(),
        };
        match said.rsplit_once("  [") {
            Some((said, status)) => {
                let code = status.split(' ').next().unwrap();
                format!("  TIME  {said}  [{}]", if code.len() == 3 { code } else { "MS" })
            }
            None => format!("  TIME  {said}"),
        }
    };
    report.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn what_was_expected_and_came_is_no_reason_to_complain() {
    let (_app, platform) = menu().await;
    platform.expect_webhook("live.in_answered");
    platform
        .expect_webhook(WebhookMatcher::named("cdr.inbound.answered").leg("a").member("to", "441632960000"));
    platform
        .expect_webhook(
            WebhookMatcher::any().satisfying("a leg b", |w| w.text("leg").as_deref() == Some("b")),
        )
        .times(0);
    platform.expect_dtmf("5");
    let call = platform.call_in(CALLER).unwrap();
    call.until_webhook("live.in_answered").await.unwrap();
    call.press("5").unwrap();
    let over = call.over().await.unwrap();
    assert_eq!(over.events().len(), 2);
    assert_eq!(over.cdrs()[0].status.as_ref().unwrap().kind(), StatusKind::Answered);
    assert_eq!(over.begin.cmiuuid, call.cmiuuid());
    assert!(call.press("6").is_err(), "it is over");
    platform.verify().await;
}

#[tokio::test]
async fn a_test_that_fails_shows_what_was_expected_and_what_happened() {
    let (app, platform) = menu().await;
    app.answer("/webhooks", 500, "no");
    platform.expect_dtmf("1").named("the caller wants sales");
    platform.expect_dtmf("2");
    platform.expect_webhook("live.in_answered").times(1..);
    platform.expect_webhook(WebhookMatcher::named("live.in_hangup").leg("a")).times(0);
    platform.expect_webhook("cdr.inbound.missed").times(..=1);
    let mut inbound = Inbound::from_to(CALLER, platform.number());
    let mut person = Person::caller().pressing(["2"]);
    // So late that the event before is answered on any machine.
    person.digit_after = Distribution::new(Shape::Constant(Length::from_millis(30_000)));
    inbound.caller = Some(person);
    let call = platform.call_in_as(inbound).unwrap();
    // The CDR would be sent again much later.
    call.until("it was not over", |view| view.is_over).await.unwrap();
    platform.exchange().advance(3_600_000);
    call.over().await.unwrap();
    let report = complaint(platform).await;
    insta::assert_snapshot!(same_every_time(&report));
    // The page shows it, too.
    let page = include_str!("../../../../../docs/testing-live-calls.md");
    let shown = page.split_once("```text\n").unwrap().1.split_once("```").unwrap().0;
    assert_eq!(same_every_time(shown), same_every_time(&report), "{report}");
}

#[tokio::test]
async fn without_a_call_the_report_says_so() {
    let platform = MockPlatform::start().await;
    platform.expect_webhook("cdr.inbound.answered").times(2..=3);
    insta::assert_snapshot!(complaint(platform).await);
}

#[tokio::test]
async fn dropping_a_platform_checks_too() {
    let platform = MockPlatform::start().await;
    platform.expect_dtmf("1");
    let panic = std::panic::catch_unwind(AssertUnwindSafe(|| drop(platform))).unwrap_err();
    assert!(panic.downcast::<String>().unwrap().contains("✗ digits \"1\": expected once, seen 0"));
}

#[tokio::test]
async fn a_test_that_panics_already_is_not_interrupted() {
    let panicked = tokio::spawn(async {
        let platform = MockPlatform::start().await;
        platform.expect_dtmf("1");
        assert_eq!(platform.calls().len(), 1, "the test's own reason");
    });
    let panic = panicked.await.unwrap_err().into_panic();
    assert!(panic.downcast::<String>().unwrap().contains("the test's own reason"));
}

#[tokio::test]
async fn a_name_that_no_webhook_has_is_told_at_once() {
    let platform = MockPlatform::start().await;
    let panic =
        std::panic::catch_unwind(AssertUnwindSafe(|| platform.expect_webhook("cdr.inbound.anwsered")))
            .unwrap_err();
    assert!(panic.downcast::<String>().unwrap().ends_with("did you mean cdr.inbound.answered?"));
    let call = platform.call_in(CALLER).unwrap();
    let error = call.until_webhook("live.inanswered").await.unwrap_err();
    assert!(error.to_string().contains("did you mean live.in_answered?"), "{error}");
}

#[tokio::test]
async fn who_waits_in_vain_is_shown_the_call() {
    let (_app, url) = App::start().await;
    let platform = MockPlatform::builder()
        .patience(Duration::from_millis(200))
        .to(format!("{url}/webhooks"))
        .start()
        .await
        .unwrap();
    let flow = Pcmo::parse(br#"[{"action":"hangup"}]"#).unwrap();
    let call = platform.call_out(CALLER, flow).unwrap();
    let error = call.until_webhook("cdr.outbound.missed").await.unwrap_err();
    let text = format!("{error:?}");
    assert!(
        text.starts_with("webhook cdr.outbound.missed was not acknowledged within 200ms\n\ncall 0, outbound"),
        "{text}"
    );
    assert!(text.contains("platform → caller    dials 447700900123"), "{text}");
    let error = platform.next_call().await.unwrap_err();
    assert!(error.to_string().starts_with("nobody asked for a call by the REST API within 200ms"), "{error}");
}

#[tokio::test]
async fn what_the_configuration_says_holds_and_urls_can_be_set_later() {
    let (app, url) = App::start().await;
    let config =
        Config::parse("test", "[platform]\nprofile = \"india\"\n[platform.caller]\nanswers = \"busy\"")
            .unwrap();
    let platform = MockPlatform::builder().config(config).time_scale(100.0).start().await.unwrap();
    platform.point_at(&format!("{url}/webhooks")).unwrap();
    let call = platform.call_out(CALLER, Pcmo::parse(br#"[{"action":"hangup"}]"#).unwrap()).unwrap();
    let over = call.over().await.unwrap();
    assert_eq!(over.cdrs()[0].status.as_ref().unwrap().kind(), StatusKind::Missed);
    assert_eq!(app.posted("/webhooks").len(), over.webhooks().count());
    assert!(over.webhooks().all(|row| row.plan.profile == piopiy_events::Profile::India));
}
