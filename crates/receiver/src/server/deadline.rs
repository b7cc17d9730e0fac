//! How long a connection may take for what it is doing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::stream::Stream;

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Doing {
    /// Nothing was received on it yet.
    Fresh,
    /// A request head is coming in.
    Head,
    /// A request is handled: the handler has deadlines of its own.
    Request,
    /// It takes a part of a long answer, and waits for the client to do so.
    Answer,
    /// It waits for the next request, or takes an answer that is whole.
    Idle,
    /// It takes its last answer.
    Closing,
}

/// What a connection is doing, since when. Only its own task writes it.
#[derive(Debug)]
pub(super) struct Activity {
    epoch: Instant,
    doing: AtomicU8,
    since_micros: AtomicU64,
    limits: DeadlineLimits,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct DeadlineLimits {
    pub(super) header: Duration,
    pub(super) idle: Duration,
}

/// For the last answer to be taken.
const CLOSING: Duration = Duration::from_millis(500);

impl Activity {
    pub(super) fn new(limits: DeadlineLimits) -> Self {
        Self {
            epoch: Instant::now(),
            doing: AtomicU8::new(Doing::Fresh as u8),
            since_micros: AtomicU64::new(0),
            limits,
        }
    }

    pub(super) fn now(&self, doing: Doing) {
        self.doing.store(doing as u8, Ordering::Relaxed);
        self.touch();
    }

    pub(super) fn doing(&self) -> Doing {
        match self.doing.load(Ordering::Relaxed) {
            0 => Doing::Fresh,
            1 => Doing::Head,
            2 => Doing::Request,
            3 => Doing::Answer,
            4 => Doing::Idle,
            _ => Doing::Closing,
        }
    }

    fn touch(&self) {
        let micros = u64::try_from(self.epoch.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.since_micros.store(micros, Ordering::Relaxed);
    }

    /// When what it does now must be over; `None` where others keep the time.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let limit = match self.doing() {
            Doing::Fresh | Doing::Head => self.limits.header,
            Doing::Request => return None,
            Doing::Answer | Doing::Idle => self.limits.idle,
            Doing::Closing => CLOSING,
        };
        Some(self.epoch + Duration::from_micros(self.since_micros.load(Ordering::Relaxed)) + limit)
    }
}

/// A socket that notes what is going on.
#[derive(Debug)]
pub(super) struct Watched {
    socket: Stream,
    activity: Arc<Activity>,
    /// Whether the answer was ended.
    ended: bool,
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.socket).poll_read(context, buffer);
        if buffer.filled().len() > before {
            match self.activity.doing() {
                // The deadline of the first head runs from the connection's start.
                Doing::Fresh => self.activity.doing.store(Doing::Head as u8, Ordering::Relaxed),
                Doing::Idle => self.activity.now(Doing::Head),
                Doing::Head | Doing::Request | Doing::Answer | Doing::Closing => {}
            }
        }
        outcome
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.note_write(&outcome);
        outcome
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.note_write(&outcome);
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    /// Ends the answer, then discards what the client still sends until it ends too: closing with bytes unread would
    /// reset the connection, and the client might never see the answer.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.ended {
            ready!(Pin::new(&mut self.socket).poll_shutdown(context))?;
            self.ended = true;
            self.activity.now(Doing::Closing);
        }
        let mut discarded = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut discarded);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl Watched {
    pub(super) fn new(socket: Stream, activity: Arc<Activity>) -> Self {
        Self { socket, activity, ended: false }
    }

    /// A client that takes a long answer is not idle.
    fn note_write(&self, outcome: &Poll<io::Result<usize>>) {
        let takes = matches!(self.activity.doing(), Doing::Answer | Doing::Idle);
        if takes && matches!(outcome, Poll::Ready(Ok(_))) {
            self.activity.touch();
        }
    }
}
