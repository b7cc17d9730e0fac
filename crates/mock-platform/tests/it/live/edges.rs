//! Applications that answer badly, digits that do not come, and others on the line.

use piopiy_events::pcmo::Pcmo;
use piopiy_events::{CallDirection, Profile};
use piopiy_mock_platform::platform::{CallView, Config, Exchange, Inbound, Outbound, Placed, Then};
use serde_json::Value;
use tokio::net::TcpListener;

use super::app::{App, over, said};

const CUSTOMER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;

fn config(profile: Profile, url: &str, more: &str) -> Config {
    let text = format!(
        "[platform]\ntime-scale = 300\nseed = 7\nprofile = \"{profile}\"\n[[platform.number]]\nnumber = {NUMBER}\n\
         answer-url = \"{url}/answer\"\ncdr-url = \"{url}/webhooks\"\n{more}"
    );
    Config::parse("test", &text).unwrap()
}

fn place(exchange: &Exchange, direction: CallDirection, url: &str) -> Placed {
    match direction {
        CallDirection::Inbound => exchange.call_in(Inbound::from_to(CUSTOMER, NUMBER)),
        CallDirection::Outbound => {
            let then = Then::Ask(format!("{url}/answer"));
            exchange.call_out(Outbound::new(2_222_222, NUMBER, CUSTOMER, then))
        }
    }
    .unwrap()
}

fn of(webhook: &str) -> Value {
    serde_json::from_str(webhook).unwrap()
}

fn choices(view: &CallView) -> Vec<(String, String)> {
    let chosen = view.messages().filter_map(|row| Some((row.label.clone(), row.choice.clone()?)));
    chosen.collect()
}

#[tokio::test]
async fn digits_lead_to_somebody_in_every_profile_both_ways_and_both_legs_agree() {
    use CallDirection::{Inbound, Outbound};
    let cases: [(Profile, CallDirection, &[&str]); 6] = [
        (
            Profile::Global,
            Inbound,
            &[
                "in_answered a",
                "out_started b",
                "out_bridged b",
                "out_hangup b",
                "in_hangup a",
                "cdr answered a",
                "cdr answered b",
            ],
        ),
        (
            Profile::Global2022,
            Inbound,
            &[
                "answered a",
                "started b",
                "bridged b",
                "hangup b",
                "hangup a",
                "cdr answered a",
                "cdr answered b",
            ],
        ),
        (
            Profile::India,
            Inbound,
            &[
                "answered a",
                "started b",
                "answered b",
                "hangup b",
                "hangup a",
                "cdr answered a",
                "cdr answered b",
            ],
        ),
        (
            Profile::Global,
            Outbound,
            &[
                "out_started a",
                "out_answered a",
                "out_started b",
                "out_bridged b",
                "out_hangup b",
                "cdr answered b",
                "out_hangup a",
                "cdr answered a",
            ],
        ),
        (
            Profile::Global2022,
            Outbound,
            &[
                "started a",
                "answered a",
                "started b",
                "bridged b",
                "hangup b",
                "cdr answered b",
                "hangup a",
                "cdr answered a",
            ],
        ),
        (
            Profile::India,
            Outbound,
            &[
                "started a",
                "ringing a",
                "answered a",
                "started b",
                "ringing b",
                "answered b",
                "hangup b",
                "cdr answered b",
                "hangup a",
                "cdr answered a",
            ],
        ),
    ];
    for (profile, direction, expected) in cases {
        let (app, url) = App::start().await;
        let menu =
            r#"[{"action":"play_get_input","file_name":"menu.wav","max_digit":1,"action_url":"URL/digits"}]"#;
        app.answer("/answer", 200, &menu.replace("URL", &url));
        app.answer(
            "/digits",
            200,
            r#"[{"action":"param","text":"{key: value}"},{"action":"bridge","from":441632960000,
                "connect":[{"type":"pstn","number":442079460000}]},{"action":"hangup"}]"#,
        );
        let more = "[platform.caller]\ndigits = [\"1\"]\n[platform.callee]\nhangs-up-after = \"20s\"";
        let exchange = Exchange::start(config(profile, &url, more), None).unwrap();
        let placed = place(&exchange, direction, &url);
        let view = over(&exchange, placed.call).await;
        assert_eq!(app.told(profile), expected, "{profile} {direction}: {:#?}", said(&view));

        let asked = of(&app.posted("/answer")[0]);
        let keys: Vec<&str> = asked.as_object().unwrap().keys().map(String::as_str).collect();
        let is_india = profile == Profile::India;
        let documented: &[&str] = if is_india {
            &["cmiuuid", "from", "time", "to"]
        } else {
            &["action", "cmiuuid", "from", "time", "to"]
        };
        assert_eq!(keys, documented, "{profile}");
        assert_eq!((asked["from"].is_number(), asked["to"].is_number()), (is_india, is_india), "{asked}");
        assert_eq!(asked["cmiuuid"], *placed.cmiuuid);
        let told = of(&app.posted("/digits")[0]);
        let keys: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["cmuuid", "dtmf", "from", "to"], "as every sample has it");
        assert_eq!((&told["dtmf"], told["from"].is_number()), (&Value::from("1"), true));

        let cdrs: Vec<Value> = app
            .posted("/webhooks")
            .iter()
            .map(|body| of(body))
            .filter(|it| it.get("duration").is_some())
            .collect();
        let leg = |leg: &str| cdrs.iter().find(|cdr| cdr["leg"] == leg).unwrap();
        let (a, b) = (leg("a"), leg("b"));
        assert_eq!(a["conversation_uuid"], b["conversation_uuid"], "{profile} {direction}");
        assert_eq!(
            (&a["extra_params"], &b["extra_params"]),
            (&"{key: value}".into(), &"{key: value}".into())
        );
        assert_eq!((&a["direction"], &b["direction"]), (&direction.to_string().into(), &"outbound".into()));
        if direction == Outbound {
            assert_eq!(
                (&a["request_id"], &b["request_id"]),
                (&placed.request_id.clone().into(), &placed.request_id.into())
            );
            assert_ne!(a["cmiuuid"], b["cmiuuid"]);
        }
        // The question was asked at the time of the platform, as everything is told.
        let late = asked["time"].as_u64().unwrap().abs_diff(a["time"].as_u64().unwrap());
        assert!(late < 60_000, "{profile} {direction}: {late} ms");
    }
}

