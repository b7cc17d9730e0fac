//! `piopiy-mock serve`: the platform as a process of its own.

mod process;
mod reloading;
mod starting;
mod tls;
