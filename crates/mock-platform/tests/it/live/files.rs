//! Files that are played: fetched while the call goes on, within limits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use piopiy_events::pcmo::Pcmo;
use piopiy_mock_platform::platform::{CallView, Config, Ender, Exchange, Inbound};
use tokio::net::TcpListener;

use super::app::{App, over, said};

const CUSTOMER: u64 = 447_700_900_123;
const NUMBER: u64 = 441_632_960_000;
const MP3: &[u8] = include_bytes!("../../../../../fixtures/audio/tone-440.mp3");
const VORBIS: &[u8] = include_bytes!("../../../../../fixtures/audio/tone-1000.ogg");
const OPUS: &[u8] = include_bytes!("../../../../../fixtures/audio/tone-700-opus.ogg");

type Files = Arc<BTreeMap<&'static str, Vec<u8>>>;

/// A web server of files; where it is.
async fn files() -> String {
    let files: Files = Arc::new(BTreeMap::from([
        ("tone.mp3", MP3.to_vec()),
        ("tone.ogg", VORBIS.to_vec()),
        ("opus.ogg", OPUS.to_vec()),
        ("tone.wav", wav(&[9; 24_000])),
        ("long.wav", wav_at(1_000, &[9; 600_001])),
        ("page.mp3", b"<html>there is no such file</html>".to_vec()),
        ("large.wav", vec![0; (64 << 20) + 1]),
    ]));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/{file}", get(file)).with_state(files);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

async fn file(State(files): State<Files>, Path(name): Path<String>) -> Response {
    match &*name {
        "moved.mp3" => (StatusCode::FOUND, [(header::LOCATION, "/tone.mp3")]).into_response(),
        "never.mp3" => std::future::pending().await,
        name => files
            .get(name)
            .map_or_else(|| StatusCode::NOT_FOUND.into_response(), |bytes| bytes.clone().into_response()),
    }
}

fn wav(samples: &[i16]) -> Vec<u8> {
    wav_at(8_000, samples)
}

fn wav_at(rate: u32, samples: &[i16]) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
    samples.iter().for_each(|&sample| writer.write_sample(sample).unwrap());
    writer.finalize().unwrap();
    bytes.into_inner()
}

/// A platform of one number in real time.
fn platform(app: &str, more: &str) -> Exchange {
    let text = format!(
        "[platform]\nseed = 7\n[[platform.number]]\nnumber = {NUMBER}\nevent-url = \"{app}/webhooks\"\n\
         [platform.choices]\nunknown-file = \"250ms\"\nrecord-delay = \"10ms\"\n{more}"
    );
    Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap()
}

fn calls(exchange: &Exchange, flow: &str) -> u64 {
    let mut inbound = Inbound::from_to(CUSTOMER, NUMBER);
    inbound.then = Some(Pcmo::parse(flow.as_bytes()).unwrap());
    exchange.call_in(inbound).unwrap().call
}

fn at(view: &CallView, label: &str) -> u64 {
    let found = view.messages().find(|message| message.label.contains(label));
    found.unwrap_or_else(|| panic!("{label}: {:?}", said(view))).at_ms
}

