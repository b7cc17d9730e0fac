//! How a run begins: the receiver is started, where the suite is to do so, and waited for.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use tokio::sync::{Mutex, RwLock, Semaphore};
use tokio::time::Instant;

use super::super::Target;
use super::super::probe::Probe;
use super::super::stream::is_of_tls;
use super::hooks::Hooks;
use super::process::Process;
use super::{CheckOptions, CheckRunError, Observation, Observer, ObserverError, Run, SIDE_BY_SIDE};
use crate::judge::check::{Again, CaseFile, Hook, Shows, Sources, Terms, Time};

/// How long a receiver is watched where something listens before it is started: some servers try for five seconds.
const TAKEN: Duration = Duration::from_secs(6);

impl<'a> Run<'a> {
    /// Starts the receiver, where the suite is to do so, and waits for it; `None` where `stop` comes first. What was started
    /// has ended then.
    pub(super) async fn start(
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
            is_told_gone: AtomicBool::new(false),
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
}

/// What listens first may be a proxy, before the receiver behind it is up.
async fn observer(
    observation: &Observation,
    settle: Duration,
    deadline: Instant,
) -> Result<Observer, ObserverError> {
    use super::super::observe::ObserveError::Status;

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

pub(super) async fn wait_for(probe: &Probe, patience: Duration) -> std::io::Result<()> {
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
