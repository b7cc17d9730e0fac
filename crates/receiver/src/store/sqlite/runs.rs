//! The sorted runs of the index on disk: entries of neighbouring rows, ordered by hash.

use rusqlite::Connection;

use super::seen::IndexEntry;

/// A run, named after the first `seq` that it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Run(i64);

impl Run {
    pub(super) fn starting_at(seq: i64) -> Self {
        Self(seq)
    }
}

/// Visits run and hash of every entry, run by run.
pub(super) fn each(connection: &Connection, mut visit: impl FnMut(Run, i64)) -> rusqlite::Result<()> {
    let mut entries = connection.prepare("SELECT run, hash FROM seen ORDER BY run")?;
    let mut entries = entries.query([])?;
    while let Some(entry) = entries.next()? {
        visit(Run(entry.get(0)?), entry.get(1)?);
    }
    Ok(())
}

/// The rows of a run that have this hash.
pub(super) fn candidates(connection: &Connection, run: Run, hash: i64) -> rusqlite::Result<Vec<i64>> {
    connection
        .prepare_cached("SELECT seq FROM seen WHERE run = ?1 AND hash = ?2")?
        .query_map((run.0, hash), |row| row.get(0))?
        .collect()
}

/// Writes a part of a run. What a broken-off attempt wrote before is left as it is.
pub(super) fn write(connection: &Connection, run: Run, entries: &[IndexEntry]) -> rusqlite::Result<()> {
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO seen (run, hash, seq) VALUES (?1, ?2, ?3)")?;
    for (hash, seq) in entries {
        insert.execute((run.0, hash, seq))?;
    }
    Ok(())
}
