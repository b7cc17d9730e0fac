//! Whether the store takes webhooks, as far as is known.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use crate::{Store, StoreError};

/// Written by the store's thread, read by whoever asks.
#[derive(Debug)]
pub(super) struct Health {
    epoch: Instant,
    works: AtomicBool,
    ended: AtomicBool,
    /// When the store was given what it is at, in microseconds since the epoch; [`IDLE`] where it is at nothing.
    busy_since: AtomicU64,
    /// When it was last seen to work, or began to, in microseconds since the epoch.
    seen_at: AtomicU64,
    /// Somebody has asked for a look, and it is not over yet.
    is_asked: watch::Sender<bool>,
}

const IDLE: u64 = u64::MAX;

/// How the store's thread ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended {
    Closed,
    Panicked,
}

/// Notes and tells, when it is dropped, that nothing is stored any more.
pub(super) struct Ends {
    health: Arc<Health>,
    tell: Option<oneshot::Sender<Ended>>,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.health.ended.store(true, Ordering::Relaxed);
        // Whoever waits for a look waits in vain.
        self.health.is_asked.send_replace(false);
        let ended = if std::thread::panicking() { Ended::Panicked } else { Ended::Closed };
        if let Some(tell) = self.tell.take() {
            // Nobody may ask any more.
            let _ = tell.send(ended);
        }
    }
}

impl Health {
    pub(super) fn new(works: bool) -> Self {
        Self {
            epoch: Instant::now(),
            works: AtomicBool::new(works),
            ended: AtomicBool::new(false),
            busy_since: AtomicU64::new(IDLE),
            seen_at: AtomicU64::new(0),
            is_asked: watch::Sender::new(false),
        }
    }

    /// Whether webhooks are stored, and none takes longer than this.
    pub(super) fn is_well(&self, deadline: Duration) -> bool {
        self.works() && !self.is_late(deadline) && !self.ended.load(Ordering::Relaxed)
    }

    /// Whether the store is at something for longer than this.
    pub(super) fn is_late(&self, deadline: Duration) -> bool {
        match self.busy_since.load(Ordering::Relaxed) {
            IDLE => false,
            since => self.epoch.elapsed().saturating_sub(Duration::from_micros(since)) > deadline,
        }
    }

    /// Whether it has nothing to do, and was last seen to work so long ago, and nobody else has asked for a look; whoever is told so is to take one.
    pub(super) fn is_to_be_looked_at(&self, after: Duration) -> bool {
        let seen_at = Duration::from_micros(self.seen_at.load(Ordering::Relaxed));
        self.busy_since.load(Ordering::Relaxed) == IDLE
            && self.epoch.elapsed().saturating_sub(seen_at) >= after
            && self.is_asked.send_if_modified(|is_asked| !std::mem::replace(is_asked, true))
    }

    /// Waits for the look that somebody has asked for; not at all where nobody has.
    pub(super) async fn looked(&self) {
        // This is the sender, so it is there.
        drop(self.is_asked.subscribe().wait_for(|is_asked| !is_asked).await);
    }

    /// Has the store write something that is nothing.
    pub(super) fn look(&self, store: &mut dyn Store) {
        match store.append(&[]) {
            Ok(_) => self.note_success(),
            Err(error) => self.note_failure(&error),
        }
        // Last: whoever waits for it goes by what was noted.
        self.is_asked.send_replace(false);
    }

    /// Whether the last that was to be written was.
    pub(super) fn works(&self) -> bool {
        self.works.load(Ordering::Relaxed)
    }

    /// Does something with the store, which may take long.
    pub(super) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        self.busy_since.store(self.now(), Ordering::Relaxed);
        let outcome = work();
        self.busy_since.store(IDLE, Ordering::Relaxed);
        outcome
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(IDLE - 1)
    }

    pub(super) fn note_success(&self) {
        self.seen_at.store(self.now(), Ordering::Relaxed);
        if !self.works.swap(true, Ordering::Relaxed) {
            tracing::info!("the store works again");
        }
    }

    /// Logged once, however many batches fail.
    pub(super) fn note_failure(&self, error: &StoreError) {
        if self.works.swap(false, Ordering::Relaxed) {
            tracing::error!(error = error.chain(), "the store fails; webhooks are answered 503");
        }
    }

    /// What the store's thread is to hold as long as it has the store.
    pub(super) fn ends(self: Arc<Self>, tell: oneshot::Sender<Ended>) -> Ends {
        Ends { health: self, tell: Some(tell) }
    }
}
