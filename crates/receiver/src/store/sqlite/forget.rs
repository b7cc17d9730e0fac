//! Forgetting the oldest records, and giving their room back, a little at a time.
//!
//! Records go from the front alone, so what is left has no gaps, and the runs of the index go whole.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::super::forget::Oldest;
use super::super::{Forget, Forgotten, StoreError};
use super::{SqliteStore, Writer, schema};

/// Index entries that go at once, besides the records.
const INDEX_ENTRIES: usize = 4096;

impl SqliteStore {
    pub(super) fn try_forget(&mut self, what: &Forget) -> Result<Forgotten, StoreError> {
        let mut writer = self.take_writer()?;
        let forgotten = writer.forget(what).map_err(StoreError::while_doing("forget records"));
        self.keep_writer(writer, forgotten.as_ref().err());
        forgotten
    }

    pub(super) fn try_give_back(&mut self, pages: u32) -> Result<u64, StoreError> {
        let mut writer = self.take_writer()?;
        let left = writer.give_back(&self.path, pages);
        self.keep_writer(writer, left.as_ref().err());
        left
    }

    /// Makes the file as small as it can be, and such that it gives room back while it is open from now on. Nobody else
    /// may use it meanwhile, which takes as long as to write it anew.
    ///
    /// # Errors
    /// Where the store fails, or the disk has no room for a second one.
    pub fn vacuum(&mut self) -> Result<(), StoreError> {
        let writer = self.take_writer()?;
        let sql = "PRAGMA auto_vacuum=INCREMENTAL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
        let vacuumed = writer.connection.execute_batch(sql).map_err(StoreError::while_doing("vacuum"));
        self.keep_writer(writer, vacuumed.as_ref().err());
        vacuumed
    }
}

impl Writer {
    fn forget(&mut self, what: &Forget) -> rusqlite::Result<Forgotten> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let oldest = oldest(&transaction, what, self.last_seq)?;
        if let Some(last) = oldest.last {
            for table in ["webhook", "quarantine"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE seq <= ?1"), [last])?;
            }
        }
        let begins = schema::first_seq(&transaction)?;
        self.is_in_step = false;
        let is_forgotten = self.seen.forget(&transaction, begins, INDEX_ENTRIES)?;
        transaction.commit()?;
        self.first_seq = begins;
        self.is_in_step = true;
        self.checkpoints.after_commit(&self.connection);
        let forgotten = oldest.forgotten();
        Ok(Forgotten { is_done: forgotten.is_done && is_forgotten, ..forgotten })
    }

    fn give_back(&mut self, path: &Path, pages: u32) -> Result<u64, StoreError> {
        let fail = StoreError::while_doing("give room back");
        if !schema::gives_back(&self.connection).map_err(&fail)? {
            return Err(StoreError::Rigid { path: path.to_owned() });
        }
        let (given, left) = give_back(&self.connection, pages).map_err(&fail)?;
        // The file becomes shorter with the checkpoint.
        if given > 0 && left == 0 {
            self.checkpoints.begin();
        }
        self.checkpoints.after_commit(&self.connection);
        Ok(left)
    }
}

fn oldest(connection: &Connection, what: &Forget, last_seq: i64) -> rusqlite::Result<Oldest> {
    // Of a body that is not looked at, its length is known without reading it.
    let sql = "SELECT seq, received_at, length(body) FROM webhook \
        UNION ALL SELECT seq, received_at, length(body) FROM quarantine \
        ORDER BY seq LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut oldest = Oldest::of(what, last_seq);
    let mut rows = statement.query([oldest.limit()])?;
    while let Some(row) = rows.next()? {
        if !oldest.take(row.get(0)?, row.get(1)?, row.get(2)?) {
            break;
        }
    }
    Ok(oldest)
}

/// How many pages were given back, and how many are left.
fn give_back(connection: &Connection, pages: u32) -> rusqlite::Result<(u64, u64)> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    // Each row is a page that was given back.
    let mut given = 0;
    while rows.next()?.is_some() {
        given += 1;
    }
    let left: i64 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    Ok((given, left.unsigned_abs()))
}
