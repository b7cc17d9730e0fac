use std::path::Path;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::Connection;

use super::super::StoreError;
use super::schema;
use crate::record::Room;
use crate::{Record, Records};

/// Reads a store of [`SqliteStore`](super::SqliteStore), also while a receiver writes to it.
#[derive(Debug)]
pub struct SqliteRecords {
    pub(super) connection: Mutex<Connection>,
}

impl SqliteRecords {
    /// Opens the store in this file, read-only.
    ///
    /// # Errors
    /// Where there is no such file, or it is damaged, something else's or of a newer version.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let connection = Mutex::new(schema::open_to_read(path.as_ref())?);
        Ok(Self { connection })
    }

    /// How many bytes the file has once its log is copied into it.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn file_bytes(&self) -> Result<u64, StoreError> {
        self.count("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size")
    }

    fn count(&self, sql: &str) -> Result<u64, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let count: rusqlite::Result<i64> = connection.query_row(sql, [], |row| row.get(0));
        Ok(count.map_err(StoreError::while_doing("count"))?.unsigned_abs())
    }
}

impl Records for SqliteRecords {
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.page(seq, limit, usize::MAX)
    }

    fn page(&self, seq: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let seq = i64::try_from(seq).unwrap_or(i64::MAX);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        read(&connection, seq, limit, max_bytes).map_err(StoreError::while_doing("read"))
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let last = schema::last_seq(&connection).map_err(StoreError::while_doing("read"))?;
        Ok(last.unsigned_abs())
    }

    fn store_id(&self) -> Result<Option<String>, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let id = schema::store_id(&connection).map_err(StoreError::while_doing("read"))?;
        Ok(Some(format!("{id:016x}")))
    }

    fn webhook_count(&self) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM webhook")
    }

    fn quarantine_count(&self) -> Result<u64, StoreError> {
        self.count("SELECT count(*) FROM quarantine")
    }
}

fn read(connection: &Connection, seq: i64, limit: i64, max_bytes: usize) -> rusqlite::Result<Vec<Record>> {
    let mut room = Room::new(max_bytes);
    let sql = "SELECT seq, received_at, body, NULL FROM webhook WHERE seq > ?1 \
        UNION ALL SELECT seq, received_at, body, reason FROM quarantine WHERE seq > ?1 \
        ORDER BY seq LIMIT ?2";
    let mut statement = connection.prepare_cached(sql)?;
    statement
        .query_map((seq, limit), |row| {
            Ok(Record {
                seq: row.get::<_, i64>(0)?.unsigned_abs(),
                received_at: row.get(1)?,
                body: Bytes::from(row.get::<_, Vec<u8>>(2)?),
                reason: row.get(3)?,
            })
        })?
        .take_while(|record| record.as_ref().map_or(true, |record| room.takes(record)))
        .collect()
}
