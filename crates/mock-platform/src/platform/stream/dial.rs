use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use crate::deliver::Target;

/// The largest message: six minutes of audio at 16 kHz.
pub(super) const LARGEST: usize = 16 << 20;

/// A connection, by TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(super) type Socket = WebSocketStream<Box<dyn Wire>>;

/// Why an application is not on the line.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    #[error("it did not answer within {0:?}")]
    Timeout(Duration),
    #[error("it cannot be connected to: {0}")]
    Connect(#[source] io::Error),
    #[error("TLS cannot be set up: {0}")]
    TlsSetUp(String),
    #[error("TLS failed: {0}")]
    Tls(#[source] io::Error),
    #[error("it answered {0}, and not 101 Switching Protocols")]
    Refused(u16),
    #[error("it does not speak WebSocket: {0}")]
    Protocol(#[source] Box<Error>),
}

impl DialError {
    /// The code of `mod_audio_stream`.
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::Refused(_) => 2,
            Self::Connect(_) => 6,
            Self::TlsSetUp(_) => 7,
            Self::Tls(_) => 8,
            Self::Timeout(_) => 10,
            Self::Protocol(_) => 11,
        }
    }
}

/// Connects within a time, and follows nothing.
pub(super) async fn dial(target: &Target, limit: Duration) -> Result<Socket, DialError> {
    timeout(limit, connect(target)).await.unwrap_or(Err(DialError::Timeout(limit)))
}

async fn connect(target: &Target) -> Result<Socket, DialError> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    let mut stream = None;
    for address in target.look_up().await.map_err(DialError::Connect)? {
        match TcpStream::connect(address).await {
            Ok(connected) => {
                stream = Some(connected);
                break;
            }
            Err(error) => last = error,
        }
    }
    let stream = stream.ok_or(DialError::Connect(last))?;
    stream.set_nodelay(true).map_err(DialError::Connect)?;
    let wire: Box<dyn Wire> = if target.is_tls() { secure(target, stream).await? } else { Box::new(stream) };
    let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
    let opening =
        tokio_tungstenite::client_async_with_config(target.as_websocket(), wire, Some(config)).await;
    match opening {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => Err(DialError::Refused(response.status().as_u16())),
        Err(error) => Err(DialError::Protocol(Box::new(error))),
    }
}

async fn secure(target: &Target, stream: TcpStream) -> Result<Box<dyn Wire>, DialError> {
    let config = target.trust().config(&[]).map_err(|error| DialError::TlsSetUp(error.to_string()))?;
    let authority = target.authority();
    let host = authority.rsplit_once(':').map_or(&*authority, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|error| DialError::TlsSetUp(error.to_string()))?;
    let stream = TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await;
    Ok(Box::new(stream.map_err(DialError::Tls)?))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::{DialError, dial};
    use crate::deliver::Target;

    #[tokio::test]
    async fn a_name_that_no_certificate_can_have_fails_before_the_handshake() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let label = "a".repeat(64);
        for host in ["app-.example", &format!("{label}.example")] {
            let target = Target::parse_websocket(&format!("wss://{host}:{port}/"), &[host.to_owned()]);
            let target = target.unwrap().resolved_to(&[Ipv4Addr::LOCALHOST.into()]);
            let dialled = dial(&target, Duration::from_secs(5)).await;
            let Err(error) = dialled else { panic!("{host} was taken") };
            assert!(matches!(error, DialError::TlsSetUp(_)), "{host}: {error:?}");
            assert_eq!(error.code(), 7, "TLS init, says mod_audio_stream");
            assert!(error.to_string().starts_with("TLS cannot be set up: "), "{error}");
        }
    }
}
