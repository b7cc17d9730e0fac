//! Who is heard: leg a, leg b, both; on hold; and while nobody is on the line yet.

use std::f64::consts::PI;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use piopiy_events::pcmo::Pcmo;
use piopiy_events::{CallDirection, Profile};
use piopiy_mock_platform::platform::{Config, Ender, Exchange, Hold, Inbound, StreamFaults};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use super::app::{App, over, said};
use super::stream::{played, samples, serve, write_wav};

const CALLER: f64 = 450.0;
const CALLEE: f64 = 1_000.0;

/// A file of a tone: 20 s.
#[expect(clippy::cast_possible_truncation, reason = "it is not above 8000")]
fn write_tone(path: &Path, hertz: f64) {
    let sample = |n: usize| (8_000.0 * (2.0 * PI * hertz * n as f64 / 8_000.0).sin()) as i16;
    write_wav(path, &(0..160_000).map(sample).collect::<Vec<_>>());
}

/// How loud a tone is: 1 where it is all that there is.
fn loudness(samples: &[i16], hertz: f64) -> f64 {
    let turn = 2.0 * (2.0 * PI * hertz / 8_000.0).cos();
    let (mut one, mut two) = (0.0, 0.0);
    for &sample in samples {
        (one, two) = (f64::from(sample) + turn * one - two, one);
    }
    2.0 * (one * one + two * two - turn * one * two).max(0.0).sqrt() / (8_000.0 * samples.len() as f64)
}

