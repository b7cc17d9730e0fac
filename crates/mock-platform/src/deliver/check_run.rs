//! Runs checks against a receiver: sends their stimuli, looks at the effects, and has them judged.

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
use super::stream::is_of_tls;
use super::{Target, wall_ms};
use crate::judge::check::{
    Again, CaseFile, CaseFileError, Check, Composer, Hook, Outcome, Script, Shows, Sources, Terms, Time,
    Transcript,
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
/// How long a receiver is watched where something listens before it is started: some servers try for five seconds.
const TAKEN: Duration = Duration::from_secs(6);
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

impl<'a> Run<'a> {
    /// Starts the receiver, where the suite is to do so, and waits for it; `None` where `stop` comes first. What was started
    /// has ended then.
    async fn start(
        target: &'a Target,
        options: &'a CheckOptions,
        file: Option<&CaseFile>,
        stop: impl Future<Output = ()>,
    ) -> Result<Option<Self>, CheckRunError> {
        let mut stop = pin!(stop);
        let is_taken = tokio::select! {
            biased;
            () = stop.as_mut() => return Ok(None),
            is_taken = is_taken(target, options) => is_taken,
        };
        let mut process = options.command.as_deref().map(Process::start).transpose()?;
        let failure = async {
            match &mut process {
                Some(process) => process.failure(is_taken).await,
                None => std::future::pending().await,
            }
        };
        let begin = async {
            if is_taken {
                // It may be a proxy. What is none does not leave the receiver its port, which finds that out by then.
                tokio::time::sleep(TAKEN).await;
            }
            Self::begin(target, options, file).await
        };
        let begun = tokio::select! {
            // Ctrl-C ends the receiver, too.
            biased;
            () = stop => None,
            failure = failure => return Err(failure.into()),
            begun = Box::pin(begin) => Some(begun?),
        };
        match (begun, process) {
            (Some(run), process) => Ok(Some(Self { process: Mutex::new(process), ..run })),
            (None, process) => {
                if let Some(process) = process {
                    process.end().await;
                }
                Ok(None)
            }
        }
    }

    async fn begin(
        target: &'a Target,
        options: &'a CheckOptions,
        file: Option<&CaseFile>,
    ) -> Result<Self, CheckRunError> {
        let authority = target.authority();
        let unreachable = |source| {
            let authority = authority.clone();
            if is_of_tls(&source) {
                CheckRunError::Tls { authority, source }
            } else {
                CheckRunError::Unreachable { authority, source }
            }
        };
        let second = options.second.as_ref();
        let probe = Probe::new(target, second, options.ack_limit).await.map_err(unreachable)?;
        // A process that was just started gets the time that any other gets on request.
        let patience = match options.command {
            Some(_) => options.start_limit.max(options.wait_for),
            None => options.wait_for,
        };
        wait_for(&probe, patience).await.map_err(unreachable)?;
        let observer = match &options.observation {
            Some(observation) => {
                Some(observer(observation, options.settle, Instant::now() + patience).await?)
            }
            None => None,
        };
        let mut sources = Sources::new(
            options.profile,
            options.seed,
            options.nonce,
            &host(target),
            &request_target(target),
        );
        sources.headers.clone_from(&options.headers);
        sources.capabilities.clone_from(&options.capabilities);
        sources.slow_limit = options.slow_limit;
        sources.addresses = probe.addresses();
        sources.has_all_ports = target.has_all_ports();
        sources.signing_key.clone_from(&options.signing_key);
        sources.start_limit = options.start_limit;
        sources.unique_ids = options.unique_ids;
        sources.time = if options.signing_key.is_some() {
            // A signature grows old: what is composed now would be refused later, and rightly.
            Time::Stands
        } else if options.hooks.contains_key(&Hook::Clock) {
            Time::Clock
        } else if options.real_time {
            Time::Real
        } else {
            Time::Stands
        };
        let nonce = (!options.exact_ids).then_some(options.nonce);
        let again = file.map(|file| Again::new(file.clone(), sources.clone(), nonce)).transpose()?;
        let mut run = Self {
            options,
            is_tls: target.is_tls(),
            sources,
            again,
            canaries: AtomicU32::new(0),
            target,
            secrets: [options.headers.clone(), target.query_secrets()].concat(),
            probe,
            terms: Terms {
                baseline: Duration::ZERO,
                ack_limit: options.ack_limit,
                malformed: options.malformed,
                is_observed: observer.is_some(),
                shows: Shows::default(),
                start_limit: options.start_limit,
                is_local_name: target.is_local_name(),
                takes_pings: options.capabilities.contains("ping"),
            },
            observer,
            process: Mutex::default(),
            is_behind_proxy: AtomicBool::new(false),
            hooks: Hooks::new(&options.hooks),
            slots: Semaphore::new(SIDE_BY_SIDE),
            strays: RwLock::new(()),
            quiet: RwLock::new(()),
            but_for_leaks: Mutex::default(),
            unwritten: Mutex::default(),
        };
        let (now, then) = (run.baseline().await, file.and_then(|file| file.baseline_of(&target.shown())));
        run.terms.baseline = then.map_or(now, |then| then.min(now));
        Ok(run)
    }

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

/// What listens first may be a proxy, before the receiver behind it is up.
async fn observer(
    observation: &Observation,
    settle: Duration,
    deadline: Instant,
) -> Result<Observer, ObserverError> {
    use super::observe::ObserveError::Status;

    loop {
        match Observer::start(observation.clone(), settle).await {
            Err(ObserverError::Records(Status { status: 502..=504, .. })) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            started => return started,
        }
    }
}

/// Whether something listens where the receiver that is to be started should.
async fn is_taken(target: &Target, options: &CheckOptions) -> bool {
    if options.command.is_none() {
        return false;
    }
    let Ok(probe) = Probe::new(target, None, options.ack_limit).await else { return false };
    probe.is_listening().await.map_or_else(|error| is_of_tls(&error), |()| true)
}

async fn wait_for(probe: &Probe, patience: Duration) -> std::io::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        match probe.is_listening().await {
            Ok(()) => return Ok(()),
            Err(error) if Instant::now() >= deadline || is_of_tls(&error) => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// `Host`, as clients send it.
fn host(target: &Target) -> String {
    let url = target.url();
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Path and query.
fn request_target(target: &Target) -> String {
    let url = target.url();
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Today, as `2026-12-31`, in UTC.
fn today() -> String {
    let (year, month, day) = day::of(wall_ms() / 86_400_000);
    format!("{year:04}-{month:02}-{day:02}")
}
