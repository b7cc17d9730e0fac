//! The PostgreSQL server that tests share, each with a database of its own. Where PostgreSQL is not installed there is
//! none, and `cargo xtask test` says so.

use std::sync::LazyLock;

use piopiy_postgres::Postgres;
use piopiy_receiver::{PostgresUrl, StoreLocation};

/// It need not outlive its machine, so it need not wait for the disk.
static SHARED: LazyLock<Option<Postgres>> = LazyLock::new(start);

pub(crate) fn shared() -> Option<&'static Postgres> {
    SHARED.as_ref()
}

/// A server of one's own.
pub(crate) fn start() -> Option<Postgres> {
    piopiy_postgres::programs()?;
    Some(Postgres::start(&["fsync=off", "max_connections=200"]).unwrap())
}

/// A store in a database that is empty.
pub(crate) fn fresh() -> Option<StoreLocation> {
    fresh_url().map(StoreLocation::Postgres)
}

pub(crate) fn fresh_url() -> Option<PostgresUrl> {
    shared().map(|server| server.database().unwrap().parse().unwrap())
}
