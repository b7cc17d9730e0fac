//! The tables, their version, and telling a store from any other file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};
use siphasher::sip::SipHasher13;
use std::hash::{BuildHasher as _, RandomState};

use super::super::StoreError;

/// Marks the file as a store of this program: "PIOP" in ASCII.
const APPLICATION_ID: i64 = 0x5049_4F50;

/// The version that this program writes.
const VERSION: i64 = 1;

/// `identity` is [`Identity::key`](piopiy_events::Identity::key), a JSON array. The view takes it apart for those who
/// query the file with SQL; columns of the table, generated ones too, would cost each insert.
const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE webhook (
    seq INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    identity TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE VIEW webhook_fields AS SELECT
    seq,
    received_at,
    identity ->> 0 AS kind,
    identity ->> 1 AS cmiuuid,
    identity ->> 2 AS leg,
    identity ->> 3 AS status,
    CASE WHEN json_valid(CAST(body AS TEXT)) THEN CAST(body AS TEXT) ->> 'conversation_uuid' END AS conversation_uuid,
    CAST(body AS TEXT) AS body
FROM webhook;
CREATE TABLE quarantine (
    seq INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE TABLE seen (run INTEGER, hash INTEGER, seq INTEGER, PRIMARY KEY (run, hash, seq)) STRICT, WITHOUT ROWID;
";

/// Opens the store for its one writer, and makes it where there is none.
pub(super) fn open(path: &Path, gives_back: bool) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags)?;
    let fail = |source| tell(path, source);
    if is_new(&connection).map_err(fail)? {
        create(&connection, gives_back).map_err(fail)?;
    }
    check(&connection, path)?;
    let mode: String = connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).map_err(fail)?;
    if mode != "wal" {
        // Readers and the writer would wait for one another.
        return Err(StoreError::NoLog { path: path.to_owned(), mode });
    }
    connection
        .execute_batch("PRAGMA synchronous=FULL; PRAGMA cache_size=-8192; PRAGMA wal_autocheckpoint=0;")
        .map_err(fail)?;
    Ok(connection)
}

/// Opens an existing store to read it while a receiver may write.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    if !path.exists() {
        return Err(StoreError::NotFound { path: path.to_owned() });
    }
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    check(&connection, path)?;
    Ok(connection)
}

/// Opens the file for checkpoints alone.
pub(super) fn open_to_checkpoint(path: &Path) -> Result<Connection, StoreError> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection
        .execute_batch("PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0;")
        .map_err(|source| tell(path, source))?;
    Ok(connection)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags).map_err(|source| tell(path, source))?;
    connection.busy_timeout(Duration::from_secs(5)).map_err(|source| tell(path, source))?;
    Ok(connection)
}

/// Says what a failure to open means.
fn tell(path: &Path, source: rusqlite::Error) -> StoreError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path, source },
        _ => StoreError::Open { path, source },
    }
}

fn is_new(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

fn create(connection: &Connection, gives_back: bool) -> rusqlite::Result<()> {
    if gives_back {
        // Only before there is a table.
        connection.execute_batch("PRAGMA auto_vacuum=INCREMENTAL")?;
    }
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {TABLES} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};"
    ))?;
    let mut insert = connection.prepare("INSERT INTO meta VALUES (?1, ?2)")?;
    // The standard library's seed differs from process to process and place to place; the key keeps senders from
    // choosing identities whose hashes collide.
    let secret = |salt: u8| RandomState::new().hash_one(salt).cast_signed();
    for (key, value) in
        [("hash_key_0", secret(0)), ("hash_key_1", secret(1)), ("indexed_upto", 0), ("probes", 0)]
    {
        insert.execute((key, value))?;
    }
    connection.execute_batch("COMMIT")
}

fn check(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let pragma = |name| {
        connection.query_row(name, [], |row| row.get::<_, i64>(0)).map_err(|source| tell(path, source))
    };
    if pragma("PRAGMA application_id")? != APPLICATION_ID {
        return Err(StoreError::Foreign { path: path.to_owned() });
    }
    match pragma("PRAGMA user_version")? {
        // The first version that there is: nothing older to migrate from yet.
        found if found <= VERSION => Ok(()),
        found => Err(StoreError::Newer { path: path.to_owned(), found, known: VERSION }),
    }
}

/// The `seq` of the last record.
pub(super) fn last_seq(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT max(coalesce((SELECT max(seq) FROM webhook), 0), coalesce((SELECT max(seq) FROM quarantine), 0))";
    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))
}

/// The `seq` of the oldest record that is left; 1 where there is none.
pub(super) fn first_seq(connection: &Connection) -> rusqlite::Result<i64> {
    let sql = "SELECT min(coalesce((SELECT min(seq) FROM webhook), max_seq), coalesce((SELECT min(seq) FROM quarantine), max_seq)) \
        FROM (SELECT 9223372036854775807 AS max_seq)";
    let first: i64 = connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(if first == i64::MAX { 1 } else { first })
}

/// Whether the file was made to give room back while it is open.
pub(super) fn gives_back(connection: &Connection) -> rusqlite::Result<bool> {
    const INCREMENTAL: i64 = 2;
    connection.query_row("PRAGMA auto_vacuum", [], |row| row.get(0)).map(|mode: i64| mode == INCREMENTAL)
}

/// What tells this store from every other: it follows from the store's key, and does not give that away.
pub(super) fn store_id(connection: &Connection) -> rusqlite::Result<u64> {
    let key = |name| meta(connection, name).map(i64::cast_unsigned);
    Ok(SipHasher13::new_with_keys(key("hash_key_0")?, key("hash_key_1")?).hash(b"the store itself"))
}

pub(super) fn meta(connection: &Connection, key: &str) -> rusqlite::Result<i64> {
    connection
        .query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))
        .optional()
        .map(Option::unwrap_or_default)
}

pub(super) fn set_meta(connection: &Connection, key: &str, value: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?.execute((key, value)).map(drop)
}

/// Writes something that changes no record, so that a commit shows whether the disk takes it.
pub(super) fn probe(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE meta SET value = value + 1 WHERE key = 'probes'", []).map(drop)
}
