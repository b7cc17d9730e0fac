//! The crate as its users see it.

mod fixtures;
mod fuzzing;
mod pcmo;
mod properties;
mod requests;
mod rest;
mod samples;
mod schemas;
mod stream;
