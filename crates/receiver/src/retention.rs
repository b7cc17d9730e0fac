//! Forgetting what is older than it need be, while webhooks come in.

mod held;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use self::held::Held;
use crate::clock::{Clocks, now_micros};
use crate::metrics::Metrics;
use crate::store::chain;
use crate::{AppendError, Forget, ForwardError, ForwardState, GroupCommit, Records, Settled, StoreError};

/// How long records are kept.
///
/// With a record goes what makes its repeats repeats, so the shortest time is [`Retention::LEAST`]. What a forwarder has
/// yet to deliver is kept in any case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Retention {
    /// For how long.
    pub keep: Duration,
    /// Where a forwarder of another process keeps how far it is; default none. A file that is not there holds nothing
    /// back. What the server itself forwards ([`ServerBuilder::forward`](crate::ServerBuilder::forward)) it holds back in any case.
    pub forward_state: Option<PathBuf>,
    /// How often it is looked whether there is something to forget; default 10 min.
    pub every: Duration,
}

/// Why so short a time is none to keep records for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "records are to be kept for at least 2 h: PIOPIY sends a CDR again for half an hour, and a repeat of what is forgotten counts as new"
)]
#[non_exhaustive]
pub struct KeepTooShort;

impl Retention {
    /// The half hour for which a CDR may come again, a clock that jumps by an hour, and a margin.
    pub const LEAST: Duration = Duration::from_secs(2 * 3600);

    /// Records are kept for this long.
    ///
    /// # Errors
    /// Where that is shorter than [`Retention::LEAST`].
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use piopiy_receiver::Retention;
    ///
    /// assert!(Retention::new(Duration::from_secs(90 * 86_400)).is_ok());
    /// assert!(Retention::new(Duration::from_secs(60)).is_err());
    /// ```
    pub fn new(keep: Duration) -> Result<Self, KeepTooShort> {
        if keep < Self::LEAST {
            return Err(KeepTooShort);
        }
        Ok(Self { keep, forward_state: None, every: Duration::from_secs(600) })
    }

    /// Whether what was received at one instant is of the future at another, both in microseconds since 1970: by a minute at least, for
    /// clocks are corrected a little. Nothing behind such a record is forgotten until it is old.
    ///
    /// # Examples
    /// ```
    /// use piopiy_receiver::Retention;
    ///
    /// assert!(Retention::is_of_the_future(3_600_000_000, 0));
    /// assert!(!Retention::is_of_the_future(1_000_000, 0));
    /// ```
    #[must_use]
    pub fn is_of_the_future(received_at: i64, now: i64) -> bool {
        received_at.saturating_sub(now) > 60_000_000
    }

    /// When the newest record was received, in microseconds since 1970, where it would be forgotten too: that nothing came for so long is
    /// less likely than that the clock is ahead. What was imported counts as any other.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn newest_if_old(records: &dyn Records, due: &Forget) -> Result<Option<i64>, StoreError> {
        Ok(newest(records)?.filter(|newest| *newest < due.received_before))
    }

    /// What may be forgotten now.
    ///
    /// # Errors
    /// Where the forwarder's state cannot be read: then nothing may.
    pub fn due(&self) -> Result<Forget, ForwardError> {
        let received_before = self.received_before(now_micros());
        let up_to = match &self.forward_state {
            Some(path) => settled_through(path)?,
            None => u64::MAX,
        };
        Ok(Forget { received_before, up_to, ..Forget::default() })
    }

    /// The destination that needs the oldest record, by the state of another process or by this one of a server.
    fn holder(&self, state: Option<&Path>) -> Result<Option<Settled>, ForwardError> {
        let mut holder: Option<Settled> = None;
        for path in
            [self.forward_state.as_deref(), state].into_iter().flatten().filter(|path| !is_missing(path))
        {
            let last = ForwardState::open_to_read(path)?.last_settled()?;
            holder = holder.into_iter().chain(last).min_by_key(|last| last.through);
        }
        Ok(holder)
    }

    /// What was received before this is old at some instant, both in microseconds since the epoch.
    fn received_before(&self, now: i64) -> i64 {
        now.saturating_sub(i64::try_from(self.keep.as_micros()).unwrap_or(i64::MAX))
    }
}

/// When the newest record was received; `None` where there is none.
pub(crate) fn newest(records: &dyn Records) -> Result<Option<i64>, StoreError> {
    let Some(before) = records.last_seq()?.checked_sub(1) else { return Ok(None) };
    Ok(records.page(before, 1, 0)?.last().map(|record| record.received_at))
}

/// Whether it is known that there is no such file. One that cannot be looked at is opened, and the error told.
fn is_missing(path: &Path) -> bool {
    matches!(path.try_exists(), Ok(false))
}

fn settled_through(path: &Path) -> Result<u64, ForwardError> {
    if is_missing(path) {
        return Ok(u64::MAX);
    }
    Ok(ForwardState::open_to_read(path)?.settled_through()?.unwrap_or(u64::MAX))
}

/// What of this may go where a server forwards by this state: nothing that it has yet to deliver, whoever asks.
///
/// # Errors
/// Where the state cannot be read, or is gone: then nothing may.
pub(crate) fn hold_back(what: Forget, state: Option<&Path>) -> Result<Forget, ForwardError> {
    let Some(state) = state else { return Ok(what) };
    let settled = ForwardState::open_to_read(state)?.settled_through()?.unwrap_or(u64::MAX);
    Ok(Forget { up_to: what.up_to.min(settled), ..what })
}

