//! The receivers that the tests and runs post to, as processes.

mod documented;

pub(crate) use documented::Documented;
