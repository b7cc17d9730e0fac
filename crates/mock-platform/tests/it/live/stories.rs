//! What is told of a call, and in which order, for each thing that may happen in one.

use piopiy_events::pcmo::Pcmo;
use piopiy_events::{CallDirection, Profile};
use piopiy_mock_platform::platform::{CallView, Config, Exchange, Inbound, Outbound, Then};

use super::app::{App, over, said};

const CUSTOMER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;

/// Plays a call, and says what was told of it and how it went.
async fn played(
    profile: Profile,
    direction: CallDirection,
    more: &str,
    flow: &str,
) -> (Vec<String>, CallView) {
    let (app, url) = App::start().await;
    let text = format!(
        "[platform]\ntime-scale = 300\nseed = 7\nprofile = \"{profile}\"\n[[platform.number]]\n\
         number = {NUMBER}\ncdr-url = \"{url}/webhooks\"\n{more}"
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let flow = Pcmo::parse(flow.replace("URL", &url).as_bytes()).unwrap();
    let placed = match direction {
        CallDirection::Inbound => {
            let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
            inbound.then = Some(flow);
            exchange.call_in(inbound)
        }
        CallDirection::Outbound => {
            exchange.call_out(Outbound::new(2_222_222, NUMBER, CUSTOMER, Then::Flow(flow)))
        }
    };
    let view = over(&exchange, placed.unwrap().call).await;
    (app.told(profile), view)
}

async fn check(profile: Profile, direction: CallDirection, more: &str, flow: &str, expected: &[&str]) {
    let (told, view) = played(profile, direction, more, flow).await;
    assert_eq!(told, expected, "{profile}, {direction}: {:#?}", said(&view));
}

const SPEAK: &str = r#"[{"action":"speak","text":"Hello."}]"#;
const BRIDGE: &str = r#"[{"action":"bridge","connect":[{"type":"pstn","number":442079460000}]}]"#;
const GROUP: &str = r#"[{"action":"bridge","ring_type":"group","timeout":20,"connect":[
    {"type":"pstn","number":442079460000},{"type":"pstn","number":442079460001}]},{"action":"hangup"}]"#;
const CONNECT: &str = r#"[{"action":"connect","params":{"caller_id":"441632960000","strategy":"sequential",
    "options":{"ring_timeout_sec":5}},"endpoints":[{"type":"pstn","number":"442079460000"},
    {"type":"sip","uri":"sip:101@pbx"}]}]"#;
const NOBODY: &str = "[platform.callee]\nanswers = \"no\"";

#[tokio::test]
async fn each_profile_has_its_own_words() {
    use CallDirection::{Inbound, Outbound};
    check(Profile::Global, Inbound, "", SPEAK, &["in_answered a", "in_hangup a", "cdr answered a"]).await;
    check(Profile::Global2022, Inbound, "", SPEAK, &["answered a", "hangup a", "cdr answered a"]).await;
    check(Profile::India, Inbound, "", SPEAK, &["answered a", "hangup a", "cdr answered a"]).await;
    let outbound = ["out_started a", "out_answered a", "out_hangup a", "cdr answered a"];
    check(Profile::Global, Outbound, "", SPEAK, &outbound).await;
    let outbound = ["started a", "ringing a", "answered a", "hangup a", "cdr answered a"];
    check(Profile::India, Outbound, "", SPEAK, &outbound).await;
}

#[tokio::test]
async fn an_inbound_call_is_answered_when_the_other_party_is() {
    let bridged = [
        "out_started b",
        "in_answered a",
        "out_bridged b",
        "out_hangup b",
        "in_hangup a",
        "cdr answered a",
        "cdr answered b",
    ];
    check(Profile::Global, CallDirection::Inbound, "", BRIDGE, &bridged).await;
    let missed = ["out_started b", "cdr missed a", "cdr missed b"];
    check(Profile::Global, CallDirection::Inbound, NOBODY, BRIDGE, &missed).await;
}

#[tokio::test]
async fn of_a_group_the_others_are_missed() {
    let more = "[[platform.person]]\nnumber = 442079460001\nanswers = \"no\"\n\
                [platform.callee]\nanswers-after = \"2s\"\nhangs-up-after = \"5s\"";
    let told = [
        "out_started a",
        "out_answered a",
        "out_started b",
        "out_started b",
        "cdr missed b",
        "out_bridged b",
        "out_hangup b",
        "cdr answered b",
        "out_hangup a",
        "cdr answered a",
    ];
    check(Profile::Global, CallDirection::Outbound, more, GROUP, &told).await;
}

#[tokio::test]
async fn a_pipeline_calls_one_after_the_other() {
    let more = "[[platform.person]]\nnumber = 442079460000\nanswers = \"busy\"";
    let told = [
        "out_started a",
        "out_answered a",
        "out_started b",
        "cdr missed b",
        "out_started b",
        "out_bridged b",
        "out_hangup b",
        "cdr answered b",
        "out_hangup a",
        "cdr answered a",
    ];
    check(Profile::Global, CallDirection::Outbound, more, CONNECT, &told).await;
}

#[tokio::test]
async fn a_caller_who_waits_too_long_gives_up() {
    let more = "[platform.caller]\npatience = \"3s\"\n[platform.callee]\nanswers = \"no\"";
    let (told, view) = played(Profile::Global, CallDirection::Inbound, more, BRIDGE).await;
    assert_eq!(told, ["out_started b", "cdr missed a", "cdr missed b"]);
    assert!(said(&view).contains(&"gives up".to_owned()), "{:?}", said(&view));
}

