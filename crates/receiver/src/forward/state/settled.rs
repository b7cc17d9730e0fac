//! What of the store nobody needs any more, and copies of the state.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::OptionalExtension as _;

use super::{ForwardState, failed, schema};
use crate::ForwardError;

/// Up to where a destination needs no record any more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// Its name.
    pub destination: String,
    /// The last `seq` that it does not need.
    pub through: u64,
}

impl ForwardState {
    /// The `seq` up to which no destination needs a record any more: all have been through them, and none is in hand or
    /// asked for again, or is to be gone through once more. `None` where there is no destination. What was given up holds nothing back.
    ///
    /// A destination that is paused, or is forwarded to no more, is one all the same.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn settled_through(&self) -> Result<Option<u64>, ForwardError> {
        Ok(self.last_settled()?.map(|last| last.through))
    }

    /// Which destination needs the oldest record, and up to where even that needs none. `None` where there is no destination.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn last_settled(&self) -> Result<Option<Settled>, ForwardError> {
        let rewind_to = if self.version < schema::WITH_MARKS { "NULL" } else { "rewind_to" };
        let sql = format!(
            "SELECT name, min( \
            read_through, \
            ifnull({rewind_to}, read_through), \
            ifnull((SELECT min(seq) - 1 FROM unsettled WHERE destination = name), read_through), \
            ifnull((SELECT min(seq) - 1 FROM replay WHERE destination = name), read_through)) AS through \
            FROM destination ORDER BY through, name LIMIT 1"
        );
        let last: rusqlite::Result<Option<Settled>> = self
            .connection
            .query_row(&sql, [], |row| {
                Ok(Settled { destination: row.get(0)?, through: row.get::<_, i64>(1)?.max(0).unsigned_abs() })
            })
            .optional();
        last.map_err(failed("find what is settled"))
    }
}

impl ForwardState {
    /// Copies the file as it is now, while a forwarder may go on, to another that is not there yet.
    ///
    /// # Errors
    /// Where the other file is there or cannot be written.
    pub fn backup(&self, to: &Path) -> Result<(), ForwardError> {
        let create = |source| ForwardError::Create { path: to.to_owned(), source };
        // Read by its owner only; SQLite takes an empty file as if there were none.
        let file = File::options().write(true).create_new(true).mode(0o600).open(to).map_err(create)?;
        let open = |source| ForwardError::Open { path: to.to_owned(), source };
        self.connection.execute("VACUUM INTO ?1", [&*to.to_string_lossy()]).map_err(open)?;
        file.sync_all().map_err(create)
    }
}
