use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::following::{Earlier, Followed, Following};
use super::settling::{PATIENCE, Rest, Settling};
use super::{Audit, Ended, LoadAudit, Teller};
use crate::deliver::check_run::{Observation, Observer, ObserverError};
use crate::deliver::{EffectsFile, ObserveError, Target, each_from_url, last_effect_at_url};
use crate::judge::Effect;
use crate::load::progress::Progress;
use crate::plan::Simulator;

/// Why a load could not be audited.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The receiver's effects cannot be seen.
    #[error(transparent)]
    Observer(#[from] ObserverError),
    /// What is known of the webhooks could not be kept.
    #[error("what was sent and seen cannot be kept in a temporary file")]
    Ledger(#[from] io::Error),
}

/// Between two looks while the load is on.
const EVERY: Duration = Duration::from_millis(200);
/// And when it is over.
const SETTLING: Duration = Duration::from_millis(50);

impl AuditError {
    /// Whether the receiver does not show its effects, or not any more; and not somebody else's fault.
    pub(in crate::load) fn is_of_receiver(&self) -> bool {
        match self {
            Self::Observer(ObserverError::Records(ObserveError::File { .. })) | Self::Ledger(_) => false,
            Self::Observer(error) => !is_final(error),
        }
    }
}

/// What came of an audit.
pub(in crate::load) struct Audited {
    /// What was found, or why nothing could be.
    pub(in crate::load) found: Result<LoadAudit, AuditError>,
    /// Where the next one goes on.
    pub(in crate::load) next: Option<Followed>,
}

impl Audited {
    fn failed(error: impl Into<AuditError>) -> Self {
        Self { found: Err(error.into()), next: None }
    }
}

/// Looks at the receiver's effects from a thread of its own, during a load and after it.
pub(in crate::load) struct Auditor {
    thread: JoinHandle<Audited>,
    to: UnboundedSender<Vec<Ended>>,
}

impl Auditor {
    /// Begins; what the receiver has done before is passed over, or is of the loads that this one follows. Where nothing can be seen any
    /// more while the load is on, that is told at once.
    pub(in crate::load) fn start(
        simulator: &Simulator,
        observation: &Observation,
        settle: Duration,
        followed: Option<Followed>,
        progress: &Arc<Progress>,
    ) -> Result<Self, AuditError> {
        let (to, ended) = unbounded_channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (simulator, observation) = (simulator.clone(), observation.clone());
        let progress = Arc::clone(progress);
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => {
                    let _ = ready.send(Err(error.into()));
                    return Audited::failed(panicked());
                }
            };
            runtime.block_on(async {
                let began = match followed {
                    Some(Followed { eye, earlier }) => eye.once_more().await.map(|eye| (eye, earlier)),
                    None => Eye::open(&observation, settle).await.map(|eye| (eye, Earlier::default())),
                };
                let (eye, earlier) = match began {
                    Ok(began) => began,
                    Err(error) => {
                        let _ = ready.send(Err(AuditError::from(error)));
                        return Audited::failed(panicked());
                    }
                };
                let _ = ready.send(Ok(()));
                watch(eye, Following::new(Audit::new(&simulator), earlier), ended, settle, &progress).await
            })
        })?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok(Self { thread, to }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(panicked().into()),
        }
    }

    /// What a thread of the load tells it by.
    pub(in crate::load) fn teller(&self) -> Teller {
        Teller::new(self.to.clone())
    }

    /// Waits until the receiver does nothing more; all tellers are gone.
    pub(in crate::load) fn end(self) -> Audited {
        drop(self.to);
        self.thread.join().unwrap_or_else(|_| Audited::failed(panicked()))
    }
}

fn panicked() -> io::Error {
    io::Error::other("the thread of the audit has panicked")
}

/// Where the effects are, read on from where they were read to.
pub(super) enum Eye {
    Url { url: Target, last: Cell<u64> },
    File(EffectsFile),
    Count { observer: Observer, before: i64 },
}

impl Eye {
    async fn open(observation: &Observation, settle: Duration) -> Result<Self, ObserverError> {
        Ok(match observation {
            Observation::Url(url) => {
                let last = Cell::new(last_effect_at_url(url, 0).await?);
                Self::Url { url: url.clone(), last }
            }
            Observation::File(path) => {
                let mut file = EffectsFile::new(path);
                if path.exists() {
                    file.each(|_| {})?;
                }
                Self::File(file)
            }
            Observation::Command(_) => {
                let observer = Observer::start(observation.clone(), settle).await?;
                let before = observer.count().await?;
                Self::Count { observer, before }
            }
        })
    }

    /// Goes on behind the last load; where effects are only counted, from how many there are by now.
    async fn once_more(self) -> Result<Self, ObserverError> {
        match self {
            Self::Count { observer, .. } => {
                let before = counted(&observer).await?;
                Ok(Self::Count { observer, before })
            }
            eye => Ok(eye),
        }
    }

