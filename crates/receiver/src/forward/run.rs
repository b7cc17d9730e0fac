//! What one destination's task does: read on, deliver, save.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::{Backoff, Jitter};
use super::calls::Calls;
use super::post::{Attempt, Poster, deliver, read_one};
use super::queue::{Ended, Next, Queue};
use super::state::Changes;
use super::{DeadLetter, Destination, ForwardError, SharedState, with_state};
use crate::clock::now_micros;
use crate::metrics::{ForwardCounts, Metrics};
use crate::store::chain;
use crate::{Record, Records, StoreError};

/// Webhooks of one destination that may go; what comes beyond waits in the store.
const WINDOW: usize = 1024;
/// With those that failed and wait, and those of their calls. No more is read beyond.
const MOST: usize = 1 << 16;
/// Bytes of bodies in hand.
const MOST_BODIES: usize = 4 << 20;
/// Bytes of bodies that are read at once.
const PAGE_BYTES: usize = 1 << 20;
/// Records read at once.
const PAGE: usize = 256;
/// How often the store is asked for news, and the state for orders.
const POLL: Duration = Duration::from_millis(50);
/// How long what was done stays unsaved at most.
const SAVE_AFTER: Duration = Duration::from_millis(100);
/// How many failed, given up or settled rows bring the next save forward.
const SAVE_COUNT: usize = 512;
/// Where nothing could be saved for so long, nothing more is sent: it would all come again after a crash.
const UNSAVED: Duration = Duration::from_secs(5);
/// Records before the place where it goes on that are looked at for which legs are of which call.
const LOOK_BACK: u64 = 4096;
/// The wait after the store or the state failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Delivers to one destination.
pub(super) struct Runner {
    destination: Destination,
    records: Arc<dyn Records>,
    state: SharedState,
    poster: Arc<Poster>,
    counts: ForwardCounts,
    epoch: Instant,
    queue: Queue,
    calls: Calls,
    read_through: u64,
    /// Bodies in hand of what was not tried yet; those that failed are read again.
    bodies: BTreeMap<u64, Record>,
    body_bytes: usize,
    /// Unsettled webhooks that the state has a row of.
    rows: BTreeSet<u64>,
    changes: Changes,
    unsaved_since: Option<Instant>,
    is_paused: bool,
    is_well: bool,
    is_full: bool,
}

impl Runner {
    pub(super) fn new(
        destination: Destination,
        records: Arc<dyn Records>,
        state: SharedState,
        metrics: &Metrics,
    ) -> Result<Self, ForwardError> {
        let start = {
            let state_now = state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            let start = state_now.start(&destination.name)?;
            let last_seq = records.last_seq()?;
            if start.read_through > last_seq {
                return Err(ForwardError::OtherStore {
                    path: state_now.path().to_owned(),
                    name: destination.name.clone(),
                    read_through: start.read_through,
                    last_seq,
                });
            }
            start
        };
        let mut destination = destination;
        destination.concurrency = destination.concurrency.max(1);
        let range = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
        let within = |time: Duration| time.clamp(*range.start(), *range.end());
        let backoff =
            Backoff { first: within(destination.first_backoff), most: within(destination.most_backoff) };
        let seed = RandomState::new().hash_one(&destination.name);
        let mut runner = Self {
            poster: Arc::new(Poster::new(destination.clone())?),
            counts: metrics.forward(&destination.name),
            epoch: Instant::now(),
            queue: Queue::new(backoff, destination.max_attempts.max(1), Jitter::new(seed)),
            calls: Calls::default(),
            read_through: start.read_through,
            bodies: BTreeMap::new(),
            body_bytes: 0,
            rows: start.unsettled.iter().map(|&(seq, _)| seq).collect(),
            changes: Changes { read_through: start.read_through, ..Changes::default() },
            unsaved_since: None,
            is_paused: start.is_paused,
            is_well: true,
            is_full: false,
            destination,
            records,
            state,
        };
        runner.look_back()?;
        for (seq, attempts) in start.unsettled {
            runner.take_again(seq, attempts)?;
        }
        Ok(runner)
    }

    /// Learns from the records before the place where it goes on.
    fn look_back(&mut self) -> Result<(), StoreError> {
        let mut since = self.read_through.saturating_sub(LOOK_BACK);
        while since < self.read_through {
            let page = self.records.page(since, PAGE, PAGE_BYTES)?;
            let Some(last) = page.last() else { break };
            since = last.seq;
            for webhook in page.iter().filter_map(Record::webhook) {
                self.calls.names(&webhook);
            }
        }
        Ok(())
    }

