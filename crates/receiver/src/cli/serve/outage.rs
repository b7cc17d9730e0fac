//! While the store's server cannot be reached: `serve` listens and answers 503, until it can be.

use std::error::Error;
use std::io;
use std::os::fd::AsFd as _;
use std::time::Duration;

use piopiy_receiver::{
    Append, Entry, OpenStore, PostgresOptions, PostgresStore, PostgresUrl, Record, Records, Store, StoreError,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::super::exit::Failure;

/// What `serve` listens with, to be had more than once: what answers meanwhile, and the receiver that takes its place.
pub(super) struct Sockets {
    pub(super) webhooks: TcpListener,
    pub(super) page: Option<TcpListener>,
}

/// The same socket once more.
pub(super) fn again(listener: &TcpListener) -> Result<TcpListener, Failure> {
    let same = || TcpListener::from_std(listener.as_fd().try_clone_to_owned()?.into());
    same().map_err(Failure::environment)
}

/// The store of what answers meanwhile: it keeps nothing, and has nothing to show.
#[derive(Debug, Clone, Copy)]
pub(super) struct Absent;

#[derive(Debug, thiserror::Error)]
#[error("the database cannot be reached yet")]
struct NotYet;

impl Absent {
    pub(super) fn store() -> OpenStore {
        OpenStore::new(Self, None)
    }

    fn fails<T>() -> Result<T, StoreError> {
        Err(StoreError::Other(Box::new(NotYet)))
    }
}

impl Store for Absent {
    fn append(&mut self, _: &[Entry]) -> Result<Vec<Append>, StoreError> {
        Self::fails()
    }

    fn is_ready(&self) -> bool {
        false
    }
}

impl Records for Absent {
    fn after(&self, _: u64, _: usize) -> Result<Vec<Record>, StoreError> {
        Self::fails()
    }

    fn last_seq(&self) -> Result<u64, StoreError> {
        Self::fails()
    }
}

/// How often it is asked whether it is time to connect again, which the store itself knows.
const EVERY: Duration = Duration::from_millis(50);

/// A store that is connected, however long that takes.
///
/// # Errors
/// Where the server is reached and does not let it in, or has no such store as this program can use.
pub(super) async fn connect(url: &PostgresUrl) -> Result<PostgresStore, Failure> {
    let (tell, told) = oneshot::channel();
    let url = url.clone();
    // A thread of its own: the end of the program would wait for one of the runtime's.
    let thread = std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
        let connected = until_reached(&url, || tell.is_closed());
        // Nobody waits for it any more where a signal came.
        drop(tell.send(connected));
    });
    thread.map_err(Failure::environment)?;
    told.await.map_err(Failure::internal)?.map_err(Failure::environment)
}

fn until_reached(url: &PostgresUrl, is_over: impl Fn() -> bool) -> Result<PostgresStore, StoreError> {
    let mut store = PostgresStore::later(url, PostgresOptions::default())?;
    loop {
        match store.connect() {
            Err(error) if error.is_unreachable() && !is_over() => std::thread::sleep(EVERY),
            outcome => return outcome.map(|()| store),
        }
    }
}

impl Failure {
    /// Whether the store's server is at fault, and may be there later.
    pub(super) fn is_outage(&self) -> bool {
        matches!(self, Self::Environment(error) if error.chain().any(is_unreachable))
    }
}

fn is_unreachable(error: &(dyn Error + 'static)) -> bool {
    // What an I/O error holds is no cause of it.
    let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref::<StoreError>().is_some_and(StoreError::is_unreachable)
        || within.is_some_and(|within| is_unreachable(within))
}
