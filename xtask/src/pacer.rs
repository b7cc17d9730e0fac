//! The control of paces: a sender that waits for instants awake, writes what it has, and does nothing else. What it sends late, the
//! machine had no time for, or the receiver was late to see.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context as _, ensure};

use crate::sink::now_ns;

/// What it sends.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Where to
    url: String,
    /// Requests in a second
    #[arg(long)]
    rate: u64,
    /// For how many seconds
    #[arg(long)]
    seconds: u64,
    /// Over so many connections in turn
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

const BODY: &str = include_str!("../../fixtures/wire/global/live-stream-connected--leg-b.json");
/// Between the last connection that is made and the first request.
const REST_NS: u64 = 50_000_000;

/// Sends; prints the planned instants, in nanoseconds of the monotonic clock, one a line.
///
/// # Errors
/// Where nothing listens, or a connection is closed.
pub(crate) fn send(options: &Options) -> anyhow::Result<std::process::ExitCode> {
    ensure!(options.rate > 0 && options.connections > 0, "it has to send something, over some connection");
    let address = options.url.trim_start_matches("http://").trim_end_matches('/');
    let body = BODY.trim();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let connect = || {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(stream)
    };
    let streams = (0..options.connections).map(|_| connect()).collect::<std::io::Result<Vec<_>>>();
    let streams = streams.with_context(|| format!("nothing can be reached at {address}"))?;
    let start = now_ns() + REST_NS;
    let at_ns = |nth: u64| start + (u128::from(nth) * 1_000_000_000 / u128::from(options.rate)) as u64;
    let count = options.rate * options.seconds;
    for (nth, mut stream) in (0..count).zip(streams.iter().cycle()) {
        while now_ns() < at_ns(nth) {
            std::hint::spin_loop();
        }
        stream.write_all(request.as_bytes()).context("the receiver takes no more")?;
        // The answer to what it sent here before has come long ago, or never comes.
        match stream.read(&mut [0; 4_096]) {
            Ok(read) => ensure!(read > 0, "the receiver has closed a connection"),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
    }
    let lines: String = (0..count).map(|nth| format!("{}\n", at_ns(nth))).collect();
    std::io::stdout().write_all(lines.as_bytes())?;
    // What is on its way arrives; only then connections are closed.
    std::thread::sleep(std::time::Duration::from_nanos(REST_NS));
    Ok(std::process::ExitCode::SUCCESS)
}
