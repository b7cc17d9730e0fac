//! What was given up.

use rusqlite::params;

use super::{CHUNK, DeadLetter, ForwardError, ForwardState, failed, signed};

impl ForwardState {
    /// The webhooks that were given up for a destination, in the order of the store.
    ///
    /// # Errors
    /// Where there is no such destination, or the file cannot be read.
    pub fn dead_letters(&self, name: &str) -> Result<Vec<DeadLetter>, ForwardError> {
        let mut letters = self.last_dead_letters(name, usize::MAX)?;
        letters.reverse();
        Ok(letters)
    }

    /// So many of them at most, the last of the store first.
    pub(crate) fn last_dead_letters(&self, name: &str, most: usize) -> Result<Vec<DeadLetter>, ForwardError> {
        self.read_through(name)?.ok_or_else(|| self.no_destination(name))?;
        let sql = "SELECT seq, attempts, error, died_at FROM dead WHERE destination = ?1 ORDER BY seq DESC LIMIT ?2";
        let fail = failed("read the dead letters");
        let mut statement = self.connection.prepare_cached(sql).map_err(&fail)?;
        let rows = statement.query_map(params![name, signed(most as u64)], |row| {
            Ok(DeadLetter {
                seq: row.get::<_, i64>(0)?.unsigned_abs(),
                attempts: row.get(1)?,
                error: row.get(2)?,
                died_at: row.get(3)?,
            })
        });
        rows.and_then(Iterator::collect).map_err(fail)
    }

    /// Forgets that these were given up for a destination; those that it does not have are passed over. What was asked to be
    /// delivered again is all the same. Returns how many those were.
    ///
    /// # Errors
    /// Where there is no such destination, or the file cannot be written.
    pub fn discard(&mut self, name: &str, seqs: impl IntoIterator<Item = u64>) -> Result<u64, ForwardError> {
        self.read_through(name)?.ok_or_else(|| self.no_destination(name))?;
        let fail = failed("discard dead letters");
        let mut seqs = seqs.into_iter().peekable();
        let mut count = 0;
        // A receiver that runs saves between the chunks.
        while seqs.peek().is_some() {
            let transaction = self.write().map_err(&fail)?;
            for seq in seqs.by_ref().take(CHUNK) {
                let sql = "DELETE FROM dead WHERE destination = ?1 AND seq = ?2";
                count += transaction.execute(sql, params![name, signed(seq)]).map_err(&fail)? as u64;
            }
            transaction.commit().map_err(&fail)?;
        }
        Ok(count)
    }

    /// Whom a webhook was given up for, by name; none where there is nobody.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn dead_for(&self, seq: u64) -> Result<Vec<(String, DeadLetter)>, ForwardError> {
        let sql = "SELECT name, attempts, error, died_at FROM destination JOIN dead ON destination = name AND seq = ?1 ORDER BY name";
        let fail = failed("read the dead letters");
        let mut statement = self.connection.prepare_cached(sql).map_err(&fail)?;
        let rows = statement.query_map([signed(seq)], |row| {
            let (attempts, error, died_at) = (row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((row.get(0)?, DeadLetter { seq, attempts, error, died_at }))
        });
        rows.and_then(Iterator::collect).map_err(fail)
    }
}
