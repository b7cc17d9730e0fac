//! Integration tests of the receiver, by what they look at.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

mod auth;
mod backup;
mod call;
mod cli;
mod cli_shell;
mod dashboard;
mod deadlines;
mod dedupe;
mod drain;
mod extractor;
mod failing_store;
mod forget;
mod formats;
mod forward;
mod handlers;
mod http;
mod import;
mod malformed;
mod model;
mod observe;
mod page;
mod parquet;
mod postgres;
mod readme;
mod retention;
mod serve;
mod sqlite;
mod store;
mod support;
mod surroundings;
mod tls;
mod traces;
mod verify;
