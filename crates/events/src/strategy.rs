//! Strategies for `proptest`: a value of every payload, made of ranges and selections, and smaller ones when a
//! test fails.
//!
//! # Examples
//! ```
//! use piopiy_events::{Profile, strategy};
//! use proptest::prelude::*;
//!
//! proptest!(ProptestConfig::with_cases(16), |(webhook in strategy::webhook(Profile::Global))| {
//!     prop_assert_eq!(webhook.validate(Profile::Global).findings, []);
//! });
//! ```

mod documented;
mod json;
mod shaped;

pub use documented::{cdr, live_event, webhook};
pub use json::{any_json, any_object, any_webhook};
pub use shaped::{action, object, pcmo, stream_message};
