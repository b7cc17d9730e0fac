//! The texts inside payloads: what a stream's WebSocket says, and `extra_params`. Each as the inside of a JSON
//! string, escaped.

use super::draw::{Draws, Purpose};

macro_rules! closing {
    ($code:literal $reason:literal) => {
        concat!(
            r#"{\"status\":\"disconnected\",\"message\":{\"code\":"#,
            $code,
            r#",\"reason\":\""#,
            $reason,
            r#"\"}}"#
        )
    };
}

macro_rules! error {
    ($code:literal $text:literal) => {
        concat!(
            r#"{\"status\":\"error\",\"message\":{\"code\":"#,
            $code,
            r#",\"error\":\""#,
            $text,
            r#"\"}}"#
        )
    };
}

pub(crate) const CONNECTED: &str = r#"{\"status\":\"connected\"}"#;

/// The documentation shows 1006; the other codes are RFC 6455's, in the order of the scenario's weights.
pub(crate) const CLOSINGS: [&str; 5] = [
    closing!("1000" "Normal closure"),
    closing!("1001" "Going away"),
    closing!("1005" "No status received"),
    closing!("1006" "Abnormal closure"),
    closing!("1011" "Internal error"),
];

/// A guess: the error codes of `mod_audio_stream`, whose other messages are those that PIOPIY documents. Those
/// that a wrong or missing audio server gives.
pub(crate) const STREAM_ERRORS: [&str; 5] = [
    error!("1" "Socket error"),
    error!("2" "Invalid header"),
    error!("6" "Connection failed"),
    error!("8" "TLS handshake failed"),
    error!("10" "Timed out"),
];

/// How `extra_params` is written, in the order of the scenario's weights; the last is not at all.
pub(crate) fn write_extra_params(style: usize, draws: Draws, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let ticket = digits.format(100_000 + draws.below(Purpose::ExtraParamsValue, 0, 900_000)).as_bytes();
    let (before, after): (&[u8], &[u8]) = match style {
        0 => (br#"{\"ticket\":\"T-"#, br#"\"}"#),
        1 => (b"{ticket: T-", b"}"),
        2 => (b"{ 'Name': 'Akil', 'ID':", b" }"),
        _ => return,
    };
    out.extend_from_slice(before);
    out.extend_from_slice(ticket);
    out.extend_from_slice(after);
}

/// What a WebSocket's end is told as, unescaped.
pub(crate) fn closing(code: u16, reason: &str) -> String {
    let reason = serde_json::Value::from(reason);
    format!(r#"{{"status":"disconnected","message":{{"code":{code},"reason":{reason}}}}}"#)
}

/// What a WebSocket's failure is told as, unescaped.
pub(crate) fn stream_error(code: u16, error: &str) -> String {
    let error = serde_json::Value::from(error);
    format!(r#"{{"status":"error","message":{{"code":{code},"error":{error}}}}}"#)
}
