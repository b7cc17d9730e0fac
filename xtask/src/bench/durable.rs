//! Webhooks received durably: as fast as they are acknowledged, beside the same receiver without a disk and beside one that stores
//! nothing; with many stored; and at a rate, beside what the disk itself takes.

use super::rounds::{Goal, Row, Section, Series};
use super::{Effort, RECEIVER_CORE, load};

mod clients;
mod contender;
mod disk;
mod filled;
mod pace;
mod rates;
mod size;

pub(super) use self::pace::pace;
pub(super) use self::rates::rates;
pub(super) use self::size::size;

const CONNECTIONS: usize = 64;
/// What the receiver counts, in `/metrics`.
const STORED: &str = "piopiy_receiver_appended_total";
const COMMITS: &str = "piopiy_receiver_commit_seconds_count";

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// How rates are shown.
fn per_second(rate: f64) -> String {
    format!("{rate:.0} webhooks/s")
}

/// How ratios are shown.
fn percent(ratio: f64) -> String {
    format!("{:.0} %", ratio * 100.0)
}

/// How times are shown.
fn us(us: f64) -> String {
    format!("{us:.1} µs")
}
