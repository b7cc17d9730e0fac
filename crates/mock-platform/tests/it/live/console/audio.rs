//! What the console shows of audio, and what it makes go wrong with it.

use std::io::{Seek as _, SeekFrom, Write as _};

use futures_util::StreamExt as _;
use piopiy_events::pcmo::Pcmo;
use piopiy_mock_platform::platform::{Config, Inbound, StreamFaults};
use reqwest::StatusCode;

use super::super::app::over;
use super::super::stream::{Socket, echo, serve};
use super::{CALLER, Console, NUMBER};

/// A call that is streamed, for half a second.
async fn streamed(console: &Console, url: &str) -> (u64, String) {
    let mut inbound = Inbound::from_to(CALLER, NUMBER);
    let flow = format!(r#"[{{"action":"stream","ws_url":"{url}","listen_mode":"caller"}}]"#);
    inbound.then = Some(Pcmo::parse(flow.as_bytes()).unwrap());
    let placed = console.serving.exchange().call_in(inbound).unwrap();
    over(console.serving.exchange(), placed.call).await;
    (placed.call, placed.cmiuuid)
}

const BRIEF: &str = "[platform]\nseed = 7\n[platform.caller]\nhangs-up-after = \"500ms\"\n\
                     [platform.choices]\nrecord-delay = \"0s\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_shown_with_its_figures_and_its_recordings_are_played_wherever_they_are() {
    let console = Console::start(Config::parse("test", BRIEF).unwrap()).await;
    let (call, id) = streamed(&console, &serve(echo).await).await;
    let (_, page) = console.get(&format!("/calls/{call}")).await;
    let figures = page.split("stream 1 · ").nth(1).unwrap_or_else(|| panic!("no figures: {page}"));
    assert!(figures.starts_with("first audio ") && figures.contains(" ms · gaps "), "{figures}");
    assert!(page.contains(&format!("Recording {id}-heard.wav")), "{page}");
    // They are in a temporary folder, and stay there when another one is configured.
    let folder = tempfile::tempdir().unwrap();
    let text = BRIEF.replace("seed = 7", &format!("seed = 7\nrecordings = {:?}", folder.path()));
    console.serving.exchange().reload(Config::parse("test", &text).unwrap()).unwrap();
    let (second, other) = streamed(&console, &serve(echo).await).await;
    assert!(folder.path().join(format!("{other}-said.wav")).is_file());
    for (call, id) in [(call, &id), (second, &other)] {
        let (_, page) = console.get(&format!("/calls/{call}")).await;
        for direction in ["heard", "said"] {
            let file = format!("{id}-{direction}.wav");
            assert!(page.contains(&format!("/calls/{call}/recordings/{file}")), "{file}: {page}");
            let path = console.at(&format!("/calls/{call}/recordings/{file}"));
            let bytes = console.client.get(path).send().await.unwrap().bytes().await.unwrap();
            assert!(bytes.starts_with(b"RIFF") && bytes.len() > 6_000, "{file}: {} bytes", bytes.len());
            // REST has it as well.
            let url = format!(
                "http://{}/v2/piopiy/play?appid=2222222&secret=mock-secret&file={file}",
                console.serving.rest()
            );
            assert_eq!(console.client.get(url).send().await.unwrap().bytes().await.unwrap(), bytes, "{file}");
        }
    }
}

