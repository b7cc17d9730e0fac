//! Runs scripts on raw sockets: what is sent is sent byte for byte, and what comes back is written down.

mod answers;
mod connection;
mod http2;
mod place;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Barrier, Notify};
use tokio::time::{Instant, sleep_until};

use self::place::Place;
use super::Target;
use super::stream::Stream;
use crate::judge::check::{Action, Opening, Script, Transcript};

/// Where scripts are run.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    first: Place,
    second: Option<Place>,
    /// How long an answer is waited for, where the script does not say.
    limit: Duration,
}

impl Probe {
    /// Looks the names up once.
    pub(super) async fn new(target: &Target, second: Option<&Target>, limit: Duration) -> io::Result<Self> {
        let second = match second {
            Some(second) => Some(Place::find(second).await?),
            None => None,
        };
        Ok(Self { first: Place::find(target).await?, second, limit })
    }

    /// Whether somebody listens, and speaks TLS where the URL says so.
    pub(super) async fn is_listening(&self) -> io::Result<()> {
        self.first.connect(&Script::default()).await.map(drop)
    }

    /// Every address that the name has, each once.
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = self.first.addresses.iter().map(|address| address.ip()).collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses
    }

    /// Runs a script that has a barrier, and holds it there until `go` is told.
    pub(super) async fn run_until(&self, script: Script, go: &Notify) -> Transcript {
        let barrier = Arc::new(Barrier::new(2));
        let stream = self.place_of(&script).connect(&script).await;
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
            None => Some(self.place_of(script).connect(script).await),
            Some(_) => None,
        });
        let streams = futures_util::future::join_all(connects).await;
        let runs = scripts.iter().zip(streams).map(|(script, stream)| {
            let place = self.place_of(script).clone();
            let (script, barrier, limit) = (script.clone(), Arc::clone(&barrier), self.limit);
            async move {
                let stream = match stream {
                    Some(stream) => stream,
                    None => {
                        sleep_until(begun + script.arrives_after.unwrap_or_default()).await;
                        place.connect(&script).await
                    }
                };
                run(script, stream, barrier, start, limit).await
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

    /// Where there is no second instance, no script that asks for it is run.
    fn place_of(&self, script: &Script) -> &Place {
        self.second.as_ref().filter(|_| script.to_second).unwrap_or(&self.first)
    }
}

async fn run(
    script: Script,
    stream: io::Result<Stream>,
    barrier: Arc<Barrier>,
    start: Instant,
    limit: Duration,
) -> Transcript {
    match &script.opening {
        Opening::Http2(request) => http2::run(&script, request, stream, start, limit).await,
        _ => connection::run(script, stream, barrier, start, limit).await,
    }
}

#[cfg(test)]
mod tests;

fn has_barrier(script: &Script) -> bool {
    script.actions.iter().any(|action| matches!(action, Action::Barrier))
}
