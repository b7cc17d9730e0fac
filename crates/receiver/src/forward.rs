//! Delivers what is stored to the user's own app: at least once, in order per call.

mod backoff;
mod calls;
mod connect;
mod error;
mod filter;
mod mark;
mod post;
mod queue;
mod run;
mod signature;
mod state;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

pub use error::ForwardError;
pub use filter::ForwardFilter;
pub(crate) use signature::webhook_id;
pub use signature::{InvalidSigningSecret, SigningSecret};
pub use state::{DeadLetter, DestinationStatus, ForwardState, Settled};

use self::run::Runner;
use crate::Records;
use crate::metrics::Metrics;

/// Where stored webhooks are delivered to, and how.
#[derive(Clone)]
#[non_exhaustive]
pub struct Destination {
    /// What it is called in the state, in logs and in metrics.
    pub name: String,
    /// What is posted to, `http` or `https`. User and password in it are told as Basic credentials.
    pub url: Url,
    /// Whom an `https` destination is trusted by: the certificates in this PEM file, or by default the public roots.
    pub ca_file: Option<PathBuf>,
    /// Signs what is sent, as Standard Webhooks has it.
    pub secret: Option<SigningSecret>,
    /// What it gets; default all webhooks. What is quarantined is forwarded nowhere.
    pub filter: ForwardFilter,
    /// How long an answer is waited for; default 10 s.
    pub timeout: Duration,
    /// Deliveries at once, each of another call; default 8.
    pub concurrency: usize,
    /// Attempts before a webhook is given up; default 75, which is about a day. Where no connection can be made, that is no attempt.
    pub max_attempts: u32,
    /// The wait after the first failure, which doubles with each; default 1 s.
    pub first_backoff: Duration,
    /// The wait at most; default 30 min.
    pub most_backoff: Duration,
    /// Whether a destination that is new gets what the store already has; default false: what comes from now on.
    pub from_start: bool,
}

/// Why a URL is none that can be forwarded to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDestination {
    /// It is no URL.
    #[error("`{url}` is no URL: expected such as http://127.0.0.1:3000/webhooks")]
    NoUrl {
        /// What was given, up to where there may be a secret in it.
        url: String,
    },
    /// It is none of `http` or `https`.
    #[error("`{scheme}:` is not forwarded to: give an http: or https: URL")]
    Scheme {
        /// What it has in place of them.
        scheme: String,
    },
    /// Names are letters, digits, `-`, `_` and `.`.
    #[error("`{name}` is no name: expected letters, digits, - _ or .")]
    Name {
        /// What was given.
        name: String,
    },
}

impl Destination {
    /// A destination with the defaults.
    ///
    /// # Errors
    /// Where the name holds anything but letters, digits, `-`, `_` and `.`, or the URL is none of `http` or `https`.
    ///
    /// # Examples
    /// ```
    /// use piopiy_receiver::Destination;
    ///
    /// assert!(Destination::new("app", "http://127.0.0.1:3000/webhooks").is_ok());
    /// assert!(Destination::new("app", "ftp://127.0.0.1/").is_err());
    /// ```
    pub fn new(name: &str, url: &str) -> Result<Self, InvalidDestination> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || !name.chars().all(fits) {
            return Err(InvalidDestination::Name { name: name.to_owned() });
        }
        let url = Url::parse(url).map_err(|_| InvalidDestination::NoUrl { url: shown(url) })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidDestination::Scheme { scheme: url.scheme().to_owned() });
        }
        Ok(Self {
            name: name.to_owned(),
            url,
            ca_file: None,
            secret: None,
            filter: ForwardFilter::default(),
            timeout: Duration::from_secs(10),
            concurrency: 8,
            max_attempts: 75,
            first_backoff: Duration::from_secs(1),
            most_backoff: Duration::from_secs(30 * 60),
            from_start: false,
        })
    }
}

/// Without what may be secret: of the URL only where it leads to.
impl fmt::Debug for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, url, secret, filter, timeout, concurrency, .. } = self;
        f.debug_struct("Destination")
            .field("name", name)
            .field("url", &format_args!("{}/…", url.origin().ascii_serialization()))
            .field("secret", secret)
            .field("filter", filter)
            .field("timeout", timeout)
            .field("concurrency", concurrency)
            .finish_non_exhaustive()
    }
}

/// What was given in place of a URL, without user, password and query.
pub(crate) fn shown(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    match text.rsplit_once('@') {
        Some((_, place)) => format!("…@{place}"),
        None => text.to_owned(),
    }
}

/// Delivers the webhooks of a store to destinations, on tasks of the current runtime.
///
/// * **At least once.** A webhook is delivered until it is answered with 2xx, or given up after
///   [`Destination::max_attempts`] and kept as a dead letter. After a crash the last few are delivered again: the app tells
///   repeats by the header `webhook-id`, which is the same for every attempt.
/// * **In order per call.** Webhooks of one call go one after another, in the order in which they were stored; one that fails
///   holds up its own call alone. Webhooks are of one call if they share a `conversation_uuid` or a `cmiuuid`.
/// * **A destination that is down holds up nothing but itself**, and loses nothing: without a connection no attempt counts.
///
/// Dropped without [`Forwarder::shutdown`], it runs on until its runtime ends.
///
/// # Examples
/// ```
/// use piopiy_receiver::{Destination, ForwardState, Forwarder, MemoryStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// let records = MemoryStore::new().records();
/// let state = ForwardState::open(folder.path().join("calls.forward"))?;
/// let app = Destination::new("app", "http://127.0.0.1:3000/webhooks")?;
/// let forwarder = Forwarder::start(&records, state, vec![app])?;
/// forwarder.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Forwarder {
    stop: CancellationToken,
    cut: CancellationToken,
    runners: Vec<JoinHandle<()>>,
}

