//! Who posts in closed loop: each connection sends its next webhook once the last one is acknowledged.

use std::time::Instant;

use anyhow::ensure;
use tokio::task::JoinSet;

use super::CONNECTIONS;
use crate::http1::{Connection, post};
use crate::traffic;

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
        while let Some(posted) = posting.join_next().await {
            self.connections.push(posted??);
        }
        Ok(began.elapsed().as_secs_f64())
    }
}
