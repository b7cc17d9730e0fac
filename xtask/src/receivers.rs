//! The receivers that the tests and runs post to, as processes.

mod careful;
mod documented;
mod durable;
mod install;

pub(crate) use careful::{Careful, Flaw};
pub(crate) use documented::Documented;
pub(crate) use durable::{Durable, Kept};
pub(crate) use install::{npm_ci, venv, venv_python};
