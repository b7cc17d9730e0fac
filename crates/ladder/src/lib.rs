//! The ladder of a call as SVG, and what the pages around it share.
//!
//! The console of `piopiy-mock` and the page of `piopiy-receiver` say what passed between whom ([`Rung`], [`Lane`]); how
//! that looks is said here, once. This is an unofficial project, not affiliated with TeleCMI.
//!
//! # Examples
//! ```
//! use piopiy_ladder::{Ladder, Lane, Presence, Rung};
//!
//! let lanes = vec![
//!     Lane::new("caller", "caller", Presence::Always),
//!     Lane::new("platform", "platform", Presence::Always),
//! ];
//! let rungs = vec![Rung::new(0, 0, 1, "person", "calls", "/rows/0")];
//! let drawn = Ladder::new("Ladder of call 4", lanes, rungs).draw().into_string();
//! assert!(drawn.contains(r#"aria-label="0.000 calls, caller to platform""#));
//! ```

mod drawing;
mod page;
mod times;

pub use drawing::{Ladder, Lane, Presence, Rung, Tone};
pub use page::{head, in_words};
pub use times::{date_of, since, utc};

/// The style of a page: colours, light and dark, and whatever is on both pages.
pub const STYLE: &str = include_str!("style.css");

/// Keeps a page up to date: what has `data-live` is put in anew when `/events` says that something has changed, and the
/// focus stays where it was. Nothing needs it.
pub const SCRIPT: &str = include_str!("script.js");

/// What a page may load and do: nothing from elsewhere, and nothing that stands in the page.
pub const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; media-src 'self'; \
                          img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
