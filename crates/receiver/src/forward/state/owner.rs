//! Of which store a state is, and which forwarder has it.

use std::path::PathBuf;
use std::time::Duration;

use rusqlite::OptionalExtension as _;

use super::{ForwardError, ForwardState, failed, schema};
use crate::Records;
use crate::file_lock::FileLock;

/// How often the lock is asked for once more, and after how long.
const LOCK_TRIES: u32 = 10;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

impl ForwardState {
    /// Whether it is the state of this store, as far as is known.
    ///
    /// # Errors
    /// Where it is of another store, or one of the two cannot be read.
    pub fn check_store(&self, records: &dyn Records) -> Result<(), ForwardError> {
        if !schema::tells_the_store(&self.connection).map_err(failed("read of which store it is"))? {
            return Ok(());
        }
        let sql = "SELECT id FROM store";
        let noted: rusqlite::Result<Option<String>> =
            self.connection.query_row(sql, [], |row| row.get(0)).optional();
        match (noted.map_err(failed("read of which store it is"))?, records.store_id()?) {
            (Some(noted), Some(id)) if noted != id => {
                Err(ForwardError::OtherStore { path: self.path.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Makes it the state of this store, where it is of none yet.
    pub(in crate::forward) fn belong_to(&mut self, records: &dyn Records) -> Result<(), ForwardError> {
        if let Some(id) = records.store_id()? {
            let sql = "INSERT INTO store VALUES (1, ?1) ON CONFLICT DO NOTHING";
            self.connection.execute(sql, [id]).map_err(failed("note of which store it is"))?;
        }
        self.check_store(records)
    }

    /// Keeps every other forwarder away for as long as this lives: both would deliver everything. A file of its own, for SQLite
    /// loses its locks where its file is opened beside it.
    pub(in crate::forward) fn lock(&mut self) -> Result<(), ForwardError> {
        if !self.is_in_file() {
            return Ok(());
        }
        let mut tries = 0;
        self._lock = loop {
            match self.try_lock()? {
                // A command that only looks whether anybody has it lets go at once.
                None if tries < LOCK_TRIES => std::thread::sleep(LOCK_PAUSE),
                None => return Err(ForwardError::InUse { path: self.path.clone() }),
                taken => break taken,
            }
            tries += 1;
        };
        Ok(())
    }

    /// The lock, unless a forwarder has it.
    pub(super) fn try_lock(&self) -> Result<Option<FileLock>, ForwardError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        FileLock::take(&path).map_err(|source| ForwardError::Create { path, source })
    }
}
