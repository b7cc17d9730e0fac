//! A store with a fault that comes at a given step, and what it is on.

use std::sync::{Arc, Condvar, Mutex};

use piopiy_receiver::{
    Append, Entry, MemoryStore, OpenStore, Record, Records, Store, StoreError, StoreLocation,
};
use tokio::sync::watch;

use crate::support::{PATIENCE, once_free};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Open,
    Append,
    Read,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Fails,
    /// It does not come back.
    Hangs,
    /// It does what it was to, and says that it failed; then it fails.
    DoesAndFails,
}

/// What is wrong with the store, and when.
pub(super) struct Trouble {
    pub(super) operation: Operation,
    nth: u32,
    pub(super) fault: Fault,
    now: Mutex<Now>,
    mended: Condvar,
    hangs: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Now {
    calls: u32,
    is_mended: bool,
}

impl Trouble {
    pub(super) fn new(operation: Operation, nth: u32, fault: Fault) -> Arc<Self> {
        let (now, mended, hangs) = (Mutex::default(), Condvar::new(), watch::Sender::new(false));
        Arc::new(Self { operation, nth, fault, now, mended, hangs })
    }

    /// Does something with the store, if it works.
    pub(super) fn during<T>(
        &self,
        operation: Operation,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if operation != self.operation {
            return work();
        }
        let mut now = self.now.lock().unwrap();
        now.calls += 1;
        if now.calls < self.nth || now.is_mended {
            drop(now);
            return work();
        }
        let is_first = now.calls == self.nth;
        if self.fault == Fault::Hangs {
            self.hangs.send_replace(true);
            drop(self.mended.wait_timeout_while(now, PATIENCE, |now| !now.is_mended));
            return work();
        }
        drop(now);
        if self.fault == Fault::DoesAndFails && is_first {
            work()?;
        }
        Err(StoreError::Other("the disk is broken".into()))
    }

    pub(super) fn has_come(&self) -> bool {
        self.now.lock().unwrap().calls >= self.nth
    }

    pub(super) fn is_there(&self) -> bool {
        self.has_come() && !self.now.lock().unwrap().is_mended
    }

    pub(super) fn mend(&self) {
        self.now.lock().unwrap().is_mended = true;
        self.mended.notify_all();
    }

    /// Waits until something hangs.
    pub(super) async fn hangs(&self) {
        // This is the sender, so it is there.
        drop(self.hangs.subscribe().wait_for(|hangs| *hangs).await);
    }
}

pub(super) struct Faulty<T> {
    pub(super) trouble: Arc<Trouble>,
    pub(super) inner: T,
}

impl<T> std::fmt::Debug for Faulty<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faulty").finish_non_exhaustive()
    }
}

impl Store for Faulty<Box<dyn Store>> {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        if !batch.is_empty() {
            return self.trouble.during(Operation::Append, || self.inner.append(batch));
        }
        // A probe is no step, and is told how it is.
        if self.trouble.operation == Operation::Append && self.trouble.is_there() {
            return Err(StoreError::Other("the disk is broken".into()));
        }
        self.inner.append(batch)
    }

    fn record_count(&self) -> u64 {
        self.inner.record_count()
    }
}

impl Records for Faulty<Arc<dyn Records>> {
    fn after(&self, seq: u64, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.trouble.during(Operation::Read, || self.inner.after(seq, limit))
    }

    fn page(&self, seq: u64, limit: usize, max_bytes: usize) -> Result<Vec<Record>, StoreError> {
        self.trouble.during(Operation::Read, || self.inner.page(seq, limit, max_bytes))
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        self.trouble.during(Operation::Read, || self.inner.last_seq())
    }

    fn store_id(&self) -> Result<Option<String>, StoreError> {
        self.trouble.during(Operation::Read, || self.inner.store_id())
    }
}

/// A memory store that outlives who opened it.
#[derive(Clone)]
pub(super) struct Lasting(pub(super) Arc<Mutex<MemoryStore>>);

impl Store for Lasting {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        self.0.lock().unwrap().append(batch)
    }

    fn record_count(&self) -> u64 {
        self.0.lock().unwrap().record_count()
    }
}

/// What the store is on.
#[derive(Clone)]
pub(super) enum Medium {
    Memory(Lasting),
    Disk(StoreLocation),
}

impl Medium {
    pub(super) fn open(&self) -> OpenStore {
        match self {
            Self::Memory(lasting) => {
                let records = lasting.0.lock().unwrap().records();
                OpenStore::new(lasting.clone(), Some(records))
            }
            Self::Disk(location) => once_free(|| location.open(true)),
        }
    }
}