#[tokio::test]
async fn a_file_is_fetched_within_limits_and_lasts_as_long_as_it_is() {
    let url = files().await;
    let (_app, app_url) = App::start().await;
    let exchange = platform(&app_url, "[platform.caller]\nhangs-up-after = \"30s\"");
    for (file, lasts, part) in [
        ("/tone.mp3", 1_000, None),
        ("/tone.ogg?token=secret", 1_000, None),
        ("/tone.wav", 3_000, None),
        ("/opus.ogg", 250, Some("/opus.ogg is not measured: it is Opus")),
        ("/moved.mp3", 250, Some("/moved.mp3 is not measured: it answered 302")),
        ("/missing.mp3", 250, Some("it answered 404")),
        ("/page.mp3", 250, Some("it cannot be decoded")),
        ("/large.wav", 250, Some("longer than 67108864 bytes")),
    ] {
        let call = calls(
            &exchange,
            &format!(r#"[{{"action":"play","file_url":"{url}{file}"}},{{"action":"hangup"}}]"#),
        );
        let view = over(&exchange, call).await;
        let lasted = at(&view, "hangup") - at(&view, "play");
        // To read what is too large takes a while.
        let off = if file == "/large.wav" { 5_000 } else { 400 };
        assert!((lasts..lasts + off).contains(&lasted), "{file}: {lasted} ms, {:?}", said(&view));
        let failed = said(&view).into_iter().find(|label| label.contains("is not measured"));
        assert_eq!(failed.is_some(), part.is_some(), "{file}: {failed:?}");
        if let (Some(failed), Some(part)) = (failed, part) {
            assert!(failed.contains(part), "{file}: {failed}");
        }
    }
    let call =
        calls(&exchange, r#"[{"action":"play","file_url":"http://10.0.0.1/x.mp3"},{"action":"hangup"}]"#);
    let view = over(&exchange, call).await;
    at(&view, "10.0.0.1/x.mp3 is not measured");
    at(&view, "not on this machine");
}

#[tokio::test]
async fn of_a_file_that_is_too_long_the_timeline_says_so() {
    let url = files().await;
    let (_app, app_url) = App::start().await;
    let text = format!(
        "[platform]\ntime-scale = 600\n[[platform.number]]\nnumber = {NUMBER}\nevent-url = \"{app_url}/webhooks\"\n"
    );
    let exchange = Exchange::start(Config::parse("test", &text).unwrap(), None).unwrap();
    let call = calls(
        &exchange,
        &format!(r#"[{{"action":"play","file_url":"{url}/long.wav"}},{{"action":"hangup"}}]"#),
    );
    let view = over(&exchange, call).await;
    at(&view, "/long.wav is longer than what is decoded of a file");
}

#[tokio::test]
async fn a_call_hears_all_while_a_file_is_fetched() {
    let url = files().await;
    let (app, app_url) = App::start().await;
    app.answer("/digits", 200, r#"[{"action":"hangup"}]"#);
    let exchange = platform(&app_url, "[platform.caller]\nhangs-up-after = \"30s\"");
    let play = format!(r#"{{"action":"play","file_url":"{url}/never.mp3"}}"#);
    let wait = || tokio::time::sleep(Duration::from_millis(200));

    // Somebody hangs up.
    let call = calls(&exchange, &format!("[{play}]"));
    wait().await;
    exchange.hang_up(call, Ender::Caller).unwrap();
    let view = over(&exchange, call).await;
    assert!(at(&view, "hangs up") - at(&view, "play") < 1_500, "{:?}", said(&view));
    assert!(!said(&view).iter().any(|label| label.contains("is not measured")), "it is no longer waited for");

    // Another call flow takes over.
    let call = calls(&exchange, &format!("[{play}]"));
    wait().await;
    exchange.transfer(call, Pcmo::parse(br#"[{"action":"hangup"}]"#).unwrap()).unwrap();
    let view = over(&exchange, call).await;
    assert!(at(&view, "hangup") - at(&view, "play") < 1_500, "{:?}", said(&view));

    // A key ends a prompt, and is the first digit.
    let call = calls(
        &exchange,
        &format!(
            r#"[{{"action":"play_get_input","file_url":"{url}/never.mp3","max_digit":2,"action_url":"{app_url}/digits"}}]"#
        ),
    );
    wait().await;
    exchange.press(call, "4").unwrap();
    wait().await;
    exchange.press(call, "2").unwrap();
    let view = over(&exchange, call).await;
    assert!(at(&view, "POST action URL") - at(&view, "play_get_input") < 1_500, "{:?}", said(&view));
    assert!(app.posted("/digits")[0].contains("\"42\""), "{:?}", app.posted("/digits"));
}
