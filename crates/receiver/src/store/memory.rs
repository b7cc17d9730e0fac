use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use crate::record::Room;
use crate::{Append, Entry, Record, Records, Store, StoreError};

/// Deduplicates in memory and keeps nothing on disk: for tests, and as the base that durable rates are measured
/// against.
///
/// It holds the identity of every webhook, so it grows without end; bodies only where [`MemoryStore::records`]
/// was asked for.
#[derive(Debug, Default)]
pub struct MemoryStore {
    seen: HashMap<Box<str>, u64>,
    last_seq: u64,
    records: Option<Arc<RwLock<Vec<Record>>>>,
    /// Told apart by the standard library's seed.
    id: Option<u64>,
}

/// Reads what a [`MemoryStore`] keeps.
#[derive(Debug)]
struct MemoryRecords {
    kept: Arc<RwLock<Vec<Record>>>,
    id: u64,
}

impl MemoryStore {
    /// An empty store that keeps identities only.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps bodies from now on, and gives a reader of them.
    #[must_use]
    pub fn records(&mut self) -> Arc<dyn Records> {
        let id = *self.id.get_or_insert_with(|| RandomState::new().hash_one(()));
        Arc::new(MemoryRecords { kept: Arc::clone(self.records.get_or_insert_default()), id })
    }
}

impl Store for MemoryStore {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        let mut kept =
            self.records.as_ref().map(|records| records.write().unwrap_or_else(PoisonError::into_inner));
        let outcomes = batch.iter().map(|entry| {
            if let Some(identity) = entry.identity() {
                if let Some(&of) = self.seen.get(identity) {
                    return Append::Duplicate { of };
                }
                self.seen.insert(identity.into(), self.last_seq + 1);
            }
            self.last_seq += 1;
            if let Some(kept) = &mut kept {
                kept.push(Record::new(
                    self.last_seq,
                    entry.received_at(),
                    entry.body().clone(),
                    entry.reason().map(str::to_owned),
                ));
            }
            Append::Appended { seq: self.last_seq }
        });
        Ok(outcomes.collect())
    }

    fn record_count(&self) -> u64 {
        self.last_seq
    }

    fn reader(&mut self) -> Option<Arc<dyn Records>> {
        Some(self.records())
    }
}

impl Records for MemoryRecords {
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.page(seq, limit, usize::MAX)
    }

    fn page(&self, seq: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        let records = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        let from = records.partition_point(|record| record.seq <= seq);
        let mut room = Room::new(max_bytes);
        Ok(records[from..].iter().take(limit).take_while(|record| room.takes(record)).cloned().collect())
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        let records = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        Ok(records.last().map_or(0, |record| record.seq))
    }

    fn store_id(&self) -> Result<Option<String>, StoreError> {
        Ok(Some(format!("{:016x}", self.id)))
    }
}