/// Which of both are heard in each tenth of a second.
fn heard(samples: &[i16]) -> Vec<(bool, bool)> {
    let is = |part: &[i16], hertz| loudness(part, hertz) >= 0.5;
    samples.chunks_exact(800).map(|part| (is(part, CALLER), is(part, CALLEE))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_hears_the_parties_that_it_listens_to() {
    let folder = tempfile::tempdir().unwrap();
    let (caller, callee) = (folder.path().join("caller.wav"), folder.path().join("callee.wav"));
    write_tone(&caller, CALLER);
    write_tone(&callee, CALLEE);
    for (mode, alone, together) in [
        ("caller", (true, false), (true, false)),
        ("callee", (false, false), (false, true)),
        ("both", (true, false), (true, true)),
    ] {
        let url = serve(|mut socket| async move { while let Some(Ok(_)) = socket.next().await {} }).await;
        let flow = format!(
            r#"[{{"action":"stream","ws_url":"{url}","listen_mode":"{mode}"}},
                {{"action":"bridge","connect":[{{"type":"pstn","number":442079460000}}]}},{{"action":"hangup"}}]"#
        );
        let more = format!(
            "[platform.caller]\nsays = {caller:?}\n\
             [platform.callee]\nsays = {callee:?}\nanswers-after = \"1s\"\nhangs-up-after = \"1s\""
        );
        let played = played(Profile::Global, CallDirection::Inbound, &more, &flow, StreamFaults::default());
        let played = played.await;
        let samples = samples(&played.recording("-heard"));
        let heard = heard(&samples);
        assert!(heard[..3].iter().all(|both| *both == alone), "{mode}: {heard:?}");
        let first =
            heard.iter().position(|both| *both == together).unwrap_or_else(|| panic!("{mode}: {heard:?}"));
        let last = heard.iter().rposition(|both| *both == together).unwrap_or_default();
        assert!(last - first >= 5, "{mode}: {heard:?}");
        // Where one of them comes or goes is no whole tenth.
        let others = heard.iter().filter(|both| **both != alone && **both != together).count();
        assert!(others <= 2, "{mode}: {heard:?}");
        assert!(heard[first..=last].iter().all(|both| *both == together), "{mode}: {heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_opened_on_hold_hears_silence_until_the_caller_is_taken_back() {
    let folder = tempfile::tempdir().unwrap();
    let caller = folder.path().join("caller.wav");
    write_tone(&caller, CALLER);
    let (_app, app_url) = App::start().await;
    let url = serve(|mut socket| async move { while let Some(Ok(_)) = socket.next().await {} }).await;
    let text = format!(
        "[platform]\n[[platform.number]]\nnumber = 441632960000\nevent-url = \"{app_url}/webhooks\"\n\
         [platform.caller]\nsays = {caller:?}\nhangs-up-after = \"2s\"\n[platform.choices]\nrecord-delay = \"0s\""
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let mut inbound = Inbound::from_to(447_700_900_123, 441_632_960_000);
    let flow = format!(
        r#"[{{"action":"speak","text":"hello"}},{{"action":"stream","ws_url":"{url}","listen_mode":"caller"}}]"#
    );
    inbound.then = Some(Pcmo::parse(flow.as_bytes()).unwrap());
    let call = exchange.call_in(inbound).unwrap().call;
    exchange.hold(call, Hold::On).unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    exchange.hold(call, Hold::Off).unwrap();
    let view = over(&exchange, call).await;
    let folder = exchange.config().recordings.clone().unwrap();
    let heard = samples(&folder.join(format!("{}-heard.wav", view.begin.cmiuuid)));
    let first = heard.iter().position(|&sample| sample != 0).expect("the caller is heard behind the hold");
    assert!(first > 2_400, "silence for {} ms", first / 8);
    assert!(loudness(&heard[heard.len() - 2_400..], CALLER) > 0.9);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_ends_while_it_dials_leaves_no_stream_behind() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", silent.local_addr().unwrap());
    let (app, app_url) = App::start().await;
    let text = format!(
        "[platform]\n[[platform.number]]\nnumber = 441632960000\nevent-url = \"{app_url}/webhooks\"\n\
         [platform.choices]\nrecord-delay = \"0s\""
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let mut inbound = Inbound::from_to(447_700_900_123, 441_632_960_000);
    let flow = format!(r#"[{{"action":"stream","ws_url":"{url}","listen_mode":"caller"}}]"#);
    inbound.then = Some(Pcmo::parse(flow.as_bytes()).unwrap());
    let call = exchange.call_in(inbound).unwrap().call;
    let (mut stream, _) = silent.accept().await.unwrap();
    let mut request = [0; 14];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut request).await.unwrap();
    assert_eq!(&request, b"GET / HTTP/1.1");
    let began = Instant::now();
    exchange.hang_up(call, Ender::Caller).unwrap();
    let view = over(&exchange, call).await;
    assert!(began.elapsed() < Duration::from_millis(1_500), "{:?}", began.elapsed());
    assert!(said(&view).iter().any(|label| label.starts_with("gives up the dial")), "{:?}", said(&view));
    assert!(!app.told(Profile::Global).iter().any(|told| told.to_lowercase().contains("stream")));
    // The connection is gone, too.
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest);
    tokio::time::timeout(Duration::from_secs(2), read).await.expect("it is closed").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_stream_ends_the_first_and_both_are_told() {
    let first = serve(|mut socket| async move {
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Close(_)) {
                break;
            }
        }
    });
    let second = serve(|mut socket| async move { while let Some(Ok(_)) = socket.next().await {} });
    let (first, second) = (first.await, second.await);
    let flow = format!(
        r#"[{{"action":"stream","ws_url":"{first}","listen_mode":"caller"}},
            {{"action":"bridge","connect":[{{"type":"pstn","number":442079460000}}]}},
            {{"action":"stream","ws_url":"{second}","listen_mode":"caller"}}]"#
    );
    let more = "[platform.caller]\nhangs-up-after = \"1500ms\"\n[platform.callee]\nanswers-after = \"300ms\"\nhangs-up-after = \"300ms\"";
    let played = played(Profile::Global, CallDirection::Inbound, more, &flow, StreamFaults::default()).await;
    let told = played.app.told(Profile::Global);
    let streams: Vec<_> = told.iter().filter(|told| told.to_lowercase().contains("stream")).collect();
    assert_eq!(
        streams,
        ["stream_connected b", "STREAM_DISCONNECTED b", "stream_connected b", "STREAM_DISCONNECTED b"],
        "{told:?}"
    );
    assert!(played.recording("-heard").exists() && played.recording("-2-heard").exists());
}
