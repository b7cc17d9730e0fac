//! Which identities were seen: a log-structured index, for identities are uniformly random and a B-tree keyed by
//! them would touch another page of the disk for each.
//!
//! An identity is known by its keyed 64-bit hash. A [`Bloom`] filter of all hashes tells nearly every fresh webhook
//! apart at once. What passes the filter is looked up in memory (the newest rows), then in sorted runs on disk,
//! newest first, in those alone that have rows of which the filter says it. A hit is a candidate: the identity in the row
//! decides, so equal hashes never lose a webhook.
//!
//! Invariants:
//! * A row with `seq <= indexed_upto` has an entry in a run; every other row is rebuilt into memory at the start.
//! * A run is written a slice per batch, and counts (`indexed_upto`) in the transaction that completes it.
//! * What a transaction has added is apart until that is committed ([`Seen::committed`]), so that one that is rolled back
//!   leaves nothing behind ([`Seen::rolled_back`]).

mod renewal;

use rusqlite::{Connection, OptionalExtension as _};
use siphasher::sip::SipHasher13;

use self::renewal::Renewal;
use super::bloom::Bloom;
use super::entries::Entries;
use super::runs::{self, Run};
use super::{SqliteOptions, schema};

/// A hash and the `seq` of its row.
pub(super) type IndexEntry = (i64, i64);

#[derive(Debug)]
pub(super) struct Seen {
    hasher: Hasher,
    bloom: Bloom,
    /// Entries of rows that are not committed yet; nothing else knows of them.
    fresh: Entries,
    /// Entries of rows that no run holds yet.
    recent: Entries,
    /// The entries that are being written to disk.
    leaving: Option<Leaving>,
    /// Runs on disk, oldest first.
    runs: Vec<Run>,
    indexed_upto: i64,
    run_rows: usize,
    filter_bytes: usize,
    /// How many hashes in the filter are of runs that are gone.
    stale: usize,
    renewal: Option<Renewal>,
}

/// A run in the making.
#[derive(Debug)]
struct Leaving {
    run: Run,
    /// The `seq` that the run reaches up to.
    upto: i64,
    entries: Vec<IndexEntry>,
    /// How many are on disk, and with those of a transaction that is not committed yet.
    kept: usize,
    written: usize,
}

/// The keyed hash of an identity; tests put a worse one in its place.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hasher {
    Keyed(SipHasher13),
    #[cfg(test)]
    Length,
}

impl Hasher {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let key = |name| schema::meta(connection, name).map(i64::cast_unsigned);
        Ok(Self::Keyed(SipHasher13::new_with_keys(key("hash_key_0")?, key("hash_key_1")?)))
    }

    pub(super) fn hash(self, identity: &str) -> i64 {
        match self {
            Self::Keyed(hasher) => hasher.hash(identity.as_bytes()).cast_signed(),
            #[cfg(test)]
            Self::Length => identity.len() as i64,
        }
    }
}

impl Seen {
    /// Reads the runs into the filter, and the rows that no run holds into memory.
    pub(super) fn load(connection: &Connection, options: &SqliteOptions) -> rusqlite::Result<Self> {
        Self::load_with(connection, options, Hasher::load(connection)?)
    }

    pub(super) fn load_with(
        connection: &Connection,
        options: &SqliteOptions,
        hasher: Hasher,
    ) -> rusqlite::Result<Self> {
        let indexed_upto = schema::meta(connection, "indexed_upto")?;
        let records = schema::last_seq(connection)? + 1 - schema::first_seq(connection)?;
        let expected = usize::try_from(records).unwrap_or_default();
        let mut seen = Self {
            hasher,
            bloom: Bloom::new(expected, options.filter_bytes),
            fresh: Entries::default(),
            recent: Entries::default(),
            leaving: None,
            runs: Vec::new(),
            indexed_upto,
            run_rows: options.run_rows.max(1),
            filter_bytes: options.filter_bytes,
            stale: 0,
            renewal: None,
        };
        runs::each(connection, |run, hash, seq| {
            if seen.runs.last() != Some(&run) {
                seen.runs.push(run);
            }
            seen.bloom.insert(hash.cast_unsigned(), seq);
        })?;
        let mut rows = connection.prepare("SELECT seq, identity FROM webhook WHERE seq > ?1")?;
        let mut rows = rows.query([indexed_upto])?;
        while let Some(row) = rows.next()? {
            let hash = hasher.hash(row.get_ref(1)?.as_str()?);
            seen.take_in(hash, row.get(0)?);
        }
        Ok(seen)
    }

    pub(super) fn hash(&self, identity: &str) -> i64 {
        self.hasher.hash(identity)
    }

    /// The bytes that the filter may take.
    pub(super) fn filter_bytes(&self) -> usize {
        self.filter_bytes
    }

    /// The bytes that the filter would take, where it has to do with less.
    pub(super) fn wanted_filter_bytes(&self) -> Option<usize> {
        self.bloom.wanted_bytes()
    }

