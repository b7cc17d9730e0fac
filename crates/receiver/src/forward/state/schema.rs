//! The tables of a forwarder's state, and their version.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use super::ForwardError;

/// Marks the file: "PIOF" in ASCII.
const APPLICATION_ID: i64 = 0x5049_4F46;

/// How to come from each version to the next; the first makes everything. What is listed here is in files: add, and change
/// nothing.
const MIGRATIONS: [&str; 4] = [
    "
CREATE TABLE destination (
    name TEXT PRIMARY KEY,
    read_through INTEGER NOT NULL,
    is_paused INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE TABLE unsettled (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE dead (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    died_at INTEGER NOT NULL,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE replay (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
",
    // Of which store it is, and when what failed is to be tried again, in microseconds since the epoch.
    "
CREATE TABLE store (is_only INTEGER PRIMARY KEY CHECK (is_only = 1), id TEXT NOT NULL) STRICT;
ALTER TABLE unsettled ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
",
    // How long what failed was to wait when it did, in microseconds; 0 where that is not known.
    "
ALTER TABLE unsettled ADD COLUMN wait INTEGER NOT NULL DEFAULT 0;
",
    // Whether the forwarder that started last delivers to it; what tells the last record that was read, and some of those
    // before, from others in their places; and the order to go back.
    "
ALTER TABLE destination ADD COLUMN is_wanted INTEGER NOT NULL DEFAULT 1;
ALTER TABLE destination ADD COLUMN mark INTEGER;
ALTER TABLE destination ADD COLUMN rewind_to INTEGER;
CREATE TABLE mark (
    destination TEXT NOT NULL,
    seq INTEGER NOT NULL,
    mark INTEGER NOT NULL,
    PRIMARY KEY (destination, seq)
) STRICT, WITHOUT ROWID;
",
];

/// The version that first said whether a destination is delivered to, and had marks and orders to go back.
pub(super) const WITH_MARKS: usize = 4;

/// The version that this program writes.
pub(super) const VERSION: usize = MIGRATIONS.len();

/// Makes the tables where the file is empty, and brings older ones to this version; all of it or nothing.
pub(super) fn bring_up(connection: &mut Connection, path: &Path) -> Result<(), ForwardError> {
    let fail = |source| ForwardError::Open { path: path.to_owned(), source };
    // Without a lock where there is nothing to do: a receiver may be writing.
    if version(connection, path)? == VERSION {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
    // Somebody else may have done it meanwhile.
    for migration in MIGRATIONS.iter().skip(version(&transaction, path)?) {
        transaction.execute_batch(migration).map_err(fail)?;
    }
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {VERSION};");
    transaction.execute_batch(&marks).map_err(fail)?;
    transaction.commit().map_err(fail)
}

/// The version of a file that can be read as it is: this one or an older one.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<usize, ForwardError> {
    match version(connection, path)? {
        0 => Err(ForwardError::Foreign { path: path.to_owned() }),
        version => Ok(version),
    }
}

/// Whether it can say of which store it is, which the first version did not.
pub(super) fn tells_the_store(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'store'", [], |row| row.get(0))
}

/// The version of the tables, 0 where there are none.
fn version(connection: &Connection, path: &Path) -> Result<usize, ForwardError> {
    let number = |sql| {
        connection
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|source| ForwardError::Open { path: path.to_owned(), source })
    };
    if number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(0);
    }
    let found = number("PRAGMA user_version")?;
    match usize::try_from(found) {
        Ok(version @ 1..) if number("PRAGMA application_id")? == APPLICATION_ID => {
            if version <= VERSION {
                Ok(version)
            } else {
                Err(ForwardError::Newer {
                    path: path.to_owned(),
                    found,
                    known: i64::try_from(VERSION).unwrap_or(i64::MAX),
                })
            }
        }
        _ => Err(ForwardError::Foreign { path: path.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_version_becomes_this_one_and_keeps_what_it_had() {
        let mut connection = Connection::open_in_memory().unwrap();
        let path = Path::new("old.forward");
        let old = format!(
            "{} INSERT INTO destination VALUES ('app', 7, 1); INSERT INTO unsettled VALUES ('app', 5, 3, 'status 500');
            PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;",
            MIGRATIONS[0]
        );
        connection.execute_batch(&old).unwrap();
        for _ in 0..2 {
            bring_up(&mut connection, path).unwrap();
            assert_eq!(version(&connection, path).unwrap(), VERSION);
            let sql = "SELECT read_through, seq, attempts, due + wait FROM destination JOIN unsettled ON destination = name";
            let row = connection.query_row(sql, [], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, i64>(3)?,
                ))
            });
            assert_eq!(row.unwrap(), (7, 5, 3, 0));
        }
        connection.execute_batch("PRAGMA user_version = 99").unwrap();
        let error = bring_up(&mut connection, path).unwrap_err();
        assert!(matches!(error, ForwardError::Newer { found: 99, known: 4, .. }), "{error}");
        connection.execute_batch("PRAGMA user_version = 1; PRAGMA application_id = 1").unwrap();
        assert!(matches!(bring_up(&mut connection, path), Err(ForwardError::Foreign { .. })));
    }
}
