//! Who posts in closed loop: each connection sends its next webhook once the last one is acknowledged.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::CONNECTIONS;
use crate::http1::{Connection, post};
use crate::traffic;

/// How long an answer may take before the receiver counts as hanging.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keep-alive connections to one receiver.
#[derive(Debug)]
pub(super) struct Clients {
    address: String,
    connections: Vec<Connection>,
}

impl Clients {
    /// Connects.
    ///
    /// # Errors
    /// Where nobody listens.
    pub(super) async fn connect(address: &str) -> anyhow::Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(address).await?);
        }
        Ok(Self { address: address.to_owned(), connections })
    }

    /// Posts each body once; in how many seconds all were acknowledged.
    ///
    /// # Errors
    /// Where one of them is not.
    pub(super) async fn post(&mut self, bodies: &[Vec<u8>]) -> anyhow::Result<f64> {
        let mut parts: Vec<Vec<Vec<u8>>> = vec![Vec::new(); CONNECTIONS];
        for (index, body) in bodies.iter().enumerate() {
            parts[index % CONNECTIONS].push(post(&self.address, traffic::PATH, body));
        }
        let began = Instant::now();
        let mut posting = JoinSet::new();
        for (mut connection, requests) in self.connections.drain(..).zip(parts) {
            posting.spawn(async move {
                for request in &requests {
                    let status = connection.send(request).await?;
                    ensure!(status == 200, "a webhook was answered {status}");
                }
                Ok(connection)
            });
        }
        // One limit for each that ends: a timer for each answer would be measured, too.
        let most = PATIENCE + Duration::from_millis(bodies.len() as u64);
        while let Some(posted) = timeout(most, posting.join_next()).await.context("the receiver hangs")? {
            self.connections.push(posted??);
        }
        Ok(began.elapsed().as_secs_f64())
    }
}
