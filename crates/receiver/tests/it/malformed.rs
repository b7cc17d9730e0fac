//! What is not understood: kept aside or refused, never dropped, never a 5xx.

use piopiy_receiver::{Malformed, ServerOptions};

use crate::support::{Running, cdr};

/// Understood, but for what it is.
const ANOTHER_TYPE: &str = "another type";

/// Bodies that are no webhook, the status that refuses them, and a part of what is said.
fn cases() -> Vec<(&'static str, Vec<u8>, u16, &'static str)> {
    let deep = format!(r#"{{"cmiuuid":"x","status":"missed","x":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    let deeper = "[".repeat(200_000);
    let utf16: Vec<u8> = cdr("x").encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        ("text", b"hello".to_vec(), 400, "not JSON"),
        ("a form", b"cmiuuid=x&status=missed".to_vec(), 400, "not JSON"),
        ("XML", b"<cdr/>".to_vec(), 400, "not JSON"),
        ("an array", b"[]".to_vec(), 400, "found an array"),
        ("null", b"null".to_vec(), 400, "found null"),
        ("a number", b"0".to_vec(), 400, "found a number"),
        ("a string", b"\"x\"".to_vec(), 400, "found a string"),
        ("white space", b"  \n".to_vec(), 400, "the input ends"),
        ("half", br#"{"cmiuuid":"x","status":"#.to_vec(), 400, "the input ends"),
        ("a trailing comma", br#"{"cmiuuid":"x","status":"missed",}"#.to_vec(), 400, "not JSON"),
        ("NaN", br#"{"cmiuuid":"x","status":"missed","duration":NaN}"#.to_vec(), 400, "/duration"),
        ("two documents", br#"{"cmiuuid":"x","status":"missed"}{}"#.to_vec(), 400, "after the end"),
        ("a key twice", br#"{"status":"missed","status":"answered"}"#.to_vec(), 400, "(/status)"),
        ("not UTF-8", b"{\"cmiuuid\":\"\xFF\",\"status\":\"missed\"}".to_vec(), 400, "not UTF-8"),
        ("UTF-16", utf16, 400, "not JSON"),
        ("deep", deep.into_bytes(), 400, "deeper than the limit of 128"),
        ("very deep", deeper.into_bytes(), 400, "deeper than the limit of 128"),
        ("no object member", b"{}".to_vec(), 422, "no `status`"),
        ("no cmiuuid", br#"{"status":"missed"}"#.to_vec(), 422, "no `cmiuuid`"),
        ("no status", br#"{"cmiuuid":"x"}"#.to_vec(), 422, "no `status`"),
        (ANOTHER_TYPE, br#"{"cmiuuid":"x","status":"missed","type":"sms"}"#.to_vec(), 422, "`type`"),
    ]
}

#[tokio::test]
async fn quarantined() {
    let running = Running::start(ServerOptions::default()).await;
    for (index, (name, body, _, says)) in cases().into_iter().enumerate() {
        let (status, text) = running.post(body.clone()).await;
        assert_eq!(status, 202, "{name}: {text}");
        assert!(text.contains(says), "{name}: {text}");
        let kept = running.kept();
        assert_eq!(kept.len(), index + 1, "{name}");
        assert_eq!(kept[index].body, body, "{name}: byte for byte");
        assert!(kept[index].reason.as_ref().unwrap().contains(says), "{name}");
        assert!(kept[index].webhook().is_none(), "{name}");
    }
    assert_eq!(running.post(cdr("after")).await.0, 200);
}

#[tokio::test]
async fn rejected() {
    let options = ServerOptions { malformed: Malformed::Reject, ..ServerOptions::default() };
    let running = Running::start(options).await;
    for (name, body, status, says) in cases().into_iter().filter(|case| case.0 != ANOTHER_TYPE) {
        let (found, text) = running.post(body).await;
        assert_eq!(found, status, "{name}: {text}");
        assert!(text.contains(says), "{name}: {text}");
        assert_eq!(running.kept().len(), 0, "{name}");
    }
    assert_eq!(running.post(cdr("after")).await.0, 200);
}

#[tokio::test]
async fn a_type_that_is_yet_to_come_is_kept_aside_either_way() {
    for malformed in [Malformed::Quarantine, Malformed::Reject] {
        let options = ServerOptions { malformed, ..ServerOptions::default() };
        let running = Running::start(options).await;
        let body = r#"{"cmiuuid":"x","status":"missed","type":"sms"}"#;
        assert_eq!(running.post(body).await.0, 202, "{malformed:?}");
        assert_eq!(running.kept().len(), 1, "{malformed:?}");
    }
}

#[tokio::test]
async fn empty_bodies_are_refused_either_way() {
    for malformed in [Malformed::Quarantine, Malformed::Reject] {
        let options = ServerOptions { malformed, ..ServerOptions::default() };
        let running = Running::start(options).await;
        assert_eq!(running.post("").await.0, 400, "{malformed:?}");
        assert!(running.kept().is_empty());
    }
}

#[tokio::test]
async fn answers_stay_short_and_hold_no_value() {
    let running = Running::start(ServerOptions::default()).await;
    let key = "k".repeat(100_000);
    let (status, text) = running.post(format!(r#"{{"{key}":1,"{key}":447700900123}}"#)).await;
    assert_eq!(status, 202);
    assert!(text.len() < 400, "{} bytes", text.len());
    assert!(!text.contains("447700900123"));
}

#[tokio::test]
async fn tolerated() {
    let running = Running::start(ServerOptions::default()).await;
    let bodies = [
        "\u{FEFF}{\"cmiuuid\":\"bom\",\"leg\":\"a\",\"status\":\"missed\",\"duration\":0}",
        " \r\n\t{\"cmiuuid\":\"space\",\r\n\"status\":\"missed\",\"duration\":12.0}\r\n ",
        r#"{"cmiuuid":"numbers","status":"missed","duration":1e400,"n":9007199254740993}"#,
        r#"{"cmiuuid":"surrogate","status":"missed","extra_params":"\ud800"}"#,
        r#"{"cmiuuid":"nul","status":"missed","extra_params":"\u0000"}"#,
        r#"{"cmiuuid":"twice","status":"missed","status":"missed"}"#,
        r#"{"cmiuuid":"new","status":"a_new_status","leg":"c","direction":"sideways","__proto__":{}}"#,
        r#"{"cmiuuid":"types","status":"missed","duration":"0","from":{},"to":"+447700900123"}"#,
    ];
    for body in bodies {
        assert_eq!(running.post(body).await, (200, "got it".to_owned()), "{body}");
    }
    let kept = running.kept();
    for (record, body) in kept.iter().zip(bodies) {
        assert_eq!(record.body, body, "byte for byte");
        assert!(record.webhook().is_some(), "{body}");
    }
    assert_eq!(kept.len(), bodies.len());
}
