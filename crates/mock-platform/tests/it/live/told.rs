//! What an application asks for and nobody documents, or nothing here follows from: it is told where it was asked for.

use std::time::Duration;

use piopiy_events::pcmo::Pcmo;
use piopiy_events::{CallDirection, Profile};
use piopiy_mock_platform::MockPlatform;
use piopiy_mock_platform::deliver::Faults;
use piopiy_mock_platform::deliver::ledger::MessageKind;
use piopiy_mock_platform::platform::{CallView, Config, Exchange, Inbound, Outbound, StreamFaults, Then};
use serde_json::{Value, json};

use super::app::{App, over, said};
use super::rest::{Api, legacy};
use super::stream::{played, serve};

const CUSTOMER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;

/// A call from a customer, in an application whose paths answer nothing, with more configuration.
async fn called(app: &App, url: &str, more: &str, flow: &str) -> CallView {
    app.answer("/d", 200, r#"[{"action":"hangup"}]"#);
    let text = format!("[platform]\ntime-scale = 300\nseed = 7\n{more}");
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    inbound.then = Some(Pcmo::parse(flow.replace("URL", url).as_bytes()).unwrap());
    let placed = exchange.call_in(inbound).unwrap();
    over(&exchange, placed.call).await
}

fn chose(view: &CallView, label: &str, choice: &str) -> bool {
    view.messages().any(|row| row.label.contains(label) && row.choice.as_deref() == Some(choice))
}

fn pressed(app: &App) -> Vec<String> {
    let digits =
        |body: &String| serde_json::from_str::<Value>(body).unwrap()["dtmf"].as_str().unwrap().to_owned();
    app.posted("/d").iter().map(digits).collect()
}

#[tokio::test]
async fn a_v3_input_is_honoured_or_told() {
    let url_result = r#""on_result":{"type":"url","url":"URL/d"}"#;
    let presses = |digits: &str| format!("[platform.caller]\ndigits = [\"{digits}\"]");
    // Too few are none.
    let few = format!(r#"[{{"action":"input",{url_result},"dtmf":{{"min_digits":2,"max_digits":4}}}}]"#);
    let (app, url) = App::start().await;
    let view = called(&app, &url, &presses("1"), &few).await;
    assert!(
        chose(&view, "1 has fewer digits than the 2", "it is as if none were pressed"),
        "{:#?}",
        said(&view)
    );
    assert!(pressed(&app).is_empty());
    let view = called(&app, &url, &presses("12"), &few).await;
    assert_eq!(pressed(&app), ["12"]);
    assert!(chose(&view, "what v3 posts", "what the first generation posts is"), "{:#?}", said(&view));

    // A stored flow is none here, whatever URL stands beside it.
    let stored = r#"[{"action":"input","on_result":{"type":"pcmo","ref":"menu-1","url":"URL/d"}}]"#;
    let (app, url) = App::start().await;
    let view = called(&app, &url, &presses("1"), stored).await;
    let label = r#"1 is for the stored call flow "menu-1": none is stored here"#;
    assert!(chose(&view, label, "the next action is carried out"), "{:#?}", said(&view));
    assert!(app.posted("/d").is_empty());

    let speech = format!(
        r#"[{{"action":"play_get_input","prompt":{{"type":"file","file_name":"a"}},"input":["speech"],{url_result}}}]"#
    );
    let view = called(&app, &url, &presses("1"), &speech).await;
    assert!(
        chose(&view, "speech is asked for", "nobody listens to it: keys are taken"),
        "{:#?}",
        said(&view)
    );
    assert_eq!(pressed(&app), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_pressed_early_count_where_the_buffer_is_not_flushed() {
    for (action, flush, is_kept) in [
        ("input", None, true),
        ("input", Some(false), true),
        ("input", Some(true), false),
        ("play_get_input", None, false),
        ("play_get_input", Some(false), true),
        ("play_get_input", Some(true), false),
    ] {
        let exchange = Exchange::start(Config::parse("test", "").unwrap(), None).unwrap();
        let mut dtmf = json!({ "max_digits": 2, "first_digit_timeout": 2 });
        if let Some(flush) = flush {
            dtmf["flush_buffer"] = flush.into();
        }
        let asks =
            json!({ "action": action, "prompt": { "type": "file", "file_name": "menu" }, "dtmf": dtmf });
        let flow = json!([{ "action": "play", "file_name": "a.wav" }, asks]);
        let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
        inbound.then = Some(Pcmo::parse(flow.to_string().as_bytes()).unwrap());
        let call = exchange.call_in(inbound).unwrap().call;
        tokio::time::sleep(Duration::from_secs(1)).await;
        exchange.press(call, "47").unwrap();
        let view = over(&exchange, call).await;
        let told = said(&view).iter().any(|said| said.contains("nobody is told of 47"));
        assert_eq!(told, is_kept, "{action} {flush:?}: {:#?}", said(&view));
        let at = |label: &str| view.messages().find(|row| row.label.contains(label)).unwrap().at_ms;
        if is_kept {
            assert!(at("nobody is told of 47") - at(action) < 100, "who knows the menu does not hear it");
        }
    }
}

#[tokio::test]
async fn whole_numbers_may_have_a_point() {
    let (app, url) = App::start().await;
    let flow = r#"[{"action":"input","max_digit":2.0,"timeout":60.0,"action_url":"URL/d"}]"#;
    let more = "[platform.caller]\ndigits = [\"12\"]\ndigit-after = \"20s\"";
    called(&app, &url, more, flow).await;
    assert_eq!(pressed(&app), ["12"]);
    let api = Api::start("").await;
    let body = json!({ "duration": 5_400.0, "pcmo": [{ "action": "hangup" }] });
    assert_eq!(api.post("/v2/global_pcmo_make_call", legacy(&body)).await.1["code"], 200);
}

#[tokio::test]
async fn webhooks_of_an_app_go_to_its_own_urls_whatever_number_it_shows() {
    let (app, url) = App::start().await;
    let apps = |appid: u64| format!("[[platform.app]]\nappid = {appid}\nsecret = \"{appid}\"\n");
    let number = |number: u64, appid: u64, path: &str| {
        format!("[[platform.number]]\nnumber = {number}\napp = {appid}\nevent-url = \"{url}{path}\"\n")
    };
    let text = format!(
        "[platform]\ntime-scale = 300\n{}{}{}{}{}",
        apps(1),
        apps(2),
        apps(3),
        number(NUMBER, 1, "/one"),
        number(NUMBER + 1, 2, "/two")
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let flow = || Then::Flow(Pcmo::parse(br#"[{"action":"hangup"}]"#).unwrap());
    for (appid, shows, to, is_told) in [
        (1, NUMBER, Some("/one"), false),
        (2, NUMBER, Some("/two"), true),
        (2, 12_025_550_100, Some("/two"), true),
        (3, NUMBER, None, true),
    ] {
        let before = (app.posted("/one").len(), app.posted("/two").len());
        let placed = exchange.call_out(Outbound::new(appid, shows, CUSTOMER, flow())).unwrap();
        let view = over(&exchange, placed.call).await;
        let after = (app.posted("/one").len(), app.posted("/two").len());
        let came = (after.0 > before.0, after.1 > before.1);
        assert_eq!(came, (to == Some("/one"), to == Some("/two")), "{appid} {shows}");
        let unsent = view.messages().filter(|row| row.what == MessageKind::Unsent).count();
        assert_eq!(unsent > 0, to.is_none());
        let choice = "it is shown; webhooks go where those of the app's first number go";
        assert_eq!(chose(&view, &format!("{shows} is no number of app {appid}"), choice), is_told);
    }
}

#[tokio::test]
async fn keys_without_effect_are_told_with_their_action() {
    let (app, url) = App::start().await;
    let flow = json!([
        { "action": "record", "format": "mp3", "channels": "single" },
        { "action": "record", "format": "wav", "channels": "dual" },
        { "action": "bridge", "from": NUMBER, "connect": [] },
        { "action": "bridge", "from": 12_025_550_100_u64, "connect": [] },
        { "action": "connect", "params": { "caller_id": "12025550100", "metadata": { "k": 1 }, "options": {
            "machine_detection": true, "waiting_music": "a.mp3",
            "recording": { "enabled": true, "channels": "single", "format": "mp3" } } },
          "endpoints": [{ "type": "pstn", "number": "442079460000", "headers": { "X-A": "1" } }] },
    ]);
    let view = called(&app, &url, "", &flow.to_string()).await;
    let actions = view.messages().filter(|row| row.what == MessageKind::Action && row.request.is_some());
    let told: Vec<Option<&str>> = actions.map(|row| row.choice.as_deref()).collect();
    assert_eq!(
        told,
        [
            Some("without effect here: format, channels"),
            None,
            None,
            Some("without effect here: from"),
            Some(
                "without effect here: caller_id, metadata, machine_detection, waiting_music, format, channels, headers"
            ),
        ]
    );
}

#[tokio::test]
async fn a_recording_that_is_asked_for_behind_the_stream_says_what_it_lacks() {
    let url = serve(|mut socket| async move { socket.close(None).await.unwrap() }).await;
    let stream = format!(r#"{{"action":"stream","ws_url":"{url}","listen_mode":"caller"}}"#);
    let flow = format!(r#"[{stream},{{"action":"record"}},{{"action":"speak","text":"Bye."}}]"#);
    let unrecorded = "[platform.stream]\nrecord = false";
    let played =
        played(Profile::Global, CallDirection::Inbound, unrecorded, &flow, StreamFaults::default()).await;
    let label = "its audio was not written down: `record` came behind the stream";
    assert!(chose(&played.view, label, "what people would say is recorded"), "{:#?}", said(&played.view));
}

#[tokio::test(start_paused = true)]
async fn what_a_call_takes_has_an_end() {
    let text = "[platform.callee]\nanswers = \"busy\"";
    let exchange = Exchange::start(Config::parse("test", text).unwrap(), None).unwrap();
    let begin = |flow: &Value| {
        let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
        inbound.then = Some(Pcmo::parse(flow.to_string().as_bytes()).unwrap());
        exchange.call_in(inbound).unwrap().call
    };
    let parties: Vec<Value> =
        (0..50).map(|n| json!({ "type": "pstn", "number": 442_079_460_000_u64 + n })).collect();
    let bridge = json!({ "action": "bridge", "timeout": 0, "loop": 10, "connect": parties });
    let view = over(&exchange, begin(&json!([bridge, bridge, bridge]))).await;
    assert_eq!(view.messages().filter(|row| row.label.starts_with("dials 44207946")).count(), 500);
    let told = view.messages().filter(|row| row.choice.as_deref() == Some("nobody else is called"));
    assert_eq!(told.count(), 2, "once for each action");

    let name = "x".repeat(100_000);
    let view =
        over(&exchange, begin(&json!([{ "action": name }, { "action": "stream", "ws_url": name }]))).await;
    let longest = view.messages().map(|row| row.label.chars().count()).max().unwrap();
    assert_eq!(longest, 301, "and a mark that it was longer");
}

#[tokio::test(start_paused = true)]
async fn keys_that_are_pressed_behind_the_last_action_are_no_actions() {
    let text = "[platform.choices]\nafter-last-action = \"stay\"";
    let exchange = Exchange::start(Config::parse("test", text).unwrap(), None).unwrap();
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    inbound.then = Some(Pcmo::parse(br#"[{"action":"speak","text":"Hello."}]"#).unwrap());
    let call = exchange.call_in(inbound).unwrap().call;
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..5_100 {
        exchange.press(call, "1").unwrap();
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(exchange.press(call, "1").is_ok(), "the call is still on");
}

#[tokio::test]
async fn a_name_of_a_sip_endpoint_is_an_apps_own() {
    let more = "[[platform.app]]\nappid = 2222222\nsecret = \"mock-secret\"\n[[platform.app]]\nappid = 3333333\nsecret = \"other\"";
    let api = Api::start(more).await;
    let add = |appid: u64, secret: &str| json!({ "appid": appid, "secret": secret, "username": "ann", "password": "x" });
    for (appid, secret, code) in [
        (2_222_222, "mock-secret", json!("cmi-200")),
        (3_333_333, "other", json!("cmi-200")),
        (3_333_333, "other", json!(400)),
    ] {
        assert_eq!(api.post("/v1/endpoint/add_sip", add(appid, secret)).await.1["code"], code, "{appid}");
    }
}

#[tokio::test]
async fn a_reset_leaves_the_faults_that_a_test_was_built_with() {
    let mut faults = Faults::default();
    faults.loss = 1.0;
    let platform = MockPlatform::builder().faults(faults).start().await.unwrap();
    let mut others = platform.exchange().faults();
    others.loss = 0.0;
    platform.exchange().set_faults(others);
    let url = format!("{}/api/reset", platform.control_url());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(client.post(url).send().await.unwrap().status().is_success());
    assert!((platform.exchange().faults().loss - 1.0).abs() < f64::EPSILON);
}
