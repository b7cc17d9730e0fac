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

    /// The first `seq` that it may hold. It reaches up to where the next run begins.
    pub(super) fn first(self) -> i64 {
        self.0
    }

    /// Whether all rows of the runs before it are older than this one.
    pub(super) fn is_not_after(self, seq: i64) -> bool {
        self.0 <= seq
    }
}

/// Visits run, hash and `seq` of every entry, run by run.
pub(super) fn each(connection: &Connection, mut visit: impl FnMut(Run, i64, i64)) -> rusqlite::Result<()> {
    let mut entries = connection.prepare("SELECT run, hash, seq FROM seen ORDER BY run")?;
    let mut entries = entries.query([])?;
    while let Some(entry) = entries.next()? {
        visit(Run(entry.get(0)?), entry.get(1)?, entry.get(2)?);
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

/// All runs, oldest first.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Run>> {
    let mut next = connection.prepare("SELECT min(run) FROM seen WHERE run > ?1")?;
    let mut runs = Vec::new();
    let mut last = i64::MIN;
    while let Some(run) = next.query_row([last], |row| row.get::<_, Option<i64>>(0))? {
        runs.push(Run(run));
        last = run;
    }
    Ok(runs)
}

/// Whether the run that a row should be in has an entry for it.
pub(super) fn has(connection: &Connection, runs: &[Run], hash: i64, seq: i64) -> rusqlite::Result<bool> {
    let Some(run) = runs.partition_point(|run| run.0 <= seq).checked_sub(1).map(|at| runs[at]) else {
        return Ok(false);
    };
    connection
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM seen WHERE run = ?1 AND hash = ?2 AND seq = ?3)")?
        .query_row((run.0, hash, seq), |row| row.get(0))
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

/// Removes up to `limit` entries of a run; how many there were.
pub(super) fn remove(connection: &Connection, run: Run, limit: usize) -> rusqlite::Result<usize> {
    let sql = "DELETE FROM seen WHERE (run, hash, seq) IN (SELECT run, hash, seq FROM seen WHERE run = ?1 LIMIT ?2)";
    connection.prepare_cached(sql)?.execute((run.0, i64::try_from(limit).unwrap_or(i64::MAX)))
}

/// Up to `limit` entries behind one: run, hash and `seq`, in this order.
pub(super) fn after(
    connection: &Connection,
    (run, hash, seq): (i64, i64, i64),
    limit: usize,
) -> rusqlite::Result<Vec<(i64, i64, i64)>> {
    let sql = "SELECT run, hash, seq FROM seen WHERE (run, hash, seq) > (?1, ?2, ?3) ORDER BY run, hash, seq LIMIT ?4";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    connection
        .prepare_cached(sql)?
        .query_map((run, hash, seq, limit), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect()
}
