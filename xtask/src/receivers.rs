//! The receivers that the tests and runs post to, as processes.

mod documented;
mod durable;

pub(crate) use documented::Documented;
pub(crate) use durable::{Durable, Kept};
