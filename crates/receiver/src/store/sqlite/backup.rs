use std::fs::File;
use std::path::Path;
use std::sync::PoisonError;

use super::super::StoreError;
use super::{SqliteRecords, create_private};

impl SqliteRecords {
    /// Writes the store as it is now to another file, which must not be there yet, while a receiver may go on. The copy
    /// is a store of its own, without the room that forgotten records had, and is synced to disk.
    ///
    /// # Errors
    /// Where the file is there already or cannot be written, or the store cannot be read.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| StoreError::Backup {
            path: to.to_owned(),
            source,
        };
        if to.exists() {
            return Err(failed(std::io::Error::from(std::io::ErrorKind::AlreadyExists).into()));
        }
        // SQLite writes to an empty file as well, and would make one that others may read.
        create_private(to)?;
        let copied = self.copy(to);
        if copied.is_err() {
            // The failure that led here is what is told.
            let _ = std::fs::remove_file(to);
        }
        copied.map_err(failed)
    }

    fn copy(&self, to: &Path) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let name = to.to_str().ok_or("its name is no UTF-8")?;
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        connection.execute("VACUUM INTO ?1", [name])?;
        // Which SQLite leaves to us.
        File::open(to)?.sync_all()?;
        Ok(())
    }
}
