//! One writer thread in front of a store: what waits while a batch is written becomes the next batch.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::metrics::Metrics;
use crate::{Append, Entry, Store};

/// How much may wait, and for how long.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct GroupCommitOptions {
    /// Entries in one batch at most; default 1,024.
    pub max_batch: usize,
    /// Entries that may wait; default 8,192. What comes beyond is refused.
    pub max_waiting: usize,
    /// Bytes of bodies that may wait; default 64 MiB. What comes beyond is refused.
    pub max_waiting_bytes: usize,
    /// How long an entry waits for its commit before its sender is told to try again; default 10 s.
    pub deadline: Duration,
    /// How often a store that failed is tried, while nothing comes in; default 1 s.
    pub probe_interval: Duration,
}

impl Default for GroupCommitOptions {
    fn default() -> Self {
        Self {
            max_batch: 1024,
            max_waiting: 8192,
            max_waiting_bytes: 64 << 20,
            deadline: Duration::from_secs(10),
            probe_interval: Duration::from_secs(1),
        }
    }
}

/// Why an entry was not kept, as far as is known. The sender may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// More waits than may.
    #[error("too much waits to be stored")]
    Overloaded,
    /// The store failed.
    #[error("the store failed")]
    StoreFailed,
    /// The store took too long. The entry may yet be kept: a second attempt is then found to be a duplicate.
    #[error("the store takes too long")]
    TimedOut,
    /// The receiver is shutting down.
    #[error("shutting down")]
    Closed,
}

/// Turns single entries into batches for a [`Store`], and tells each sender when its entry is committed.
///
/// The writer takes one entry, then whatever else already waits, up to a limit; no timer lingers. So a lone webhook is
/// committed at once, and under load the batches grow by themselves.
///
/// # Examples
/// ```
/// use piopiy_receiver::{Append, Entry, GroupCommit, GroupCommitOptions, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let commits = GroupCommit::start(MemoryStore::new(), GroupCommitOptions::default());
/// let entry = Entry::quarantined("not JSON".to_owned(), "hello".into(), 0);
/// assert_eq!(commits.append(entry).await, Ok(Append::Appended { seq: 1 }));
/// commits.close().await;
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GroupCommit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// `None` once it is closed: the writer thread ends when this end of the channel does.
    queue: Mutex<Option<SyncSender<Waiting>>>,
    waiting_bytes: Arc<AtomicUsize>,
    healthy: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    max_waiting_bytes: usize,
    deadline: Duration,
}

struct Waiting {
    entry: Entry,
    answer: oneshot::Sender<Result<Append, AppendError>>,
}

impl GroupCommit {
    /// Starts the writer thread.
    ///
    /// # Panics
    /// Where the system gives no thread.
    #[must_use]
    pub fn start(store: impl Store, options: GroupCommitOptions) -> Self {
        Self::start_measured(store, options, Metrics::default())
    }

    pub(crate) fn start_measured(store: impl Store, options: GroupCommitOptions, metrics: Metrics) -> Self {
        let (queue, waiting) = sync_channel(options.max_waiting);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let healthy = Arc::new(AtomicBool::new(true));
        let writer = Writer {
            store,
            waiting,
            waiting_bytes: Arc::clone(&waiting_bytes),
            healthy: Arc::clone(&healthy),
            max_batch: options.max_batch.max(1),
            probe_interval: options.probe_interval,
            metrics,
        };
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || writer.run())
            .expect("the system gives a thread");
        Self(Arc::new(Shared {
            queue: Mutex::new(Some(queue)),
            waiting_bytes,
            healthy,
            thread: Mutex::new(Some(thread)),
            max_waiting_bytes: options.max_waiting_bytes,
            deadline: options.deadline,
        }))
    }

    /// Keeps an entry; returns once it is committed.
    ///
    /// # Errors
    /// Where too much waits already, the store fails or takes too long, or it is closed.
    pub async fn append(&self, entry: Entry) -> Result<Append, AppendError> {
        let answer = self.enqueue(entry)?;
        match tokio::time::timeout(self.0.deadline, answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(AppendError::StoreFailed),
            Err(_) => Err(AppendError::TimedOut),
        }
    }

    fn enqueue(&self, entry: Entry) -> Result<oneshot::Receiver<Result<Append, AppendError>>, AppendError> {
        let bytes = entry.body().len();
        if self.0.waiting_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes > self.0.max_waiting_bytes {
            self.0.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(AppendError::Overloaded);
        }
        let (answer, answered) = oneshot::channel();
        let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = match queue.as_ref().map(|queue| queue.try_send(Waiting { entry, answer })) {
            Some(Ok(())) => return Ok(answered),
            Some(Err(TrySendError::Full(_))) => AppendError::Overloaded,
            Some(Err(TrySendError::Disconnected(_))) => AppendError::StoreFailed,
            None => AppendError::Closed,
        };
        self.0.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        Err(sent)
    }

    /// Whether the last that the store was asked for succeeded.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.0.healthy.load(Ordering::Relaxed)
    }

    /// Takes no more entries, writes those that wait, and lets go of the store.
    pub async fn close(&self) {
        drop(self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.0.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the store's thread panicked");
            }
        }
    }
}

struct Writer<S> {
    store: S,
    waiting: Receiver<Waiting>,
    waiting_bytes: Arc<AtomicUsize>,
    healthy: Arc<AtomicBool>,
    max_batch: usize,
    probe_interval: Duration,
    metrics: Metrics,
}

impl<S: Store> Writer<S> {
    fn run(mut self) {
        let mut batch = Vec::with_capacity(self.max_batch);
        let mut answers = Vec::with_capacity(self.max_batch);
        while let Some(first) = self.next() {
            let others = self.waiting.try_iter().take(self.max_batch - 1);
            for Waiting { entry, answer } in std::iter::once(first).chain(others) {
                batch.push(entry);
                answers.push(answer);
            }
            self.write(&batch, answers.drain(..));
            batch.clear();
        }
    }

    /// The next entry; `None` once the queue is closed and empty. Meanwhile a store that failed is probed.
    fn next(&mut self) -> Option<Waiting> {
        loop {
            if self.healthy.load(Ordering::Relaxed) {
                return self.waiting.recv().ok();
            }
            match self.waiting.recv_timeout(self.probe_interval) {
                Ok(waiting) => return Some(waiting),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    let probed = self.store.append(&[]).map(drop);
                    self.note_health(probed.as_ref().err());
                }
            }
        }
    }

    fn write(
        &mut self,
        batch: &[Entry],
        answers: impl Iterator<Item = oneshot::Sender<Result<Append, AppendError>>>,
    ) {
        let started = Instant::now();
        let appended = self.store.append(batch);
        let bytes: usize = batch.iter().map(|entry| entry.body().len()).sum();
        self.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.note_health(appended.as_ref().err());
        match appended {
            Ok(outcomes) => {
                self.metrics.committed(batch, &outcomes, started.elapsed());
                for (answer, outcome) in answers.zip(outcomes) {
                    // A sender that went away needs no answer.
                    let _ = answer.send(Ok(outcome));
                }
            }
            Err(_) => answers.for_each(|answer| {
                let _ = answer.send(Err(AppendError::StoreFailed));
            }),
        }
    }

    fn note_health(&self, error: Option<&crate::StoreError>) {
        let was_healthy = self.healthy.swap(error.is_none(), Ordering::Relaxed);
        match (was_healthy, error) {
            (_, Some(error)) => {
                tracing::error!(error = error.chain(), "the store fails; webhooks are answered 503");
            }
            (false, None) => tracing::info!("the store works again"),
            (true, None) => {}
        }
    }
}
