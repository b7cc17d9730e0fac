//! The server: connections with deadlines, routes, and an end that loses nothing.

mod connection;
mod deadline;
mod head;
pub(crate) mod local;
mod long_answer;
mod numbers;
mod observe;
mod observe_file;
mod options;
mod pace;
mod proxies;
mod routes;
mod slots;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::options::{Malformed, ServerOptions};
pub use self::pace::RateLimit;

use self::connection::{Connections, Ends};
use self::observe::Observer;
use self::observe_file::ObserveFile;
use self::routes::App;
use self::slots::Slots;
use crate::clock::Clocks;
use crate::control::Control;
use crate::metrics::Metrics;
use crate::retention::{self, Keeper};
use crate::traces::Tracer;
use crate::{
    Authentication, Destination, ForwardState, Forwarder, GroupCommit, OpenStore, Page, Retention, Tls,
    Traces, page,
};

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
    is_tls: bool,
    app: Arc<App>,
    ends: Ends,
    accepting: JoinHandle<()>,
    connections: TaskTracker,
    drain_deadline: Duration,
    /// What ends the task that writes the observe file, and the task.
    follower: Option<(CancellationToken, JoinHandle<()>)>,
    forwarder: Option<Forwarder>,
    /// What ends the task that sends traces, and the task.
    traces: Option<(CancellationToken, JoinHandle<()>)>,
    /// Where the page is.
    page: Option<SocketAddr>,
    /// What forgets old records, what hears commands, and what lets people look.
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
    tls: Option<Tls>,
    traces: Option<Traces>,
    page: Option<Page>,
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
            tls: None,
            traces: None,
            page: None,
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
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.local_addr, self.app.options.path)
    }

    /// Where people can look at what it stored, if [`ServerBuilder::page`] says so.
    #[must_use]
    pub fn page_url(&self) -> Option<String> {
        let scheme = if self.is_tls { "https" } else { "http" };
        self.page.map(|address| format!("{scheme}://{address}/"))
    }

    /// Stops accepting, answers the requests in flight and of those who have connected within the drain deadline, writes what
    /// waits, and lets go of the store.
    pub async fn shutdown(self) {
        self.ends.stop.cancel();
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
            self.ends.cut.cancel();
            self.connections.wait().await;
            if connections > 0 {
                tracing::warn!(
                    connections,
                    "not all requests ended within the drain deadline; their connections were closed without an answer"
                );
            }
        }
        for (stop, task) in self.follower.into_iter().chain(self.traces) {
            stop.cancel();
            drop(task.await);
        }
    }

    /// The same, where another server listens on the same socket already: who has connected and was not accepted is left to
    /// that one.
    pub async fn hand_over(self) {
        self.ends.hand_over.cancel();
        self.shutdown().await;
    }
}

