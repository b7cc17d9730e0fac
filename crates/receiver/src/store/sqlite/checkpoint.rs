//! Moving the write-ahead log into the file without holding up appends.
//!
//! A thread with a connection of its own copies what the log holds. While it does, the writer appends more, so
//! the log would never be all copied and never start over. Therefore the writer copies the rest itself, between two
//! batches, once the thread is done: little, for the thread did the bulk of it.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::super::StoreError;
use super::schema;

#[derive(Debug)]
pub(super) struct Checkpoints {
    threshold: u32,
    log_pages: Arc<AtomicU32>,
    /// The thread copied the bulk, the writer is to copy the rest.
    bulk_done: Arc<AtomicBool>,
    running: bool,
    /// `None` only while it is dropped: the thread ends when this end of the channel does.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpoints {
    pub(super) fn start(path: &Path, writer: &mut Connection, threshold: u32) -> Result<Self, StoreError> {
        let log_pages = Arc::new(AtomicU32::new(0));
        let pages = Arc::clone(&log_pages);
        let fail = StoreError::while_doing("watch its log");
        let hook = move |_: &mut rusqlite::hooks::Wal, count| {
            pages.store(u32::try_from(count).unwrap_or_default(), Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(hook)).map_err(fail)?;
        let connection = schema::open_to_checkpoint(path)?;
        let bulk_done = Arc::new(AtomicBool::new(false));
        let done = Arc::clone(&bulk_done);
        let (wake, woken) = sync_channel::<()>(1);
        let thread = std::thread::Builder::new().name("checkpoints".to_owned()).spawn(move || {
            for () in woken {
                copy(&connection);
                done.store(true, Ordering::Release);
            }
        });
        let thread = thread.map_err(|error| StoreError::Other(Box::new(error)))?;
        Ok(Self { threshold, log_pages, bulk_done, running: false, wake: Some(wake), thread: Some(thread) })
    }

    /// Sets off a checkpoint where the log is long, or finishes the one that runs.
    pub(super) fn after_commit(&mut self, writer: &Connection) {
        if self.running {
            if self.bulk_done.swap(false, Ordering::Acquire) {
                copy(writer);
                self.running = false;
            }
        } else if self.log_pages.load(Ordering::Relaxed) >= self.threshold {
            self.begin();
        }
    }

    /// Sets off a checkpoint, however short the log is, unless one runs.
    pub(super) fn begin(&mut self) {
        if let Some(wake) = self.wake.as_ref().filter(|_| !self.running) {
            self.running = wake.try_send(()).is_ok();
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

/// Copies as much of the log as can be without waiting for anyone.
fn copy(connection: &Connection) {
    let outcome = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| row.get::<_, i64>(1));
    match outcome {
        Ok(pages) => tracing::debug!(pages, "checkpoint"),
        // Nothing is lost: the log keeps it until the next attempt.
        Err(error) => tracing::warn!(%error, "checkpoint failed"),
    }
}
