//! Connections, by TLS or without.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// How long a connection may take to come about, and TLS on it.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long the farewell of TLS may take.
const FAREWELL_LIMIT: Duration = Duration::from_millis(100);

/// How TLS is spoken with one server.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) config: Arc<ClientConfig>,
    pub(super) name: ServerName<'static>,
}

/// A connection.
#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// What is received by.
#[derive(Debug)]
pub(super) enum Reader {
    Plain(OwnedReadHalf),
    Tls(ReadHalf<TlsStream<TcpStream>>),
}

/// What is sent by.
#[derive(Debug)]
pub(super) enum Writer {
    Plain(OwnedWriteHalf),
    /// `resets` where its end is RST.
    Tls {
        write: WriteHalf<TlsStream<TcpStream>>,
        resets: bool,
    },
}

/// Connects to the first address that answers.
pub(super) async fn connect(
    addresses: &[SocketAddr],
    receive_buffer: Option<u32>,
    tls: Option<&Tls>,
) -> io::Result<Stream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for &address in addresses {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        match timeout(CONNECT_LIMIT, socket.connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true)?;
                return match tls {
                    None => Ok(Stream::Plain(stream)),
                    Some(tls) => secure(stream, tls).await,
                };
            }
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

async fn secure(stream: TcpStream, tls: &Tls) -> io::Result<Stream> {
    let connector = TlsConnector::from(Arc::clone(&tls.config));
    match timeout(CONNECT_LIMIT, connector.connect(tls.name.clone(), stream)).await {
        Ok(stream) => stream.map(|stream| Stream::Tls(Box::new(stream))),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "no TLS within 5 s")),
    }
}

/// Whether an error is about TLS: it does not go away by waiting.
pub(super) fn is_of_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

impl Stream {
    /// Takes it apart; `resets` where it will be ended by [`Writer::reset`].
    pub(super) fn split(self, resets: bool) -> io::Result<(Reader, Writer)> {
        match self {
            Self::Plain(stream) => {
                let (read, write) = stream.into_split();
                Ok((Reader::Plain(read), Writer::Plain(write)))
            }
            Self::Tls(stream) => {
                if resets {
                    // Its halves no longer lead to the socket.
                    stream.get_ref().0.set_zero_linger()?;
                }
                let (read, write) = tokio::io::split(*stream);
                Ok((Reader::Tls(read), Writer::Tls { write, resets }))
            }
        }
    }

    /// The protocol that was agreed on by ALPN.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(stream) => stream.get_ref().1.alpn_protocol(),
        }
    }
}

impl Reader {
    /// 0 where nothing more will come. A TLS connection that ends without a farewell has ended all the same.
    pub(super) async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(read) => read.read(buffer).await,
            Self::Tls(read) => match read.read(buffer).await {
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof || is_of_tls(&error) => Ok(0),
                came => came,
            },
        }
    }
}

impl Writer {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(write) => write.write(bytes).await,
            Self::Tls { write, .. } => {
                let count = write.write(bytes).await?;
                write.flush().await?;
                Ok(count)
            }
        }
    }

    /// FIN; by TLS its farewell before.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(write) => write.shutdown().await,
            Self::Tls { write, .. } => write.shutdown().await,
        }
    }

    /// With lingering off, closing discards what is not sent and sends RST.
    pub(super) fn reset(self) -> io::Result<()> {
        match self {
            Self::Plain(write) => {
                let lingering = write.as_ref().set_zero_linger();
                write.forget();
                lingering
            }
            Self::Tls { write, resets } => {
                drop(write);
                if resets { Ok(()) } else { Err(io::ErrorKind::Unsupported.into()) }
            }
        }
    }

    /// Ends it as clients do.
    pub(super) async fn close(mut self) {
        if let Self::Tls { resets: false, .. } = self {
            // Where nobody takes it, it is not said.
            let _ = timeout(FAREWELL_LIMIT, self.shutdown()).await;
        }
    }
}