    /// Puts one record into the queue that was there before, or is to be delivered again.
    fn take_again(&mut self, seq: u64, attempts: u32) -> Result<(), StoreError> {
        if self.queue.contains(seq) {
            self.queue.start_over(seq);
            return Ok(());
        }
        match read_one(&*self.records, seq)?.and_then(|record| record.webhook()) {
            Some(webhook) if self.destination.filter.takes(&webhook) => {
                let names = self.calls.names(&webhook);
                self.queue.push(seq, names, attempts);
            }
            // Quarantined, not for this destination, or no longer there.
            _ => self.settled(seq),
        }
        Ok(())
    }

    pub(super) async fn run(mut self, stop: CancellationToken, cut: CancellationToken) {
        let mut in_flight = JoinSet::new();
        let mut poll_at = Instant::now();
        while !stop.is_cancelled() {
            if Instant::now() >= poll_at {
                let polled = self.poll().await;
                let wait = if matches!(polled, Ok(true)) { Duration::ZERO } else { POLL };
                let wait = if self.told(polled.map(drop)) { wait } else { AFTER_FAILURE };
                poll_at = Instant::now() + wait;
            }
            if !self.is_paused && self.unsaved_since.is_none_or(|since| since.elapsed() < UNSAVED) {
                self.send(&mut in_flight);
            }
            if self.is_to_be_saved() {
                let saved = self.save().await;
                if !self.told(saved) {
                    // Not at once again; what is in flight can wait for it.
                    tokio::select! {
                        () = tokio::time::sleep(AFTER_FAILURE) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
            let wake_at = self.wake_at(poll_at);
            tokio::select! {
                Some(done) = in_flight.join_next(), if !in_flight.is_empty() => self.done(done),
                () = tokio::time::sleep_until(wake_at) => {}
                () = stop.cancelled() => {}
            }
        }
        while !in_flight.is_empty() {
            tokio::select! {
                Some(done) = in_flight.join_next() => self.done(done),
                () = cut.cancelled() => break,
            }
        }
        let saved = self.save().await;
        self.told(saved);
    }

    fn done(&mut self, done: Result<(u64, Attempt), tokio::task::JoinError>) {
        // The deliveries catch panics themselves, and nobody aborts them before the end.
        if let Ok((seq, attempt)) = done {
            self.settle(seq, attempt);
        }
    }

    fn wake_at(&self, poll_at: Instant) -> Instant {
        let mut wake_at = poll_at;
        if let Some(since) = self.unsaved_since {
            wake_at = wake_at.min(since + SAVE_AFTER);
        }
        if !self.is_paused
            && self.queue.in_flight() < self.destination.concurrency
            && let Some(due) = self.queue.wake_at()
        {
            wake_at = wake_at.min(self.epoch + due);
        }
        wake_at
    }

    /// Logs a failure once, and says whether all is well.
    fn told(&mut self, outcome: Result<(), ForwardError>) -> bool {
        match outcome {
            Ok(()) => {
                if !self.is_well {
                    tracing::info!(destination = self.destination.name, "forwarding goes on");
                }
                self.is_well = true;
            }
            Err(error) => {
                if self.is_well {
                    let error = chain(&error);
                    tracing::error!(destination = self.destination.name, error, "forwarding is held up");
                }
                self.is_well = false;
            }
        }
        self.is_well
    }

    /// Sees what is asked for, and reads a page on; whether there is more to read.
    async fn poll(&mut self) -> Result<bool, ForwardError> {
        let name = self.destination.name.clone();
        // Those that are asked for again leave room for those that are new.
        let room = self.room() / 2;
        let orders = with_state(&self.state, move |state| state.orders(&name, room)).await;
        let (is_paused, replay) =
            orders.ok_or(ForwardError::Panicked { operation: "read what is asked for" })??;
        if is_paused != self.is_paused {
            tracing::info!(
                destination = self.destination.name,
                is_paused,
                "forwarding was paused or resumed"
            );
            self.is_paused = is_paused;
        }
        for seq in replay {
            // Its row is there until the next save.
            if self.changes.replayed.contains(&seq) {
                continue;
            }
            self.take_again(seq, 0)?;
            self.note();
            self.changes.replayed.insert(seq);
            if self.queue.contains(seq) {
                self.rows.insert(seq);
                self.changes.unsettled.insert(seq, (0, String::new()));
            }
        }
        let room = PAGE.min(self.room());
        let (records, since) = (Arc::clone(&self.records), self.read_through);
        let mut is_more = false;
        if room > 0 {
            let page = tokio::task::spawn_blocking(move || records.page(since, room, PAGE_BYTES)).await;
            let page = page.map_err(|_| ForwardError::Panicked { operation: "read the store" })??;
            if let Some(last) = page.last() {
                self.read_through = last.seq;
                self.note();
                is_more = true;
            }
            for record in page {
                self.take(record);
            }
        }
        self.tell_whether_full();
        self.counts.unsettled.set(i64::try_from(self.queue.len()).unwrap_or(i64::MAX));
        self.counts.read_through.set(i64::try_from(self.read_through).unwrap_or(i64::MAX));
        Ok(is_more)
    }

    /// How many more webhooks may be in hand.
    fn room(&self) -> usize {
        WINDOW.saturating_sub(self.queue.active()).min(MOST.saturating_sub(self.queue.len()))
    }

    fn tell_whether_full(&mut self) {
        let is_full = self.queue.len() >= MOST;
        if is_full && !self.is_full {
            tracing::error!(
                destination = self.destination.name,
                webhooks = MOST,
                "so many failed or wait behind one that did: no more is read until some are delivered or given up"
            );
        }
        self.is_full = is_full;
    }

    fn take(&mut self, record: Record) {
        let Some(webhook) = record.webhook() else { return };
        let names = self.calls.names(&webhook);
        if !self.destination.filter.takes(&webhook) {
            return;
        }
        self.queue.push(record.seq, names, 0);
        if self.body_bytes + record.body.len() <= MOST_BODIES {
            self.body_bytes += record.body.len();
            self.bodies.insert(record.seq, record);
        }
    }

    /// Begins as many deliveries as may be under way.
    fn send(&mut self, in_flight: &mut JoinSet<(u64, Attempt)>) {
        while self.queue.in_flight() < self.destination.concurrency {
            let Some((seq, attempts)) = self.queue.next(self.epoch.elapsed()) else { return };
            let (poster, records) = (Arc::clone(&self.poster), Arc::clone(&self.records));
            let record = self.bodies.remove(&seq);
            self.body_bytes -= record.as_ref().map_or(0, |record| record.body.len());
            in_flight.spawn(async move {
                let delivery = AssertUnwindSafe(deliver(&poster, records, seq, record, attempts));
                let bug =
                    |_| Attempt { ended: Ended::Failed, error: "a bug: the delivery panicked".to_owned() };
                (seq, delivery.catch_unwind().await.unwrap_or_else(bug))
            });
        }
    }

    fn settle(&mut self, seq: u64, attempt: Attempt) {
        let was_held = self.queue.is_held();
        let next = self.queue.settle(seq, attempt.ended, self.epoch.elapsed());
        self.note();
        self.counts.count(attempt.ended == Ended::Delivered);
        let destination = self.destination.name.clone();
        if attempt.ended == Ended::Gone {
            tracing::error!(destination, seq, error = attempt.error, "a webhook cannot be forwarded");
        }
        match next {
            Next::Settled => self.settled(seq),
            Next::Dead { attempts } => {
                tracing::error!(destination, seq, attempts, error = attempt.error, "a webhook was given up");
                self.counts.dead.inc();
                self.changes.dead.push(DeadLetter {
                    seq,
                    attempts,
                    error: attempt.error,
                    died_at: now_micros(),
                });
                self.settled(seq);
            }
            Next::Again { attempts } => {
                tracing::debug!(destination, seq, attempts, error = attempt.error, "an attempt failed");
                if self.queue.is_held() && !was_held {
                    tracing::warn!(
                        destination,
                        error = attempt.error,
                        "the destination takes nothing; it is asked again and again"
                    );
                }
                self.rows.insert(seq);
                self.changes.unsettled.insert(seq, (attempts, attempt.error));
            }
        }
        if was_held && !self.queue.is_held() {
            tracing::info!(destination = self.destination.name, "the destination answers again");
        }
    }

    fn settled(&mut self, seq: u64) {
        if self.rows.remove(&seq) {
            self.note();
            self.changes.unsettled.remove(&seq);
            self.changes.settled.push(seq);
        }
    }

    fn note(&mut self) {
        self.unsaved_since.get_or_insert_with(Instant::now);
    }

    fn is_to_be_saved(&self) -> bool {
        let count = self.changes.settled.len() + self.changes.unsettled.len() + self.changes.dead.len();
        self.unsaved_since.is_some_and(|since| since.elapsed() >= SAVE_AFTER || count >= SAVE_COUNT)
    }

    /// Saves how far it is: all that it read and did not settle gets a row.
    async fn save(&mut self) -> Result<(), ForwardError> {
        if self.unsaved_since.is_none() {
            return Ok(());
        }
        self.changes.read_through = self.read_through;
        for (seq, attempts) in self.queue.unsettled() {
            if self.rows.insert(seq) {
                self.changes.unsettled.insert(seq, (attempts, String::new()));
            }
        }
        let name = self.destination.name.clone();
        let changes = Arc::new(std::mem::take(&mut self.changes));
        let to_save = Arc::clone(&changes);
        let saved = with_state(&self.state, move |state| state.save(&name, &to_save)).await;
        let saved = saved.unwrap_or(Err(ForwardError::Panicked { operation: "save how far it is" }));
        if let Err(error) = saved {
            self.changes = Arc::unwrap_or_clone(changes);
            return Err(error);
        }
        self.unsaved_since = None;
        Ok(())
    }
}
