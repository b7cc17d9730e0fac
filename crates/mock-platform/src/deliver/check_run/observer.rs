mod seen;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use self::seen::Seen;
use super::process::shell;
use crate::deliver::Target;
use crate::deliver::attempt::causes;
use crate::deliver::observe::{
    ObserveError, capabilities_at_url, effects_from_file, effects_from_url, last_effect_at_url,
};
use crate::judge::Effect;
use crate::judge::check::Shows;

/// How the effects of a receiver are seen.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Observation {
    /// A shell command that prints how many there are.
    Command(String),
    /// A file to which the receiver appends effect records.
    File(PathBuf),
    /// A URL that answers with effect records.
    Url(Target),
}

impl Observation {
    /// Where, without its secrets; a command may hold some, and is not told.
    pub(super) fn place(&self) -> Option<String> {
        match self {
            Self::Command(_) => None,
            Self::File(path) => Some(path.display().to_string()),
            Self::Url(url) => Some(url.shown()),
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "verify-cmd",
            Self::File(_) => "observe-file",
            Self::Url(_) => "observe-url",
        }
    }
}

/// Why effects cannot be seen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserverError {
    /// The URL or the file.
    #[error(transparent)]
    Records(#[from] ObserveError),
    /// The command could not be run, or failed.
    #[error("`{command}` failed: {reason}")]
    Command {
        /// The command.
        command: String,
        /// Why.
        reason: String,
    },
    /// There was no end to it.
    #[error(
        "effects kept coming for {UNSETTLED:?}: nothing else may send to the receiver meanwhile, or `--settle` is too long"
    )]
    Unsettled,
    /// The command printed something else.
    #[error("`{command}` has to print one integer, how many effects there are; it printed {printed:?}")]
    NoCount {
        /// The command.
        command: String,
        /// What it printed.
        printed: String,
    },
}

impl ObserverError {
    /// Whether it may be another a moment later, while the receiver starts.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Records(ObserveError::Request { .. } | ObserveError::Status { status: 502..=504, .. })
        )
    }

    /// What is wrong, with its cause.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Records(ObserveError::Request { source, .. }) => format!("{self}: {}", causes(source)),
            _ => self.to_string(),
        }
    }
}

/// Between two looks.
const EVERY: Duration = Duration::from_millis(50);

/// How much longer than the time to settle is waited for the last effect.
const UNSETTLED: Duration = Duration::from_secs(60);

/// Looks at the effects of a receiver, and remembers what it has seen.
#[derive(Debug)]
pub(crate) struct Observer {
    observation: Observation,
    settle: Duration,
    /// The number of the last effect that was read, or passed over: those before the run are, and those of many
    /// webhooks that are only counted.
    since: AtomicU64,
    /// Whether effects were counted until there were no more.
    has_settled: AtomicBool,
    seen: Mutex<Seen>,
    /// What records hold.
    shows: watch::Sender<Shows>,
}

/// Whether an effect has no id that says whose it is.
pub(super) fn is_stray(effect: &Effect) -> bool {
    effect.cmiuuid.as_deref().is_none_or(str::is_empty)
}

impl Observer {
    pub(crate) async fn start(observation: Observation, settle: Duration) -> Result<Self, ObserverError> {
        let shows = match &observation {
            Observation::Url(url) => capabilities_at_url(url).await,
            Observation::Command(_) | Observation::File(_) => None,
        };
        let shows = watch::Sender::new(shows.unwrap_or_default());
        let observer = Self {
            observation,
            settle,
            since: AtomicU64::new(0),
            has_settled: AtomicBool::new(false),
            seen: Mutex::default(),
            shows,
        };
        observer.pass_over().await?;
        Ok(observer)
    }

    /// What records hold, as the receiver says or as they have shown.
    pub(super) fn shows(&self) -> Shows {
        *self.shows.borrow()
    }

    /// Reads on, and keeps nothing of it.
    pub(super) async fn pass_over(&self) -> Result<(), ObserverError> {
        let _seen = self.seen.lock().await;
        let since = self.since.load(Ordering::Relaxed);
        let last = match &self.observation {
            Observation::Command(_) => return Ok(()),
            Observation::Url(url) => last_effect_at_url(url, since).await?,
            Observation::File(path) if !path.exists() => since,
            Observation::File(path) => {
                let effects = effects_from_file(path, since)?;
                effects.last().map_or(since, |effect| effect.seq)
            }
        };
        self.since.store(last, Ordering::Relaxed);
        Ok(())
    }

    /// Whether single effects are seen, and not only how many there are.
    pub(super) fn sees_records(&self) -> bool {
        !matches!(self.observation, Observation::Command(_))
    }

    /// How many effects the command counts, once that does not change any more.
    pub(crate) async fn count(&self) -> Result<i64, ObserverError> {
        let mut count = self.count_now().await?;
        let began = Instant::now();
        let mut changed = began;
        while changed.elapsed() < self.settle {
            self.within_reason(began)?;
            sleep(EVERY.min(self.settle)).await;
            let now = self.count_now().await?;
            if now != count {
                (count, changed) = (now, Instant::now());
            }
        }
        Ok(count)
    }

