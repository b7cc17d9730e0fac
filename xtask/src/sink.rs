//! A receiver that does as little as a receiver can, faster than any client: epoll, httparse, and an answer of 38 bytes. It can
//! write down when each request came, and be away for a part of every second.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Context as _;
use rustix::event::epoll;
use rustix::time::{ClockId, Timespec, clock_gettime};

/// What it does beside answering.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// For how many milliseconds of every second it does nothing
    #[arg(long, default_value_t = 0)]
    stall_ms: u64,
    /// Never sleep: what comes is seen at once, and not when the core has woken up
    #[arg(long)]
    awake: bool,
    /// How many requests it answers in a second at most, one after another; 0 for as many as it can
    #[arg(long, default_value_t = 0)]
    per_second: u64,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
/// Asked for this it lists when each request came, in nanoseconds of the monotonic clock, and forgets it.
const ARRIVALS: &str = "/arrivals";
const LISTENER: u64 = u64::MAX;

/// Serves until it is killed; prints where it listens.
///
/// # Errors
/// Where it cannot listen, or the system fails.
pub(crate) fn serve(options: &Options) -> anyhow::Result<std::process::ExitCode> {
    let listener =
        TcpListener::bind(&options.listen).with_context(|| format!("cannot listen on {}", options.listen))?;
    listener.set_nonblocking(true)?;
    rustix::net::listen(&listener, 4_096)?;
    eprintln!("listening on http://{}/", listener.local_addr()?);
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let data = |number| epoll::EventData::new_u64(number);
    epoll::add(&poll, &listener, data(LISTENER), epoll::EventFlags::IN)?;
    let mut connections: BTreeMap<u64, Connection> = BTreeMap::new();
    // So many need not be copied to grow.
    let mut arrivals = Vec::with_capacity(1 << 20);
    let mut next = 0;
    let mut events = Vec::with_capacity(1_024);
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let patience = options.awake.then_some(&at_once);
    let began = now_ns();
    let mut turn =
        Turn { gap_ns: 1_000_000_000_u64.checked_div(options.per_second).unwrap_or(0), next_ns: began };
    loop {
        events.clear();
        match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), patience) {
            Err(rustix::io::Errno::INTR) => continue,
            waited => waited?,
        };
        stall(options.stall_ms, began);
        for event in &events {
            let number = event.data.u64();
            if number == LISTENER {
                while let Ok((stream, _)) = listener.accept() {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    epoll::add(&poll, &stream, data(next), epoll::EventFlags::IN)?;
                    connections.insert(next, Connection { stream, bytes: Vec::new() });
                    next += 1;
                }
            } else if let Some(connection) = connections.get_mut(&number)
                && !connection.answer(&mut arrivals, &mut turn)
            {
                connections.remove(&number);
            }
        }
    }
}

/// Does nothing for the first part of every second, and not a millisecond longer: what is measured with it is held against
/// arithmetic.
fn stall(stall_ms: u64, began: u64) {
    let now = now_ns();
    let left = (stall_ms * 1_000_000).saturating_sub((now - began) % 1_000_000_000);
    std::thread::sleep(Duration::from_nanos(left.saturating_sub(SLACK_NS)));
    while now_ns() < now + left {
        std::hint::spin_loop();
    }
}

/// A sleep is too long by less.
const SLACK_NS: u64 = 3_000_000;

/// When the next request is answered, where there is a limit.
struct Turn {
    gap_ns: u64,
    next_ns: u64,
}

impl Turn {
    /// Works on a request for as long as the limit says: from when the one before was answered, or from now on.
    fn wait(&mut self) {
        if self.gap_ns == 0 {
            return;
        }
        let now = now_ns();
        // What a sleep is too long the next ones are shorter; a pause in which nothing came is not made up for.
        self.next_ns = self.next_ns.max(now.saturating_sub(SLACK_NS)) + self.gap_ns;
        std::thread::sleep(Duration::from_nanos(self.next_ns.saturating_sub(now)));
    }
}

struct Connection {
    stream: TcpStream,
    /// What has come of a request that is not whole.
    bytes: Vec<u8>,
}

impl Connection {
    /// Answers what is there; false where the connection is at its end.
    fn answer(&mut self, arrivals: &mut Vec<u64>, turn: &mut Turn) -> bool {
        let mut read = [0; 16 * 1024];
        let count = match self.stream.read(&mut read) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        };
        let now = now_ns();
        self.bytes.extend_from_slice(&read[..count]);
        loop {
            let Some((used, asks_for_arrivals)) = request(&self.bytes) else { return true };
            self.bytes.drain(..used);
            let answered = if asks_for_arrivals {
                let lines: String = std::mem::take(arrivals).iter().map(|at| format!("{at}\n")).collect();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", lines.len());
                // It may be long, and only whoever measures waits for it.
                self.stream.set_nonblocking(false).is_ok()
                    && self.stream.write_all((head + &lines).as_bytes()).is_ok()
                    && self.stream.set_nonblocking(true).is_ok()
            } else {
                arrivals.push(now);
                turn.wait();
                self.stream.write_all(ANSWER).is_ok()
            };
            if !answered {
                return false;
            }
        }
    }
}

/// The length of the first request, and whether it asks for arrivals; `None` where it is not whole.
fn request(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let head = request.parse(bytes).ok().filter(httparse::Status::is_complete)?.unwrap();
    let length = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length =
        length.map_or(Some(0), |header| std::str::from_utf8(header.value).ok()?.parse::<usize>().ok())?;
    (bytes.len() >= head + length).then(|| (head + length, request.path == Some(ARRIVALS)))
}

/// Nanoseconds of the monotonic clock.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