impl Forwarder {
    /// Starts where the state says that each destination is.
    ///
    /// # Errors
    /// Where two destinations have one name, the state cannot be read, is of another store or in use, or the store cannot be
    /// read.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start(
        records: &Arc<dyn Records>,
        state: ForwardState,
        destinations: Vec<Destination>,
    ) -> Result<Self, ForwardError> {
        Self::start_measured(records, &None, state, destinations, &Metrics::default())
    }

    pub(crate) fn start_measured(
        records: &Arc<dyn Records>,
        news: &News,
        mut state: ForwardState,
        destinations: Vec<Destination>,
        metrics: &Metrics,
    ) -> Result<Self, ForwardError> {
        state.lock()?;
        state.belong_to(&**records)?;
        let last_seq = records.last_seq()?;
        Self::check(&destinations)?;
        let after = |destination: &Destination| if destination.from_start { 0 } else { last_seq };
        let wanted: Vec<_> = destinations.iter().map(|it| (it.name.as_str(), after(it))).collect();
        for destination in state.deliver_to(&wanted)? {
            let after = wanted.iter().find(|(name, _)| *name == destination).map(|(_, after)| after);
            tracing::info!(destination, after, "a new destination; it gets what is stored after this");
        }
        warn_of_unwanted(&state)?;
        let state = Arc::new(Mutex::new(state));
        let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
        let runners: Result<Vec<Runner>, ForwardError> = destinations
            .into_iter()
            .map(|destination| {
                let (records, state) = (Arc::clone(records), Arc::clone(&state));
                Runner::new(destination, records, news.clone(), state, metrics)
            })
            .collect();
        let runners = runners?.into_iter();
        let runners = runners.map(|runner| tokio::spawn(runner.run(stop.clone(), cut.clone()))).collect();
        Ok(Self { stop, cut, runners })
    }

    /// Whether a forwarder could deliver to these, as far as is known before one is started, which asks this too.
    ///
    /// # Errors
    /// Where two have one name, or the certificates that one is to be trusted by cannot be read.
    pub fn check(destinations: &[Destination]) -> Result<(), ForwardError> {
        let mut names = std::collections::BTreeSet::new();
        for destination in destinations {
            if !names.insert(&destination.name) {
                return Err(ForwardError::SameName { name: destination.name.clone() });
            }
            connect::Connector::new(destination.timeout, destination.ca_file.as_deref())?;
        }
        Ok(())
    }

    /// Begins no further delivery, waits for the answers to those in flight, and saves how far it is.
    pub async fn shutdown(self) {
        self.stop.cancel();
        for runner in self.runners {
            if let Err(error) = runner.await {
                tracing::error!(%error, "a forwarder's task ended with a bug; what it did last is delivered again");
            }
        }
    }

    /// The same, but gives up on answers that take longer: those webhooks are delivered again after the next start.
    pub async fn shutdown_within(self, deadline: Duration) {
        let cut = self.cut.clone();
        let mut ending = std::pin::pin!(self.shutdown());
        if tokio::time::timeout(deadline, &mut ending).await.is_err() {
            cut.cancel();
            ending.await;
        }
    }
}

/// Nobody may remember a destination that is not configured any more, and what it has not had is kept for it.
fn warn_of_unwanted(state: &ForwardState) -> Result<(), ForwardError> {
    for unwanted in state.status()?.into_iter().filter(|status| !status.is_wanted) {
        tracing::warn!(
            destination = unwanted.name,
            read_through = unwanted.read_through,
            state = %state.path().display(),
            "this destination is not forwarded to any more, and what it has not had is not forgotten; `piopiy-receiver forward remove` forgets the destination"
        );
    }
    Ok(())
}

/// Tells that something was committed, where anybody does; else the store is asked again and again.
pub(crate) type News = Option<watch::Receiver<()>>;

/// The state, which all destinations share.
type SharedState = Arc<Mutex<ForwardState>>;

/// Does something with the state on a thread that may wait for the disk.
async fn with_state<T: Send + 'static>(
    state: &SharedState,
    work: impl FnOnce(&mut ForwardState) -> T + Send + 'static,
) -> Option<T> {
    let state = Arc::clone(state);
    let done =
        tokio::task::spawn_blocking(move || work(&mut state.lock().unwrap_or_else(PoisonError::into_inner)));
    done.await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_of_a_url_is_shown() {
        let of = |url: &str| Destination::new("app", url);
        let destination = of("http://user:s3cret@h:81/p/s3cret?token=s3cret").unwrap();
        let shown = format!("{destination:?}");
        assert!(shown.contains("http://h:81/…") && !shown.contains("s3cret"), "{shown}");
        for wrong in ["http://user:s3cret@h:x/", "user:s3cret@h", "h:x?token=s3cret", "ftp://u:s3cret@h"] {
            let error = of(wrong).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
