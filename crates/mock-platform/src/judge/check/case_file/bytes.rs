//! Bytes in a document: text where they are text, runs of one byte counted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One after another they are the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Part {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    /// How many times; once where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) times: Option<usize>,
}

/// A run this long is counted.
const RUN: usize = 256;
/// No document asks for more than this.
const MOST: usize = 256 << 20;

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    parts(bytes).serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let parts = Vec::<Part>::deserialize(deserializer)?;
    let mut bytes = Vec::new();
    for part in parts {
        let own = part.bytes().map_err(D::Error::custom)?;
        let times = part.times.unwrap_or(1);
        if own.len().saturating_mul(times).saturating_add(bytes.len()) > MOST {
            return Err(D::Error::custom(format!("more than {MOST} bytes")));
        }
        bytes.extend(own.repeat(times));
    }
    Ok(bytes)
}

/// Text, what is none, and runs.
pub(crate) fn parts(bytes: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let (mut from, mut at) = (0, 0);
    while at < bytes.len() {
        let length = bytes[at..].iter().take_while(|byte| **byte == bytes[at]).count();
        if length >= RUN {
            mixed(&bytes[from..at], &mut parts);
            let mut run = Vec::new();
            mixed(&bytes[at..=at], &mut run);
            parts.extend(run.into_iter().map(|part| Part { times: Some(length), ..part }));
            from = at + length;
        }
        at += length;
    }
    mixed(&bytes[from..], &mut parts);
    parts
}

fn mixed(bytes: &[u8], parts: &mut Vec<Part>) {
    if bytes.is_empty() {
        return;
    }
    let part = match std::str::from_utf8(bytes) {
        Ok(text) => Part { text: Some(text.to_owned()), ..Part::default() },
        Err(error) if error.valid_up_to() > 0 => {
            let (text, rest) = bytes.split_at(error.valid_up_to());
            mixed(text, parts);
            mixed(rest, parts);
            return;
        }
        Err(_) => {
            // Up to where it is text again, and that for long enough.
            let is_text =
                |at: &usize| bytes[*at..].len() >= 16 && std::str::from_utf8(&bytes[*at..*at + 16]).is_ok();
            let end = (1..bytes.len()).find(is_text).unwrap_or(bytes.len());
            parts.push(Part { base64: Some(STANDARD.encode(&bytes[..end])), ..Part::default() });
            mixed(&bytes[end..], parts);
            return;
        }
    };
    parts.push(part);
}

impl Part {
    /// Its bytes, once.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, String> {
        match (&self.text, &self.base64) {
            (Some(text), None) => Ok(text.clone().into_bytes()),
            (None, Some(coded)) => {
                STANDARD.decode(coded).map_err(|error| format!("{coded:?} is no Base64: {error}"))
            }
            _ => Err("bytes are either `text` or `base64`".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] Vec<u8>);

    fn round(bytes: &[u8]) -> String {
        let text = serde_json::to_string(&Holder(bytes.to_vec())).unwrap();
        assert_eq!(serde_json::from_str::<Holder>(&text).unwrap().0, bytes, "{text}");
        text
    }

    #[test]
    fn text_stays_text_and_runs_are_counted() {
        assert_eq!(round(b"POST / HTTP/1.1\r\n"), r#"[{"text":"POST / HTTP/1.1\r\n"}]"#);
        let long = [b"{".repeat(3), b"[".repeat(100_000), b"}".repeat(2)].concat();
        assert_eq!(round(&long), r#"[{"text":"{{{"},{"text":"[","times":100000},{"text":"}}"}]"#);
        assert_eq!(round(b"\xff\xfea"), r#"[{"base64":"//5h"}]"#);
        assert!(serde_json::from_str::<Holder>(r#"[{"text":"a","times":99999999999}]"#).is_err());
        assert!(serde_json::from_str::<Holder>(r#"[{"base64":"?"}]"#).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..600), run in 0_usize..600) {
            round(&bytes);
            round(&[&bytes[..], &b"x".repeat(run), &bytes[..]].concat());
        }
    }
}