/// The wait between two steps: what comes in goes first.
const PAUSE: Duration = Duration::from_millis(5);
/// Pages given back in one step.
const PAGES: u32 = 64;
/// A wall clock that was set by more since the server began is not to be trusted with what cannot be had back.
const MOST_DRIFT: Duration = Duration::from_secs(3600);

#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(
        "the clock was set by {} s since this receiver began, so what is old is not known; if the clock is right now, start the receiver again",
        .0.as_secs()
    )]
    Clock(Duration),
    #[error(
        "the newest record was {} s old when this receiver began, so all would be forgotten: is the clock right? If it is, \
         `piopiy-receiver retention --even-if-all` forgets them; by itself the receiver does when it has run for as long \
         as they are to be kept",
        .0.as_secs()
    )]
    AllOld(Duration),
    #[error("cannot tell what is yet to be forwarded")]
    Forward(#[from] ForwardError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("a bug: it panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

/// What forgets old records while a server runs.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) retention: Retention,
    /// The state of the forwarder in this process.
    pub(crate) forwarding: Option<Arc<Path>>,
    pub(crate) commits: GroupCommit,
    pub(crate) metrics: Metrics,
    pub(crate) began: Clocks,
    /// When the record was received that was the newest then, before anything came in by this clock.
    pub(crate) newest: Option<i64>,
}

impl Keeper {
    /// Forgets what is due, again and again, until told to stop.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut held = Held::default();
        loop {
            match stop.run_until_cancelled(self.pass()).await {
                None => return,
                Some(Ok(held_by)) => held.tell(held_by),
                Some(Err(error @ PassError::AllOld(_))) => {
                    tracing::warn!(reason = chain(&error), "nothing is forgotten");
                }
                Some(Err(error)) => {
                    tracing::error!(
                        error = chain(&error),
                        "old records cannot be forgotten; it is tried again"
                    );
                }
            }
            if stop.run_until_cancelled(tokio::time::sleep(self.retention.every)).await.is_none() {
                return;
            }
        }
    }

    /// Forgets what is due now; the destination for whose sake others are not.
    async fn pass(&self) -> Result<Option<Settled>, PassError> {
        self.trust_the_clock()?;
        let (due, forwarding) = (self.retention.clone(), self.forwarding.clone());
        let due = move || due.due().and_then(|due| hold_back(due, forwarding.as_deref()));
        let mut due = tokio::task::spawn_blocking(due).await??;
        let mut records = 0;
        let oldest_left = self.forget(&mut due, &mut records).await;
        if records > 0 {
            tracing::info!(records, "forgotten, for they are old");
            give_back(&self.commits).await?;
        }
        let oldest_left = oldest_left?;
        // The last record stays in any case.
        let is_old = oldest_left.is_some_and(|oldest| oldest < due.received_before);
        let held_by = if is_old && due.up_to < self.metrics.last_seq() {
            let (retention, forwarding) = (self.retention.clone(), self.forwarding.clone());
            tokio::task::spawn_blocking(move || retention.holder(forwarding.as_deref())).await??
        } else {
            None
        };
        Ok(held_by)
    }

    /// Forgets a little at a time, and counts it; when the oldest of those that are left was received.
    async fn forget(&self, due: &mut Forget, records: &mut u64) -> Result<Option<i64>, PassError> {
        loop {
            let now = *due;
            let forgotten = self.commits.run(move |store| store.forget(&now)).await??;
            self.metrics.forgot(forgotten.records);
            *records += forgotten.records;
            if forgotten.is_done {
                warn_of_the_future(forgotten.oldest_left);
                return Ok(forgotten.oldest_left);
            }
            tokio::time::sleep(PAUSE).await;
            // Some of it may have been asked for again.
            let forwarding = self.forwarding.clone();
            *due = tokio::task::spawn_blocking(move || hold_back(now, forwarding.as_deref())).await??;
        }
    }

    /// Whether what looks old by the wall clock is. What was there when the server began is, whatever that clock says, once the
    /// other has passed for as long as records are kept.
    fn trust_the_clock(&self) -> Result<(), PassError> {
        let drift = self.began.drift();
        if drift > MOST_DRIFT {
            return Err(PassError::Clock(drift));
        }
        let wall = self.began.wall();
        match self.newest {
            Some(newest)
                if newest < self.retention.received_before(wall)
                    && self.began.passed() < self.retention.keep =>
            {
                Err(PassError::AllOld(Duration::from_micros(wall.saturating_sub(newest).unsigned_abs())))
            }
            _ => Ok(()),
        }
    }
}

fn warn_of_the_future(oldest_left: Option<i64>) {
    let now = now_micros();
    if let Some(oldest) = oldest_left.filter(|oldest| Retention::is_of_the_future(*oldest, now)) {
        tracing::warn!(
            seconds_ahead = oldest.saturating_sub(now) / 1_000_000,
            "the oldest record was received in the future, by this clock: nothing is forgotten until it is old; is the clock right?"
        );
    }
}

/// Gives the room back, where the store can; where it cannot, the room is filled up again.
async fn give_back(commits: &GroupCommit) -> Result<(), PassError> {
    loop {
        match commits.run(|store| store.give_back(PAGES)).await? {
            Ok(0) | Err(StoreError::Rigid { .. } | StoreError::Unsupported { .. }) => return Ok(()),
            Ok(_) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests;
