//! A PIOPIY that runs on a laptop or in CI: plans whole legal calls and delivers their webhooks.

pub mod plan;
