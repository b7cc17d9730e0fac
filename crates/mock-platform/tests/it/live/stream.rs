//! Audio streams: what an application hears, what is heard of it, and what is told of both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use piopiy_events::pcmo::Pcmo;
use piopiy_events::stream::StreamMessage;
use piopiy_events::{CallDirection, Profile};
use piopiy_mock_platform::platform::{CallView, Config, Exchange, Inbound, Outbound, StreamFaults, Then};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::app::{App, over, said};

const CUSTOMER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;

pub(super) type Socket = WebSocketStream<TcpStream>;

/// A WebSocket server for one stream; where it is.
pub(super) async fn serve<F: Future<Output = ()> + Send + 'static>(
    behave: impl FnOnce(Socket) -> F + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        behave(tokio_tungstenite::accept_async(stream).await.unwrap()).await;
    });
    url
}

/// Sends back what it hears, sample by sample, until somebody hangs up.
pub(super) async fn echo(mut socket: Socket) {
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message {
            let audio = StreamMessage::raw_audio(8_000, &STANDARD.encode(&bytes)).to_json();
            if socket.send(Message::text(audio)).await.is_err() {
                return;
            }
        }
    }
}

pub(super) struct Played {
    pub(super) app: App,
    pub(super) view: CallView,
    exchange: Exchange,
}

impl Played {
    pub(super) fn recording(&self, suffix: &str) -> PathBuf {
        let folder = self.exchange.config().recordings.clone().unwrap();
        folder.join(format!("{}{suffix}.wav", self.view.begin.cmiuuid))
    }
}

