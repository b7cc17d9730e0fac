//! What is noted of records that were read, so that it is seen where the store has gone back, and the way to go back with it.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::{Changes, ForwardError, ForwardState, Start, failed, schema, signed};
use crate::forward::mark::{Mark, mark_of};
use crate::forward::post::read_one;
use crate::{Record, Records};

/// Marks of so many of the last records are kept.
const KEPT: u64 = 1 << 16;

impl ForwardState {
    /// Whether the store has another record than the last one that a destination has had, or ends before it: it went back, as
    /// after a failover to a standby that had not got everything. What it has stored since is not forwarded until
    /// [`ForwardState::rewind`] says where to go on.
    ///
    /// # Errors
    /// Where there is no such destination, or the file or the store cannot be read.
    pub fn has_store_gone_back(&self, name: &str, records: &dyn Records) -> Result<bool, ForwardError> {
        let (read_through, mark) = self.place(name)?;
        has_gone_back(records, read_through, mark)
    }

    /// The last `seq` of which it is known that a destination has had what the store has there: of the last one that it had, and
    /// of every 64th of the 65,536 before. `None` where none is.
    ///
    /// # Errors
    /// Where there is no such destination, or the file or the store cannot be read.
    pub fn last_common(&self, name: &str, records: &dyn Records) -> Result<Option<u64>, ForwardError> {
        let (read_through, mark) = self.place(name)?;
        let last = mark.map(|mark| (read_through, mark));
        for (seq, mark) in last.into_iter().chain(self.marks(name)?) {
            if read_one(records, seq)?.is_some_and(|record| mark_of(&record) == mark) {
                return Ok(Some(seq));
            }
        }
        Ok(None)
    }

    /// Asks that a destination go on behind this `seq`, which it has been through: it gets all that the store has there, what it had
    /// before as well. What was given up behind it is not listed any more once the forwarder has seen this.
    ///
    /// # Errors
    /// Where there is no such destination, it has not come to there, or the file cannot be written.
    pub fn rewind(&mut self, name: &str, to: u64) -> Result<(), ForwardError> {
        let read_through = self.read_through(name)?.ok_or_else(|| self.no_destination(name))?;
        if to > read_through {
            return Err(ForwardError::NotBack { name: name.to_owned(), to, read_through });
        }
        let sql = "UPDATE destination SET rewind_to = ?2 WHERE name = ?1";
        self.connection.execute(sql, params![name, signed(to)]).map_err(failed("rewind"))?;
        Ok(())
    }

    /// Goes back where somebody asked for it; what the destination then starts with.
    pub(in crate::forward) fn go_back(&mut self, name: &str) -> Result<Option<Start>, ForwardError> {
        if self.orders(name, 0, 0)?.rewind_to.is_none() {
            return Ok(None);
        }
        let gone = self.try_go_back(name).map_err(failed("rewind"))?;
        if gone { self.start(name).map(Some) } else { Ok(None) }
    }

    fn try_go_back(&mut self, name: &str) -> rusqlite::Result<bool> {
        let transaction = self.write()?;
        let sql = "SELECT rewind_to FROM destination WHERE name = ?1";
        let asked: Option<Option<i64>> = transaction.query_row(sql, [name], |row| row.get(0)).optional()?;
        let Some(to) = asked.flatten() else { return Ok(false) };
        transaction.execute(
            "UPDATE destination SET rewind_to = NULL, read_through = ?2, \
            mark = (SELECT mark FROM mark WHERE destination = ?1 AND seq = ?2) WHERE name = ?1",
            params![name, to],
        )?;
        for table in ["unsettled", "replay", "dead", "mark"] {
            let sql = format!("DELETE FROM {table} WHERE destination = ?1 AND seq > ?2");
            transaction.execute(&sql, params![name, to])?;
        }
        transaction.commit()?;
        Ok(true)
    }

    /// The last record that a destination has been through, and what tells it from another, where that is known. At once, for a
    /// forwarder may go on meanwhile.
    pub(super) fn place(&self, name: &str) -> Result<(u64, Option<Mark>), ForwardError> {
        let mark = if self.version < schema::WITH_MARKS { "NULL" } else { "mark" };
        let sql = format!("SELECT read_through, {mark} FROM destination WHERE name = ?1");
        let row: rusqlite::Result<Option<(i64, Option<Mark>)>> =
            self.connection.query_row(&sql, [name], |row| Ok((row.get(0)?, row.get(1)?))).optional();
        let (seq, mark) =
            row.map_err(failed("read a destination"))?.ok_or_else(|| self.no_destination(name))?;
        Ok((seq.unsigned_abs(), mark))
    }

    /// The same of others, the last of the store first.
    fn marks(&self, name: &str) -> Result<Vec<(u64, Mark)>, ForwardError> {
        if self.version < schema::WITH_MARKS {
            return Ok(Vec::new());
        }
        let fail = failed("read the marks");
        let sql = "SELECT seq, mark FROM mark WHERE destination = ?1 ORDER BY seq DESC";
        let mut statement = self.connection.prepare_cached(sql).map_err(&fail)?;
        let rows = statement.query_map([name], |row| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get(1)?)));
        rows.and_then(Iterator::collect).map_err(fail)
    }
}

/// Whether the store does not have what was read last, `read_through`, or has something else in its place. A record that was
/// deleted says nothing.
pub(in crate::forward) fn has_gone_back(
    records: &dyn Records,
    read_through: u64,
    mark: Option<Mark>,
) -> Result<bool, ForwardError> {
    if read_through == 0 {
        return Ok(false);
    }
    let is_other = |record: &Record| mark.is_some_and(|mark| mark != mark_of(record));
    Ok(match read_one(records, read_through)? {
        Some(record) => is_other(&record),
        None => records.last_seq()? < read_through,
    })
}

/// Writes the marks of what was read.
pub(super) fn save(transaction: &Transaction<'_>, name: &str, changes: &Changes) -> rusqlite::Result<()> {
    if changes.marks.is_empty() {
        return Ok(());
    }
    let mut insert = transaction
        .prepare_cached("INSERT OR REPLACE INTO mark (destination, seq, mark) VALUES (?1, ?2, ?3)")?;
    for &(seq, mark) in &changes.marks {
        insert.execute(params![name, signed(seq), mark])?;
    }
    let sql = "DELETE FROM mark WHERE destination = ?1 AND seq < ?2";
    let oldest = changes.read_through.saturating_sub(KEPT);
    transaction.prepare_cached(sql)?.execute(params![name, signed(oldest)])?;
    Ok(())
}
