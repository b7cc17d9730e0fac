//! Forgetting what is older than it need be, while webhooks come in.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::clock::{Clocks, now_micros};
use crate::metrics::Metrics;
use crate::store::chain;
use crate::{AppendError, Forget, ForwardError, ForwardState, GroupCommit, StoreError};

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

    /// What may be forgotten now.
    ///
    /// # Errors
    /// Where the forwarder's state cannot be read: then nothing may.
    pub fn due(&self) -> Result<Forget, ForwardError> {
        let keep = i64::try_from(self.keep.as_micros()).unwrap_or(i64::MAX);
        let received_before = now_micros().saturating_sub(keep);
        let up_to = match &self.forward_state {
            Some(path) => settled_through(path)?,
            None => u64::MAX,
        };
        Ok(Forget { received_before, up_to, ..Forget::default() })
    }
}

fn settled_through(path: &Path) -> Result<u64, ForwardError> {
    if !path.exists() {
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
    #[error("cannot tell what is yet to be forwarded")]
    Forward(#[from] ForwardError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Append(#[from] AppendError),
    #[error("a bug: it panicked")]
    Panicked(#[from] tokio::task::JoinError),
}

/// Forgets what is due, again and again, until told to stop.
pub(crate) async fn run(
    retention: Retention,
    forwarding: Option<Arc<Path>>,
    commits: GroupCommit,
    metrics: Metrics,
    began: Clocks,
    stop: CancellationToken,
) {
    loop {
        let pass = pass(&retention, forwarding.as_ref(), &commits, &metrics, began);
        match stop.run_until_cancelled(pass).await {
            None => return,
            Some(Ok(0)) => {}
            Some(Ok(records)) => tracing::info!(records, "forgotten, for they are old"),
            Some(Err(error)) => {
                tracing::error!(error = chain(&error), "old records cannot be forgotten; it is tried again");
            }
        }
        if stop.run_until_cancelled(tokio::time::sleep(retention.every)).await.is_none() {
            return;
        }
    }
}

/// Forgets what is due now; how many records those were.
async fn pass(
    retention: &Retention,
    forwarding: Option<&Arc<Path>>,
    commits: &GroupCommit,
    metrics: &Metrics,
    began: Clocks,
) -> Result<u64, PassError> {
    let drift = began.drift();
    if drift > MOST_DRIFT {
        return Err(PassError::Clock(drift));
    }
    let (due, forwarding) = (retention.clone(), forwarding.cloned());
    let due = move || due.due().and_then(|due| hold_back(due, forwarding.as_deref()));
    let due = tokio::task::spawn_blocking(due).await??;
    let mut records = 0;
    loop {
        let forgotten = commits.run(move |store| store.forget(&due)).await??;
        metrics.forgot(forgotten.records);
        records += forgotten.records;
        if forgotten.is_done {
            warn_of_the_future(forgotten.oldest_left);
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    if records > 0 {
        give_back(commits).await?;
    }
    Ok(records)
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
mod tests {
    use std::io;
    use std::sync::Mutex;

    use tracing_subscriber::fmt::MakeWriter;

    use super::*;
    use crate::{Entry, GroupCommitOptions, SqliteStore, Store as _};

    /// What was logged.
    #[derive(Clone, Default)]
    struct Logs(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Logs {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Logs {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// What one look at a store forgets whose records were received at these times, and what it logs.
    async fn look(received: &[i64], began: Clocks) -> (u64, String) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = SqliteStore::open(folder.path().join("store.sqlite")).unwrap();
        let entry = |&at: &i64| Entry::quarantined("not JSON".to_owned(), "x".into(), at);
        store.append(&received.iter().map(entry).collect::<Vec<_>>()).unwrap();
        let (metrics, stop) = (Metrics::default(), CancellationToken::new());
        metrics.opened_with(received.len() as u64, received.len() as u64);
        let commits = GroupCommit::start_measured(
            store,
            GroupCommitOptions::default(),
            metrics.clone(),
            tokio::sync::watch::Sender::default(),
        );
        let logs = Logs::default();
        let subscriber = tracing_subscriber::fmt().with_writer(logs.clone()).with_ansi(false).finish();
        let log = tracing::subscriber::set_default(subscriber);
        let retention = Retention::new(Retention::LEAST).unwrap();
        let stopping = stop.clone();
        let stopper = async move {
            // One look is over long before the next, which is ten minutes later.
            tokio::time::sleep(Duration::from_millis(300)).await;
            stopping.cancel();
        };
        tokio::join!(run(retention, None, commits.clone(), metrics.clone(), began, stop), stopper);
        drop(log);
        commits.close().await;
        let logs = String::from_utf8(logs.0.lock().unwrap().clone()).unwrap();
        let left = metrics.encode();
        let left = left.lines().find_map(|line| line.strip_prefix("piopiy_receiver_store_records "));
        (received.len() as u64 - left.unwrap().parse::<u64>().unwrap(), logs)
    }

    #[tokio::test]
    async fn nothing_is_forgotten_by_a_clock_that_was_set() {
        const HOUR: i64 = 3_600_000_000;
        let old = [1, 2, now_micros()];
        let (forgotten, logs) = look(&old, Clocks::now()).await;
        assert_eq!(forgotten, 2, "{logs}");
        assert!(!logs.contains("WARN") && !logs.contains("ERROR"), "{logs}");
        for by in [-2 * HOUR, 2 * HOUR] {
            let (forgotten, logs) = look(&old, Clocks::now().set_by(by)).await;
            assert_eq!(forgotten, 0, "{logs}");
            assert!(logs.contains("ERROR") && logs.contains("the clock was set by 7"), "{logs}");
        }
        // An hour is what a clock may be put right by.
        let (forgotten, logs) = look(&old, Clocks::now().set_by(HOUR - 60_000_000)).await;
        assert_eq!(forgotten, 2, "{logs}");
    }

    #[tokio::test]
    async fn a_record_of_the_future_that_holds_all_back_is_told() {
        let now = now_micros();
        let (forgotten, logs) = look(&[now + 86_400_000_000, 1, 2, now], Clocks::now()).await;
        assert_eq!(forgotten, 0, "{logs}");
        assert!(
            logs.contains("WARN") && logs.contains("the oldest record was received in the future"),
            "{logs}"
        );
        let (_, logs) = look(&[now, now + 86_400_000_000], Clocks::now()).await;
        assert!(!logs.contains("WARN"), "it is not the oldest: {logs}");
    }
}
