//! Looking for what is wrong with a store's file.

use std::fmt;
use std::sync::PoisonError;

use piopiy_events::{Limits, Webhook};
use rusqlite::{Connection, ErrorCode};

use super::super::StoreError;
use super::seen::Hasher;
use super::{SqliteRecords, runs, schema};

/// Something that is wrong with a store, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreFault {
    /// The record that it is about; `None` where it is about none by itself.
    pub seq: Option<u64>,
    /// What is wrong.
    pub text: String,
}

impl StoreFault {
    /// What is wrong with a record, or with the store.
    #[must_use]
    pub fn new(seq: Option<u64>, text: impl Into<String>) -> Self {
        Self { seq, text: text.into() }
    }
}

impl fmt::Display for StoreFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            Some(seq) => write!(f, "record {seq}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Faults that SQLite tells at most.
const MOST_TOLD: u32 = 100;

impl SqliteRecords {
    /// Reads the store as it is now from now on, whatever is written to it. Its log cannot start over meanwhile.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn freeze(&self) -> Result<(), StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        // A transaction begins with what it reads first; this much can be read of a damaged file, too.
        let begin = "BEGIN; SELECT count(*) FROM sqlite_schema;";
        connection.execute_batch(begin).map_err(StoreError::while_doing("read"))
    }

    /// Looks whether the file is whole, each webhook is stored by what makes it itself, and the index knows all that it
    /// should: what a look at the records alone cannot tell. Each fault is told as it is found. Says whether the records are
    /// worth looking at: what is read from a damaged file is as likely to be wrong as what is looked for.
    ///
    /// # Errors
    /// Where the store cannot be read at all.
    pub fn verify(&self, found: &mut dyn FnMut(StoreFault)) -> Result<bool, StoreError> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let fail = StoreError::while_doing("verify");
        if !file(&connection, found).map_err(&fail)? {
            return Ok(false);
        }
        let indexed_upto = schema::meta(&connection, "indexed_upto").map_err(&fail)?;
        let last_seq = schema::last_seq(&connection).map_err(&fail)?;
        if indexed_upto > last_seq {
            let text = format!(
                "the index says that it reaches up to record {indexed_upto}, and the last is {last_seq}"
            );
            found(StoreFault::new(None, text));
        }
        rows(&connection, indexed_upto, found).map_err(&fail)?;
        Ok(true)
    }
}

/// What SQLite itself says of the file; whether that is all well.
fn file(connection: &Connection, found: &mut dyn FnMut(StoreFault)) -> rusqlite::Result<bool> {
    let mut is_well = true;
    let mut tell = |what: &str| {
        is_well = false;
        found(StoreFault::new(None, format!("the file is damaged: {what}")));
    };
    match integrity(connection, &mut tell) {
        // So much that it cannot even look.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
            tell(&error.to_string());
        }
        looked => looked?,
    }
    Ok(is_well)
}

fn integrity(connection: &Connection, tell: &mut dyn FnMut(&str)) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({MOST_TOLD})"))?;
    let mut lines = statement.query([])?;
    while let Some(line) = lines.next()? {
        let line = line.get_ref(0)?.as_str()?;
        if line != "ok" {
            tell(line);
        }
    }
    Ok(())
}

/// Whether each webhook has the identity that its body says, and the index an entry for it where it should.
fn rows(
    connection: &Connection,
    indexed_upto: i64,
    found: &mut dyn FnMut(StoreFault),
) -> rusqlite::Result<()> {
    let hasher = Hasher::load(connection)?;
    let runs = runs::all(connection)?;
    let mut statement = connection.prepare("SELECT seq, identity, body FROM webhook ORDER BY seq")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let identity = row.get_ref(1)?.as_str()?;
        let mut tell = |text: String| found(StoreFault::new(Some(seq.unsigned_abs()), text));
        let webhook = Webhook::parse_within(row.get_ref(2)?.as_blob()?, &Limits::NONE).ok();
        let said = webhook.and_then(|webhook| webhook.identity());
        // What is no webhook is seen by whoever reads the records.
        if let Some(said) = said.map(|said| said.key()).filter(|said| said != identity) {
            tell(format!("it is stored as {identity}, and its body is {said}"));
        }
        if seq <= indexed_upto && !runs::has(connection, &runs, hasher.hash(identity), seq)? {
            tell("the index does not know it: a repeat of it would be taken for new".to_owned());
        }
    }
    Ok(())
}
