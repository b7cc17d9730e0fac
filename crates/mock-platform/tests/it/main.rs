//! Integration tests of the mock platform.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod plan;
mod plan_legal;
mod plan_scenario;
