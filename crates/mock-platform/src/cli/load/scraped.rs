use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use piopiy_mock_platform::load::{Progress, exposition};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::cli::exit::{Exit, Failure};

/// Where a load can be scraped while it goes on; until it is dropped.
pub(super) struct Scraped {
    pub(super) address: SocketAddr,
    serving: JoinHandle<()>,
}

/// The text format of Prometheus.
const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

impl Scraped {
    pub(super) async fn begin(at: SocketAddr, progress: Arc<Progress>) -> Result<Self, Failure> {
        let listener =
            TcpListener::bind(at).await.and_then(|listener| Ok((listener.local_addr()?, listener)));
        let (address, listener) = listener.map_err(|error| {
            let text = anyhow::anyhow!("cannot listen on {at} for --report prometheus={at}: {error}");
            Failure::new(Exit::Environment, text)
        })?;
        let metrics = move || {
            let text = exposition(&progress.now());
            std::future::ready(([(header::CONTENT_TYPE, TYPE)], text))
        };
        let router = Router::new().route("/metrics", get(metrics));
        let serving = tokio::spawn(async move {
            // It serves until it is stopped.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, serving })
    }
}

impl Drop for Scraped {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
