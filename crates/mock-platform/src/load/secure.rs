//! TLS as a load speaks it: the handshake is made once, and then requests and answers go through the records on the way that they go without.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::deliver::Target;

/// How TLS is spoken with the target.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// `None` where the target speaks none.
    pub(super) fn of(target: &Target) -> io::Result<Option<Self>> {
        if !target.is_tls() {
            return Ok(None);
        }
        let config = target.trust().config(&["http/1.1"]).map_err(io::Error::other)?;
        let host = target.url().host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        Ok(Some(Self { config: Arc::new(config), name }))
    }

    /// Makes the handshake; what is left is the socket, and what makes records of bytes.
    pub(super) async fn agree(&self, stream: TcpStream) -> io::Result<(TcpStream, ClientConnection)> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        Ok(connector.connect(self.name.clone(), stream).await?.into_inner())
    }
}

/// The records of a connection. What they are written to and read from is kept, so that none of it is made for each request.
#[derive(Default)]
pub(super) struct Records {
    tls: Option<ClientConnection>,
    sealed: Vec<u8>,
    plain: Vec<u8>,
}

impl Records {
    pub(super) fn begin(&mut self, tls: Option<ClientConnection>) {
        self.tls = tls;
    }

    pub(super) fn are_spoken(&self) -> bool {
        self.tls.is_some()
    }

    /// The bytes as they go over the wire, with whatever else TLS has to say.
    pub(super) fn seal(&mut self, mut bytes: &[u8]) -> io::Result<&[u8]> {
        self.sealed.clear();
        if let Some(tls) = &mut self.tls {
            loop {
                // It takes no more at once than it keeps.
                let taken = if bytes.is_empty() { 0 } else { tls.writer().write(bytes)? };
                bytes = &bytes[taken..];
                while tls.wants_write() {
                    tls.write_tls(&mut self.sealed)?;
                }
                if bytes.is_empty() {
                    break;
                }
            }
        }
        Ok(&self.sealed)
    }

    /// What came over the wire, as far as whole records make it; and whether this is the end of it.
    pub(super) fn open(&mut self, mut wire: &[u8]) -> io::Result<(&[u8], bool)> {
        self.plain.clear();
        let mut has_ended = false;
        if let Some(tls) = &mut self.tls {
            while !wire.is_empty() {
                // Behind its farewell nothing is read.
                if tls.read_tls(&mut wire)? == 0 {
                    break;
                }
                let state = tls.process_new_packets().map_err(io::Error::other)?;
                let more = state.plaintext_bytes_to_read();
                let from = self.plain.len();
                self.plain.resize(from + more, 0);
                if more > 0 {
                    tls.reader().read_exact(&mut self.plain[from..])?;
                }
                if state.peer_has_closed() {
                    has_ended = true;
                    break;
                }
            }
        }
        Ok((&self.plain, has_ended))
    }

    /// Whether TLS has something to say besides: an answer to new keys.
    pub(super) fn has_more(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.wants_write())
    }
}
