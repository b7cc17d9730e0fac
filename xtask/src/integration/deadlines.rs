//! Clients that never finish are closed in time, and the others do not notice.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::World;
use crate::http1::{Connection, post};
use crate::receivers::Kept;
use crate::traffic;

/// How much later than the deadline a connection may end.
const MARGIN: Duration = Duration::from_secs(1);
/// How much earlier, as clocks go.
const EARLY: Duration = Duration::from_millis(50);
/// How long another client may wait for its answer meanwhile.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How often another client posts.
const POST_EVERY: Duration = Duration::from_millis(20);
/// How often a dripping client sends a byte.
const DRIP_EVERY: Duration = Duration::from_millis(200);

/// A client that does not finish.
struct Unfinished {
    name: &'static str,
    sends: &'static str,
    /// What it then sends byte by byte, for ever.
    drips: Option<u8>,
}

const CLIENTS: [Unfinished; 6] = [
    Unfinished { name: "silent", sends: "", drips: None },
    Unfinished {
        name: "half header",
        sends: "POST /webhook/cdr HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-",
        drips: None,
    },
    Unfinished {
        name: "half body",
        sends: "POST /webhook/cdr HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1000\r\n\r\n{\"cmi",
        drips: None,
    },
    Unfinished {
        name: "dripping header",
        sends: "POST /webhook/cdr HTTP/1.1\r\nhost: 127.0.0.1\r\nx: ",
        drips: Some(b'x'),
    },
    Unfinished {
        name: "dripping body",
        sends: "POST /webhook/cdr HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 100000\r\n\r\n{",
        drips: Some(b' '),
    },
    Unfinished {
        name: "idle after an answer",
        sends: "GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n",
        drips: None,
    },
];

/// Every unfinished client at once, against a receiver with this deadline, or with its default one of 10 s.
///
/// # Errors
/// Where one is closed too late, or another client waits too long.
pub(super) async fn run(world: &World, configured: Option<Duration>) -> anyhow::Result<String> {
    let seconds = configured.map(|deadline| format!("{}s", deadline.as_secs()));
    let flags = ["--header-deadline", "--body-deadline", "--idle-deadline"];
    let options: Vec<&str> =
        seconds.iter().flat_map(|seconds| flags.map(|flag| [flag, seconds])).flatten().collect();
    let deadline = configured.unwrap_or(Duration::from_secs(10));
    let receiver = world.durable.serve("127.0.0.1:0", Kept::Memory, &options).await?;
    let address = receiver.address().to_owned();

    let (over, end) = watch::channel(false);
    let others = tokio::spawn(serve_others(address.clone(), world.nonce, end));
    let waits = CLIENTS.map(|client| {
        let address = address.clone();
        tokio::spawn(async move { (client.name, client.closed_after(&address, deadline + MARGIN).await) })
    });
    let mut told = Vec::new();
    for wait in waits {
        let (name, closed) = wait.await?;
        told.push(format!("{name} {:.2} s", closed.context(name)?.as_secs_f64()));
    }
    over.send(true)?;
    let (served, slowest) = others.await??;
    receiver.stop().await?;
    Ok(format!("closed after: {}; {served} others served meanwhile, slowest {slowest:.1?}", told.join(", ")))
}

impl Unfinished {
    /// How long until the receiver ended the connection.
    async fn closed_after(&self, address: &str, within: Duration) -> anyhow::Result<Duration> {
        let (mut read, mut write) = TcpStream::connect(address).await?.into_split();
        let began = Instant::now();
        write.write_all(self.sends.as_bytes()).await?;
        let drip = async {
            let Some(byte) = self.drips else { return std::future::pending().await };
            loop {
                sleep(DRIP_EVERY).await;
                if write.write_all(&[byte]).await.is_err() {
                    // Closed: the reading side says when.
                    return std::future::pending().await;
                }
            }
        };
        let closed = async {
            let mut answer = [0; 1024];
            // An end and a reset both mean closed; an answer (408, 400) may come before.
            while matches!(read.read(&mut answer).await, Ok(1..)) {}
        };
        let closed = async {
            tokio::select! {
                () = closed => {}
                () = drip => {}
            }
        };
        if timeout(within, closed).await.is_err() {
            bail!("still open after {within:?}");
        }
        let elapsed = began.elapsed();
        ensure!(elapsed + EARLY >= within - MARGIN, "closed after {elapsed:?} already");
        Ok(elapsed)
    }
}

/// Posts one webhook after the other until told to end: how many, and the longest wait for an answer.
async fn serve_others(
    address: String,
    nonce: u64,
    mut end: watch::Receiver<bool>,
) -> anyhow::Result<(u64, Duration)> {
    let mut connection = Connection::open(&address).await?;
    let (mut served, mut slowest) = (0, Duration::ZERO);
    for body in traffic::bodies(piopiy_events::Profile::Global, nonce) {
        let began = Instant::now();
        let status = timeout(ANSWER_WITHIN, connection.send(&post(&address, traffic::PATH, &body)))
            .await
            .with_context(|| format!("another client waited longer than {ANSWER_WITHIN:?}"))??;
        ensure!(status == 200, "another client was answered {status}");
        served += 1;
        slowest = slowest.max(began.elapsed());
        if timeout(POST_EVERY, end.wait_for(|end| *end)).await.is_ok() {
            break;
        }
    }
    Ok((served, slowest))
}
