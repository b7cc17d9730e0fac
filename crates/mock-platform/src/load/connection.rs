use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use rustls::ClientConnection;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::answer::{Answer, AnswerReader, NoHttp};
use super::secure::Records;
use super::source::Due;

/// What is known of a connection, open or not; a task reads from it.
#[derive(Default)]
pub(super) struct Connection {
    stream: RefCell<Option<Rc<OwnedWriteHalf>>>,
    /// Where TLS is spoken.
    records: RefCell<Records>,
    pub(super) request: RefCell<Vec<u8>>,
    pub(super) flight: Cell<Option<Flight>>,
    /// Since when nothing is in flight.
    pub(super) free_since_ns: Cell<u64>,
    /// Set when it is closed because an answer took too long.
    pub(super) is_late: Cell<bool>,
    /// Set when a webhook was answered on it, and it was kept.
    pub(super) has_answered: Cell<bool>,
    pub(super) wake: Notify,
}

/// A webhook that waits for its answer.
#[derive(Clone, Copy)]
pub(super) struct Flight {
    pub(super) due: Due,
    pub(super) sent_ns: u64,
}

impl Connection {
    /// It is open.
    pub(super) fn made(&self, outgoing: OwnedWriteHalf, tls: Option<ClientConnection>) {
        self.is_late.set(false);
        self.has_answered.set(false);
        *self.stream.borrow_mut() = Some(Rc::new(outgoing));
        self.records.borrow_mut().begin(tls);
    }

    /// It is open no more.
    pub(super) fn gone(&self) {
        if self.is_writing() {
            // Whoever writes what is left need not go on.
            self.close();
        }
        *self.stream.borrow_mut() = None;
        self.records.borrow_mut().begin(None);
    }

    /// Whether it can be used again after an answer: it is not closed for the answer's being late, and the request is written to its end,
    /// which it need not be where it was refused by its head alone.
    pub(super) fn goes_on(&self) -> bool {
        !self.is_late.get() && !self.is_writing()
    }

    /// Whether something is written behind our back: whoever does holds the stream, too.
    fn is_writing(&self) -> bool {
        self.stream.borrow().as_ref().is_some_and(|stream| Rc::strong_count(stream) > 1)
    }

    /// Writes the request; whether it did, and not that the connection was at its end.
    pub(super) fn write(&self) -> bool {
        let request = self.request.borrow();
        let mut records = self.records.borrow_mut();
        let is_sent = if records.are_spoken() {
            records.seal(&request).is_ok_and(|sealed| self.send(sealed))
        } else {
            self.send(&request)
        };
        if !is_sent {
            self.close();
        }
        is_sent
    }

    /// What was read, to whoever reads answers; the answer that it completes. By TLS, as far as whole records make it.
    pub(super) fn plain(&self, read: &[u8], reader: &mut AnswerReader) -> Result<Option<Answer>, NoHttp> {
        let mut records = self.records.borrow_mut();
        if !records.are_spoken() {
            return reader.feed(read);
        }
        let (plain, has_ended) = records.open(read).map_err(|_| NoHttp)?;
        let answer = if plain.is_empty() { Ok(None) } else { reader.feed(plain) };
        if has_ended {
            // It is not spoken to any more, and ends as it does without TLS.
            self.close();
            return Ok(answer?.map(|answer| Answer { keeps: false, ..answer }));
        }
        if records.has_more() {
            self.send(records.seal(b"").map_err(|_| NoHttp)?);
        }
        answer
    }

    /// Writes; what the socket has no room for is written when it has. Whether it is open.
    fn send(&self, bytes: &[u8]) -> bool {
        let stream = self.stream.borrow();
        let Some(stream) = &*stream else { return false };
        let written = match stream.try_write(bytes) {
            Ok(written) if written == bytes.len() => return true,
            Ok(written) => written,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return false,
            Err(_) => 0,
        };
        let (rest, stream) = (bytes[written..].to_vec(), Rc::clone(stream));
        spawn_local(async move {
            let mut rest = &rest[..];
            while !rest.is_empty() && stream.writable().await.is_ok() {
                match stream.try_write(rest) {
                    Ok(written) => rest = &rest[written..],
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => return,
                }
            }
        });
        true
    }

    /// Whoever reads from it sees the end of it.
    pub(super) fn close(&self) {
        if let Some(stream) = &*self.stream.borrow() {
            // Where it is closed already, nothing is to be done.
            let _ = socket2::SockRef::from(stream.as_ref().as_ref()).shutdown(Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::tcp::OwnedReadHalf;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::LocalSet;

    use super::*;

    /// An open connection with a request, what is read from it, and whoever is called.
    async fn connection(request: &[u8]) -> (Connection, OwnedReadHalf, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        stream.writable().await.unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        let (incoming, outgoing) = stream.into_split();
        let connection = Connection::default();
        connection.made(outgoing, None);
        connection.request.borrow_mut().extend_from_slice(request);
        (connection, incoming, peer)
    }

    #[tokio::test]
    async fn a_connection_that_was_ended_for_a_late_answer_takes_no_further_webhook() {
        let (connection, _incoming, _peer) = connection(b"one").await;
        assert!(connection.write() && connection.goes_on());
        // Its answer may lie there all the same, and be read.
        connection.is_late.set(true);
        connection.close();
        assert!(!connection.goes_on());
        assert!(!connection.write(), "nothing was sent");
    }

    #[tokio::test]
    async fn nothing_is_written_into_what_is_still_being_written() {
        // More than the system keeps for whoever does not read.
        const LONG: usize = 32 << 20;
        let written = async {
            let (connection, _incoming, mut peer) = connection(&vec![b'x'; LONG]).await;
            assert!(connection.write());
            assert!(!connection.goes_on(), "an answer that comes now is one to the head alone");
            connection.gone();
            // What is left is not written any more.
            let mut read = Vec::new();
            let _ = peer.read_to_end(&mut read).await;
            assert!(read.len() < LONG, "{}", read.len());
        };
        LocalSet::new().run_until(written).await;
    }
}