#[tokio::test]
async fn whatever_an_action_url_answers_is_a_choice_that_is_told() {
    let huge = format!("[{}]", " ".repeat(5 * 1024 * 1024));
    let speak = r#"{"action":"speak","text":"Hello."}"#;
    let cases = [
        (500, "down".to_owned(), "it answered 500"),
        (302, String::new(), "it answered 302"),
        (200, "<html>".to_owned(), "its answer is no call flow"),
        (200, r#"{"pcmo":7}"#.to_owned(), "its answer is no call flow"),
        (200, "[]".to_owned(), "its call flow is empty"),
        (200, huge, "its answer is longer than"),
    ];
    for (status, body, why) in cases {
        for choice in ["hang-up", "next-action"] {
            let (app, url) = App::start().await;
            let flow = r#"[{"action":"input","action_url":"URL/digits"},SPEAK]"#;
            app.answer("/answer", 200, &flow.replace("URL", &url).replace("SPEAK", speak));
            app.answer("/digits", status, &body);
            let more = format!(
                "[platform.caller]\ndigits = [\"1\"]\n[platform.choices]\nbad-answer = \"{choice}\"\n\
                 empty-answer = \"{choice}\""
            );
            let exchange = Exchange::start(config(Profile::Global, &url, &more), None).unwrap();
            let placed = place(&exchange, CallDirection::Inbound, &url);
            let view = over(&exchange, placed.call).await;
            let asked = view.messages().filter(|row| row.error.is_some()).collect::<Vec<_>>();
            assert_eq!(asked.len(), 1, "{why}: {:#?}", said(&view));
            let error = asked[0].error.as_ref().unwrap();
            assert!(error.starts_with(why), "{error}");
            assert!(asked[0].choice.is_some());
            assert_eq!(said(&view).contains(&"speak".to_owned()), choice == "next-action", "{why}");
            assert_eq!(app.told(Profile::Global), ["in_answered a", "in_hangup a", "cdr answered a"]);
        }
    }
}

#[tokio::test]
async fn an_application_that_is_down_or_never_answers_holds_nobody_for_ever() {
    // The one takes the connection and says nothing; behind the other nobody listens.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), closed] {
        let (app, url) = App::start().await;
        let flow = format!(r#"[{{"action":"input","action_url":"http://{address}/digits"}}]"#);
        app.answer("/answer", 200, &flow);
        let more = "[platform.caller]\ndigits = [\"1\"]\n[platform.choices]\nanswer-timeout = \"200ms\"";
        let exchange = Exchange::start(config(Profile::Global, &url, more), None).unwrap();
        let placed = place(&exchange, CallDirection::Inbound, &url);
        let view = over(&exchange, placed.call).await;
        assert_eq!(app.told(Profile::Global), ["in_answered a", "in_hangup a", "cdr answered a"]);
        let choices = choices(&view);
        assert!(
            choices
                .iter()
                .any(|(label, choice)| label.contains("action URL") && choice == "the call is ended")
        );
    }
}

/// Asks for two digits at least; one that is said is heard where none came.
const TWO_DIGITS: &str = r#"[{"action":"play_get_input","prompt":{"type":"file","file_name":"x.wav"},"input":["dtmf"],
    "on_result":{"type":"url","url":"URL/d"},"dtmf":{"min_digits":2,"max_digits":4,"first_digit_timeout":2,
    "inter_digit_timeout":1},"retries":{"max":1,"no_input_prompt":{"type":"say","say":"Once more."}}}]"#;

