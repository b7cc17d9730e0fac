//! Making the filter small again, after much was forgotten: a filter forgets nothing by itself.

use rusqlite::Connection;

use super::super::bloom::Bloom;
use super::super::runs;
use super::Seen;

/// A filter in the making, of what the index still has.
#[derive(Debug)]
pub(super) struct Renewal {
    bloom: Bloom,
    /// The last entry of the runs on disk that was taken in: run, hash and `seq`.
    cursor: (i64, i64, i64),
}

impl Renewal {
    pub(super) fn insert(&mut self, hash: i64, seq: i64) {
        self.bloom.insert(hash.cast_unsigned(), seq);
    }
}

impl Seen {
    /// Begins a new filter where more than half of this one is of what was forgotten, or goes on with it, by up to `limit`
    /// entries; whether there is nothing to do.
    ///
    /// What comes meanwhile, and what is written into a run meanwhile, is put into the new one, too; what no run has is
    /// taken from memory at the end. So nothing is missed, wherever the cursor is.
    pub(super) fn renew(&mut self, connection: &Connection, limit: usize) -> rusqlite::Result<bool> {
        if self.renewal.is_none() {
            let live = self.bloom.len().saturating_sub(self.stale);
            if self.stale < self.run_rows || self.stale <= live {
                return Ok(true);
            }
            let bloom = Bloom::new(live, self.filter_bytes);
            self.renewal = Some(Renewal { bloom, cursor: (i64::MIN, i64::MIN, i64::MIN) });
            self.stale = 0;
        }
        let Some(mut renewal) = self.renewal.take() else {
            return Ok(true);
        };
        let entries = runs::after(connection, renewal.cursor, limit)?;
        for &(_, hash, seq) in &entries {
            renewal.insert(hash, seq);
        }
        match entries.last() {
            Some(&last) if entries.len() == limit => {
                renewal.cursor = last;
                self.renewal = Some(renewal);
                Ok(false)
            }
            _ => {
                let leaving = self.leaving.iter().flat_map(|leaving| &leaving.entries);
                for (hash, seq) in leaving.copied().chain(self.recent.iter()) {
                    renewal.insert(hash, seq);
                }
                self.bloom = renewal.bloom;
                Ok(true)
            }
        }
    }
}
