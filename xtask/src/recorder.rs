//! A receiver that notes when each request arrived and answers, resets or says nothing, as it is told.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use piopiy_events::{Identity, Webhook};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::traffic;

/// What it does once a request has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// Answers with this status and an empty body.
    Answer(u16),
    /// Resets the connection.
    Reset,
    /// Ends the connection in the middle of the answer's head.
    HalfAnswer,
    /// Says nothing until the client gives up.
    Silence,
}

/// When the last byte of each request was read, by its webhook; `None` where the body is none.
pub(crate) type Arrivals = BTreeMap<Option<Identity>, Vec<Instant>>;

/// The running recorder. Dropped, it listens no more.
#[derive(Debug)]
pub(crate) struct Recorder {
    url: String,
    seen: Arc<Mutex<Seen>>,
    accepting: JoinHandle<()>,
}

/// What has come.
#[derive(Debug, Default)]
struct Seen {
    arrivals: Arrivals,
    /// Those of them that were acknowledged.
    taken: Arrivals,
}

impl Recorder {
    /// Listens on a free port of the loopback; `react` is given which attempt of its webhook a request is, from 1.
    ///
    /// # Errors
    /// Where no port is free.
    pub(crate) async fn start(react: impl Fn(usize) -> Reaction + Send + Sync + 'static) -> io::Result<Self> {
        Self::on(TcpListener::bind("127.0.0.1:0").await?, react)
    }

    /// The same where somebody listens already.
    ///
    /// # Errors
    /// Where that has no address.
    pub(crate) fn on(
        listener: TcpListener,
        react: impl Fn(usize) -> Reaction + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let url = format!("http://{}{}", listener.local_addr()?, traffic::PATH);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let accepting = tokio::spawn({
            let (seen, react) = (Arc::clone(&seen), Arc::new(react));
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let (seen, react) = (Arc::clone(&seen), Arc::clone(&react));
                    // A client that goes away is no failure of ours: what it sent is what counts.
                    tokio::spawn(async move { serve(stream, &seen, &*react).await.ok() });
                }
            }
        });
        Ok(Self { url, seen, accepting })
    }

    /// Where it takes webhooks.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// When each webhook arrived, and arrived again.
    pub(crate) fn arrivals(&self) -> Arrivals {
        lock(&self.seen).arrivals.clone()
    }

    /// When each webhook arrived that was then acknowledged.
    pub(crate) fn taken(&self) -> Arrivals {
        lock(&self.seen).taken.clone()
    }

    /// How many different webhooks were acknowledged so far.
    pub(crate) fn taken_count(&self) -> usize {
        lock(&self.seen).taken.len()
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: &Mutex<Seen>,
    react: &(impl Fn(usize) -> Reaction + Sync),
) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        let Some((head, length)) = head_and_length(&read) else {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
            continue;
        };
        while read.len() < head + length {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        let at = Instant::now();
        let identity = Webhook::parse(&read[head..head + length]).ok().and_then(|webhook| webhook.identity());
        read.drain(..head + length);
        let reaction = {
            let mut seen = lock(seen);
            let times = seen.arrivals.entry(identity.clone()).or_default();
            times.push(at);
            let reaction = react(times.len());
            if let Reaction::Answer(200..=299) = reaction {
                seen.taken.entry(identity).or_default().push(at);
            }
            reaction
        };
        match reaction {
            Reaction::Answer(status) => {
                let answer = format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
            }
            Reaction::Reset => return stream.set_zero_linger(),
            Reaction::HalfAnswer => return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await,
            Reaction::Silence => {
                while stream.read_buf(&mut read).await? > 0 {}
                return Ok(());
            }
        }
    }
}

/// Where the body begins and how long it is; `None` until the head is whole.
fn head_and_length(read: &[u8]) -> Option<(usize, usize)> {
    let end = read.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&read[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Some((end + 4, length.unwrap_or(0)))
}