#[tokio::test(start_paused = true)]
async fn who_presses_nothing_is_asked_again() {
    let exchange = Exchange::start(Config::parse("test", "").unwrap(), None).unwrap();
    let lasts = async |flow: &str| {
        let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
        inbound.then = Some(Pcmo::parse(flow.as_bytes()).unwrap());
        let placed = exchange.call_in(inbound).unwrap();
        let view = over(&exchange, placed.call).await;
        let at = |label: &str| view.messages().find(|row| row.label.contains(label)).unwrap().at_ms;
        at("no digit was pressed") - at("play_get_input")
    };
    // A file that is not there lasts 3 s, and a first digit is waited for 1 s.
    let thrice =
        r#"[{"action":"play_get_input","file_name":"x.wav","max_retry":3,"timeout":1,"action_url":"URL/d"}]"#;
    let took = lasts(thrice).await;
    assert!((12_000..12_050).contains(&took), "{took}");
    // 3 s and 2 s, then 0.6 s said and 2 s more.
    let took = lasts(TWO_DIGITS).await;
    assert!((7_600..7_650).contains(&took), "{took}");
}

#[tokio::test]
async fn who_presses_too_little_hears_so_and_the_second_try_counts() {
    let (app, url) = App::start().await;
    app.answer("/d", 200, r#"[{"action":"hangup"}]"#);
    let more = "[platform.caller]\ndigits = [\"1\", \"22\"]";
    let exchange = Exchange::start(config(Profile::Global, &url, more), None).unwrap();
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    let invalid = r#""invalid_prompt":{"type":"say","say":"That was one digit, and two are needed, as was said before."}"#;
    let flow = TWO_DIGITS.replace(r#""retries":{"max":1,"#, &format!(r#""retries":{{"max":1,{invalid},"#));
    inbound.then = Some(Pcmo::parse(flow.replace("URL", &url).as_bytes()).unwrap());
    let placed = exchange.call_in(inbound).unwrap();
    let view = over(&exchange, placed.call).await;
    assert_eq!(of(&app.posted("/d")[0])["dtmf"], "22", "{:#?}", said(&view));
    let keys: Vec<u64> =
        view.messages().filter(|row| row.label.starts_with("presses")).map(|row| row.at_ms).collect();
    // 60 ms for each of the 61 characters that are said between.
    assert!(keys[1] - keys[0] >= 3_600, "{keys:?}");
}

#[tokio::test]
async fn a_flow_that_leads_to_itself_ends() {
    let (app, url) = App::start().await;
    let actions = vec![r#"{"action":"param","text":"x"}"#; 6_000].join(",");
    app.answer("/answer", 200, &format!("[{actions}]"));
    let exchange = Exchange::start(config(Profile::Global, &url, ""), None).unwrap();
    let placed = place(&exchange, CallDirection::Inbound, &url);
    over(&exchange, placed.call).await;
    assert_eq!(app.told(Profile::Global), ["cdr missed a"]);
    let summary = exchange.summary();
    assert_eq!((summary.planned, summary.acknowledged), (1, 1));
    let view = exchange.board().call(placed.call).unwrap();
    assert_eq!(view.webhooks().count(), 1);
    assert!(view.messages().count() <= 2_000, "what is remembered has an end");
}
