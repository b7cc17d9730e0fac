//! JSON as it came: a scanner that validates once, and tokens that keep every digit.
//!
//! `serde_json` is not used to read payloads, because its data model rounds numbers, forgets key order and
//! lets the last of two equal keys win. This layer keeps the text of each value instead, and leaves reading
//! it as a number or a time to the typed fields.

pub(crate) mod error;
pub(crate) mod escape;
pub(crate) mod raw;
pub(crate) mod scan;

pub use error::{ParseError, ParseErrorKind};
pub use raw::{JsonType, Raw};
pub use scan::{Limits, Member};
