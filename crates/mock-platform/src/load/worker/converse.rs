//! One connection: it is opened as often as it has to be, and whoever reads an answer sends what is next.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::ClientConnection;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};

use super::{BATCH, Shared};
use crate::load::answer::AnswerReader;
use crate::load::clock::now_ns;
use crate::load::secure::Tls;
use crate::load::shortage::is_shortage;
use crate::load::tally::End;

/// How long a connection rests that cannot be made.
const RETRY: Duration = Duration::from_millis(10);

impl Shared {
    /// One connection, opened as often as it has to be.
    pub(super) async fn serve(self: Rc<Self>, id: usize) {
        loop {
            let waited = self.state.borrow().waiting.len();
            let connected = self.connect().await;
            let is_made = connected.is_ok();
            match connected {
                Ok((stream, tls)) => self.converse(id, stream, tls).await,
                Err(error) => self.not_connected(&error, waited).await,
            }
            let connection = &self.connections[id];
            connection.gone();
            let rests = {
                let mut state = self.state.borrow_mut();
                state.idle.retain(|idle| *idle != id);
                // What waits is for those that are open, where this one cannot be.
                let is_needed = !state.waiting.is_empty() && (is_made || state.open == 0);
                let rests = !is_needed && !self.is_closed_loop;
                if rests {
                    state.dormant.push(id);
                }
                rests
            };
            if rests {
                connection.wake.notified().await;
            }
        }
    }

    async fn connect(&self) -> io::Result<(TcpStream, Option<ClientConnection>)> {
        let connected = timeout(self.timeout, connected(self.address, self.tls.as_ref())).await;
        let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?;
        self.state.borrow_mut().tally.connections += 1;
        Ok(connected)
    }

    /// A connection could not be made, for which so many webhooks waited: where no other is open, they have none. The next is not tried at
    /// once, whoever waits.
    async fn not_connected(&self, error: &io::Error, waited: usize) {
        {
            let tally = &mut self.state.borrow_mut().tally;
            tally.connections_failed += 1;
            tally.out_of_sockets += u64::from(is_shortage(error));
        }
        let waited = if self.is_closed_loop { 1 } else { waited };
        for nth in 1..=waited {
            if self.state.borrow().open > 0 || !self.fail_one() {
                break;
            }
            if nth % BATCH == 0 {
                yield_now().await;
            }
        }
        sleep(RETRY).await;
    }

    /// What waited for a connection that cannot be made, if anything does.
    fn fail_one(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let now = now_ns();
        let Some(due) = self.take(&mut state, now) else { return false };
        self.not_sent(&mut state, due, now);
        true
    }

    /// Reads answers, and sends what is next, until the connection is closed.
    async fn converse(&self, id: usize, stream: TcpStream, tls: Option<ClientConnection>) {
        let connection = &self.connections[id];
        let (mut incoming, outgoing) = stream.into_split();
        connection.made(outgoing, tls);
        {
            let mut state = self.state.borrow_mut();
            state.open += 1;
            self.next(&mut state, id, now_ns());
        }
        let mut reader = AnswerReader::default();
        let end = poll_fn(|context| self.poll_end(context, id, &mut incoming, &mut reader)).await;
        let mut state = self.state.borrow_mut();
        state.open -= 1;
        if let Some(end) = end {
            self.end(&mut state, id, end, now_ns());
        }
    }

    /// Reads until the connection is at its end: what that is to a webhook in flight, if it is anything.
    fn poll_end(
        &self,
        context: &mut Context<'_>,
        id: usize,
        incoming: &mut OwnedReadHalf,
        reader: &mut AnswerReader,
    ) -> Poll<Option<End>> {
        let connection = &self.connections[id];
        let mut room = self.read.borrow_mut();
        loop {
            let mut read = ReadBuf::new(&mut room);
            // Where less comes than there is room for nothing more is there: it is not read once more to see that, as by `try_read`.
            let end = match ready!(Pin::new(&mut *incoming).poll_read(context, &mut read)) {
                Ok(()) if read.filled().is_empty() => match reader.closed() {
                    Some(answer) => End::Answered(answer),
                    None if connection.is_late.get() => End::TimedOut,
                    None => End::Reset,
                },
                Ok(()) => match connection.plain(read.filled(), reader) {
                    Ok(None) => continue,
                    // Nobody asked.
                    Ok(Some(_)) if connection.flight.get().is_none() => return Poll::Ready(None),
                    Ok(Some(answer)) if answer.keeps && connection.goes_on() => {
                        let mut state = self.state.borrow_mut();
                        let now = now_ns();
                        connection.has_answered.set(true);
                        self.end(&mut state, id, End::Answered(answer), now);
                        self.next(&mut state, id, now);
                        continue;
                    }
                    Ok(Some(answer)) => End::Answered(answer),
                    Err(_) => End::NoHttp,
                },
                Err(_) if connection.is_late.get() => End::TimedOut,
                Err(_) => End::Reset,
            };
            return Poll::Ready(Some(end));
        }
    }
}

/// A connection to an address, and TLS on it.
async fn connected(
    address: SocketAddr,
    tls: Option<&Tls>,
) -> io::Result<(TcpStream, Option<ClientConnection>)> {
    let stream = TcpStream::connect(address).await?;
    // What cannot be set is slower, and no error.
    let _ = stream.set_nodelay(true);
    stream.writable().await?;
    let Some(tls) = tls else { return Ok((stream, None)) };
    let (stream, tls) = tls.agree(stream).await?;
    Ok((stream, Some(tls)))
}
