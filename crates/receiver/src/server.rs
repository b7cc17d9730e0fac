//! The server: connections with deadlines, routes, and an end that loses nothing.

mod connection;
mod deadline;
mod long_answer;
mod numbers;
mod observe;
mod observe_file;
mod pace;
mod proxies;
mod routes;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::pace::RateLimit;

use self::connection::Connections;
use self::observe::Observer;
use self::observe_file::ObserveFile;
use self::routes::App;
use crate::control::Control;
use crate::metrics::Metrics;
use crate::{
    Authentication, DEFAULT_PATH, Destination, ForwardState, Forwarder, GroupCommit, GroupCommitOptions,
    IpRange, OpenStore, ReadLimits, Retention, retention,
};

/// How a [`Server`] behaves.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct ServerOptions {
    /// The path that webhooks are posted to; default [`DEFAULT_PATH`].
    pub path: String,
    /// What becomes of what is not understood; default [`Malformed::Quarantine`].
    pub malformed: Malformed,
    /// Whether `/__observe` answers, to programs on this machine that show the secret, where one is set; default false. It
    /// needs a store whose records can be read ([`Store::reader`](crate::Store::reader)).
    pub observe: bool,
    /// A file to which a record of each effect is appended, as `/__observe` would tell it; default none. It needs such a
    /// store too, and holds what webhooks hold.
    pub observe_file: Option<PathBuf>,
    /// Whether logs may hold phone numbers; default false.
    pub log_numbers: bool,
    /// Size and time of one body, and the depth of its JSON.
    pub read: ReadLimits,
    /// Time for a whole request head, from the connection's start or the head's first byte; default 10 s.
    pub header_deadline: Duration,
    /// Time that a connection may do nothing between requests, or while it is to take an answer; default 10 s.
    pub idle_deadline: Duration,
    /// Time for requests in flight when the server shuts down; default 10 s.
    pub drain_deadline: Duration,
    /// Open connections at most; more wait to be accepted; default 4,096.
    pub max_connections: usize,
    /// Bytes of bodies that are being read at once, over all connections (503 beyond); default 64 MiB.
    pub max_reading_bytes: usize,
    /// Bytes of one request head at most (431 beyond), at least 8,192; default 64 KiB.
    pub max_head_bytes: usize,
    /// How fast one source may post, whatever it has to show; default as fast as it can.
    pub rate_limit: Option<RateLimit>,
    /// Proxies of which `X-Forwarded-For` is believed, so that addresses are those of clients; default none.
    pub trusted_proxies: Vec<IpRange>,
    /// How entries become batches.
    pub commits: GroupCommitOptions,
}

/// What becomes of a body that is not understood (not JSON, no object, no webhook, a key with two values, too deep), or of
/// a webhook of an `appid` that is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way that loses nothing")]
pub enum Malformed {
    /// It is kept aside in the store, with the reason, and acknowledged with 202.
    #[default]
    Quarantine,
    /// It is refused with 4xx, and the reason as text. A JSON object that has all that a webhook has, but a `type` that is
    /// not known, is no mistake of the sender's: it is kept aside and acknowledged all the same, for refused it would only
    /// come again.
    Reject,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            path: DEFAULT_PATH.to_owned(),
            malformed: Malformed::default(),
            observe: false,
            observe_file: None,
            log_numbers: false,
            read: ReadLimits::default(),
            header_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_secs(10),
            drain_deadline: Duration::from_secs(10),
            max_connections: 4096,
            max_reading_bytes: 64 << 20,
            max_head_bytes: 64 * 1024,
            rate_limit: None,
            trusted_proxies: Vec::new(),
            commits: GroupCommitOptions::default(),
        }
    }
}