    /// The `seq` of the row with this identity.
    pub(super) fn find(
        &self,
        connection: &Connection,
        hash: i64,
        identity: &str,
    ) -> rusqlite::Result<Option<i64>> {
        for seq in self.fresh.of(hash) {
            if has_identity(connection, seq, identity)? {
                return Ok(Some(seq));
            }
        }
        if !self.bloom.contains(hash.cast_unsigned()) {
            return Ok(None);
        }
        for seq in self.recent.of(hash) {
            if has_identity(connection, seq, identity)? {
                return Ok(Some(seq));
            }
        }
        if let Some(leaving) = &self.leaving {
            let from = leaving.entries.partition_point(|entry| *entry < (hash, 0));
            let candidates = leaving.entries[from..].iter().take_while(|entry| entry.0 == hash);
            for &(_, seq) in candidates {
                if has_identity(connection, seq, identity)? {
                    return Ok(Some(seq));
                }
            }
        }
        // A repeat comes within half an hour as a rule: the newest runs first.
        let mut before = i64::MAX;
        for &run in self.runs.iter().rev() {
            let (first, last) = (run.first(), before - 1);
            before = first;
            if !self.bloom.contains_within(hash.cast_unsigned(), first, last) {
                continue;
            }
            for seq in runs::candidates(connection, run, hash)? {
                if has_identity(connection, seq, identity)? {
                    return Ok(Some(seq));
                }
            }
        }
        Ok(None)
    }

    /// Takes in a row that was just inserted, and is to be committed.
    pub(super) fn add(&mut self, hash: i64, seq: i64) {
        self.fresh.insert(hash, seq);
    }

    /// What was added and written since the last time is in the store.
    pub(super) fn committed(&mut self) {
        let mut fresh = std::mem::take(&mut self.fresh);
        for (hash, seq) in fresh.drain() {
            self.take_in(hash, seq);
        }
        self.fresh = fresh;
        if let Some(leaving) = &mut self.leaving {
            leaving.kept = leaving.written;
            if leaving.kept == leaving.entries.len() {
                self.indexed_upto = leaving.upto;
                self.leaving = None;
            }
        }
    }

    /// What was added and written since the last time is not in the store.
    pub(super) fn rolled_back(&mut self) {
        self.fresh.clear();
        if let Some(leaving) = &mut self.leaving {
            leaving.written = leaving.kept;
        }
    }

    fn take_in(&mut self, hash: i64, seq: i64) {
        self.bloom.insert(hash.cast_unsigned(), seq);
        if let Some(renewal) = &mut self.renewal {
            renewal.insert(hash, seq);
        }
        self.recent.insert(hash, seq);
    }

    /// Removes up to `limit` entries of runs of which all rows are before `first_seq`; whether there are no more of them.
    pub(super) fn forget(
        &mut self,
        connection: &Connection,
        first_seq: i64,
        limit: usize,
    ) -> rusqlite::Result<bool> {
        // A run reaches up to where the next begins; the last one, and the one in the making, stay.
        while let [oldest, next, ..] = self.runs[..]
            && next.is_not_after(first_seq)
        {
            let removed = runs::remove(connection, oldest, limit)?;
            self.stale += removed;
            if removed == limit {
                return Ok(false);
            }
            self.runs.remove(0);
        }
        self.renew(connection, limit)
    }

    /// Writes a slice of the run in the making, twice as long as the batch, so that a run is complete long before
    /// the next one is due and no batch waits for a whole run. Rows up to `last_seq` are committed.
    pub(super) fn write_some(
        &mut self,
        connection: &Connection,
        batch: usize,
        last_seq: i64,
    ) -> rusqlite::Result<()> {
        if self.leaving.is_none() && self.recent.len() >= self.run_rows {
            let entries = self.recent.take_sorted();
            self.leaving = Some(Leaving {
                run: Run::starting_at(self.indexed_upto + 1),
                upto: last_seq,
                entries,
                kept: 0,
                written: 0,
            });
        }
        let Some(leaving) = &mut self.leaving else {
            return Ok(());
        };
        let end = leaving.entries.len().min(leaving.written + batch.max(32) * 2);
        let slice = &leaving.entries[leaving.written..end];
        runs::write(connection, leaving.run, slice)?;
        if let Some(renewal) = &mut self.renewal {
            // Of a run that was broken off a part is on disk, and may have been read already: this goes in between.
            for &(hash, seq) in slice {
                renewal.insert(hash, seq);
            }
        }
        leaving.written = end;
        if self.runs.last() != Some(&leaving.run) {
            self.runs.push(leaving.run);
        }
        if leaving.written == leaving.entries.len() {
            schema::set_meta(connection, "indexed_upto", leaving.upto)?;
        }
        Ok(())
    }
}

/// Whether the row has exactly this identity.
fn has_identity(connection: &Connection, seq: i64, identity: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT identity = ?2 FROM webhook WHERE seq = ?1")?
        .query_row((seq, identity), |row| row.get(0))
        .optional()
        // The index may hold more rows than the table: someone deleted some.
        .map(|same| same.unwrap_or(false))
}

#[cfg(test)]
mod tests;
