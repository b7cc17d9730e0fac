use std::borrow::Cow;
use std::fmt;

use compact_str::CompactString;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::error::ParseError;
use super::escape;
use super::scan::{self, Limits};

/// One JSON value, kept as the text that came: digits, escapes, inner white space and all.
///
/// Two values are equal when their texts are. Reading is separate: [`Raw::text`], [`Raw::integer`].
///
/// # Examples
/// ```
/// use piopiy_events::Raw;
///
/// let big: Raw = "9007199254740993".parse()?;
/// assert_eq!(big.as_json(), "9007199254740993");
/// assert_eq!(big.integer(), Some(9_007_199_254_740_993));
/// assert_eq!(Raw::string("a\"b").as_json(), r#""a\"b""#);
/// # Ok::<(), piopiy_events::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Raw(CompactString);

/// The type of a JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "JSON's own six names")]
#[expect(clippy::exhaustive_enums, reason = "JSON has these six types")]
pub enum JsonType {
    Null,
    Boolean,
    Number,
    String,
    Array,
    Object,
}

impl Raw {
    /// A token that is known to be valid JSON, without surrounding white space.
    pub(crate) fn from_token(token: &str) -> Self {
        debug_assert!(scan::value(token.as_bytes(), &Limits::NONE).is_ok(), "not one JSON value: {token}");
        Self(CompactString::new(token))
    }

    /// The string `text`.
    #[must_use]
    pub fn string(text: &str) -> Self {
        let mut token = String::with_capacity(text.len() + 2);
        escape::encode(text, &mut token);
        Self(CompactString::from(token))
    }

    /// The number `value`.
    #[must_use]
    pub fn number(value: i64) -> Self {
        Self(CompactString::new(itoa::Buffer::new().format(value)))
    }

    /// `true` or `false`.
    #[must_use]
    pub fn boolean(value: bool) -> Self {
        Self(CompactString::const_new(if value { "true" } else { "false" }))
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(CompactString::const_new("null"))
    }

    /// The value as JSON text, just as it came.
    #[must_use]
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// The type, told from the first byte.
    #[must_use]
    pub fn json_type(&self) -> JsonType {
        JsonType::of(self.0.as_bytes().first().copied().unwrap_or(b'n'))
    }

    /// The text of a string value, else `None`. A lone surrogate escape reads as U+FFFD.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        Some(escape::decode(inner))
    }

    /// The value for a reader who does not care whether it was quoted: the text of a string, the JSON text of
    /// anything else.
    #[must_use]
    pub fn plain(&self) -> Cow<'_, str> {
        self.text().unwrap_or_else(|| Cow::Borrowed(self.as_json()))
    }

    /// The value in the form in which identities compare it: as [`plain`](Self::plain), but with one spelling for
    /// each value. A backslash is doubled, and a lone surrogate written `\udxxx`.
    pub(crate) fn compared(&self) -> Cow<'_, str> {
        match self.json_type() {
            JsonType::String => escape::compared(&self.0[1..self.0.len() - 1]),
            JsonType::Array | JsonType::Object => escape::doubled(escape::respelt(&self.0).into()),
            _ => Cow::Borrowed(self.as_json()),
        }
    }

    /// The value as an integer, from a number or a string of digits: `12`, `12.0`, `"12"`, `" 12"`. `None` where it is
    /// not whole, does not fit 64 bits, is no number, or is written with an exponent or a plus sign, neither of which
    /// the wire has been seen with.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        let digits = match self.json_type() {
            JsonType::Number => Cow::Borrowed(self.as_json()),
            JsonType::String => self.text()?,
            _ => return None,
        };
        integer(&digits)
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0 == "null"
    }
}

/// The integer that a text is, white space around it aside; see [`Raw::integer`].
pub(crate) fn integer(text: &str) -> Option<i64> {
    let number = text.trim_ascii();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte == b'0') || whole.starts_with('+') {
        return None;
    }
    whole.parse().ok()
}

impl JsonType {
    pub(crate) fn of(first: u8) -> Self {
        match first {
            b'{' => Self::Object,
            b'[' => Self::Array,
            b'"' => Self::String,
            b't' | b'f' => Self::Boolean,
            b'n' => Self::Null,
            _ => Self::Number,
        }
    }
}

impl fmt::Display for JsonType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        })
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Any one JSON value, of any size and depth. Like [`Webhook::parse`](crate::Webhook::parse) it refuses an object, at
/// any depth, that has a key twice with different values.
impl std::str::FromStr for Raw {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        scan::value(text.as_bytes(), &Limits::NONE).map(Self::from_token)
    }
}

impl From<i64> for Raw {
    fn from(value: i64) -> Self {
        Self::number(value)
    }
}

impl From<&str> for Raw {
    fn from(text: &str) -> Self {
        Self::string(text)
    }
}

impl From<bool> for Raw {
    fn from(value: bool) -> Self {
        Self::boolean(value)
    }
}

/// Only `serde_json`'s writers of text leave the value as it came. Its `to_value` reads the number anew, and loses
/// digits or refuses; other formats write something that does not read back.
impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_json(self.as_json().to_owned(), serializer)
    }
}

/// Only from `serde_json`'s readers of text; the nesting is limited as by [`Limits::default`].
impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_json(deserializer, |json, limits| scan::value(json, limits).map(Self::from_token))
    }
}

/// Reads with `read` the text that `serde_json` hands over, within the limits that apply to it.
pub(crate) fn deserialize_json<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl FnOnce(&[u8], &Limits) -> Result<T, ParseError>,
) -> Result<T, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    read(raw.get().as_bytes(), &Limits::DESERIALIZED).map_err(D::Error::custom)
}

/// Serialises JSON text through `serde_json` untouched.
pub(crate) fn serialize_json<S: Serializer>(json: String, serializer: S) -> Result<S::Ok, S::Error> {
    use serde::ser::Error as _;
    RawValue::from_string(json).map_err(S::Error::custom)?.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_read_from_numbers_and_digit_strings() {
        fn check(json: &str, expected: Option<i64>) {
            assert_eq!(json.parse::<Raw>().unwrap().integer(), expected, "{json}");
        }
        check("12", Some(12));
        check("-12", Some(-12));
        check("12.0", Some(12));
        check("12.5", None);
        check(r#""04471000000""#, Some(4_471_000_000));
        check(r#"" 918035731375""#, Some(918_035_731_375));
        check("9007199254740993", Some(9_007_199_254_740_993));
        check("123456789012345678901234567890", None);
        check("1e400", None);
        check("1e2", None);
        check("-0", Some(0));
        check(r#"" 12.0 ""#, Some(12));
        check(r#"" -12""#, Some(-12));
        check(r#""+12""#, None);
        check(r#""- 12""#, None);
        check(r#""12 .0""#, None);
        check(r#""12.""#, None);
        check(r#""\u00a012""#, None);
        check("null", None);
        check(r#""""#, None);
        check("{}", None);
    }
}
