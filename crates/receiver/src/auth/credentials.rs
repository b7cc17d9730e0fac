use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, Uri, header};
use subtle::ConstantTimeEq as _;

/// A secret in the URL: the last segment of the path, or `?token=`. It is compared in constant time and never shown.
#[derive(Clone)]
pub struct Token(String);

/// Why a text is no [`Token`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a token is made of letters, digits and - . _ ~ only, and not empty, for it must fit into a URL as it is"
)]
#[non_exhaustive]
pub struct InvalidToken;

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if text.is_empty() || !text.bytes().all(fits) {
            return Err(InvalidToken);
        }
        Ok(Self(text.to_owned()))
    }
}

impl Token {
    /// Whether these bytes are the token.
    pub(crate) fn is(&self, bytes: &[u8]) -> bool {
        bytes.ct_eq(self.0.as_bytes()).into()
    }

    pub(super) fn is_in(&self, uri: &Uri) -> bool {
        let is_this = |text: &str| self.is(text.as_bytes());
        let last_segment = uri.path().rsplit('/').next().unwrap_or_default();
        let in_query =
            |query: &str| query.split('&').filter_map(|pair| pair.strip_prefix("token=")).any(is_this);
        is_this(last_segment) || uri.query().is_some_and(in_query)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Basic credentials (RFC 7617). They are compared in constant time and never shown.
#[derive(Clone)]
pub struct Basic {
    /// `user:password` in base 64.
    encoded: String,
}

impl Basic {
    /// The credentials of this user; a user name has no colon.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        Self { encoded: STANDARD.encode(format!("{user}:{password}")) }
    }

    pub(super) fn is_in(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes()) else {
            return false;
        };
        value.split_at_checked(6).is_some_and(|(scheme, credentials)| {
            scheme.eq_ignore_ascii_case(b"basic ")
                && bool::from(credentials.trim_ascii().ct_eq(self.encoded.as_bytes()))
        })
    }
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Basic(…)")
    }
}
