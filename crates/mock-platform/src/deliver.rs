//! DELIVER: planned webhooks in, HTTP attempts and a ledger out. All the I/O is here.
//!
//! [`deliver`] takes calls, as many as there are, and posts each of their webhooks when it is due, again where the
//! redelivery policy says so, and wrong where a fault says so. What was planned, sent and answered goes to the
//! [`Ledger`], the one record that reports, replay and the judge read.

mod ask;
mod attempt;
pub mod check_run;
mod clock;
mod draw;
mod engine;
mod fault;
pub mod ledger;
mod observe;
mod options;
mod placed;
mod probe;
mod rekey;
mod replay;
mod stream;
mod target;
mod trust;

use std::future::Future;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use tokio::sync::{mpsc, oneshot};

use attempt::Http;
use engine::Engine;

pub(crate) use ask::{Asked, Asker};
pub(crate) use clock::Clock;
pub use clock::wall_ms;
pub use fault::{Fault, Faults};
pub use ledger::{Ledger, fresh};
pub(crate) use observe::each_from_url;
pub use observe::{EffectsFile, ObserveError, effects_from_file, effects_from_url, last_effect_at_url};
pub use options::{CDR_SCHEDULE_MS, DeliveryOptions, InvalidOptions, Order, Pace, Redelivery};
pub use placed::{AttemptReport, CallReport, DeliveryReport, PlacedCall};
pub use rekey::rekey;
pub(crate) use rekey::{id_ranges, is_unmistakable, new_id};
pub use replay::{Replay, ReplayError};
pub use target::{Target, TargetError, without_secrets};
pub use trust::{Trust, TrustError};

/// Where webhooks are posted to; PIOPIY has one URL for live events and one for CDRs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "there are two kinds of webhook")]
pub struct Targets {
    /// For live events.
    pub live: Target,
    /// For CDRs.
    pub cdr: Target,
}

impl Targets {
    /// Both to one URL.
    #[must_use]
    pub fn both(target: Target) -> Self {
        Self { live: target.clone(), cdr: target }
    }
}

/// Why nothing could be delivered at all. What goes wrong with one attempt is in the ledger instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeliverError {
    /// The options make no sense.
    #[error(transparent)]
    Options(#[from] InvalidOptions),
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// How a run of [`deliver`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Ending {
    /// All deliveries are over.
    Complete,
    /// It was stopped before.
    Interrupted,
}

/// Delivers calls until there are no more and every delivery is over, or until `stop` is ready: then no attempt is
/// started any more, and those in flight are finished.
///
/// Calls are taken from `calls` as they become due, so an endless plan needs no more memory than the calls that are
/// on. They should come in the order in which they start; their webhooks may interleave as they like.
///
/// # Errors
/// If the options make no sense or no HTTP client can be set up.
///
/// # Examples
/// ```
/// use piopiy_events::{Evidence, Kind, Profile};
/// use piopiy_mock_platform::deliver::{DeliveryOptions, Ledger, Target, Targets, deliver};
/// use piopiy_mock_platform::plan::{PlannedCall, PlannedWebhook};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let receiver = wiremock::MockServer::start().await;
/// wiremock::Mock::given(wiremock::matchers::any())
///     .respond_with(wiremock::ResponseTemplate::new(200))
///     .mount(&receiver)
///     .await;
///
/// let body = br#"{"cmiuuid":"x","leg":"a","status":"missed","duration":0}"#.to_vec();
/// let cdr = PlannedWebhook::new(0, 0, 0, "cdr.inbound.missed".into(), Some(Kind::Cdr), Evidence::Documented, body);
/// let call = PlannedCall::new(0, Profile::Global, "inbound missed".into(), vec![cdr]);
///
/// let ledger = Ledger::builder().in_memory().open()?;
/// let targets = Targets::both(Target::parse(&receiver.uri(), &[])?);
/// let calls = futures_util::stream::iter([call]);
/// let ending = deliver(calls, &targets, &DeliveryOptions::default(), &ledger, std::future::pending()).await?;
///
/// assert_eq!(ending, piopiy_mock_platform::deliver::Ending::Complete);
/// let kinds: Vec<_> = ledger.records().iter().map(|record| record.entry.kind()).collect();
/// assert_eq!(kinds, ["plan", "attempt", "outcome"]);
/// # Ok(())
/// # }
/// ```
pub async fn deliver<S>(
    calls: S,
    targets: &Targets,
    options: &DeliveryOptions,
    ledger: &Ledger,
    stop: impl Future<Output = ()>,
) -> Result<Ending, DeliverError>
where
    S: Stream<Item: Into<PlacedCall>>,
{
    options.check()?;
    let transport = Http::new(options).map_err(DeliverError::Client)?;
    let targets = Arc::new(targets.clone());
    let calls = Box::pin(calls.map(|call| (call.into(), Arc::clone(&targets))));
    let clock = Clock::start(options.pace);
    let engine = Engine::new(transport, calls, options.clone(), ledger.clone(), clock);
    Ok(Box::pin(engine.run(stop)).await)
}

/// Delivers calls that are placed while it runs, each to its own targets, until `calls` ends. Whatever is not in flight is
/// forgotten each time that somebody asks by `forgetting`.
pub(crate) async fn deliver_placed<S>(
    calls: S,
    options: &DeliveryOptions,
    ledger: &Ledger,
    clock: Clock,
    forgetting: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
) -> Result<(), DeliverError>
where
    S: Stream<Item = (PlacedCall, Arc<Targets>)> + Unpin,
{
    options.check()?;
    let transport = Http::new(options).map_err(DeliverError::Client)?;
    let engine = Engine::new(transport, calls, options.clone(), ledger.clone(), clock);
    let engine = engine.forgetting_by(forgetting);
    let _complete = Box::pin(engine.run(std::future::pending())).await;
    Ok(())
}