/// How long answers may take after the last commit.
const LAST_ANSWERS: Duration = Duration::from_millis(100);

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

    /// Traces webhooks for OpenTelemetry.
    pub fn traces(mut self, traces: Traces) -> Self {
        self.traces = Some(traces);
        self
    }

    /// Speaks TLS, and nothing else. Where the certificate's files change, new connections get what is in them then.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Shows what it stored on a page of its own. It needs a store whose records can be read.
    pub fn page(mut self, page: Page) -> Self {
        self.page = Some(page);
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
    /// be written; where a page is reached from other machines and asks for no token; where old records are to be forgotten and what is
    /// forwarded is known in memory alone.
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
        // Before anything comes in by a clock that may be wrong.
        let newest = match &self.retention {
            Some(_) => {
                let records = records.clone().or_else(|| store.reader());
                let newest = records.map_or(Ok(None), |records| retention::newest(&*records));
                newest.map_err(io::Error::other)?
            }
            None => None,
        };
        let is_observed = self.options.observe || self.options.observe_file.is_some();
        let is_shown = self.page.as_ref().is_some_and(Page::needs_records);
        let is_read = is_observed || self.forwarding.is_some() || is_shown;
        let records = if is_read { records.or_else(|| store.reader()) } else { None };
        if is_read && records.is_none() {
            let text =
                "`observe`, `forward` and `page` need a store whose records can be read: see OpenStore::new";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let metrics = Metrics::default();
        let last_seq =
            records.as_ref().map_or(Ok(0), |records| records.last_seq()).map_err(io::Error::other)?;
        let shown = match self.page {
            Some(page) => Some(page.checked(records.clone())?),
            None => None,
        };
        let forwarded = records.clone().filter(|_| self.forwarding.is_some());
        let records = records.filter(|_| is_observed);
        let observe_file = match (&self.options.observe_file, &records) {
            (Some(path), Some(_)) => Some(ObserveFile::open(path, last_seq)?),
            _ => None,
        };
        let observer = records.map(Observer::new);
        let local_addr = listener.local_addr()?;
        let (tracer, export) = match self.traces.map(Tracer::new).transpose().map_err(io::Error::other)? {
            Some((tracer, export)) => (Some(tracer), Some(export)),
            None => (None, None),
        };
        let news = tokio::sync::watch::Sender::default();
        let is_forwarding = self.forwarding.is_some();
        let state_file = self.forwarding.as_ref().filter(|(state, _)| state.is_in_file());
        let state_file: Option<Arc<Path>> = state_file.map(|(state, _)| state.path().into());
        if self.retention.is_some() && is_forwarding && state_file.is_none() {
            let text = "`retain` beside `forward` needs a state in a file: in memory nobody sees what is yet to be delivered";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let forwarding: Option<Arc<Path>> = self.forwarding.as_ref().map(|(state, _)| state.path().into());
        // The last that may fail: nothing is delivered for a server that is none.
        let forwarder = match (self.forwarding, &forwarded) {
            (Some((state, destinations)), Some(records)) => {
                let forwarder = Forwarder::start_measured(
                    records,
                    &Some(news.subscribe()),
                    state,
                    destinations,
                    &metrics,
                );
                Some(forwarder.map_err(io::Error::other)?)
            }
            _ => None,
        };
        metrics.opened_with(store.record_count(), last_seq);
        let commits = GroupCommit::start_measured(store, self.options.commits, metrics.clone(), news);
        let ends = Ends::default();
        let stop = &ends.stop;
        let mut keepers = Vec::new();
        if let Some(retention) = self.retention {
            let keeper = Keeper {
                retention,
                forwarding: forwarding.clone(),
                commits: commits.clone(),
                metrics: metrics.clone(),
                began: Clocks::now(),
                newest,
            };
            keepers.push(tokio::spawn(keeper.run(stop.clone())));
        }
        let control = self.commands.and_then(|store| match Control::beside(&store, forwarding.clone()) {
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
        let acceptor = self.tls.as_ref().map(Tls::acceptor);
        let is_tls = acceptor.is_some();
        keepers.extend(self.tls.map(|tls| tokio::spawn(tls.follow(stop.clone()))));
        let drain_deadline = self.options.drain_deadline;
        let slots = Slots::new(self.options.max_connections);
        let follower = observe_file.zip(observer.clone()).map(|(file, observer)| {
            let stop = CancellationToken::new();
            (stop.clone(), tokio::spawn(file.follow(observer, stop)))
        });
        let traces = export.map(|export| {
            let stop = CancellationToken::new();
            (stop.clone(), tokio::spawn(export.run(stop)))
        });
        let observer = observer.filter(|_| self.options.observe);
        let app = Arc::new(App::new(self.options, commits, metrics, observer, self.authentication, tracer));
        let tracker = TaskTracker::new();
        let page = shown.as_ref().map(page::Shown::address);
        if let Some(shown) = shown {
            let (router, listener) = shown.router(page::Parts {
                commits: app.commits.clone(),
                read: app.options.read,
                authentication: app.authentication.clone(),
                is_forwarding,
                state_file,
                stop: stop.clone(),
                is_tls,
            });
            let slots = Slots::new(Page::MOST_CONNECTIONS);
            // What is counted is of webhooks.
            let metrics = Metrics::default();
            let connections = Connections::to(router, &app, metrics, acceptor.clone(), ends.clone());
            keepers.push(tokio::spawn(connections.accept(listener, slots, tracker.clone())));
        }
        let connections = Connections::new(&app, acceptor, ends.clone());
        let accepting = tokio::spawn(connections.accept(listener, slots, tracker.clone()));
        Ok(Server {
            local_addr,
            is_tls,
            app,
            ends,
            accepting,
            connections: tracker,
            drain_deadline,
            follower,
            forwarder,
            traces,
            page,
            keepers,
        })
    }
}
