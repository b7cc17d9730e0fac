//! The values of documented fields: each a newtype that says its unit and keeps what came.

mod base64;
mod code;
mod id;
mod money;
mod nested;
mod number;
mod secret;
mod time;
mod vocabulary;
mod ws_status;

pub use base64::Base64;
pub use code::Code;
pub use id::{ConversationId, LegId, RequestId};
pub use money::{Money, Rate};
pub use nested::{Document, List, Map, Nested, OneOrMany};
pub use number::{AppId, Count, Flag, PhoneNumber, Seconds};
pub use secret::Secret;
pub use time::{EpochMillis, EpochSeconds};
pub use vocabulary::{Direction, DirectionKind, Leg, LegKind, PayloadType, Status, StatusKind, Text};
pub use ws_status::{WsDetail, WsReport, WsReportKind, WsStatus};

/// A field value that keeps any JSON value, with a constructor and a reading for the documented type. It has no order: what is kept is
/// a text, and by that 13 would be less than 9.
macro_rules! field_value {
    ($(#[$meta:meta])* $name:ident: $shape:ident) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(crate::Raw);

        impl $name {
            /// The value as it came.
            #[must_use]
            pub fn as_json(&self) -> &str {
                self.0.as_json()
            }

            /// The value as text, quoted or not.
            #[must_use]
            pub fn text(&self) -> std::borrow::Cow<'_, str> {
                self.0.plain()
            }
        }

        impl crate::FieldValue for $name {
            const SHAPE: crate::Shape = crate::Shape::$shape;

            fn from_raw(raw: crate::Raw) -> Self {
                Self(raw)
            }

            fn raw(&self) -> &crate::Raw {
                &self.0
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.text())
            }
        }
    };
}

/// A field value that is documented as a string.
macro_rules! string_value {
    ($(#[$meta:meta])* $name:ident) => {
        crate::field::string_value!(#[derive(PartialOrd, Ord)] $(#[$meta])* $name: Text);
    };
    ($(#[$meta:meta])* $name:ident: $shape:ident) => {
        crate::field::field_value!($(#[$meta])* $name: $shape);

        impl $name {
            /// A string, as documented.
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self(crate::Raw::string(text))
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    };
}

/// A field value that is documented as a whole number.
macro_rules! integer_value {
    ($(#[$meta:meta])* $name:ident, $(#[$read:meta])* $reading:ident) => {
        crate::field::field_value!($(#[$meta])* $name: Integer);

        impl $name {
            /// A number, as documented.
            #[must_use]
            pub fn new(value: i64) -> Self {
                Self(crate::Raw::number(value))
            }

            $(#[$read])*
            #[must_use]
            pub fn $reading(&self) -> Option<i64> {
                self.0.integer()
            }
        }

        impl From<i64> for $name {
            fn from(value: i64) -> Self {
                Self::new(value)
            }
        }
    };
}

pub(crate) use {field_value, integer_value, string_value};
