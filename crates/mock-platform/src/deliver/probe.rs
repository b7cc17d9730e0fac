//! Runs scripts on raw sockets: what is sent is sent byte for byte, and what comes back is written down.

mod answers;
mod connection;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Barrier, Notify};
use tokio::time::{Instant, sleep_until};

use crate::judge::check::{Action, Script, Transcript};

/// Where scripts are run.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    addresses: Vec<SocketAddr>,
    second: Vec<SocketAddr>,
    /// How long an answer is waited for, where the script does not say.
    limit: Duration,
}

impl Probe {
    /// Looks the names up once.
    pub(super) async fn new(authority: &str, second: Option<&str>, limit: Duration) -> io::Result<Self> {
        let addresses = tokio::net::lookup_host(authority).await?.collect();
        let second = match second {
            Some(authority) => tokio::net::lookup_host(authority).await?.collect(),
            None => Vec::new(),
        };
        Ok(Self { addresses, second, limit })
    }

    /// Whether somebody listens.
    pub(super) async fn is_listening(&self) -> io::Result<()> {
        connection::connect(&self.addresses, None).await.map(drop)
    }

    /// Runs a script that has a barrier, and holds it there until `go` is told.
    pub(super) async fn run_until(&self, script: Script, go: &Notify) -> Transcript {
        let barrier = Arc::new(Barrier::new(2));
        let stream = connection::connect(&self.addresses, script.receive_buffer).await;
        let run = connection::run(script, stream, Arc::clone(&barrier), Instant::now(), self.limit);
        let release = async {
            go.notified().await;
            barrier.wait().await;
        };
        tokio::pin!(run);
        // A script that has no connection does not come to its barrier at once, nor ever again.
        tokio::select! {
            transcript = &mut run => transcript,
            () = release => run.await,
        }
    }

    /// Runs scripts side by side. All connect first; times run from `start`.
    pub(super) async fn run(&self, scripts: &[Script], start: Instant) -> Vec<Transcript> {
        let waiting = scripts.iter().filter(|script| has_barrier(script)).count();
        let barrier = Arc::new(Barrier::new(waiting.max(1)));
        let begun = Instant::now();
        let connects = scripts.iter().map(async |script| match script.arrives_after {
            None => Some(connection::connect(self.addresses_of(script), script.receive_buffer).await),
            Some(_) => None,
        });
        let streams = futures_util::future::join_all(connects).await;
        let runs = scripts.iter().zip(streams).map(|(script, stream)| {
            let addresses = self.addresses_of(script).to_vec();
            let (script, barrier, limit) = (script.clone(), Arc::clone(&barrier), self.limit);
            async move {
                let stream = match stream {
                    Some(stream) => stream,
                    None => {
                        sleep_until(begun + script.arrives_after.unwrap_or_default()).await;
                        connection::connect(&addresses, script.receive_buffer).await
                    }
                };
                connection::run(script, stream, barrier, start, limit).await
            }
        });
        // Tasks of their own, so that connections are served by all threads.
        let tasks: Vec<_> = runs.map(tokio::spawn).collect();
        let mut transcripts = Vec::with_capacity(tasks.len());
        for task in tasks {
            transcripts.push(task.await.unwrap_or_else(|error| Transcript {
                connect_error: Some(format!("the probe broke: {error}")),
                ..Transcript::default()
            }));
        }
        transcripts
    }

    fn addresses_of(&self, script: &Script) -> &[SocketAddr] {
        if script.to_second { &self.second } else { &self.addresses }
    }
}

#[cfg(test)]
mod tests;

fn has_barrier(script: &Script) -> bool {
    script.actions.iter().any(|action| matches!(action, Action::Barrier))
}
