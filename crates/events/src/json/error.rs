use std::fmt;

/// Why an input is not a JSON document that this crate reads, and where.
///
/// # Examples
/// ```
/// use piopiy_events::{ParseErrorKind, Webhook};
///
/// let error = Webhook::parse(br#"{"status":"missed","status":"answered"}"#).unwrap_err();
/// assert_eq!(error.kind(), &ParseErrorKind::DuplicateKey);
/// assert_eq!(error.pointer(), "/status");
/// assert_eq!(error.offset(), 19);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseError {
    kind: ParseErrorKind,
    pointer: String,
    offset: usize,
}

/// What is wrong with an input; see [`ParseError`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseErrorKind {
    /// The input has more bytes than the limit.
    #[error("{size} bytes are over the limit of {limit}")]
    TooLarge {
        /// Bytes of the input.
        size: usize,
        /// The limit that applied, in bytes.
        limit: usize,
    },
    /// The input is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// Something else than what JSON's grammar allows here.
    #[error("not JSON: expected {expected}")]
    Syntax {
        /// What the grammar allows at this place.
        expected: &'static str,
    },
    /// The input ends inside the document (an empty input too).
    #[error("not JSON: the input ends where {expected} is expected")]
    UnexpectedEnd {
        /// What the grammar allows at this place.
        expected: &'static str,
    },
    /// A JSON document, but not an object.
    #[error("expected a JSON object, found {found}")]
    NotAnObject {
        /// The type that was found.
        found: super::JsonType,
    },
    /// A JSON document, but not an array.
    #[error("expected a JSON array, found {found}")]
    NotAnArray {
        /// The type that was found.
        found: super::JsonType,
    },
    /// Bytes other than white space after the document.
    #[error("bytes after the end of the document")]
    TrailingBytes,
    /// One object has the same key twice, with different values. What white space stands in them and how their
    /// strings are spelt does not matter; digits, the order of members and their own repeats do.
    #[error("the same key twice, with different values")]
    DuplicateKey,
    /// Arrays and objects are nested deeper than the limit.
    #[error("nested deeper than the limit of {limit}")]
    TooDeep {
        /// The limit that applied, in levels.
        limit: usize,
    },
}

impl ParseError {
    pub(crate) fn new(kind: ParseErrorKind, pointer: String, offset: usize) -> Self {
        Self { kind, pointer, offset }
    }

    /// What is wrong.
    #[must_use]
    pub fn kind(&self) -> &ParseErrorKind {
        &self.kind
    }

    /// Where: the JSON pointer (RFC 6901) of the value that was being read; empty for the whole document.
    #[must_use]
    pub fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Where: the offset of the offending byte, from the start of the input (a byte order mark counts).
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind, self.offset)?;
        if !self.pointer.is_empty() {
            write!(f, " ({})", self.pointer)?;
        }
        Ok(())
    }
}

impl std::error::Error for ParseError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}
