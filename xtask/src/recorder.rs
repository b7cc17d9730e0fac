//! A receiver that notes when each request arrived and answers, resets or says nothing, as it is told.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
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
}

/// When the last byte of each request was read, by its webhook; `None` where the body is none.
pub(crate) type Arrivals = BTreeMap<Option<Identity>, Vec<Instant>>;

/// The running recorder. Dropped, it listens no more.
#[derive(Debug)]
pub(crate) struct Recorder {
    url: String,
    arrivals: Arc<Mutex<Arrivals>>,
    accepting: JoinHandle<()>,
}

impl Recorder {
    /// Listens on a free port of the loopback; `react` is given which attempt of its webhook a request is, from 1.
    ///
    /// # Errors
    /// Where no port is free.
    pub(crate) async fn start(react: fn(usize) -> Reaction) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}{}", listener.local_addr()?, traffic::PATH);
        let arrivals = Arc::new(Mutex::new(Arrivals::new()));
        let accepting = tokio::spawn({
            let arrivals = Arc::clone(&arrivals);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let arrivals = Arc::clone(&arrivals);
                    // A client that goes away is no failure of ours: what it sent is what counts.
                    tokio::spawn(async move { serve(stream, &arrivals, react).await.ok() });
                }
            }
        });
        Ok(Self { url, arrivals, accepting })
    }

    /// Where it takes webhooks.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// When each webhook arrived, and arrived again.
    pub(crate) fn arrivals(&self) -> Arrivals {
        self.arrivals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    arrivals: &Mutex<Arrivals>,
    react: fn(usize) -> Reaction,
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
        let attempt = {
            let mut arrivals = arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            let times = arrivals.entry(identity).or_default();
            times.push(at);
            times.len()
        };
        match react(attempt) {
            Reaction::Answer(status) => {
                let answer = format!("HTTP/1.1 {status} \r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
            }
            Reaction::Reset => return stream.set_zero_linger(),
            Reaction::HalfAnswer => return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-le").await,
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
