//! Forgetting the oldest records, and giving their room back, a little at a time.
//!
//! Records go from the front alone, so what is left has no gaps, and the runs of the index go whole.

use rusqlite::{Connection, TransactionBehavior};

use super::super::{Forget, Forgotten, StoreError};
use super::{SqliteStore, Writer, schema};

/// Index entries that go at once, besides the records.
const INDEX_ENTRIES: usize = 4096;

impl SqliteStore {
    pub(super) fn try_forget(&mut self, what: &Forget) -> Result<Forgotten, StoreError> {
        let mut writer = self.take_writer()?;
        let forgotten = writer.forget(what).map_err(StoreError::while_doing("forget records"))?;
        self.writer = Some(writer);
        Ok(forgotten)
    }

    pub(super) fn try_give_back(&mut self, pages: u32) -> Result<u64, StoreError> {
        let mut writer = self.take_writer()?;
        if !schema::gives_back(&writer.connection).map_err(StoreError::while_doing("give room back"))? {
            let path = self.path.clone();
            self.writer = Some(writer);
            return Err(StoreError::Rigid { path });
        }
        let left = give_back(&writer.connection, pages).map_err(StoreError::while_doing("give room back"))?;
        // The file becomes shorter with the checkpoint.
        writer.checkpoints.after_commit(&writer.connection);
        self.writer = Some(writer);
        Ok(left)
    }

    /// Makes the file as small as it can be, and such that it gives room back while it is open from now on. Nobody else
    /// may use it meanwhile, which takes as long as to write it anew.
    ///
    /// # Errors
    /// Where the store fails, or the disk has no room for a second one.
    pub fn vacuum(&mut self) -> Result<(), StoreError> {
        let writer = self.take_writer()?;
        let sql = "PRAGMA auto_vacuum=INCREMENTAL; VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
        writer.connection.execute_batch(sql).map_err(StoreError::while_doing("vacuum"))?;
        self.writer = Some(writer);
        Ok(())
    }

    pub(super) fn take_writer(&mut self) -> Result<Writer, StoreError> {
        match self.writer.take() {
            Some(writer) => Ok(writer),
            None => Writer::open(&self.path, &self.options),
        }
    }
}

impl Writer {
    fn forget(&mut self, what: &Forget) -> rusqlite::Result<Forgotten> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let bound = i64::try_from(what.up_to).unwrap_or(i64::MAX).min(self.last_seq - 1);
        let (records, last) = oldest(&transaction, what, bound)?;
        let mut is_done = records < what.limit;
        if let Some(last) = last {
            for table in ["webhook", "quarantine"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE seq <= ?1"), [last])?;
            }
        }
        let begins = schema::first_seq(&transaction)?;
        is_done &= self.seen.forget(&transaction, begins, INDEX_ENTRIES)?;
        transaction.commit()?;
        self.first_seq = begins;
        self.checkpoints.after_commit(&self.connection);
        Ok(Forgotten::new(records as u64, is_done))
    }
}

/// How many of the oldest records may go, and the `seq` of the last of them.
fn oldest(connection: &Connection, what: &Forget, bound: i64) -> rusqlite::Result<(usize, Option<i64>)> {
    let sql = "SELECT seq, received_at FROM webhook UNION ALL SELECT seq, received_at FROM quarantine \
        ORDER BY seq LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([i64::try_from(what.limit).unwrap_or(i64::MAX)])?;
    let (mut records, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        let (seq, received_at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if seq > bound || received_at >= what.received_before {
            break;
        }
        records += 1;
        last = Some(seq);
    }
    Ok((records, last))
}

fn give_back(connection: &Connection, pages: u32) -> rusqlite::Result<u64> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    // Each row is a page that was given back.
    while rows.next()?.is_some() {}
    let left: i64 = connection.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    Ok(left.unsigned_abs())
}
