//! PLAN: scenario and seed in, whole legal calls out. Pure: no clock, no socket, no runtime, no global randomness.

mod planned;

pub use planned::{PlannedCall, PlannedWebhook};
