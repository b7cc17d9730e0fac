//! The listeners of a running platform: one for the REST APIs, one for control API and console.

mod accept;
mod deadline;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use self::accept::{Limits, accept};
use super::config::ConfigError;
use super::exchange::Exchange;
use super::tls::{CaError, LocalCa};
use super::{console, control, guard, rest};
use crate::deliver::ledger::LedgerError;
use crate::judge::Summary;

/// Where a platform listens.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServeOptions {
    /// The REST APIs; port 0 for any.
    pub rest: SocketAddr,
    /// Control API and console; on this machine only.
    pub control: SocketAddr,
    /// The REST APIs by TLS, with certificates of this authority; port 0 for any.
    pub tls: Option<(SocketAddr, Arc<LocalCa>)>,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { rest: ([127, 0, 0, 1], 8080).into(), control: ([127, 0, 0, 1], 8081).into(), tls: None }
    }
}

/// Why a platform does not listen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The address is not free.
    #[error("{address} cannot be listened at: {} Choose another with `{option}`", hint(.source))]
    Bind {
        /// The address.
        address: SocketAddr,
        /// The option that changes it.
        option: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The control API would be open to others.
    #[error(
        "the control API acts for whoever reaches it: {0} is not on this machine; use a loopback address"
    )]
    ControlNotLocal(SocketAddr),
    /// What the configuration says would lead back to the platform.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no certificate.
    #[error(transparent)]
    Certificate(#[from] CaError),
}

/// What may be wrong with an address.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "something else is there.",
        io::ErrorKind::PermissionDenied => "ports below 1024 take a privilege, on most machines.",
        io::ErrorKind::AddrNotAvailable => "this machine has no such address.",
        _ => "is it one of this machine's?",
    }
}

/// A platform that listens.
#[derive(Debug)]
#[must_use = "it stops listening when it is dropped"]
pub struct Serving {
    exchange: Exchange,
    rest: SocketAddr,
    control: SocketAddr,
    tls: Option<SocketAddr>,
    tasks: Vec<JoinHandle<()>>,
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
        exchange.listens_at(&[rest, control])?;
        let controls = Router::new()
            .merge(console::router(exchange.clone()).layer(axum::middleware::from_fn(guard::guard)))
            // It has a guard of its own, whose refusals programs can read.
            .nest("/api", control::router(exchange.clone()));
        let limits = Limits::default();
        let mut tasks = vec![
            tokio::spawn(accept(rest_listener, rest::router(exchange.clone()), None, limits)),
            tokio::spawn(accept(control_listener, controls, None, limits)),
        ];
        let mut tls = None;
        if let Some((address, ca)) = &options.tls {
            let config = ca.server_config()?;
            let (listener, bound) = bind(*address, "--tls").await?;
            exchange.listens_at(&[bound])?;
            tasks.push(tokio::spawn(accept(listener, rest::router(exchange.clone()), Some(config), limits)));
            tls = Some(bound);
        }
        Ok(Self { exchange, rest, control, tls, tasks })
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

    /// Where the REST APIs are by TLS, where they are.
    #[must_use]
    pub fn tls(&self) -> Option<SocketAddr> {
        self.tls
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Exchange, ServeError, ServeOptions, Serving};
    use crate::platform::Config;

    #[tokio::test]
    async fn an_address_that_cannot_be_had_says_what_may_be_wrong() {
        let there = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (address, expected) in [
            (
                there.local_addr().unwrap().to_string(),
                "something else is there. Choose another with `--listen`",
            ),
            // Addresses of documents are no machine's.
            ("192.0.2.1:0".to_owned(), "this machine has no such address. Choose another with `--listen`"),
        ] {
            let exchange = Exchange::start(Config::default().completed(), None).unwrap();
            let options = ServeOptions {
                rest: address.parse().unwrap(),
                control: ([127, 0, 0, 1], 0).into(),
                tls: None,
            };
            let error = Serving::start(exchange, &options).await.unwrap_err().to_string();
            assert!(error.ends_with(expected), "{error}");
        }
        let address = ([127, 0, 0, 1], 443).into();
        let source = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = ServeError::Bind { address, option: "--tls", source }.to_string();
        assert_eq!(
            error,
            "127.0.0.1:443 cannot be listened at: ports below 1024 take a privilege, on most machines. \
             Choose another with `--tls`"
        );
    }
}