/// A receiver that runs: it acknowledges a webhook once the store has it, and answers a repeat the same way.
///
/// | answer | when |
/// |---|---|
/// | `200 got it` | the webhook is committed, now or before |
/// | `202` | the body was not understood, or is of another `appid`, and is kept aside ([`Malformed::Quarantine`]) |
/// | `400`, `422` | the body was not understood ([`Malformed::Reject`]), is empty or broke off; a bad `Host` or `Transfer-Encoding` |
/// | `401`, `403` | [`Authentication`] |
/// | `404`, `405` | another path, another method |
/// | `408`, `413`, `415` | the body was too slow, too large or encoded |
/// | `429` with `Retry-After` | its source is faster than [`ServerOptions::rate_limit`] |
/// | `503` with `Retry-After` | too much comes in or waits, or the store fails or takes too long |
///
/// `/healthz` says that the process runs, `/readyz` whether it would take a webhook, `/metrics` what it counted, and
/// `/__observe`, if [`ServerOptions::observe`] says so, what it did.
///
/// Dropped without [`Server::shutdown`], it runs on until its runtime ends.
///
/// # Examples
/// ```
/// use piopiy_receiver::{MemoryStore, Server};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let server = Server::builder(MemoryStore::new()).bind("127.0.0.1:0").await?;
/// println!("post to {}", server.url());
/// server.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Server {
    local_addr: SocketAddr,
    app: Arc<App>,
    stop: CancellationToken,
    cut: CancellationToken,
    accepting: JoinHandle<()>,
    connections: TaskTracker,
    drain_deadline: Duration,
    /// What ends the task that writes the observe file, and the task.
    follower: Option<(CancellationToken, JoinHandle<()>)>,
    forwarder: Option<Forwarder>,
    /// What forgets old records, and what hears commands.
    keepers: Vec<JoinHandle<()>>,
}

/// Makes a [`Server`]; see [`Server::builder`].
#[derive(Debug)]
#[must_use]
pub struct ServerBuilder {
    store: OpenStore,
    options: ServerOptions,
    authentication: Authentication,
    forwarding: Option<(ForwardState, Vec<Destination>)>,
    retention: Option<Retention>,
    commands: Option<PathBuf>,
}

impl Server {
    /// A server on this store: a [`Store`](crate::Store) of any kind, or an [`OpenStore`].
    pub fn builder(store: impl Into<OpenStore>) -> ServerBuilder {
        ServerBuilder {
            store: store.into(),
            options: ServerOptions::default(),
            authentication: Authentication::default(),
            forwarding: None,
            retention: None,
            commands: None,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where webhooks are to be posted.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}", self.local_addr, self.app.options.path)
    }

    /// Stops accepting, answers the requests in flight within the drain deadline, writes what waits, and lets go of the
    /// store.
    pub async fn shutdown(self) {
        self.stop.cancel();
        drop(self.accepting.await);
        for keeper in self.keepers {
            if let Err(error) = keeper.await {
                tracing::error!(%error, "a task of the server ended with a bug");
            }
        }
        self.connections.close();
        let drain = tokio::time::timeout(self.drain_deadline, self.connections.wait());
        // Before the store is let go, for another process may have it then.
        let forwarded = async {
            if let Some(forwarder) = self.forwarder {
                forwarder.shutdown_within(self.drain_deadline).await;
            }
        };
        let (drained, ()) = tokio::join!(drain, forwarded);
        self.app.commits.close().await;
        if drained.is_err() {
            // What was stored only now is answered now.
            drop(tokio::time::timeout(LAST_ANSWERS, self.connections.wait()).await);
            let connections = self.connections.len();
            self.cut.cancel();
            self.connections.wait().await;
            if connections > 0 {
                tracing::warn!(
                    connections,
                    "not all requests ended within the drain deadline; their connections were closed without an answer"
                );
            }
        }
        if let Some((stop, follower)) = self.follower {
            stop.cancel();
            drop(follower.await);
        }
    }
}

/// How long answers may take after the last commit.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

impl ServerOptions {
    /// Whether a server can be made with these, which [`ServerBuilder::bind`] asks too.
    ///
    /// # Errors
    /// Where the path is none, or one that the server needs itself.
    pub fn check(&self) -> io::Result<()> {
        let path = &self.path;
        let invalid = |text| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        // Some of these have a meaning in URLs or in routes, others must be encoded.
        let fits = |byte: u8| byte.is_ascii_graphic() && !b"{}?#*\"<>\\^`|".contains(&byte);
        if !path.starts_with('/') || !path.bytes().all(fits) {
            return invalid(format!(
                "the path `{path}` must start with / and hold nothing but letters, digits and - . _ ~ % / and the like"
            ));
        }
        if routes::OWN_PATHS.contains(&path.as_str()) {
            return invalid(format!("the path `{path}` is the server's own: choose another for webhooks"));
        }
        Ok(())
    }
}

impl ServerBuilder {
    /// Replaces the options.
    pub fn options(mut self, options: ServerOptions) -> Self {
        self.options = options;
        self
    }

