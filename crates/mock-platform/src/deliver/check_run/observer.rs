use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::process::shell;
use crate::deliver::Target;
use crate::deliver::observe::{ObserveError, effects_from_file, effects_from_url};
use crate::judge::Effect;

/// How the effects of a receiver are seen.
#[derive(Debug, Clone)]
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

/// Between two looks.
const EVERY: Duration = Duration::from_millis(50);

/// How much longer than the time to settle is waited for the last effect.
const UNSETTLED: Duration = Duration::from_secs(60);

/// Looks at the effects of a receiver, and remembers what it has seen.
#[derive(Debug)]
pub(super) struct Observer {
    observation: Observation,
    settle: Duration,
    /// What was there before the run.
    before: AtomicU64,
    /// Whether effects were counted until there were no more.
    has_settled: AtomicBool,
    seen: Mutex<Vec<Effect>>,
}

impl Observer {
    pub(super) async fn start(observation: Observation, settle: Duration) -> Result<Self, ObserverError> {
        let observer = Self {
            observation,
            settle,
            before: AtomicU64::new(0),
            has_settled: AtomicBool::new(false),
            seen: Mutex::default(),
        };
        if !matches!(observer.observation, Observation::Command(_)) {
            let before = observer.read(0).await?.last().map_or(0, |effect| effect.seq);
            observer.before.store(before, Ordering::Relaxed);
        }
        Ok(observer)
    }

    /// Whether single effects are seen, and not only how many there are.
    pub(super) fn sees_records(&self) -> bool {
        !matches!(self.observation, Observation::Command(_))
    }

    /// How many effects the command counts, once that does not change any more.
    pub(super) async fn count(&self) -> Result<i64, ObserverError> {
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
        let mut changed = began;
        loop {
            self.within_reason(began)?;
            {
                let mut seen = self.seen.lock().await;
                let last = seen.last().map_or(self.before(), |effect| effect.seq);
                let more = self.read(last).await?;
                if !more.is_empty() {
                    changed = Instant::now();
                    seen.extend(more);
                }
                if changed.elapsed() >= self.settle {
                    return Ok(seen.clone());
                }
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
        let last = seen.last().map_or(self.before(), |effect| effect.seq);
        seen.extend(self.read(last).await?);
        Ok(seen.last().map_or(self.before(), |effect| effect.seq))
    }

    /// Forgets what was seen: after a restart the receiver itself has to remember, and may number anew.
    pub(super) async fn forget(&self) -> Result<(), ObserverError> {
        if self.sees_records() {
            let mut seen = self.seen.lock().await;
            *seen = self.read(0).await?;
            self.before.store(0, Ordering::Relaxed);
        }
        Ok(())
    }

    fn before(&self) -> u64 {
        self.before.load(Ordering::Relaxed)
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
