//! What `serve` does with its options: listens, opens the store, serves, and ends.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use piopiy_receiver::{
    OpenStore, Server, ServerBuilder, ServerOptions, SqliteOptions, StoreLocation, listen,
};
use tokio::net::TcpListener;

use super::super::exit::Failure;
use super::super::signals::{Ending, Reloading, Signals, reload};
use super::super::{logging, open_files, waiting};
use super::outage::{self, Absent, Sockets};
use super::{Prepared, Serve};

/// So long it may take to answer those who came while there was no store, before it is said that there is one.
const HANDOVER: Duration = Duration::from_secs(1);

/// How it ended that the store could not be reached.
enum Waited {
    Reached(Server),
    /// What answered meanwhile, and is to end.
    Signal(Server, Ending),
}

impl Serve {
    /// Receives until a signal ends it.
    pub(super) async fn receive(self) -> Result<(), Failure> {
        let mut prepared = self.prepare()?;
        // Before it listens: a signal that comes early must not be lost.
        let mut signals = Signals::listen()?;
        let reloading = prepared.tls.clone().map(Reloading::listen).transpose()?;
        let options = &mut prepared.options;
        options.max_connections =
            open_files::allow(options.max_connections, self.page.is_wanted(), &prepared.destinations);
        // Before the store: where there is no port, no file is made either.
        let webhooks = listen(&self.listen).await.map_err(|error| self.cannot_listen(error))?;
        let sockets = Sockets { webhooks, page: self.page.listen().await? };
        let opened = tokio::select! {
            opened = self.open(prepared.retention.is_some()) => opened,
            // A large store may take a while, and nobody was answered yet.
            first = signals.next() => {
                tracing::info!(signal = first.name(), "ended before the store was open");
                logging::finish();
                std::process::exit(0)
            }
        };
        let server = match opened.and_then(|store| self.start(store, &prepared, &sockets)) {
            Err(failure) if failure.is_outage() => {
                match self.wait_out(failure, &prepared, &sockets, &mut signals).await? {
                    Waited::Reached(server) => server,
                    Waited::Signal(stand_in, first) => {
                        drop(sockets);
                        end(stand_in, first, &mut signals).await;
                        return Ok(());
                    }
                }
            }
            started => started?,
        };
        // What listens on is the server alone.
        drop(sockets);
        if !server.local_addr().ip().is_loopback() && !prepared.authentication.needs_secret() {
            tracing::warn!(
                "listening beyond this machine without a secret: anyone who reaches it can post; see --token"
            );
        }
        self.say_ready(&server);
        if let Some(file) = &self.config {
            tracing::debug!(file = %file.display(), "the configuration is of this file, where neither command line nor environment say otherwise");
        }

        let first = tokio::select! {
            first = signals.next() => first,
            never = reload(reloading) => match never {},
        };
        end(server, first, &mut signals).await;
        Ok(())
    }

    /// Opens the store, in which records are forgotten or not, on a thread of its own.
    async fn open(&self, is_kept_small: bool) -> Result<OpenStore, Failure> {
        let sqlite = SqliteOptions {
            gives_back: is_kept_small,
            filter_bytes: self.filter_bytes,
            ..SqliteOptions::default()
        };
        // A page reads by a connection of its own, where there is one.
        let is_shown = self.page.is_wanted() && self.store == StoreLocation::Memory;
        let is_observed = self.observe || self.observe_file.is_some();
        let is_read = is_observed || self.forwarding.is_wanted() || is_shown;
        let store = self.store.clone();
        let open = move || waiting::until_free(|| store.open_with(is_read, sqlite.clone()));
        let opened = tokio::task::spawn_blocking(open).await.map_err(Failure::internal)?;
        opened.map_err(Failure::environment)
    }