    /// How many effects the command counts before something is sent. Once the run has begun, all that was sent before has
    /// settled already.
    pub(super) async fn count_before(&self) -> Result<i64, ObserverError> {
        if self.has_settled.swap(true, Ordering::Relaxed) {
            self.count_now().await
        } else {
            self.count().await
        }
    }

    /// All effects of the run, once there are no more for a while.
    pub(super) async fn settled(&self) -> Result<Vec<Effect>, ObserverError> {
        let began = Instant::now();
        loop {
            self.within_reason(began)?;
            {
                let mut seen = self.seen.lock().await;
                self.more(&mut seen).await?;
                let changed = seen.changed.map_or(began, |changed| changed.max(began));
                if changed.elapsed() >= self.settle && !self.more_late(&mut seen).await? {
                    return Ok(seen.effects.clone());
                }
            }
            sleep(EVERY.min(self.settle)).await;
        }
    }

    /// Waits until there is such an effect behind `begin`, no longer than effects take to settle. Fails where they cannot be
    /// read at the end of that.
    pub(super) async fn one_behind(
        &self,
        begin: u64,
        is_such: impl Fn(&Effect) -> bool,
    ) -> Result<(), ObserverError> {
        let began = Instant::now();
        loop {
            let read = {
                let mut seen = self.seen.lock().await;
                let read = self.more(&mut seen).await;
                if seen.effects.iter().any(|effect| effect.seq > begin && is_such(effect)) {
                    return Ok(());
                }
                read
            };
            if began.elapsed() >= self.settle {
                return read;
            }
            sleep(EVERY.min(self.settle)).await;
        }
    }

    fn within_reason(&self, began: Instant) -> Result<(), ObserverError> {
        if began.elapsed() > self.settle + UNSETTLED { Err(ObserverError::Unsettled) } else { Ok(()) }
    }

    /// The number of the last effect so far.
    pub(super) async fn last(&self) -> Result<u64, ObserverError> {
        let mut seen = self.seen.lock().await;
        self.more(&mut seen).await?;
        Ok(self.since.load(Ordering::Relaxed))
    }

    /// Forgets what was seen: after a restart the receiver itself has to remember, and may number anew.
    pub(super) async fn forget(&self) -> Result<(), ObserverError> {
        if self.sees_records() {
            let mut seen = self.seen.lock().await;
            *seen = Seen::default();
            self.since.store(0, Ordering::Relaxed);
            self.more(&mut seen).await?;
        }
        Ok(())
    }

    /// Reads what came since the last time.
    async fn more(&self, seen: &mut Seen) -> Result<(), ObserverError> {
        let since = self.since.load(Ordering::Relaxed);
        let more = self.read(since).await?;
        if let Some(last) = more.last() {
            self.since.store(last.seq, Ordering::Relaxed);
            self.shows.send_modify(|shows| *shows = more.iter().fold(*shows, |shows, one| shows.and(one)));
        }
        seen.take(since, more);
        Ok(())
    }

    /// Reads again where numbers were passed over a short while ago; whether some of them are there now.
    async fn more_late(&self, seen: &mut Seen) -> Result<bool, ObserverError> {
        let Some(since) = seen.passed_over() else { return Ok(false) };
        let again = self.read(since).await?;
        Ok(seen.take_late(again))
    }

    async fn read(&self, since: u64) -> Result<Vec<Effect>, ObserverError> {
        Ok(match &self.observation {
            Observation::Command(_) => Vec::new(),
            Observation::Url(url) => effects_from_url(url, since).await?,
            // A file that nobody has written to yet shows no effects.
            Observation::File(path) if !path.exists() => Vec::new(),
            Observation::File(path) => effects_from_file(path, since)?,
        })
    }

    async fn count_now(&self) -> Result<i64, ObserverError> {
        let Observation::Command(command) = &self.observation else { return Ok(0) };
        let failed = |reason| ObserverError::Command { command: command.clone(), reason };
        let printed = shell(command).await.map_err(failed)?;
        let no_count = || ObserverError::NoCount { command: command.clone(), printed: printed.clone() };
        printed.trim().parse().map_err(|_| no_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_effect_that_is_committed_after_the_next_one_is_seen_all_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("effects.jsonl");
        let write = |numbers: &[u64]| {
            let lines = numbers.iter().map(|seq| format!("{{\"seq\":{seq}}}\n"));
            std::fs::write(&path, lines.collect::<String>()).unwrap();
        };
        let settle = Duration::from_millis(100);
        let observer = Observer::start(Observation::File(path.clone()), settle).await.unwrap();
        write(&[1, 3]);
        assert_eq!(observer.last().await.unwrap(), 3);
        write(&[1, 2, 3]);
        let mut seen: Vec<u64> = observer.settled().await.unwrap().iter().map(|effect| effect.seq).collect();
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3]);
    }
}