    fn rung(&self) -> &'static str {
        match self {
            Self::Url { .. } => "observe-url",
            Self::File(_) => "observe-file",
            Self::Count { .. } => "verify-cmd",
        }
    }

    /// Shows the audit what is new; whether there was anything.
    async fn look(&mut self, audit: &RefCell<Following>) -> Result<bool, ObserverError> {
        let mut is_new = false;
        match self {
            Self::Url { url, last } => {
                let since = last.get();
                let see = |effect: Effect| {
                    is_new = true;
                    audit.borrow_mut().saw(&effect);
                    last.set(effect.seq);
                };
                each_from_url(url, since, see).await?;
            }
            // A file that nobody has written to yet shows no effects.
            Self::File(file) if !file.path().exists() => {}
            Self::File(file) => {
                let mut see = |effect: Effect| {
                    is_new = true;
                    audit.borrow_mut().saw(&effect);
                };
                // What has ended must not pile up meanwhile, however long the file is.
                while file.some(&mut see)? {
                    yield_now().await;
                }
            }
            Self::Count { .. } => {}
        }
        Ok(is_new)
    }
}

async fn watch(
    mut eye: Eye,
    audit: Following,
    mut ended: UnboundedReceiver<Vec<Ended>>,
    settle: Duration,
    progress: &Progress,
) -> Audited {
    let audit = RefCell::new(audit);
    let is_over = Cell::new(false);
    let listening = async {
        while let Some(batch) = ended.recv().await {
            audit.borrow_mut().audit.ended(&batch);
        }
        is_over.set(true);
    };
    let looking = async {
        while !is_over.get() {
            match eye.look(&audit).await {
                Err(error) if is_final(&error) => {
                    progress.trouble(format!("from here on nobody sees what the receiver does: {error}"));
                    return Err(error);
                }
                Ok(_) => see(&eye, &audit, progress),
                // A receiver that has no time for this now has when the load is over.
                Err(_) => {}
            }
            let mut rest = EVERY;
            while !is_over.get() && !rest.is_zero() {
                sleep(SETTLING).await;
                rest = rest.saturating_sub(SETTLING);
            }
        }
        Ok(())
    };
    let ((), looked) = tokio::join!(listening, looking);
    if let Eye::Count { observer, before } = &eye {
        let counted = counted(observer).await;
        let found = counted.map(|count| of_count(count - *before, &audit.into_inner().audit));
        let found = found.map_err(AuditError::from);
        return Audited { found, next: Some(Followed { eye, earlier: Earlier::default() }) };
    }
    let settled = match looked {
        Ok(()) => settled(&mut eye, &audit, settle, progress).await,
        Err(error) => Err(error),
    };
    let (closed, earlier) = audit.into_inner().close();
    let found = settled.map_err(AuditError::from).and_then(|is_settled| {
        Ok(LoadAudit { rung: eye.rung().to_owned(), is_unsettled: !is_settled, ..closed? })
    });
    Audited { found, next: Some(Followed { eye, earlier }) }
}

/// Tells what was seen so far, where it is seen and not counted.
fn see(eye: &Eye, audit: &RefCell<Following>, progress: &Progress) {
    if !matches!(eye, Eye::Count { .. }) {
        progress.see(Some(audit.borrow().audit.seen()));
    }
}

/// What follows from how many effects there are.
fn of_count(effects: i64, audit: &Audit) -> LoadAudit {
    let figures = audit.figures();
    let acknowledged = audit.acknowledged();
    let sent = acknowledged + figures.ambiguous + figures.refused;
    let effects = u64::try_from(effects).unwrap_or_default();
    LoadAudit {
        rung: "verify-cmd".to_owned(),
        effects,
        lost: acknowledged.saturating_sub(effects),
        duplicated: effects.saturating_sub(sent),
        ambiguous: figures.ambiguous,
        refused: figures.refused,
        ..LoadAudit::default()
    }
}

/// Counts until that can be done: whatever keeps the effects may be busy for a moment, and the command fails.
async fn counted(observer: &Observer) -> Result<i64, ObserverError> {
    let begun = Instant::now();
    loop {
        match observer.count().await {
            Err(ObserverError::Command { .. } | ObserverError::NoCount { .. })
                if begun.elapsed() < PATIENCE =>
            {
                sleep(EVERY).await;
            }
            counted => return counted,
        }
    }
}

/// Whether records were read and are none: what stood behind them would be missed.
fn is_final(error: &ObserverError) -> bool {
    matches!(error, ObserverError::Records(ObserveError::Line { .. } | ObserveError::Order { .. }))
}

/// Looks until nothing has changed for a while; false where that does not end.
async fn settled(
    eye: &mut Eye,
    audit: &RefCell<Following>,
    settle: Duration,
    progress: &Progress,
) -> Result<bool, ObserverError> {
    let begun = Instant::now();
    let mut settling = Settling::new(settle);
    loop {
        let began = begun.elapsed();
        let looked = eye.look(audit).await;
        if looked.is_ok() {
            see(eye, audit, progress);
        }
        let rest = settling.looked(began, begun.elapsed(), looked.as_ref().ok().copied());
        match (looked, rest) {
            (Err(error), Rest::Unseen) => return Err(error),
            (Err(error), _) if is_final(&error) => return Err(error),
            (_, Rest::Settled) => return Ok(true),
            (_, Rest::Unsettled) => return Ok(false),
            (_, Rest::NotYet | Rest::Unseen) => {}
        }
        sleep(SETTLING.min(settle)).await;
    }
}
