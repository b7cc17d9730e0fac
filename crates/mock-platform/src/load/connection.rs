use std::cell::{Cell, RefCell};
use std::io;
use std::net::Shutdown;
use std::rc::Rc;

use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;
use tokio::task::spawn_local;

use super::source::Due;

/// What is known of a connection, open or not; a task reads from it.
#[derive(Default)]
pub(super) struct Connection {
    pub(super) stream: RefCell<Option<Rc<OwnedWriteHalf>>>,
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
    /// Writes the request; what the socket has no room for is written when it has.
    pub(super) fn write(&self) {
        let (stream, request) = (self.stream.borrow(), self.request.borrow());
        let Some(stream) = &*stream else { return };
        let written = match stream.try_write(&request) {
            Ok(written) if written == request.len() => return,
            Ok(written) => written,
            // Whoever reads meets the error, too.
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            Err(_) => 0,
        };
        let (rest, stream) = (request[written..].to_vec(), Rc::clone(stream));
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