#[tokio::test]
async fn what_nobody_documents_is_a_choice_that_is_told() {
    let odd =
        r#"[{"action":"juggle"},{"action":"input","action_url":"URL/x"},{"action":"speak","text":"x"}]"#;
    let (told, view) = played(Profile::Global, CallDirection::Inbound, "", odd).await;
    assert_eq!(told, ["in_answered a", "in_hangup a", "cdr answered a"]);
    let choices: Vec<_> =
        view.messages().filter(|message| message.choice.is_some()).map(|m| &*m.label).collect();
    assert_eq!(choices, ["no such action is documented", "no digit was pressed", "no action is left"]);

    let more = "[platform.choices]\nunknown-action = \"hang-up\"";
    let (told, _) = played(Profile::Global, CallDirection::Inbound, more, odd).await;
    assert_eq!(told, ["cdr missed a"], "nobody had picked up");
}

#[tokio::test]
async fn keys_end_an_input_and_what_is_pressed_early_counts() {
    let flow = r##"[{"action":"input","max_digit":4,"timeout":2,"action_url":"URL/digits"}]"##;
    let (app, url) = App::start().await;
    app.answer("/digits", 200, SPEAK);
    for (keys, heard) in [("12#", "12"), ("123456", "1234"), ("7", "7")] {
        let text = format!(
            "[platform]\ntime-scale = 300\n[[platform.number]]\nnumber = {NUMBER}\n\
             [platform.caller]\ndigits = [\"{keys}\"]"
        );
        let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
        let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
        inbound.then = Some(Pcmo::parse(flow.replace("URL", &url).as_bytes()).unwrap());
        let placed = exchange.call_in(inbound).unwrap();
        over(&exchange, placed.call).await;
        let last: serde_json::Value = serde_json::from_str(&app.posted("/digits").pop().unwrap()).unwrap();
        assert_eq!(last["dtmf"], heard, "{keys}");
    }
}

#[tokio::test]
async fn faults_double_and_reorder_what_is_sent() {
    let more = "[platform.faults]\nduplicate = 1.0";
    let (told, view) = played(Profile::Global, CallDirection::Inbound, more, SPEAK).await;
    assert_eq!(told.len(), 6, "{told:?}");
    assert!(view.webhooks().all(|row| row.attempts.len() == 2 && !row.faults.is_empty()));

    let more = "[platform.faults]\nreorder = 1.0";
    let (told, _) = played(Profile::Global, CallDirection::Inbound, more, SPEAK).await;
    assert_eq!(told, ["in_hangup a", "in_answered a", "cdr answered a"]);
}

#[tokio::test]
async fn a_transfer_takes_the_place_of_what_is_left() {
    let (app, url) = App::start().await;
    let text = format!(
        "[platform]\ntime-scale = 300\n[[platform.number]]\nnumber = {NUMBER}\ncdr-url = \"{url}/webhooks\"\n\
         [platform.choices]\nafter-last-action = \"stay\""
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    inbound.then = Some(Pcmo::parse(SPEAK.as_bytes()).unwrap());
    let placed = exchange.call_in(inbound).unwrap();
    let mut changes = exchange.board().changes();
    while !said(&exchange.board().call(placed.call).unwrap()).contains(&"speak".to_owned()) {
        changes.recv().await.unwrap();
    }
    // One that calls nobody is done when it is through.
    let id = exchange.transfer(placed.call, Pcmo::parse(SPEAK.as_bytes()).unwrap()).unwrap();
    while exchange.transfer_of(&id).unwrap().status.as_str() != "completed" {
        tokio::task::yield_now().await;
    }
    let flow = Pcmo::parse(BRIDGE.replace("]}]", "]},{\"action\":\"hangup\"}]").as_bytes()).unwrap();
    let id = exchange.transfer(placed.call, flow).unwrap();
    over(&exchange, placed.call).await;
    assert_eq!(exchange.transfer_of(&id).unwrap().status.as_str(), "completed");
    assert_eq!(app.told(Profile::Global)[1..3], ["out_started b", "out_bridged b"]);
}

#[tokio::test]
async fn a_webhook_is_sent_again_by_hand_and_time_is_moved() {
    let (app, url) = App::start().await;
    app.answer("/webhooks", 503, "");
    let text = format!(
        "[platform]\ntime-scale = 300\n[[platform.number]]\nnumber = {NUMBER}\ncdr-url = \"{url}/webhooks\""
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    inbound.then = Some(Pcmo::parse(SPEAK.as_bytes()).unwrap());
    let placed = exchange.call_in(inbound).unwrap();
    let mut changes = exchange.board().changes();
    while !exchange.board().call(placed.call).unwrap().is_over {
        changes.recv().await.unwrap();
    }
    let refused = app.posted("/webhooks").len();
    app.answer("/webhooks", 200, "got it");
    exchange.advance(1_800_000);
    let view = over(&exchange, placed.call).await;
    assert!(app.posted("/webhooks").len() > refused, "the CDR came again");
    let cdr = view.webhooks().find(|row| row.plan.name.starts_with("cdr.")).unwrap();
    assert!(cdr.attempts.len() >= 2);

    exchange.resend(placed.call, cdr.plan.webhook).unwrap();
    let posted = app.posted("/webhooks");
    while app.posted("/webhooks").len() == posted.len() {
        changes.recv().await.unwrap();
    }
    let again = app.posted("/webhooks");
    assert_eq!(again.last(), posted.last(), "the same, byte for byte");
    assert!(exchange.resend(placed.call, 99).is_err());
}
