use std::fs::File;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::params;

use super::{ForwardState, failed};
use crate::ForwardError;

impl ForwardState {
    /// The `seq` up to which no destination needs a record any more: all have been through them, and none is in hand or
    /// asked for again. `None` where there is no destination. What was given up holds nothing back.
    ///
    /// A destination that is paused, or is forwarded to no more, is one all the same.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn settled_through(&self) -> Result<Option<u64>, ForwardError> {
        let sql = "SELECT min(seq) FROM (\
            SELECT read_through AS seq FROM destination \
            UNION ALL SELECT min(seq) - 1 FROM unsettled \
            UNION ALL SELECT min(seq) - 1 FROM replay) \
            WHERE seq IS NOT NULL AND EXISTS (SELECT 1 FROM destination)";
        let least: rusqlite::Result<Option<i64>> =
            self.connection.query_row(sql, params![], |row| row.get(0));
        let least = least.map_err(failed("find what is settled"))?;
        Ok(least.map(|seq| seq.max(0).unsigned_abs()))
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
