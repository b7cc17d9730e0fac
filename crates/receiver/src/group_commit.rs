//! One writer thread in front of a store: what waits while a batch is written becomes the next batch.

mod health;
mod linger;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{oneshot, watch};

use self::health::{Ended, Health};
use self::linger::Last;
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
    /// Bytes of bodies, and of what makes them the same, that may wait; default 64 MiB. What comes beyond is refused.
    pub max_waiting_bytes: usize,
    /// How long an entry waits for its commit before its sender is told to try again; default 10 s.
    pub deadline: Duration,
    /// How often a store that failed is tried, while nothing comes in, and how long one that works is taken to do so while nothing is written, where
    /// [`GroupCommit::is_ready`] asks; default 1 s.
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
/// The writer takes one entry, then whatever else already waits, up to a limit. So a lone webhook is committed at once, and
/// under load the batches grow by themselves. Where far fewer wait than were committed together just now, and the store is
/// fast, it waits once for as long as that took, 0.6 ms at most: for each alone the store would work several times as much.
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
    queue: Mutex<Option<Sender<Message>>>,
    backlog: Arc<Backlog>,
    health: Arc<Health>,
    /// Told once the writer thread has let go of the store; `None` once someone waits for it.
    ended: Mutex<Option<oneshot::Receiver<Ended>>>,
    max_waiting: usize,
    max_waiting_bytes: usize,
    deadline: Duration,
    probe_interval: Duration,
}

/// What waits. The channel itself is unbounded: a bounded one takes its memory at once.
#[derive(Debug, Default)]
struct Backlog {
    entries: AtomicUsize,
    bytes: AtomicUsize,
}

/// What the writer thread is given.
enum Message {
    Entry(Waiting),
    Job(Job),
}

/// Something else that is to be done with the store.
type Job = Box<dyn FnOnce(&mut dyn Store) + Send>;

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
        Self::start_measured(store, options, Metrics::default(), watch::Sender::default())
    }

    /// Tells of every commit that appended something, too.
    pub(crate) fn start_measured(
        store: impl Store,
        options: GroupCommitOptions,
        metrics: Metrics,
        news: watch::Sender<()>,
    ) -> Self {
        let (queue, waiting) = channel();
        let backlog = Arc::new(Backlog::default());
        let health = Arc::new(Health::new(store.is_ready()));
        let writer = Writer {
            store,
            waiting,
            backlog: Arc::clone(&backlog),
            health: Arc::clone(&health),
            max_batch: options.max_batch.max(1),
            probe_interval: options.probe_interval,
            probed: Instant::now(),
            last: Last::default(),
            metrics,
            news,
        };
        let (tell, ended) = oneshot::channel();
        let ends = Arc::clone(&health).ends(tell);
        std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                // Outlives the store, however that ends.
                let _ends = ends;
                writer.run();
            })
            .expect("the system gives a thread");
        Self(Arc::new(Shared {
            queue: Mutex::new(Some(queue)),
            backlog,
            health,
            ended: Mutex::new(Some(ended)),
            max_waiting: options.max_waiting,
            max_waiting_bytes: options.max_waiting_bytes,
            deadline: options.deadline,
            probe_interval: options.probe_interval,
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

    /// Does something with the store between two batches. What comes in waits meanwhile, so it should be little.
    ///
    /// # Errors
    /// Where the store's thread is gone, or it is closed.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Store) -> T + Send + 'static,
    ) -> Result<T, AppendError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |store| {
            // Whoever asked may have gone away.
            let _ = answer.send(work(store));
        });
        let sent = {
            let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.as_ref().map(|queue| queue.send(Message::Job(job)).is_ok())
        };
        match sent {
            Some(true) => answered.await.map_err(|_| AppendError::StoreFailed),
            Some(false) => Err(AppendError::StoreFailed),
            None => Err(AppendError::Closed),
        }
    }

    fn enqueue(&self, entry: Entry) -> Result<oneshot::Receiver<Result<Append, AppendError>>, AppendError> {
        let bytes = entry.weight();
        let backlog = &self.0.backlog;
        let waiting_bytes = backlog.bytes.fetch_add(bytes, Ordering::Relaxed);
        let waiting = backlog.entries.fetch_add(1, Ordering::Relaxed);
        let has_room = waiting < self.0.max_waiting
            && waiting_bytes.checked_add(bytes).is_some_and(|sum| sum <= self.0.max_waiting_bytes);
        let failure = if has_room {
            let (answer, answered) = oneshot::channel();
            let queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
            match queue.as_ref().map(|queue| queue.send(Message::Entry(Waiting { entry, answer }))) {
                Some(Ok(())) => return Ok(answered),
                Some(Err(_)) => AppendError::StoreFailed,
                None => AppendError::Closed,
            }
        } else {
            AppendError::Overloaded
        };
        backlog.bytes.fetch_sub(bytes, Ordering::Relaxed);
        backlog.entries.fetch_sub(1, Ordering::Relaxed);
        Err(failure)
    }

    /// Whether the store takes webhooks, as far as is known: the last time that it was to write something it did, and
    /// it has not been at a batch for longer than the deadline. False once it is closed.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.0.health.is_well(self.0.deadline)
    }

    /// Whether the store takes webhooks. As [`GroupCommit::is_healthy`], but one that had nothing to write for a while
    /// ([`GroupCommitOptions::probe_interval`]) is asked, for it may have failed unseen. That may take as long as a deadline for an entry;
    /// whoever comes meanwhile waits for the same answer.
    pub async fn is_ready(&self) -> bool {
        let Shared { health, deadline, probe_interval, .. } = &*self.0;
        if health.is_well(*deadline) {
            let look = async {
                if health.is_to_be_looked_at(*probe_interval) {
                    let asked = Arc::clone(health);
                    self.run(move |store| asked.look(store)).await.is_ok()
                } else {
                    health.looked().await;
                    true
                }
            };
            // Nobody is left to look, or whoever looks hangs.
            if !tokio::time::timeout(*deadline, look).await.unwrap_or_default() {
                return false;
            }
        }
        self.is_healthy()
    }

    /// Takes no more entries, writes those that wait, and lets go of the store. A store that hangs, past the deadline
    /// for an entry, is left behind.
    pub async fn close(&self) {
        drop(self.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take());
        let ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut ended) = ended else {
            return;
        };
        loop {
            match tokio::time::timeout(self.0.deadline, &mut ended).await {
                Ok(Ok(Ended::Panicked)) => return tracing::error!("the store panicked"),
                Ok(_) => return,
                Err(_) if self.0.health.is_late(self.0.deadline) => {
                    return tracing::error!("the store hangs; what waits for it was not acknowledged");
                }
                // There is just much to write.
                Err(_) => {}
            }
        }
    }
}