    /// Sets who may post.
    pub fn authentication(mut self, authentication: Authentication) -> Self {
        self.authentication = authentication;
        self
    }

    /// Delivers what is stored to these, as a [`Forwarder`] does. It needs a store whose records can be read.
    pub fn forward(mut self, state: ForwardState, destinations: Vec<Destination>) -> Self {
        self.forwarding = Some((state, destinations));
        self
    }

    /// Forgets records that are older than need be, while it runs. It needs a store that can ([`Store::forget`](crate::Store::forget)).
    pub fn retain(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Lets commands of the store's owner write to it by way of this process ([`RunningStore`](crate::RunningStore)), at
    /// a socket beside the store's file. Where none can be made, it says so in the log and serves all the same.
    pub fn commands(mut self, store: &Path) -> Self {
        self.commands = Some(store.to_owned());
        self
    }

    /// Listens and serves, on tasks of the current runtime.
    ///
    /// # Errors
    /// Where the address cannot be listened on, the path is none, or effects are to be told and the records cannot be read or the file not
    /// be written.
    pub async fn bind(self, address: impl ToSocketAddrs) -> io::Result<Server> {
        self.options.check()?;
        self.serve(crate::listen(address).await?)
    }

    /// Serves those who connect to a listener, on tasks of the current runtime. So the address can be had before the
    /// store is opened.
    ///
    /// # Errors
    /// As [`ServerBuilder::bind`].
    pub fn serve(self, listener: TcpListener) -> io::Result<Server> {
        self.options.check()?;
        let (mut store, records) = (self.store.store, self.store.records);
        let is_observed = self.options.observe || self.options.observe_file.is_some();
        let is_read = is_observed || self.forwarding.is_some();
        let records = if is_read { records.or_else(|| store.reader()) } else { None };
        if is_read && records.is_none() {
            let text = "`observe` and `forward` need a store whose records can be read: see OpenStore::new";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let metrics = Metrics::default();
        let forwarded = records.clone().filter(|_| self.forwarding.is_some());
        let records = records.filter(|_| is_observed);
        let observe_file = match (&self.options.observe_file, &records) {
            (Some(path), Some(records)) => {
                Some(ObserveFile::open(path, records.last_seq().map_err(io::Error::other)?)?)
            }
            _ => None,
        };
        let observer = records.map(Observer::new);
        let local_addr = listener.local_addr()?;
        // The last that may fail: nothing is delivered for a server that is none.
        let forwarder = match (self.forwarding, &forwarded) {
            (Some((state, destinations)), Some(records)) => {
                let forwarder = Forwarder::start_measured(records, state, destinations, &metrics);
                Some(forwarder.map_err(io::Error::other)?)
            }
            _ => None,
        };
        metrics.opened_with(store.record_count());
        let commits = GroupCommit::start_measured(store, self.options.commits, metrics.clone());
        let (stop, cut) = (CancellationToken::new(), CancellationToken::new());
        let mut keepers = Vec::new();
        if let Some(retention) = self.retention {
            keepers.push(tokio::spawn(retention::run(
                retention,
                commits.clone(),
                metrics.clone(),
                stop.clone(),
            )));
        }
        let control = self.commands.and_then(|store| match Control::beside(&store) {
            Ok(control) => Some(control),
            Err(error) => {
                tracing::warn!(%error, store = %store.display(), "no commands are heard while this runs: no socket can be made beside the store");
                None
            }
        });
        keepers.extend(
            control
                .map(|control| tokio::spawn(control.serve(commits.clone(), metrics.clone(), stop.clone()))),
        );
        let drain_deadline = self.options.drain_deadline;
        let slots = Arc::new(Semaphore::new(self.options.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
        let follower = observe_file.zip(observer.clone()).map(|(file, observer)| {
            let stop = CancellationToken::new();
            (stop.clone(), tokio::spawn(file.follow(observer, stop)))
        });
        let observer = observer.filter(|_| self.options.observe);
        let app = Arc::new(App::new(self.options, commits, metrics, observer, self.authentication));
        let tracker = TaskTracker::new();
        let connections = Connections::new(&app, stop.clone(), cut.clone());
        let accepting = tokio::spawn(connections.accept(listener, slots, tracker.clone()));
        Ok(Server {
            local_addr,
            app,
            stop,
            cut,
            accepting,
            connections: tracker,
            drain_deadline,
            follower,
            forwarder,
            keepers,
        })
    }
}
