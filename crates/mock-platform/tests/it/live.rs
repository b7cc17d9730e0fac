//! Live calls: what the platform asks an application, what it does about the answer, and what it tells its receiver.

mod app;
mod console;
mod control;
mod described;
mod documented;
mod edges;
mod expecting;
mod files;
mod flow;
mod lifetime;
mod listening;
mod open_stream;
mod readme;
mod resetting;
mod rest;
mod rest_codes;
mod rest_ids;
mod rest_refusals;
mod secrets;
mod secure;
mod stories;
mod strangers;
mod stream;
mod stream_check;
mod told;
mod transfers;
