use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::codec::hex_bytes;

/// A body, byte for byte: text where it is UTF-8, else hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// UTF-8.
    Text(String),
    /// Anything else.
    #[serde(with = "hex_bytes")]
    #[schemars(with = "String")]
    Hex(Vec<u8>),
}

impl Body {
    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Hex(bytes) => bytes,
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Hex(error.into_bytes()),
        }
    }
}
