use std::cell::{Cell, RefCell};
use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use super::following::{Earlier, Followed, Following};
use super::{Audit, Ended, LoadAudit, Teller};
use crate::deliver::check_run::{Observation, Observer, ObserverError};
use crate::deliver::{EffectsFile, ObserveError, Target, each_from_url, last_effect_at_url};
use crate::judge::Effect;
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
/// A receiver that changes without an end is looked at for this many times the settling time.
const MOST_SETTLES: u32 = 60;
/// How long a receiver that was overloaded may take to show its effects again.
const PATIENCE: Duration = Duration::from_secs(10);

/// What came of an audit, and where the next one goes on; `None` where effects are only counted.
type Audited = (LoadAudit, Option<Followed>);

/// Looks at the receiver's effects from a thread of its own, during a load and after it.
pub(in crate::load) struct Auditor {
    thread: JoinHandle<Result<Audited, AuditError>>,
    to: UnboundedSender<Vec<Ended>>,
}

impl Auditor {
    /// Begins; what the receiver has done before is passed over, or is of the loads that this one follows.
    pub(in crate::load) fn start(
        simulator: &Simulator,
        observation: &Observation,
        settle: Duration,
        followed: Option<Followed>,
    ) -> Result<Self, AuditError> {
        let (to, ended) = unbounded_channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (simulator, observation) = (simulator.clone(), observation.clone());
        let thread = std::thread::Builder::new().name("audit".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let began = match followed {
                    Some(Followed { eye, earlier }) => Ok((eye, earlier)),
                    None => Eye::open(&observation, settle).await.map(|eye| (eye, Earlier::default())),
                };
                let (eye, earlier) = match began {
                    Ok(began) => began,
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return Ok((LoadAudit::default(), None));
                    }
                };
                let _ = ready.send(Ok(()));
                watch(eye, Following::new(Audit::new(&simulator), earlier), ended, settle).await
            })
        })?;
        match is_ready.recv() {
            Ok(Ok(())) => Ok(Self { thread, to }),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(panicked().into()),
        }
    }

    /// What a thread of the load tells it by.
    pub(in crate::load) fn teller(&self) -> Teller {
        Teller::new(self.to.clone())
    }

    /// Waits until the receiver does nothing more; all tellers are gone.
    pub(in crate::load) fn end(self) -> Result<Audited, AuditError> {
        drop(self.to);
        self.thread.join().unwrap_or_else(|_| Err(panicked().into()))
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
) -> Result<Audited, AuditError> {
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
                Err(error) if is_final(&error) => return Err(error),
                // A receiver that has no time for this now has when the load is over.
                Ok(_) | Err(_) => {}
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
    looked?;
    let rung = eye.rung().to_owned();
    let mut found = LoadAudit { rung, ..LoadAudit::default() };
    if let Eye::Count { observer, before } = &eye {
        let (effects, audit) = (observer.count().await? - *before, audit.into_inner().audit);
        let figures = audit.figures();
        let (acknowledged, sent) = (audit.acknowledged(), audit.acknowledged() + figures.ambiguous);
        found.effects = u64::try_from(effects).unwrap_or_default();
        found.lost = acknowledged.saturating_sub(found.effects);
        found.duplicated = found.effects.saturating_sub(sent);
        found.ambiguous = figures.ambiguous;
        return Ok((found, None));
    }
    let is_unsettled = !settled(&mut eye, &audit, settle).await?;
    let (audited, earlier) = audit.into_inner().close()?;
    Ok((LoadAudit { rung: found.rung, is_unsettled, ..audited }, Some(Followed { eye, earlier })))
}

/// Whether records were read and are none: what stood behind them would be missed.
fn is_final(error: &ObserverError) -> bool {
    matches!(error, ObserverError::Records(ObserveError::Line { .. } | ObserveError::Order { .. }))
}

/// Looks until nothing has changed for a while; false where that does not end.
async fn settled(eye: &mut Eye, audit: &RefCell<Following>, settle: Duration) -> Result<bool, ObserverError> {
    let begun = Instant::now();
    let mut changed = begun;
    loop {
        match eye.look(audit).await {
            Ok(true) => changed = Instant::now(),
            Ok(false) if changed.elapsed() >= settle => return Ok(true),
            Ok(false) => {}
            Err(error) if is_final(&error) || begun.elapsed() > PATIENCE => return Err(error),
            Err(_) => changed = Instant::now(),
        }
        if begun.elapsed() > settle.saturating_mul(MOST_SETTLES).max(PATIENCE) {
            return Ok(false);
        }
        sleep(SETTLING.min(settle)).await;
    }
}
