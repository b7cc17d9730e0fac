//! The listeners of a running platform: one for the REST APIs, one for control API and console.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::exchange::Exchange;
use super::{console, control, guard, rest};
use crate::deliver::ledger::LedgerError;
use crate::judge::Summary;

/// Where a platform listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServeOptions {
    /// The REST APIs; port 0 for any.
    pub rest: SocketAddr,
    /// Control API and console; on this machine only.
    pub control: SocketAddr,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { rest: ([127, 0, 0, 1], 8080).into(), control: ([127, 0, 0, 1], 8081).into() }
    }
}

/// Why a platform does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is not free.
    #[error("{address} cannot be listened at: is something else there? Choose another with `{option}`")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The option that changes it.
        option: &'static str,
        /// Why.
        source: std::io::Error,
    },
    /// The control API would be open to others.
    #[error(
        "the control API acts for whoever reaches it: {0} is not on this machine; use a loopback address"
    )]
    ControlNotLocal(SocketAddr),
}

/// A platform that listens.
#[derive(Debug)]
#[must_use = "it stops listening when it is dropped"]
pub struct Serving {
    exchange: Exchange,
    rest: SocketAddr,
    control: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Serving {
    /// Listens, on the current tokio runtime.
    ///
    /// # Errors
    /// If an address is not free, or the control API would be open to others.
    pub async fn start(exchange: Exchange, options: &ServeOptions) -> Result<Self, ServeError> {
        if !options.control.ip().is_loopback() {
            return Err(ServeError::ControlNotLocal(options.control));
        }
        let (rest_listener, rest) = bind(options.rest, "--listen").await?;
        let (control_listener, control) = bind(options.control, "--control").await?;
        let controls = Router::new()
            .merge(console::router(exchange.clone()).layer(axum::middleware::from_fn(guard::guard)))
            // It has a guard of its own, whose refusals programs can read.
            .nest("/api", control::router(exchange.clone()));
        let tasks = [
            tokio::spawn(serve(rest_listener, rest::router(exchange.clone()))),
            tokio::spawn(serve(control_listener, controls)),
        ];
        Ok(Self { exchange, rest, control, tasks })
    }

    /// The platform behind it.
    #[must_use]
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Where the REST APIs are.
    #[must_use]
    pub fn rest(&self) -> SocketAddr {
        self.rest
    }

    /// Where control API and console are.
    #[must_use]
    pub fn control(&self) -> SocketAddr {
        self.control
    }

    /// Ends every call, waits for their webhooks as long as `patience` lasts, and stops listening.
    ///
    /// # Errors
    /// If the ledger file could not be written.
    pub async fn stop(self, patience: Duration) -> Result<Summary, LedgerError> {
        self.exchange.stop(patience).await
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn bind(address: SocketAddr, option: &'static str) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source| ServeError::Bind { address, option, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

async fn serve(listener: TcpListener, router: Router) {
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!("a connection keeps Nagle's algorithm: {error}");
        }
    });
    if let Err(error) = axum::serve(listener, router).await {
        tracing::error!("a listener has failed: {error}");
    }
}
