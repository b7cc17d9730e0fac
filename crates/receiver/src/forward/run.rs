//! What one destination's task does: read on, deliver, save.

mod place;
mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::place::LastRead;
use super::backoff::{Backoff, Jitter};
use super::calls::Calls;
use super::mark::Mark;
use super::post::{Attempt, Poster, deliver};
use super::queue::{Ended, Next, Queue};
use super::state::{Changes, Start, Tried};
use super::{Destination, ForwardError, News, SharedState, with_state};
use crate::metrics::{ForwardCounts, Metrics};
use crate::store::chain;
use crate::{Record, Records};

/// How often the store is asked for news, where nobody tells of them, and the state for orders.
const POLL: Duration = Duration::from_millis(50);
/// How long what was done stays unsaved at most.
const SAVE_AFTER: Duration = Duration::from_millis(100);
/// How many failed, given up or settled rows bring the next save forward.
const SAVE_COUNT: usize = 512;
/// Where nothing could be saved for so long, nothing more is sent: it would all come again after a crash.
const UNSAVED: Duration = Duration::from_secs(5);
/// How soon after the last page another is read because something was committed.
const PAUSE: Duration = Duration::from_millis(2);
/// The wait after the store or the state failed.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Delivers to one destination.
pub(super) struct Runner {
    destination: Destination,
    records: Arc<dyn Records>,
    news: News,
    state: SharedState,
    poster: Arc<Poster>,
    counts: ForwardCounts,
    epoch: Instant,
    queue: Queue,
    calls: Calls,
    read_through: u64,
    /// Those before are looked at for the call of what was read again.
    looked_through: u64,
    /// That record; `None` where there is none, or it is not known which that was.
    last_read: Option<LastRead>,
    /// What is known of it when it began.
    mark: Option<Mark>,
    /// Whether the store does not have that record any more: then nothing is sent.
    has_gone_back: bool,
    /// Whether it is to begin again from an earlier place, once nothing is in flight.
    is_to_go_back: bool,
    /// What was unsettled when it began, and is not in the queue yet.
    to_recover: BTreeMap<u64, Tried>,
    /// Bodies in hand of what was not tried yet; those that failed are read again.
    bodies: BTreeMap<u64, Record>,
    body_bytes: usize,
    /// Unsettled webhooks that the state has a row of.
    rows: BTreeSet<u64>,
    changes: Changes,
    unsaved_since: Option<Instant>,
    /// Up to where orders were looked through for what is in a queue that is full; 0 where that begins anew.
    orders_seen: u64,
    is_paused: bool,
    /// What fails at the moment.
    failing: BTreeSet<Part>,
    was_full: bool,
}

/// What can fail by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Reading,
    Saving,
}

impl Runner {
    pub(super) fn new(
        destination: Destination,
        records: Arc<dyn Records>,
        news: News,
        state: SharedState,
        metrics: &Metrics,
    ) -> Result<Self, ForwardError> {
        let start = state.lock().unwrap_or_else(PoisonError::into_inner).start(&destination.name)?;
        let mut destination = destination;
        destination.concurrency = destination.concurrency.max(1);
        let range = Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
        let within = |time: Duration| time.clamp(*range.start(), *range.end());
        destination.most_backoff = within(destination.most_backoff);
        destination.first_backoff = within(destination.first_backoff);
        let mut runner = Self {
            poster: Arc::new(Poster::new(destination.clone())?),
            counts: metrics.forward(&destination.name),
            epoch: Instant::now(),
            queue: queue_for(&destination),
            calls: Calls::default(),
            read_through: 0,
            looked_through: 0,
            last_read: None,
            mark: None,
            has_gone_back: false,
            is_to_go_back: false,
            bodies: BTreeMap::new(),
            body_bytes: 0,
            rows: BTreeSet::new(),
            to_recover: BTreeMap::new(),
            changes: Changes::default(),
            unsaved_since: None,
            orders_seen: 0,
            is_paused: false,
            failing: BTreeSet::new(),
            was_full: false,
            destination,
            records,
            news,
            state,
        };
        runner.begin(start);
        Ok(runner)
    }

    /// Takes up what the state has, and nothing else. Nothing is in flight.
    fn begin(&mut self, start: Start) {
        self.queue = queue_for(&self.destination);
        self.calls = Calls::default();
        self.read_through = start.read_through;
        (self.last_read, self.mark) = (None, start.mark);
        (self.has_gone_back, self.is_to_go_back) = (false, false);
        self.bodies.clear();
        self.body_bytes = 0;
        self.rows = start.unsettled.keys().copied().collect();
        self.to_recover = start.unsettled;
        self.changes = Changes { read_through: start.read_through, ..Changes::default() };
        self.unsaved_since = None;
        self.orders_seen = 0;
        self.is_paused = start.is_paused;
    }

