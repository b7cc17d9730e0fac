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
        *self.stream.borrow_mut() = Some(Rc::new(outgoing));
        self.records.borrow_mut().begin(tls);
    }

    /// It is open no more.
    pub(super) fn gone(&self) {
        *self.stream.borrow_mut() = None;
        self.records.borrow_mut().begin(None);
    }

    /// Writes the request.
    pub(super) fn write(&self) {
        let request = self.request.borrow();
        let mut records = self.records.borrow_mut();
        if records.are_spoken() {
            match records.seal(&request) {
                Ok(sealed) => self.send(sealed),
                // Whoever reads sees the end of it.
                Err(_) => self.close(),
            }
        } else {
            self.send(&request);
        }
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

    /// Writes; what the socket has no room for is written when it has.
    fn send(&self, bytes: &[u8]) {
        let stream = self.stream.borrow();
        let Some(stream) = &*stream else { return };
        let written = match stream.try_write(bytes) {
            Ok(written) if written == bytes.len() => return,
            Ok(written) => written,
            // Whoever reads meets the error, too.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
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
    }

    /// Whoever reads from it sees the end of it.
    pub(super) fn close(&self) {
        if let Some(stream) = &*self.stream.borrow() {
            // Where it is closed already, nothing is to be done.
            let _ = socket2::SockRef::from(stream.as_ref().as_ref()).shutdown(Shutdown::Both);
        }
    }
}
