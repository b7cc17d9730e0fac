//! Integration tests of the mock platform.
#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod check;
mod check_cli;
mod check_report;
mod check_strays;
mod cli;
mod cli_ending;
mod cli_replay;
mod deliver;
mod explore;
mod failures;
mod judge;
mod ledger;
mod library;
mod live;
mod load;
mod load_audit;
mod load_course;
mod load_reports;
mod load_secure;
mod load_sockets;
mod plan;
mod plan_cli;
mod plan_legal;
mod plan_scenario;
mod receivers;
mod receiving;
mod serve;