    /// Starts the server on a store that is there.
    fn start(&self, store: OpenStore, prepared: &Prepared, sockets: &Sockets) -> Result<Server, Failure> {
        let mut server = self.builder(store, prepared, prepared.options.clone());
        if self.forwarding.is_wanted() {
            server = server.forward(self.forwarding.state(&self.store)?, prepared.destinations.clone());
        }
        if let Some(page) = &sockets.page {
            server = server.page(self.page.reading(outage::again(page)?, &self.store)?);
        }
        if let Some(retention) = &prepared.retention {
            if matches!(self.store, StoreLocation::Postgres(_)) && !self.forwarding.is_wanted() {
                tracing::info!(
                    "nothing is held back for others that forward from this store: if one does, give --keep to that one alone"
                );
            }
            server = server.retain(retention.clone());
        }
        if let StoreLocation::Sqlite(path) = &self.store {
            server = server.commands(path);
        }
        if let Some(traces) = &prepared.traces {
            server = server.traces(traces.clone());
        }
        serve(server, outage::again(&sockets.webhooks)?)
    }

    /// What is the same with and without a store.
    fn builder(&self, store: OpenStore, prepared: &Prepared, options: ServerOptions) -> ServerBuilder {
        let server = Server::builder(store).options(options).authentication(prepared.authentication.clone());
        match &prepared.tls {
            Some(tls) => server.tls(tls.clone()),
            None => server,
        }
    }

    /// Answers 503 until the store's server is reached, or a signal comes.
    async fn wait_out(
        &self,
        failure: Failure,
        prepared: &Prepared,
        sockets: &Sockets,
        signals: &mut Signals,
    ) -> Result<Waited, Failure> {
        let (StoreLocation::Postgres(url), Failure::Environment(error)) = (&self.store, &failure) else {
            return Err(failure);
        };
        let options = ServerOptions { observe: false, observe_file: None, ..prepared.options.clone() };
        let mut stand_in = self.builder(Absent::store(), prepared, options);
        if let Some(page) = &sockets.page {
            stand_in = stand_in.page(self.page.showing(outage::again(page)?, Some(Arc::new(Absent)))?);
        }
        let stand_in = serve(stand_in, outage::again(&sockets.webhooks)?)?;
        logging::say(&format!("not ready: listening on {}, without a store", stand_in.url()));
        tracing::error!(
            error = format!("{error:#}"),
            "webhooks are answered 503 until the store can be reached"
        );
        loop {
            let store = tokio::select! {
                first = signals.next() => return Ok(Waited::Signal(stand_in, first)),
                store = outage::connect(url) => store?,
            };
            match self.start(OpenStore::from(store), prepared, sockets) {
                // It went away again before all who read it were connected.
                Err(failure) if failure.is_outage() => {}
                started => {
                    let server = started?;
                    tracing::info!("the store is reached: webhooks are stored");
                    // Who has a connection to it is answered, and comes again; who comes now is the other's.
                    let mut ending = tokio::spawn(stand_in.hand_over());
                    drop(tokio::time::timeout(HANDOVER, &mut ending).await);
                    return Ok(Waited::Reached(server));
                }
            }
        }
    }

    /// Says it to whoever still listens: it serves just as well where nobody does.
    fn say_ready(&self, server: &Server) {
        let (url, page) = (server.url(), server.page_url());
        page.iter().for_each(|page| logging::say(&format!("page: {page}")));
        // Not a log line: scripts wait for it whatever the log level is.
        logging::say(&format!("ready: listening on {url}"));
        if self.ready_json {
            let store = self.store.to_string();
            let line = serde_json::json!({ "ready": true, "url": url, "store": store, "page": page });
            let mut stdout = std::io::stdout();
            if let Err(error) = writeln!(stdout, "{line}").and_then(|()| stdout.flush()) {
                tracing::warn!(%error, "cannot say on stdout that it is ready");
            }
        }
    }
}

fn serve(server: ServerBuilder, listener: TcpListener) -> Result<Server, Failure> {
    let failed = |error| Failure::Environment(anyhow::Error::new(error).context("cannot serve"));
    server.serve(listener).map_err(failed)
}

/// Answers those who wait, after the first signal; ends at once after a second.
async fn end(server: Server, first: Ending, signals: &mut Signals) {
    tracing::info!(signal = first.name(), "shutting down; once more to end at once");
    tokio::select! {
        () = server.shutdown() => tracing::info!("all requests answered, the store is closed"),
        second = signals.next() => {
            logging::finish();
            std::process::exit(second.exit_code())
        }
    }
}