struct Writer<S> {
    store: S,
    waiting: Receiver<Message>,
    backlog: Arc<Backlog>,
    health: Arc<Health>,
    max_batch: usize,
    probe_interval: Duration,
    /// When the store was last probed, or began to fail.
    probed: Instant,
    last: Last,
    metrics: Metrics,
    news: watch::Sender<()>,
}

impl<S: Store> Writer<S> {
    fn run(mut self) {
        let mut batch = Vec::new();
        let mut answers = Vec::new();
        while let Some(first) = self.next() {
            let mut next = Some(first);
            let mut job = None;
            let mut has_lingered = false;
            while let Some(message) = next {
                match message {
                    Message::Entry(Waiting { entry, answer }) => {
                        batch.push(entry);
                        answers.push(answer);
                    }
                    Message::Job(found) => {
                        job = Some(found);
                        break;
                    }
                }
                let has_room = batch.len() < self.max_batch;
                next = if has_room { self.waiting.try_recv().ok() } else { None };
                if next.is_none()
                    && !has_lingered
                    && let Some(time) = self.last.linger(batch.len())
                {
                    has_lingered = true;
                    std::thread::sleep(time);
                    next = self.waiting.try_recv().ok();
                }
            }
            if !batch.is_empty() {
                self.backlog.entries.fetch_sub(batch.len(), Ordering::Relaxed);
                self.write(&batch, answers.drain(..));
                batch.clear();
            }
            if let Some(job) = job {
                let worked = self.health.works();
                self.health.during(|| job(&mut self.store));
                if worked && !self.health.works() {
                    // It was a look, and found that it fails.
                    self.probed = Instant::now();
                }
            }
            // Repeats may come in without a pause, and show nothing.
            if !self.health.works() && self.probed.elapsed() >= self.probe_interval {
                self.probe();
            }
        }
    }

    /// The next message; `None` once the queue is closed and empty. Meanwhile a store that failed is probed.
    fn next(&mut self) -> Option<Message> {
        loop {
            if self.health.works() {
                return self.waiting.recv().ok();
            }
            match self.waiting.recv_timeout(self.probe_interval) {
                Ok(waiting) => return Some(waiting),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => self.probe(),
            }
        }
    }

    fn probe(&mut self) {
        self.health.during(|| self.health.look(&mut self.store));
        self.probed = Instant::now();
    }

    fn write(
        &mut self,
        batch: &[Entry],
        answers: impl Iterator<Item = oneshot::Sender<Result<Append, AppendError>>>,
    ) {
        let started = Instant::now();
        let appended = self.health.during(|| self.store.append(batch));
        self.last = Last { entries: batch.len(), took: started.elapsed() };
        let bytes: usize = batch.iter().map(Entry::weight).sum();
        self.backlog.bytes.fetch_sub(bytes, Ordering::Relaxed);
        match appended {
            Ok(outcomes) => {
                // Repeats are found without writing: a disk that is full passes them too.
                if outcomes.iter().any(|outcome| matches!(outcome, Append::Appended { .. })) {
                    self.health.note_success();
                    self.news.send_replace(());
                }
                self.metrics.committed(batch, &outcomes, started.elapsed());
                for (answer, outcome) in answers.zip(outcomes) {
                    // A sender that went away needs no answer.
                    let _ = answer.send(Ok(outcome));
                }
            }
            Err(error) => {
                if self.health.works() {
                    self.probed = Instant::now();
                }
                self.health.note_failure(&error);
                answers.for_each(|answer| {
                    let _ = answer.send(Err(AppendError::StoreFailed));
                });
            }
        }
    }
}
