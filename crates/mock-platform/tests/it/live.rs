//! Live calls: what the platform asks an application, what it does about the answer, and what it tells its receiver.

mod app;
mod console;
mod control;
mod documented;
mod edges;
mod expecting;
mod files;
mod flow;
mod lifetime;
mod listening;
mod open_stream;
mod rest;
mod resetting;
mod rest_codes;
mod rest_refusals;
mod rest_ids;
mod rest_refusals;
mod secrets;
mod secure;
mod stories;
mod stream;
mod stream_check;
mod strangers;