/// Plays a call in real time.
pub(super) async fn played(
    profile: Profile,
    direction: CallDirection,
    more: &str,
    flow: &str,
    faults: StreamFaults,
) -> Played {
    let (app, url) = App::start().await;
    let text = format!(
        "[platform]\nseed = 7\nprofile = \"{profile}\"\n[[platform.number]]\nnumber = {NUMBER}\n\
         cdr-url = \"{url}/webhooks\"\n[platform.choices]\nrecord-delay = \"10ms\"\n{more}"
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    exchange.set_stream_faults(faults).unwrap();
    let flow = Pcmo::parse(flow.as_bytes()).unwrap();
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
    Played { app, view, exchange }
}

pub(super) async fn streamed(url: &str, more: &str, faults: StreamFaults) -> Played {
    let flow = format!(r#"[{{"action":"stream","ws_url":"{url}","listen_mode":"caller"}}]"#);
    played(Profile::Global, CallDirection::Inbound, more, &flow, faults).await
}

pub(super) fn hangs_up_after(time: &str) -> String {
    format!("[platform.caller]\nhangs-up-after = \"{time}\"")
}

pub(super) fn samples(path: &Path) -> Vec<i16> {
    let mut reader = hound::WavReader::open(path).unwrap();
    assert_eq!(reader.spec().bits_per_sample, 16);
    reader.samples::<i16>().map(Result::unwrap).collect()
}

pub(super) fn write_wav(path: &Path, samples: &[i16]) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_hears_the_callers_file_and_its_answer_is_recorded_sample_by_sample() {
    let folder = tempfile::tempdir().unwrap();
    let says = folder.path().join("says.wav");
    // No sample is 0, so that silence is told from it.
    let voice: Vec<i16> = (0..12_000_i32).map(|n| i16::try_from(n * 7_919 % 20_011 + 1).unwrap()).collect();
    write_wav(&says, &voice);
    let url = serve(echo).await;
    let more = format!("[platform.caller]\nhangs-up-after = \"2s\"\nsays = {says:?}\n",);
    let flow = format!(
        r#"[{{"action":"record"}},{{"action":"stream","ws_url":"{url}","listen_mode":"caller","voice_quality":"8000"}}]"#
    );
    let played = played(Profile::Global, CallDirection::Inbound, &more, &flow, StreamFaults::default()).await;

    let heard = samples(&played.recording("-heard"));
    assert_eq!(heard[..voice.len()], voice, "what the application heard");
    let said = samples(&played.recording("-said"));
    let begin = said.iter().position(|&sample| sample != 0).unwrap();
    assert_eq!(said[begin..begin + voice.len()], voice, "what was heard of it");
    assert!(begin <= 8 * 200, "{begin} samples of silence before it");
    let lasted = heard.len() / 8;
    assert!(lasted.abs_diff(2_000) <= 60, "{lasted} ms in 2 s");

    let both = samples(&played.recording(""));
    assert_eq!(both.len(), 2 * heard.len());
    assert_eq!(both.iter().step_by(2).copied().collect::<Vec<_>>(), heard);
    let figures = played.view.streams().next().unwrap();
    assert_eq!((figures.gaps, figures.cut_ms, figures.unread_frames), (0, 0, 0), "{figures}");
    assert!(figures.first_audio_ms.unwrap() < 200, "{figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_profile_tells_of_a_stream_in_its_order() {
    for (profile, direction, expected) in [
        (
            Profile::Global,
            CallDirection::Inbound,
            "in_answered a, stream_connected b, STREAM_DISCONNECTED b, in_hangup a, cdr answered a",
        ),
        (
            Profile::Global,
            CallDirection::Outbound,
            "out_started a, out_answered a, stream_connected b, STREAM_DISCONNECTED b, out_hangup a, cdr answered a",
        ),
        (
            Profile::Global2022,
            CallDirection::Inbound,
            "answered a, stream_connected b, STREAM_DISCONNECTED b, hangup a, cdr answered a",
        ),
        (
            Profile::India,
            CallDirection::Inbound,
            "answered a, stream_connected b, STREAM_DISCONNECTED b, hangup a, cdr answered a",
        ),
    ] {
        let url = serve(echo).await;
        let flow = format!(r#"[{{"action":"stream","ws_url":"{url}","listen_mode":"both"}}]"#);
        let more = hangs_up_after("300ms") + "\nanswers-after = \"50ms\"";
        let played = played(profile, direction, &more, &flow, StreamFaults::default()).await;
        assert_eq!(played.app.told(profile).join(", "), expected, "{:?}", said(&played.view));
    }
}

/// The close code that is told.
pub(super) fn code(played: &Played) -> String {
    let told = played.app.posted("/webhooks");
    let closed =
        told.iter().find(|body| body.contains("STREAM_DISCONNECTED")).unwrap_or_else(|| panic!("{told:?}"));
    let status: serde_json::Value = serde_json::from_str(closed).unwrap();
    let inner: serde_json::Value = serde_json::from_str(status["ws_status"].as_str().unwrap()).unwrap();
    inner["message"]["code"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_close_code_is_the_true_one() {
    let closing = |frame: Option<CloseFrame>| {
        serve(move |mut socket| async move {
            let _ = socket.close(frame).await;
            while let Some(Ok(_)) = socket.next().await {}
        })
    };
    let with = |code: u16| Some(CloseFrame { code: code.into(), reason: "bye".into() });
    for (frame, expected) in
        [(with(1000), "1000"), (with(1001), "1001"), (with(4321), "4321"), (None, "1005")]
    {
        let played = streamed(&closing(frame).await, "", StreamFaults::default()).await;
        assert_eq!(code(&played), expected);
    }
    let gone = serve(|socket| async move { drop(socket) }).await;
    assert_eq!(code(&streamed(&gone, "", StreamFaults::default()).await), "1006");
    let stops = serve(|mut socket| async move {
        let _ = socket.send(Message::text(r#"{"action":"stop"}"#)).await;
        while let Some(Ok(_)) = socket.next().await {}
    });
    assert_eq!(code(&streamed(&stops.await, "", StreamFaults::default()).await), "1000");
    let hung_up = streamed(&serve(echo).await, &hangs_up_after("200ms"), StreamFaults::default()).await;
    assert_eq!(code(&hung_up), "1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_are_seen_by_the_application() {
    let seen = |faults| async move {
        let (tell, told) = tokio::sync::oneshot::channel();
        let url = serve(move |mut socket: Socket| async move {
            let (mut end, mut times) = (None, Vec::new());
            while let Some(message) = socket.next().await {
                match message {
                    Ok(Message::Binary(_)) => times.push(tokio::time::Instant::now()),
                    Ok(Message::Close(frame)) => end = frame.map(|frame| u16::from(frame.code)),
                    Ok(_) => {}
                    Err(_) => break,
                }
            }
            let longest = times.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default();
            let _ = tell.send((end, longest, times.len()));
        })
        .await;
        let played = streamed(&url, &hangs_up_after("700ms"), faults).await;
        (code(&played), told.await.unwrap())
    };
    let faults = StreamFaults { drop_after_ms: Some(200), ..StreamFaults::default() };
    let (told, (end, ..)) = seen(faults).await;
    assert_eq!((&*told, end), ("1006", None));
    let faults =
        StreamFaults { close_after_ms: Some(200), close_code: Some(4_999), ..StreamFaults::default() };
    let (told, (end, ..)) = seen(faults).await;
    assert_eq!((&*told, end), ("4999", Some(4_999)));
    let faults = StreamFaults { late: 0.05, late_ms: 150, ..StreamFaults::default() };
    let (_, (_, longest, count)) = seen(faults).await;
    assert!(longest >= Duration::from_millis(100), "{longest:?}");
    assert!(count >= 25, "{count} frames in 700 ms");
}

#[tokio::test]
async fn a_dial_that_fails_is_told_with_its_code() {
    let refused = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("ws://{}/", refused.local_addr().unwrap());
    drop(refused);
    let (_, http) = App::start().await;
    let not_found = http.replace("http", "ws") + "/x";
    for (url, code) in [(&*nobody, 6), (&*not_found, 2), ("ws://10.0.0.1/", 6)] {
        let played = streamed(url, "", StreamFaults::default()).await;
        let told = played.app.posted("/webhooks");
        let error = told
            .iter()
            .find(|body| body.contains("stream_error"))
            .unwrap_or_else(|| panic!("{url}: {told:?}"));
        assert!(error.contains(&format!(r#"\"code\":{code}"#)), "{url}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_break_ends_what_is_played_and_a_pause_keeps_it() {
    let url = serve(|mut socket| async move {
        let second = |sample: i16| {
            let bytes: Vec<u8> = std::iter::repeat_n(sample.to_le_bytes(), 8_000).flatten().collect();
            Message::text(StreamMessage::raw_audio(8_000, &STANDARD.encode(bytes)).to_json())
        };
        let wait = |ms| tokio::time::sleep(Duration::from_millis(ms));
        socket.send(second(100)).await.unwrap();
        wait(200).await;
        socket.send(Message::text(r#"{"action":"break"}"#)).await.unwrap();
        socket.send(second(200)).await.unwrap();
        wait(200).await;
        socket.send(Message::text(r#"{"action":"pause"}"#)).await.unwrap();
        wait(200).await;
        socket.send(Message::text(r#"{"action":"resume"}"#)).await.unwrap();
        wait(1_000).await;
        socket.send(Message::text(r#"{"action":"stop"}"#)).await.unwrap();
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let played = streamed(&url, "", StreamFaults::default()).await;
    let said = samples(&played.recording("-said"));
    let count = |wanted: i16| said.iter().filter(|&&sample| sample == wanted).count();
    assert!((800..4_000).contains(&count(100)), "{} samples before the break", count(100));
    assert_eq!(count(200), 8_000, "all of the second piece");
    let first = said.iter().position(|&sample| sample == 200).unwrap();
    let paused = said[first..].iter().skip_while(|&&sample| sample == 200).take_while(|&&sample| sample == 0);
    assert!(paused.count() >= 800, "a pause within it");
    let figures = played.view.streams().next().unwrap();
    assert_eq!(figures.breaks, 1);
    assert!(figures.discarded_ms >= 500, "{figures}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_flow_takes_over_from_the_stream() {
    let url = serve(|mut socket| async move {
        let _ = socket.send(Message::text(r#"[{"action":"hangup"}]"#)).await;
        while let Some(Ok(_)) = socket.next().await {}
    })
    .await;
    let played = streamed(&url, "", StreamFaults::default()).await;
    let said = said(&played.view);
    assert!(
        said.contains(&"sends a call flow".to_owned()) && said.contains(&"hangup".to_owned()),
        "{said:?}"
    );
    assert_eq!(code(&played), "1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_opened_when_the_other_party_picks_up() {
    let url = serve(echo).await;
    let flow = format!(
        r#"[{{"action":"stream","ws_url":"{url}","listen_mode":"both","voice_quality":"16000","stream_on_answer":true}},
            {{"action":"bridge","connect":[{{"type":"pstn","number":442079460000}}]}},{{"action":"hangup"}}]"#
    );
    let more = "[platform.callee]\nanswers-after = \"100ms\"\nhangs-up-after = \"300ms\"";
    let played = played(Profile::Global, CallDirection::Inbound, more, &flow, StreamFaults::default()).await;
    let told = played.app.told(Profile::Global);
    assert_eq!(told[..4], ["out_started b", "in_answered a", "out_bridged b", "stream_connected b"]);
    let reader = hound::WavReader::open(played.recording("-heard")).unwrap();
    assert_eq!(reader.spec().sample_rate, 16_000);
}

#[tokio::test]
async fn a_file_lasts_as_long_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    write_wav(&folder.path().join("long.wav"), &vec![5; 8_000 * 7]);
    let more = format!("time-scale = 10\nfiles = {:?}", folder.path());
    for (name, expected, part) in [
        ("long.wav", 7_000, None),
        ("missing.wav", 3_000, Some("cannot be read")),
        ("../long.wav", 3_000, Some("leads out of the folder")),
        ("http://10.0.0.1/x.mp3", 3_000, Some("not on this machine")),
    ] {
        let text = format!("[platform]\n{more}\n[platform.choices]\nafter-last-action = \"hang-up\"");
        let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
        let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
        inbound.then =
            Some(Pcmo::parse(format!(r#"[{{"action":"play","file_name":"{name}"}}]"#).as_bytes()).unwrap());
        let view = over(&exchange, exchange.call_in(inbound).unwrap().call).await;
        let at = |label: &str| {
            let found = view.messages().find(|message| message.label.contains(label));
            found.unwrap_or_else(|| panic!("{label}: {:?}", said(&view))).at_ms
        };
        let lasted = at("no action is left") - at("play");
        assert!(lasted.abs_diff(expected) < 2_500, "{name}: {lasted} ms");
        if let Some(part) = part {
            at(part);
        }
    }
}
