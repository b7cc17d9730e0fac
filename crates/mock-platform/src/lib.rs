//! A PIOPIY that runs on a laptop or in CI: plans whole legal calls and delivers their webhooks.

pub mod deliver;
pub mod judge;
pub mod plan;
pub mod platform;

pub use platform::MockPlatform;
