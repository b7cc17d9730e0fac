//! A call with an open stream: in whatever order it is acted on over REST, hung up and its stream closed, it ends, and is
//! told of once.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt as _, StreamExt as _};
use piopiy_events::pcmo::Pcmo;
use piopiy_events::{CallDirection, Profile};
use piopiy_mock_platform::platform::{
    CallView, Config, Ender, Exchange, Inbound, Outbound, Placed, ServeOptions, Serving, Then,
};
use proptest::prelude::*;
use proptest::sample::select;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::lifetime::holds;
use super::stream::echo;

const CUSTOMER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;

/// What an application does with a stream, some milliseconds after it was opened where it says so.
#[derive(Debug, Clone, Copy)]
enum Application {
    Echoes,
    Closes(u64, u16),
    /// The connection is gone without a word.
    Breaks(u64),
    /// It says this, and goes on listening.
    Says(u64, &'static str),
    /// It never answers a close.
    IsDeaf,
    /// It is no WebSocket server.
    Refuses,
    NeverAnswers,
}

#[derive(Debug, Clone, Copy)]
enum Act {
    /// Of the first generation: `hold`, `unhold`, `holdToggle`, `hangup`.
    Legacy(&'static str),
    HangUpV3,
    /// The call flow leads to another stream, or away from the first.
    Transfer(&'static str),
    HangUp(Ender),
    DropStream(Option<u16>),
    Press,
    Advance(u64),
}

#[derive(Debug, Clone)]
struct Story {
    profile: Profile,
    direction: CallDirection,
    application: Application,
    is_beside: bool,
    /// Virtual seconds until the caller hangs up.
    lasts: Option<u32>,
    /// After so many milliseconds each.
    acts: Vec<(u64, Act)>,
}

const PLAY: &str = r#"[{"action":"play","file_name":"a.wav"}]"#;
const CONNECT: &str = r#"[{"action":"connect","params":{"caller_id":"441632960000"},"endpoints":[{"type":"pstn","number":"442079460000"}]}]"#;
const BRIDGE: &str = r#"[{"action":"bridge","connect":[{"type":"pstn","number":442079460000}]}]"#;

fn stories() -> impl Strategy<Value = Story> {
    let application = prop_oneof![
        3 => Just(Application::Echoes),
        3 => (0..120_u64, select(vec![1000, 1011, 4_999])).prop_map(|(after, code)| Application::Closes(after, code)),
        2 => (0..120_u64).prop_map(Application::Breaks),
        4 => (
            0..120_u64,
            select(vec![r#"{"action":"stop"}"#, r#"{"action":"break"}"#, "no JSON", r#"[{"action":"hangup"}]"#, PLAY, BRIDGE]),
        )
            .prop_map(|(after, what)| Application::Says(after, what)),
        1 => Just(Application::IsDeaf),
        1 => Just(Application::Refuses),
        1 => Just(Application::NeverAnswers),
    ];
    let act = prop_oneof![
        3 => select(vec!["hold", "unhold", "holdToggle", "hangup"]).prop_map(Act::Legacy),
        1 => Just(Act::HangUpV3),
        2 => select(vec![PLAY, CONNECT, r#"[{"action":"hangup"}]"#]).prop_map(Act::Transfer),
        1 => select(vec![Ender::Caller, Ender::Callee, Ender::Platform]).prop_map(Act::HangUp),
        2 => select(vec![None, Some(1000), Some(4_321)]).prop_map(Act::DropStream),
        1 => Just(Act::Press),
        1 => (1..20_000_u64).prop_map(Act::Advance),
    ];
    (
        select(Profile::ALL.to_vec()),
        select(vec![CallDirection::Inbound, CallDirection::Outbound]),
        application,
        any::<bool>(),
        proptest::option::of(1..60_u32),
        proptest::collection::vec((0..80_u64, act), 0..6),
    )
        .prop_map(|(profile, direction, application, is_beside, lasts, acts)| Story {
            profile,
            direction,
            application,
            is_beside,
            lasts,
            acts,
        })
}

/// Whatever dials finds this application; where it is.
async fn serve(application: Application) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(application, stream));
        }
    });
    url
}

async fn behave(application: Application, mut stream: TcpStream) {
    let for_ever = std::future::pending::<()>;
    match application {
        Application::Refuses => {
            // Whoever dialled may be gone.
            let _ = stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
            return;
        }
        Application::NeverAnswers => return for_ever().await,
        _ => {}
    }
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    let after = |ms| tokio::time::sleep(Duration::from_millis(ms));
    match application {
        Application::Closes(ms, code) => {
            after(ms).await;
            let frame = CloseFrame { code: code.into(), reason: "bye".into() };
            let _ = socket.close(Some(frame)).await;
            while let Some(Ok(_)) = socket.next().await {}
        }
        Application::Breaks(ms) => after(ms).await,
        Application::Says(ms, what) => {
            after(ms).await;
            let _ = socket.send(Message::text(what)).await;
            echo(socket).await;
        }
        Application::IsDeaf => {
            let _open = socket;
            for_ever().await;
        }
        _ => echo(socket).await,
    }
}

struct Ended {
    story: Story,
    serving: Serving,
    view: CallView,
    transfers: Vec<String>,
}

/// Plays it, with a hang-up over REST behind it all.
async fn played(story: Story, client: &Client) -> Ended {
    let url = serve(story.application).await;
    let lasts = story.lasts.map(|seconds| format!("hangs-up-after = \"{seconds}s\"")).unwrap_or_default();
    let text = format!(
        "[platform]\ntime-scale = 300\nprofile = \"{}\"\n[platform.caller]\nanswers-after = \"1s\"\n{lasts}\n\
         [platform.callee]\nanswers-after = \"2s\"\n[platform.choices]\nafter-last-action = \"stay\"\n\
         [platform.stream]\nconnect-timeout = \"1s\"",
        story.profile
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let mut options = ServeOptions::default();
    (options.rest, options.control) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    let serving = Serving::start(exchange, &options).await.unwrap();
    let exchange = serving.exchange();
    let mut actions = vec![json!({ "action": "stream", "ws_url": url, "listen_mode": "both" })];
    if story.is_beside {
        actions.extend(serde_json::from_str::<Vec<Value>>(BRIDGE).unwrap());
    }
    let flow = Pcmo::parse(Value::from(actions).to_string().as_bytes()).unwrap();
    let placed = match story.direction {
        CallDirection::Inbound => {
            let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
            inbound.then = Some(flow);
            exchange.call_in(inbound).unwrap()
        }
        CallDirection::Outbound => {
            exchange.call_out(Outbound::new(2_222_222, NUMBER, CUSTOMER, Then::Flow(flow))).unwrap()
        }
    };
    let mut transfers = Vec::new();
    for &(after_ms, act) in &story.acts {
        tokio::time::sleep(Duration::from_millis(after_ms)).await;
        let (status, answer) = acted(&serving, client, &placed, act).await;
        // Over REST each of them has an answer of its own, whether the call is on or over.
        assert!(matches!(status, 200 | 404 | 409), "{act:?}: {status} {answer}");
        transfers.extend(answer["request_id"].as_str().filter(|_| status == 200).map(str::to_owned));
    }
    let (status, answer) = acted(&serving, client, &placed, Act::HangUpV3).await;
    assert!(matches!(status, 200 | 404), "{status} {answer}");
    let ends = async {
        loop {
            let view = exchange.board().call(placed.call).unwrap();
            if view.is_over {
                return view;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let view = tokio::time::timeout(Duration::from_secs(30), ends).await;
    let view = view.unwrap_or_else(|_| panic!("it never ends: {story:?}"));
    Ended { story, serving, view, transfers }
}

async fn acted(serving: &Serving, client: &Client, placed: &Placed, act: Act) -> (u16, Value) {
    let (exchange, id) = (serving.exchange(), &placed.cmiuuid);
    let done = match act {
        Act::HangUp(by) => exchange.hang_up(placed.call, by).is_ok(),
        Act::DropStream(code) => exchange.drop_stream(placed.call, code).is_ok(),
        Act::Press => exchange.press(placed.call, "1").is_ok(),
        Act::Advance(by_ms) => {
            exchange.advance(by_ms);
            true
        }
        Act::Legacy(_) | Act::HangUpV3 | Act::Transfer(_) => {
            let (path, body) = match act {
                Act::Legacy(action) => (
                    "/v1/call/action",
                    json!({ "appid": 2_222_222, "secret": "mock-secret", "cmiuuid": id, "action": action }),
                ),
                Act::Transfer(flow) => {
                    let pipeline: Value = serde_json::from_str(flow).unwrap();
                    ("/v3/voice/pcmo/transfer", json!({ "call_id": id, "pipeline": pipeline }))
                }
                _ => ("/v3/voice/call/hangup", json!({ "call_id": id })),
            };
            let request = client.post(format!("http://{}{path}", serving.rest())).bearer_auth("mock-token");
            let answer = request.body(body.to_string()).send().await.unwrap();
            let status = answer.status().as_u16();
            return (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap());
        }
    };
    (if done { 200 } else { 404 }, Value::Null)
}

/// Each stream that was dialled came to one end, and is told of once.
fn streams_hold(view: &CallView) -> Result<(), TestCaseError> {
    let count = |wanted: &str| view.messages().filter(|row| row.label.starts_with(wanted)).count();
    let opened = count("connected");
    prop_assert_eq!(count("closes "), opened);
    prop_assert_eq!(
        count("dials the stream"),
        opened + count("cannot be reached") + count("gives up the dial")
    );
    let bodies = view.messages().filter_map(|row| row.request.as_ref());
    let bodies: Vec<_> = bodies.map(|body| String::from_utf8_lossy(body.as_bytes()).into_owned()).collect();
    let told = |status: &str| bodies.iter().filter(|body| body.contains(status)).count();
    let connected = told(r#""stream_connected""#);
    prop_assert_eq!(connected, opened);
    prop_assert_eq!(told(r#""STREAM_DISCONNECTED""#), connected);
    prop_assert_eq!(told(r#""stream_error""#), count("cannot be reached"));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    #[test]
    fn a_call_with_an_open_stream_ends_and_is_told_of_once(stories in proptest::collection::vec(stories(), 16)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
        let ended = runtime.block_on(join_all(stories.into_iter().map(|story| played(story, &client))));
        for Ended { story, serving, view, transfers } in ended {
            let exchange = serving.exchange();
            let told = holds(story.profile, exchange, &view, &transfers).and_then(|()| streams_hold(&view));
            if let Err(error) = told {
                let rows: Vec<_> = view.messages().map(|row| format!("{} {}", row.at_ms, row.label)).collect();
                return Err(TestCaseError::fail(format!("{error}\n{story:?}\n{rows:#?}")));
            }
        }
    }
}
