//! A crowd of clients that send a byte per second each, as a process of its own: each takes a file descriptor.

use std::io::{Read as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::WriteHalf;
use tokio::time::{interval, sleep};

use crate::tally::Missing;
use crate::traffic;

/// How many clients the campaign has.
pub(super) const CLIENTS: u64 = 5_000;
/// Files that the process has besides.
const OTHER_FILES: u64 = 64;

/// Who is to be kept busy.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Its `host:port`
    address: String,
    /// How many clients
    #[arg(long, default_value_t = CLIENTS)]
    clients: u64,
}

/// What became of the connections.
#[derive(Debug, Default)]
struct Counts {
    opened: AtomicU64,
    closed: AtomicU64,
    /// How many of those that were closed were answered 408 before.
    answered: AtomicU64,
    /// How long the longest of those that were closed was open, its wait to be accepted included.
    longest_ms: AtomicU64,
}

/// What is missing where the system lets nobody have so many connections.
pub(super) fn missing() -> Option<Missing> {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    (most < CLIENTS + OTHER_FILES).then_some(Missing("a limit on open files (ulimit -Hn) of 5,064"))
}

/// Keeps the connections open, anew where one is closed, until its stdin ends; then prints how many were opened, how many closed,
/// how many of those answered 408, and for how many milliseconds the longest of them was open.
///
/// # Errors
/// Where the system does not allow so many connections.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = options.clients + OTHER_FILES;
    if limit.current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), ..limit })
            .context("cannot raise the limit on open files (ulimit -Hn)")?;
    }
    ensure!(options.clients > 0, "nobody is no crowd");
    let counts = Arc::new(Counts::default());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (tell, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let read = std::io::stdin().read_to_end(&mut Vec::new());
        // Nobody waits any more where the process ends by itself.
        drop(tell.send(read));
    });
    runtime.block_on(async {
        for client in 0..options.clients {
            let (address, counts) = (options.address.clone(), Arc::clone(&counts));
            tokio::spawn(async move {
                loop {
                    if stay(&address, client, &counts).await.is_err() {
                        sleep(Duration::from_millis(100)).await;
                    }
                }
            });
        }
        ended.await
    })??;
    let told = [&counts.opened, &counts.closed, &counts.answered, &counts.longest_ms]
        .map(|count| count.load(Ordering::Relaxed).to_string());
    writeln!(std::io::stdout(), "{}", told.join(" "))?;
    Ok(ExitCode::SUCCESS)
}

/// One connection, until the other side ends it: every second client never ends its head, the others never their body.
async fn stay(address: &str, client: u64, counts: &Counts) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    counts.opened.fetch_add(1, Ordering::Relaxed);
    let began = Instant::now();
    let path = traffic::PATH;
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\n");
    let begin = match client % 2 {
        0 => format!("{head}x: "),
        _ => format!("{head}content-length: 1000\r\n\r\n{{"),
    };
    let mut answer = Vec::new();
    let (mut read, mut write) = stream.split();
    tokio::select! {
        // An end and a reset both mean closed.
        _ = read.read_to_end(&mut answer) => {}
        _ = drip(&mut write, &begin) => {}
    }
    counts.closed.fetch_add(1, Ordering::Relaxed);
    counts.answered.fetch_add(u64::from(answer.starts_with(b"HTTP/1.1 408")), Ordering::Relaxed);
    let open_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    counts.longest_ms.fetch_max(open_ms, Ordering::Relaxed);
    Ok(())
}

/// Sends this at once and then a byte per second, until the other side takes no more.
async fn drip(to: &mut WriteHalf<'_>, begin: &str) -> std::io::Result<()> {
    to.write_all(begin.as_bytes()).await?;
    let mut second = interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        to.write_all(b" ").await?;
    }
}
