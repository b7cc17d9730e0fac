//! Runs checks against a receiver: sends their stimuli, looks at the effects, and has them judged.

mod beginning;
mod blank;
mod course;
mod explore;
mod failures;
mod flow;
mod hooks;
mod observer;
mod options;
mod passing;
mod process;
mod progress;
mod replayed;
mod rounds;
mod sighting;

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, RwLock, Semaphore};
use tokio::time::Instant;

use self::beginning::wait_for;
pub use self::blank::{broken, empty};
use self::blank::{head, unstarted};
use self::course::Course;
use self::explore::Explored;
use self::hooks::Hooks;
pub(crate) use self::observer::Observer;
pub use self::observer::{Observation, ObserverError};
pub use self::options::{CheckOptions, ExploreOptions};
use self::process::Process;
pub use self::process::ProcessError;
pub use self::progress::Progress;
pub use self::replayed::replay_case;
use super::probe::Probe;
use super::{Target, wall_ms};
use crate::judge::check::{
    Again, CaseFileError, Check, Composer, Outcome, Script, Sources, Terms, Transcript,
};
use crate::judge::day;
use crate::judge::report::{CheckReport, CheckResult, CheckSummary};

/// Why checks could not be run at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckRunError {
    /// Nobody listens.
    #[error(
        "nothing can be reached at {authority}: start the receiver first, or let me wait for it with `--wait-for 10s`"
    )]
    Unreachable {
        /// Host and port.
        authority: String,
        /// Why.
        source: std::io::Error,
    },
    /// Somebody listens, but TLS does not come about.
    #[error(
        "{authority} does not speak TLS as it should; if its certificate is your own, name it with `--cacert FILE`, or take any with `--insecure`"
    )]
    Tls {
        /// Host and port.
        authority: String,
        /// Why.
        source: std::io::Error,
    },
    /// The effects cannot be looked at.
    #[error("the receiver's effects cannot be seen")]
    Observer(#[from] ObserverError),
    /// The receiver could not be started.
    #[error("the receiver could not be started")]
    Process(#[from] ProcessError),
    /// A failed check cannot be sent again.
    #[error(transparent)]
    Case(#[from] CaseFileError),
}

/// Checks that run side by side; those that wait do not count.
const SIDE_BY_SIDE: usize = 8;
/// Plain webhooks that the baseline is measured with.
const BASELINE: usize = 10;

/// Runs checks, in an order that follows from the seed, and judges them.
///
/// `stop` ends the run early: what is not over then is left out, and the report says so.
///
/// # Errors
/// If there is no receiver, or its effects cannot be looked at.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::{Target, check_run::{CheckOptions, run_checks}};
/// use piopiy_mock_platform::judge::check::{Verdict, find};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let receiver = wiremock::MockServer::start().await;
/// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(wiremock::ResponseTemplate::new(200)).mount(&receiver).await;
/// let target = Target::parse(&receiver.uri(), &[])?;
/// let checks = [find("TRN-001").unwrap()];
/// let report = run_checks(&target, &checks, &CheckOptions::default(), &(), std::future::pending()).await?;
/// assert_eq!(report.checks[0].outcome.verdict, Verdict::Pass);
/// # Ok(())
/// # }
/// ```
pub async fn run_checks(
    target: &Target,
    checks: &[&'static Check],
    options: &CheckOptions,
    progress: &dyn Progress,
    stop: impl Future<Output = ()>,
) -> Result<CheckReport, CheckRunError> {
    let (head, mut stop) = (head(target, options), pin!(stop));
    match Run::start(target, options, None, stop.as_mut()).await? {
        Some(run) => Ok(Box::pin(run.whole(checks, head, progress, stop)).await),
        None => Ok(unstarted(head, checks, options)),
    }
}

/// One run.
struct Run<'a> {
    options: &'a CheckOptions,
    is_tls: bool,
    sources: Sources,
    /// What is sent in place of the stimuli.
    again: Option<Again>,
    /// How many plain webhooks of it were sent.
    canaries: AtomicU32,
    target: &'a Target,
    /// What no report tells: names and values of header lines, and of parameters of the query.
    secrets: Vec<(String, String)>,
    probe: Probe,
    observer: Option<Observer>,
    process: Mutex<Option<Process>>,
    /// Whether something listened still, long after the receiver's process had ended.
    is_behind_proxy: AtomicBool,
    /// Whether it was told that the receiver has ended and cannot be started again.
    is_told_gone: AtomicBool,
    hooks: Hooks,
    terms: Terms,
    slots: Semaphore,
    /// Held by a check that is given all effects without an id; shared by those beside it that may have some.
    strays: RwLock<()>,
    /// Held by what bears nothing beside it; shared by what waits meanwhile, while it does something.
    quiet: RwLock<()>,
    /// What came of checks but for what their answers gave away.
    but_for_leaks: Mutex<BTreeMap<&'static str, Outcome>>,
    /// What could not be written.
    unwritten: Mutex<Vec<String>>,
}

type Results = Mutex<BTreeMap<&'static str, CheckResult>>;

impl Run<'_> {
    /// For a check that is sent now: only where webhooks are signed do they say when.
    fn composer(&self, check: &str, attempt: u32) -> Composer {
        let mut composer = Composer::new(check, attempt, self.sources.clone());
        self.date(&mut composer);
        composer
    }

    /// What it composes from here on is signed now.
    fn date(&self, composer: &mut Composer) {
        if self.sources.signing_key.is_some() {
            composer.sources.now_s = wall_ms() / 1_000;
        }
    }

    /// All of it, from the first check to the report.
    async fn whole(
        self,
        checks: &[&'static Check],
        head: CheckReport,
        progress: &dyn Progress,
        stop: impl Future<Output = ()>,
    ) -> CheckReport {
        let began = Instant::now();
        let head = CheckReport { started_ms: wall_ms(), ..head };
        progress.started(&head);
        let results = Mutex::new(BTreeMap::new());
        let exploration = Mutex::new(self.options.explore.as_ref().map(|_| Explored::default()));
        let all = async {
            let course = Course::new(progress, &results, began, checks.len());
            Box::pin(self.all(checks, &course)).await;
            if let Some(explore) = &self.options.explore
                && !self.is_enough(&course).await
            {
                Box::pin(self.explore(explore, progress, &exploration)).await;
            }
        };
        let is_stopped = tokio::select! {
            () = all => false,
            () = stop => true,
        };
        // A case that was cut short has left them as they were.
        if let Err(error) = self.hooks.undo().await {
            tracing::error!("what a check has changed could not be undone: {error}");
        }
        self.tell_leaks_once(&results).await;
        let exploration = match exploration.into_inner() {
            Some(explored) => Some(self.leave_finds(explored).await),
            None => None,
        };
        let mut results = std::mem::take(&mut *results.lock().await);
        let interrupted = is_stopped || results.len() < checks.len();
        let mut report = CheckReport {
            baseline_us: u64::try_from(self.terms.baseline.as_micros()).unwrap_or(u64::MAX),
            took_ms: millis(began.elapsed()),
            interrupted,
            unwritten: std::mem::take(&mut *self.unwritten.lock().await),
            ..head
        };
        for check in checks {
            match results.remove(check.id) {
                Some(result) => report.checks.push(result),
                None => report.not_run.push(check.id.into()),
            }
        }
        report.summary = CheckSummary::of(&report.checks);
        report.exploration = exploration;
        self.stop().await;
        report
    }

    /// What holds for all checks, as far as it is known by now.
    fn terms(&self) -> Terms {
        let shows = self.observer.as_ref().map(Observer::shows).unwrap_or_default();
        Terms { shows, ..self.terms.clone() }
    }

    /// The median answer time of a plain webhook on a new connection.
    async fn baseline(&self) -> Duration {
        let mut composer = self.composer("baseline", 0);
        let mut times = Vec::new();
        for _ in 0..BASELINE {
            times.extend(self.plain(&mut composer).await.latency(0));
        }
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// A plain webhook on a connection of its own.
    async fn plain(&self, composer: &mut Composer) -> Transcript {
        let script = self.plain_script(composer);
        self.probe.run(&[script], Instant::now()).await.pop().unwrap_or_default()
    }

    fn plain_script(&self, composer: &mut Composer) -> Script {
        match &self.again {
            Some(again) => {
                let n = self.canaries.fetch_add(1, Ordering::Relaxed);
                again.canary(n, composer.sources.now_s)
            }
            None => {
                let cdr = composer.cdr();
                Script::default().request(&composer.post(&cdr)).answered()
            }
        }
    }

    fn command(&self, check: &Check) -> String {
        let CheckOptions { again, again_tail, seed, .. } = self.options;
        if self.again.is_some() {
            return format!("{again}{again_tail}");
        }
        format!("{again} --seed {seed} --only {}{again_tail}", check.id)
    }

    async fn stop(&self) {
        if let Some(process) = self.process.lock().await.take() {
            process.end().await;
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Today, as `2026-12-31`, in UTC.
fn today() -> String {
    let (year, month, day) = day::of(wall_ms() / 86_400_000);
    format!("{year:04}-{month:02}-{day:02}")
}