/// A recording whose last sample alone is heard: a file with a hole.
fn record(path: &std::path::Path, samples: u32) {
    let mut head = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    head.extend([16_000_u32.to_le_bytes(), 32_000_u32.to_le_bytes()].concat());
    head.extend(b"\x02\0\x10\0data");
    head.extend((2 * samples).to_le_bytes());
    let mut file = std::fs::File::create(path).unwrap();
    file.write_all(&head).unwrap();
    file.seek(SeekFrom::Start(44 + 2 * u64::from(samples - 1))).unwrap();
    file.write_all(&i16::MAX.to_le_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_an_hour_is_played_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let text = BRIEF.replace("seed = 7", &format!("seed = 7\nrecordings = {:?}", folder.path()));
    let console = Console::start(Config::parse("test", &text).unwrap()).await;
    let (call, id) = streamed(&console, &serve(echo).await).await;
    let file = format!("{id}-2-heard.wav");
    let samples = 3_600 * 16_000;
    record(&folder.path().join(&file), samples);
    let length = 44 + 2 * u64::from(samples);
    assert!(console.get(&format!("/calls/{call}")).await.1.contains("3600.0 s, 16 kHz"));
    let path = console.at(&format!("/calls/{call}/recordings/{file}"));
    let part = async |range: &str| {
        let answer = console.client.get(&path).header("range", range).send().await.unwrap();
        let said = answer.headers().get("content-range").map(|span| span.to_str().unwrap().to_owned());
        (answer.status().as_u16(), said, answer.bytes().await.unwrap())
    };
    // As a player asks, which goes on where a part ends.
    let mut at = 0;
    while at < length {
        let (status, said, bytes) = part(&format!("bytes={at}-")).await;
        let to = at + bytes.len() as u64;
        assert_eq!((status, said), (206, Some(format!("bytes {at}-{}/{length}", to - 1))));
        assert!((1..=4 << 20).contains(&bytes.len()), "{} bytes at once", bytes.len());
        at = to;
    }
    assert_eq!(at, length);
    let last = format!("bytes {}-{}/{length}", length - 2, length - 1);
    assert_eq!(part("bytes=-2").await, (206, Some(last), i16::MAX.to_le_bytes().to_vec().into()));
    let beyond = part(&format!("bytes={length}-")).await;
    assert_eq!(beyond, (416, Some(format!("bytes */{length}")), Vec::new().into()));
    // Who asks for no part gets all of it, of REST as well.
    let rest = format!(
        "http://{}/v2/piopiy/play?appid=2222222&secret=mock-secret&file={file}",
        console.serving.rest()
    );
    for url in [&path, &rest] {
        let mut answer = console.client.get(url).send().await.unwrap();
        assert_eq!((answer.status(), answer.content_length()), (StatusCode::OK, Some(length)), "{url}");
        let mut taken = 0;
        while let Some(piece) = answer.chunk().await.unwrap() {
            taken += piece.len() as u64;
        }
        assert_eq!(taken, length, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_button_makes_streams_go_wrong_and_another_mends_them() {
    let console = Console::start(Config::parse("test", BRIEF).unwrap()).await;
    let mute = |mut socket: Socket| async move { while let Some(Ok(_)) = socket.next().await {} };
    for (form, faults, words) in [
        (
            "preset=drop",
            StreamFaults { drop_after_ms: Some(3_000), ..StreamFaults::default() },
            "breaks after 3000 ms",
        ),
        (
            "preset=late",
            StreamFaults { late: 0.05, late_ms: 200, ..StreamFaults::default() },
            "5 % late by 200 ms",
        ),
        ("preset=jitter", StreamFaults { jitter_ms: 30, ..StreamFaults::default() }, "jitter 30 ms"),
        (
            "preset=close",
            StreamFaults { close_after_ms: Some(3_000), close_code: Some(4_999), ..StreamFaults::default() },
            "closes after 3000 ms with 4999",
        ),
        (
            "close-after-ms=100&close-code=4001&late=2.5&late-ms=7",
            StreamFaults {
                close_after_ms: Some(100),
                close_code: Some(4_001),
                late: 0.025,
                late_ms: 7,
                ..StreamFaults::default()
            },
            "closes after 100 ms with 4001, 2.5 % late by 7 ms",
        ),
    ] {
        assert_eq!(console.done("/stream/faults", &format!("{form}&back=/calls/0")).await, "/calls/0");
        assert_eq!(console.serving.exchange().stream_faults(), faults, "{form}");
        let (_, page) = console.get("/").await;
        assert!(page.contains(words), "{form}: {page}");
    }
    // It holds for the next stream.
    let (call, _) = streamed(&console, &serve(mute).await).await;
    assert!(console.get(&format!("/calls/{call}")).await.1.contains("closes 4001"));
    console.done("/stream/faults", "preset=none").await;
    assert_eq!(console.serving.exchange().stream_faults(), StreamFaults::default());
    assert!(!console.get("/").await.1.contains("audio faults"));
    for (form, says) in [
        ("preset=dance", "there is no such button"),
        ("late=101", "`late` must be a percentage"),
        ("jitter-ms=-1", "`jitter-ms` must be a whole number"),
        ("jitter-ms=600001", "at most 600000"),
        ("drop-after-ms=18446744073709551615", "drop-after-ms"),
        ("close-code=999", "close-code"),
        ("close-code=99999", "`close-code` must be a whole number"),
    ] {
        let answer = console.post("/stream/faults", form).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        let page = answer.text().await.unwrap();
        assert!(page.contains(says), "{form}: {page}");
    }
    assert_eq!(console.serving.exchange().stream_faults(), StreamFaults::default());
}
