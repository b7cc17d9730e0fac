//! Messages over a stream's WebSocket, and what live events say of it.

use piopiy_events::pcmo::Action;
use piopiy_events::stream::{CommandKind, StreamMessage};
use piopiy_events::{OpenObject, Webhook, WsReportKind, WsStatus};

use crate::fixtures::{folder, minified, read};

#[test]
fn every_sample_is_typed_and_lossless() {
    let samples = folder("ws");
    assert_eq!(samples.len(), 6);
    for sample in samples {
        let text = sample.text();
        let message = StreamMessage::parse(text.as_bytes()).unwrap();
        assert_eq!(minified(&message.to_json()), minified(&text), "{}", sample.file);
        assert_eq!(minified(&serde_json::to_string(&message).unwrap()), minified(&text));
        assert_eq!(serde_json::from_str::<StreamMessage>(&text).unwrap(), message);
        let name = sample.file.trim_start_matches("ws/client-").trim_end_matches(".json");
        match message {
            StreamMessage::Audio(audio) => {
                assert_eq!(name, "streamAudio");
                let data = audio.data.unwrap().get().unwrap();
                assert_eq!(data.unknown().count(), 0);
                assert_eq!(data.sample_rate.unwrap().count(), Some(8000));
                assert_eq!(data.audio_data_type.unwrap().text(), "raw");
                assert_eq!(data.audio_data.unwrap().decoded_len(), Some(4));
            }
            StreamMessage::Command(command) => assert_eq!(command.kind().unwrap().as_str(), name),
            StreamMessage::Pcmo(pcmo) => {
                assert_eq!(name, "pcmo-bridge");
                assert!(matches!(pcmo.actions[..], [Action::Bridge(_)]));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[test]
fn anything_else_is_kept() {
    for json in [r#"{"action":"Stop"}"#, r#"{"type":"mark"}"#, "{}", "1e400", r#""stop""#, "null"] {
        let message = StreamMessage::parse(json.as_bytes()).unwrap();
        assert!(matches!(message, StreamMessage::Other(_)), "{json}");
        assert_eq!(message.to_json(), json);
    }
    assert!(StreamMessage::parse(b"{'action': 'stop'}").is_err(), "an old SDK sent single quotes");
}

#[test]
fn commands_are_written_as_documented() {
    for kind in CommandKind::ALL {
        let text = read(&format!("ws/client-{}.json", kind.as_str()));
        assert_eq!(StreamMessage::command(kind).to_json(), minified(&text));
    }
    let text = read("ws/client-streamAudio.json");
    assert_eq!(StreamMessage::raw_audio(8000, "AAAAAA==").to_json(), minified(&text));
}

#[test]
fn ws_status_reads_and_writes_what_is_documented() {
    fn check(
        file: &str,
        written: &WsStatus,
        kind: &WsReportKind<'_>,
        code: Option<i64>,
        words: Option<&str>,
    ) {
        let webhook = Webhook::parse(read(file).as_bytes()).unwrap();
        let ws_status = webhook.as_live_event().unwrap().ws_status.clone().unwrap();
        assert_eq!(&ws_status, written, "{file}");
        let report = ws_status.report().unwrap();
        assert_eq!((&report.kind(), report.code(), report.words().as_deref()), (kind, code, words), "{file}");
    }
    check(
        "global/live-stream-connected--leg-b.json",
        &WsStatus::connected(),
        &WsReportKind::Connected,
        None,
        None,
    );
    check(
        "global/live-stream-disconnected--leg-b.json",
        &WsStatus::disconnected(1006, "Abnormal closure"),
        &WsReportKind::Disconnected,
        Some(1006),
        Some("Abnormal closure"),
    );
    let error = WsStatus::error(6, "connect \"failed\"").report().unwrap();
    assert_eq!((error.kind(), error.code()), (WsReportKind::Error, Some(6)));
    assert_eq!(error.words().as_deref(), Some("connect \"failed\""));
    let other = WsStatus::new(r#"{"status":"paused"}"#).report().unwrap();
    assert_eq!(other.kind(), WsReportKind::Other("paused".into()));
    for text in ["", "connected", "[]"] {
        assert!(WsStatus::new(text).report().is_err(), "{text}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(WsStatus::new(&deep).report().is_err());
}
