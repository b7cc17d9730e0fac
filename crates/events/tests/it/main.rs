//! The crate as its users see it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

mod calls;
mod fixtures;
mod fuzzing;
mod objects;
mod pcmo;
mod properties;
mod readme;
mod requests;
mod rest;
mod samples;
mod schemas;
mod spelling;
mod stream;
mod validation;
