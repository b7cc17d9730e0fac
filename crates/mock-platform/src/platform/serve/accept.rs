//! Connections, within limits: `axum::serve` has no deadlines, and a byte per minute would keep a connection for ever.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::deadline::{BodyDeadline, WriteDeadline};

/// What a client may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Connections at once; more wait to be accepted.
    pub(super) connections: usize,
    /// For the handshake, where TLS is spoken.
    pub(super) handshake: Duration,
    /// For a request head, from the end of the request before.
    pub(super) head: Duration,
    /// For a body.
    pub(super) body: Duration,
    /// For taking a part of an answer.
    pub(super) write: Duration,
    /// Bytes of a head.
    pub(super) head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(20),
            body: Duration::from_secs(20),
            write: Duration::from_secs(20),
            head_bytes: 64 * 1024,
        }
    }
}

/// Answers what comes in, until it is dropped.
pub(super) async fn accept(
    listener: TcpListener,
    router: Router,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
) {
    let router = router.layer(axum::middleware::map_request(move |request: Request| async move {
        request.map(|body| axum::body::Body::new(BodyDeadline::new(body, limits.body)))
    }));
    let tls = tls.map(TlsAcceptor::from);
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let stream = accepted(&listener).await;
        while connections.try_join_next().is_some() {}
        let (router, tls) = (router.clone(), tls.clone());
        connections.spawn(async move {
            match tls {
                None => answer(stream, router, limits).await,
                Some(tls) => match tokio::time::timeout(limits.handshake, tls.accept(stream)).await {
                    Ok(Ok(stream)) => answer(stream, router, limits).await,
                    Ok(Err(error)) => tracing::debug!("a TLS handshake failed: {error}"),
                    Err(_) => tracing::debug!("a TLS handshake took too long"),
                },
            }
            drop(place);
        });
    }
}

async fn accepted(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!("a connection keeps Nagle's algorithm: {error}");
                }
                return stream;
            }
            Err(error) => {
                // Too many open files, say: others may be closed meanwhile.
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, router: Router, limits: Limits) {
    let stream = TokioIo::new(WriteDeadline::new(stream, limits.write));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head)
        .max_buf_size(limits.head_bytes)
        .serve_connection(stream, TowerToHyperService::new(router));
    if let Err(error) = connection.await {
        tracing::debug!("a connection ended: {error}");
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::Router;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::{Limits, accept};

    /// What comes back for what was sent, until the other side closes; nothing else is sent.
    async fn told(limits: Limits, sent: &[u8]) -> String {
        let router = Router::new()
            .route("/", get(async || "here").post(async |body: axum::body::Bytes| body.len().to_string()));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(accept(listener, router, None, limits));
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "the connection is kept for ever");
        server.abort();
        String::from_utf8(answer).unwrap()
    }

    fn limits() -> Limits {
        let short = Duration::from_millis(100);
        Limits { head: short, body: short, write: short, head_bytes: 16 * 1024, ..Limits::default() }
    }

    #[tokio::test]
    async fn who_never_finishes_is_let_go() {
        assert_eq!(told(limits(), b"").await, "");
        assert_eq!(told(limits(), b"GET / HTTP/1.1\r\nHost: x\r\nX").await, "");
        let answered = told(limits(), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(answered.ends_with("here"), "{answered}");
        let slow = told(limits(), b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1").await;
        assert!(slow.starts_with("HTTP/1.1 4"), "{slow}");
    }

    #[tokio::test]
    async fn a_head_has_a_size() {
        let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(32 * 1024));
        let answer = told(limits(), head.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }

    #[tokio::test]
    async fn who_takes_no_answer_is_let_go() {
        let router = Router::new().route("/", get(async || "x".repeat(64 << 20)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let one = Limits { connections: 1, ..limits() };
        let server = tokio::spawn(accept(listener, router, None, one));
        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        // There is one place, and it comes free.
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(10), next.read_to_string(&mut answer)).await;
        assert!(read.is_ok() && answer.starts_with("HTTP/1.1 404"), "{answer}");
        server.abort();
    }
}