    pub(super) async fn run(mut self, stop: CancellationToken, cut: CancellationToken) {
        let mut in_flight = JoinSet::new();
        self.recover(&stop).await;
        let (mut read_at, mut orders_at, mut has_read) = (Instant::now(), Instant::now(), Instant::now());
        while !stop.is_cancelled() {
            let now = Instant::now();
            if now >= read_at {
                let with_orders = now >= orders_at;
                let polled = self.poll(with_orders).await;
                let wait = if matches!(polled, Ok(true)) { Duration::ZERO } else { POLL };
                let wait = if self.told(Part::Reading, polled.map(drop)) { wait } else { AFTER_FAILURE };
                has_read = Instant::now();
                read_at = has_read + wait;
                if with_orders {
                    orders_at = has_read + POLL;
                }
            }
            while let Some(done) = in_flight.try_join_next() {
                self.done(done);
            }
            if self.may_send() {
                self.send(&mut in_flight);
            }
            if self.is_to_be_saved() {
                let saved = self.save().await;
                if !self.told(Part::Saving, saved) {
                    // Not at once again; what is in flight can wait for it.
                    tokio::select! {
                        () = tokio::time::sleep(AFTER_FAILURE) => {}
                        () = stop.cancelled() => {}
                    }
                }
            }
            if self.is_to_go_back && in_flight.is_empty() {
                // As for the end: what was settled meanwhile is.
                let saved = self.save().await;
                if self.told(Part::Saving, saved) {
                    self.recover(&stop).await;
                }
            }
            let wake_at = self.wake_at(read_at);
            tokio::select! {
                Some(done) = in_flight.join_next(), if !in_flight.is_empty() => self.done(done),
                () = next(&mut self.news), if !self.failing.contains(&Part::Reading) => read_at = read_at.min(has_read + PAUSE),
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
        self.told(Part::Saving, saved);
    }

    fn done(&mut self, done: Result<(u64, Attempt), tokio::task::JoinError>) {
        // The deliveries catch panics themselves, and nobody aborts them before the end.
        if let Ok((seq, attempt)) = done {
            self.settle(seq, attempt);
        }
    }

    fn may_send(&self) -> bool {
        let is_saved = self.unsaved_since.is_none_or(|since| since.elapsed() < UNSAVED);
        is_saved && !self.is_paused && !self.has_gone_back && !self.is_to_go_back
    }

    fn wake_at(&self, poll_at: Instant) -> Instant {
        let mut wake_at = poll_at;
        if let Some(since) = self.unsaved_since {
            wake_at = wake_at.min(since + SAVE_AFTER);
        }
        if self.may_send()
            && self.queue.in_flight() < self.destination.concurrency
            && let Some(due) = self.queue.wake_at()
        {
            wake_at = wake_at.min(self.epoch + due);
        }
        wake_at
    }

    /// Logs a failure once, and says whether it is none.
    fn told(&mut self, part: Part, outcome: Result<(), ForwardError>) -> bool {
        let is_well = outcome.is_ok();
        let mut is_news = false;
        match (&outcome, part) {
            (Err(ForwardError::WentBack { .. }), _) => {
                is_news = !std::mem::replace(&mut self.has_gone_back, true);
            }
            (Ok(()), Part::Reading) => self.has_gone_back = false,
            _ => {}
        }
        self.counts.has_gone_back.set(self.has_gone_back.into());
        match outcome {
            Ok(()) => {
                if self.failing.remove(&part) && self.failing.is_empty() {
                    tracing::info!(destination = self.destination.name, "forwarding goes on");
                }
            }
            Err(error) => {
                // A server that went away may come back as another.
                if self.failing.insert(part) || is_news {
                    let error = chain(&error);
                    tracing::error!(destination = self.destination.name, error, "forwarding is held up");
                }
            }
        }
        is_well
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
        match next {
            Next::Settled => self.settled(seq),
            Next::Dead { attempts } => {
                tracing::error!(destination, seq, attempts, error = attempt.error, "a webhook was given up");
                self.bury(seq, attempts, attempt.error);
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
                let tried = self.tried(seq, attempts);
                self.rows.insert(seq);
                self.changes.unsettled.insert(seq, (tried, attempt.error));
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
        self.changes.mark = self.last_read.as_ref().map(|record| record.mark).or(self.mark);
        for (seq, attempts) in self.queue.unsettled() {
            if self.rows.insert(seq) {
                self.changes.unsettled.insert(seq, (Tried { attempts, ..Tried::default() }, String::new()));
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

fn queue_for(destination: &Destination) -> Queue {
    let backoff = Backoff { first: destination.first_backoff, most: destination.most_backoff };
    let seed = RandomState::new().hash_one(&destination.name);
    Queue::new(backoff, destination.max_attempts.max(1), Jitter::new(seed))
}

/// Waits until something was committed; for ever where nobody tells.
async fn next(news: &mut News) {
    if let Some(receiver) = news
        && receiver.changed().await.is_ok()
    {
        return;
    }
    *news = None;
    std::future::pending::<()>().await;
}

#[cfg(test)]
mod tests;
