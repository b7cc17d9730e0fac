//! How many connections there may be at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A place for each connection that may be there.
#[derive(Debug)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    is_awaited: AtomicBool,
}

impl Slots {
    pub(super) fn new(count: usize) -> Arc<Self> {
        let free = Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        Arc::new(Self { free, is_awaited: AtomicBool::new(false) })
    }

    /// One that is free now.
    pub(super) fn try_next(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// The next that is free.
    pub(super) async fn next(&self) -> Option<OwnedSemaphorePermit> {
        let free = self.try_next();
        if free.is_some() {
            return free;
        }
        self.is_awaited.store(true, Ordering::Relaxed);
        let next = Arc::clone(&self.free).acquire_owned().await.ok();
        self.is_awaited.store(false, Ordering::Relaxed);
        next
    }

    /// Whether all are taken, so that nobody is accepted until one is given back.
    pub(super) fn is_awaited(&self) -> bool {
        self.is_awaited.load(Ordering::Relaxed)
    }
}
