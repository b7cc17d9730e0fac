use piopiy_events::Profile;
use piopiy_events::pcmo::Pcmo;
use piopiy_mock_platform::platform::{Ender, Exchange, Inbound, Outbound, Placed, Then};

use super::app::{App, config, over, said};

const CALLER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;

#[tokio::test]
async fn an_inbound_call_is_asked_for_digits_and_put_through() {
    let (app, url) = App::start().await;
    app.answer(
        "/answer",
        200,
        &format!(
            r#"[{{"action":"play_get_input","file_name":"menu.wav","max_digit":1,"action_url":"{url}/digits"}}]"#
        ),
    );
    app.answer(
        "/digits",
        200,
        r#"[{"action":"param","text":"{\"menu\":1}"},{"action":"bridge","from":441632960000,
            "connect":[{"type":"pstn","number":442079460000}]},{"action":"hangup"}]"#,
    );
    let exchange = Exchange::start(config(&url, "[platform.caller]\ndigits = [\"1\"]"), None).unwrap();
    let placed = exchange.call_in(Inbound::from_to(CALLER, NUMBER)).unwrap();
    let view = over(&exchange, placed.call).await;

    assert_eq!(
        app.told(Profile::Global),
        [
            "in_answered a",
            "out_started b",
            "out_bridged b",
            "out_hangup b",
            "in_hangup a",
            "cdr answered a",
            "cdr answered b"
        ],
        "{:#?}",
        said(&view)
    );
    let digits: serde_json::Value = serde_json::from_str(&app.posted("/digits")[0]).unwrap();
    assert_eq!(digits["dtmf"], "1");
    assert_eq!(digits["cmuuid"], *placed.cmiuuid);
    let last = app.posted("/webhooks").pop().unwrap();
    assert!(last.contains(r#""extra_params":"{\"menu\":1}""#), "{last}");
}

#[tokio::test]
async fn an_outbound_call_that_nobody_picks_up_is_missed() {
    let (app, url) = App::start().await;
    let exchange = Exchange::start(config(&url, "[platform.caller]\nanswers = \"no\""), None).unwrap();
    let flow = Pcmo::parse(br#"[{"action":"speak","text":"Hello."}]"#).unwrap();
    let outbound = Outbound::new(2_222_222, NUMBER, CALLER, Then::Flow(flow));
    let placed = exchange.call_out(outbound).unwrap();
    over(&exchange, placed.call).await;
    assert_eq!(app.told(Profile::Global), ["out_started a", "cdr missed a"]);
    assert!(app.posted("/webhooks")[0].contains(&placed.request_id.unwrap()));
}

#[tokio::test]
async fn a_bad_answer_ends_the_call_and_says_so() {
    for (status, body, why) in [
        (500, "", "it answered 500"),
        (200, "<html>", "its answer is no call flow"),
        (200, "[]", "its call flow is empty"),
    ] {
        let (app, url) = App::start().await;
        app.answer("/answer", status, body);
        let exchange = Exchange::start(config(&url, ""), None).unwrap();
        let placed = exchange.call_in(Inbound::from_to(CALLER, NUMBER)).unwrap();
        let view = over(&exchange, placed.call).await;
        assert_eq!(app.told(Profile::Global), ["cdr missed a"], "{why}");
        let asked = view.messages().find(|message| message.status.is_some()).unwrap();
        assert!(asked.error.as_ref().unwrap().starts_with(why), "{asked:?}");
        assert_eq!(asked.choice.as_deref(), Some("the call is ended"));
    }
}

/// A call in which something is said for a while.
async fn spoken_to() -> (App, String, Exchange, Placed) {
    let (app, url) = App::start().await;
    app.answer(
        "/answer",
        200,
        r#"[{"action":"speak","text":"A text that takes a while to be said, really."}]"#,
    );
    let exchange = Exchange::start(config(&url, ""), None).unwrap();
    let placed = exchange.call_in(Inbound::from_to(CALLER, NUMBER)).unwrap();
    let mut changes = exchange.board().changes();
    while !said(&exchange.board().call(placed.call).unwrap()).contains(&"speak".to_owned()) {
        changes.recv().await.unwrap();
    }
    (app, url, exchange, placed)
}

#[tokio::test]
async fn who_hangs_up_ends_the_call_at_once() {
    let (app, _, exchange, placed) = spoken_to().await;
    exchange.hang_up(placed.call, Ender::Caller).unwrap();
    over(&exchange, placed.call).await;
    assert_eq!(app.told(Profile::Global), ["in_answered a", "in_hangup a", "cdr answered a"]);
    assert!(exchange.hang_up(placed.call, Ender::Caller).is_err(), "it is over");
}

#[tokio::test]
async fn a_number_that_is_taken_away_has_the_webhooks_of_its_calls_sent() {
    let (app, url, exchange, placed) = spoken_to().await;
    let mut without = config(&url, "");
    without.numbers[0].number += 1;
    exchange.reload(without).unwrap();
    assert!(exchange.call_in(Inbound::from_to(CALLER, NUMBER)).is_err(), "it is gone");
    exchange.hang_up(placed.call, Ender::Caller).unwrap();
    over(&exchange, placed.call).await;
    assert_eq!(app.told(Profile::Global), ["in_answered a", "in_hangup a", "cdr answered a"]);
}
