//! `wss`, and dials that fail: what is told of them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use piopiy_mock_platform::platform::StreamFaults;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::stream::{Played, code, hangs_up_after, samples, streamed, write_wav};

type Secure = WebSocketStream<TlsStream<TcpStream>>;

/// An authority of its own, and a server that it vouches for.
struct Authority {
    pem: String,
    acceptor: TlsAcceptor,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let own = params.self_signed(&key).unwrap();
        let issuer = Issuer::new(params, key);
        let server_key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let server = CertificateParams::new(names).unwrap().signed_by(&server_key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![server.der().clone()],
                PrivateKeyDer::Pkcs8(server_key.serialize_der().into()),
            )
            .unwrap();
        Self { pem: own.pem(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("ca.pem");
        std::fs::write(&path, &self.pem).unwrap();
        path
    }

    /// A WebSocket server for one stream; where it is.
    async fn serve<F: Future<Output = ()> + Send + 'static>(
        &self,
        behave: impl FnOnce(Secure) -> F + Send + 'static,
    ) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("wss://{}/", listener.local_addr().unwrap());
        let acceptor = self.acceptor.clone();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            // Whoever does not trust it goes away.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            behave(tokio_tungstenite::accept_async(stream).await.unwrap()).await;
        });
        url
    }
}

async fn echo(mut socket: Secure) {
    use base64::Engine as _;
    while let Some(Ok(message)) = socket.next().await {
        if let Message::Binary(bytes) = message {
            let audio = base64::engine::general_purpose::STANDARD.encode(&bytes);
            let audio = piopiy_events::stream::StreamMessage::raw_audio(8_000, &audio).to_json();
            if socket.send(Message::text(audio)).await.is_err() {
                return;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_echo_by_tls_is_recorded_sample_by_sample() {
    let folder = tempfile::tempdir().unwrap();
    let says = folder.path().join("says.wav");
    let voice: Vec<i16> = (0..4_000_i32).map(|n| i16::try_from(n * 7_919 % 20_011 + 1).unwrap()).collect();
    write_wav(&says, &voice);
    let authority = Authority::new();
    let ca = authority.write(folder.path());
    let more = format!(
        "[platform.caller]\nhangs-up-after = \"1s\"\nsays = {says:?}\n[platform.stream]\nca = {ca:?}"
    );
    for url in [
        authority.serve(echo).await,
        // By its name as well.
        authority.serve(echo).await.replace("127.0.0.1", "localhost"),
    ] {
        let played = streamed(&url, &more, StreamFaults::default()).await;
        assert_eq!(code(&played), "1000", "{url}");
        let said = samples(&played.recording("-said"));
        let begin = said.iter().position(|&sample| sample != 0).unwrap();
        assert_eq!(said[begin..begin + voice.len()], voice, "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn close_codes_go_through_tls() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let more = format!("[platform.stream]\nca = {:?}", authority.write(folder.path()));
    for (given, expected) in [(Some(1000), "1000"), (Some(4321), "4321"), (None, "1005")] {
        let url = authority.serve(move |mut socket: Secure| async move {
            let frame = given.map(|code: u16| CloseFrame { code: code.into(), reason: "bye".into() });
            let _ = socket.close(frame).await;
            while let Some(Ok(_)) = socket.next().await {}
        });
        assert_eq!(code(&streamed(&url.await, &more, StreamFaults::default()).await), expected);
    }
    // With TLS's own farewell and without.
    let url = authority.serve(|socket| async move { drop(socket) }).await;
    assert_eq!(code(&streamed(&url, &more, StreamFaults::default()).await), "1006");
    let url = authority.serve(|mut socket| async move {
        let _ = socket.get_mut().shutdown().await;
    });
    assert_eq!(code(&streamed(&url.await, &more, StreamFaults::default()).await), "1006");
}

/// The code and the text of the error that is told.
fn failed(played: &Played) -> (u16, String) {
    let told = played.app.posted("/webhooks");
    let error = told.iter().find(|body| body.contains("stream_error"));
    let error = error.unwrap_or_else(|| panic!("no error: {told:?}"));
    assert!(!told.iter().any(|body| body.contains("stream_connected")), "{told:?}");
    let event: serde_json::Value = serde_json::from_str(error).unwrap();
    let status: serde_json::Value = serde_json::from_str(event["ws_status"].as_str().unwrap()).unwrap();
    let code = u16::try_from(status["message"]["code"].as_u64().unwrap()).unwrap();
    (code, status["message"]["error"].as_str().unwrap().to_owned())
}

/// A server that answers with these bytes, whatever it is asked; where it is.
async fn answers(bytes: &'static [u8]) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 4_096]).await;
        let _ = stream.write_all(bytes).await;
        if bytes.is_empty() {
            // It never answers.
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_that_fails_is_told_with_the_code_of_what_failed() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let quick = "connect-timeout = \"400ms\"";
    let trusting = format!("[platform.stream]\n{quick}\nca = {:?}", ours.write(folder.path()));
    let public = format!("[platform.stream]\n{quick}");
    let ok = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let moved = b"HTTP/1.1 302 Found\r\nLocation: ws://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let liar = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    for (url, more, code, part) in [
        (theirs.serve(echo).await, &trusting, 8, "invalid peer certificate"),
        (ours.serve(echo).await, &public, 8, "UnknownIssuer"),
        (format!("wss://{}/", answers(ok).await), &trusting, 8, "TLS failed"),
        (format!("wss://{}/", answers(b"").await), &trusting, 10, "within 400ms"),
        (format!("ws://{}/", answers(b"").await), &public, 10, "within 400ms"),
        (format!("ws://{}/", answers(ok).await), &public, 2, "it answered 200"),
        (format!("ws://{}/", answers(moved).await), &public, 2, "it answered 302"),
        (format!("ws://{}/", answers(liar).await), &public, 11, "does not speak WebSocket"),
        (format!("ws://{}/", answers(b"\0\0\0\0\r\n\r\n").await), &public, 11, "does not speak WebSocket"),
    ] {
        let more = format!("{more}\n{}", hangs_up_after("20s"));
        let played = streamed(&url, &more, StreamFaults::default()).await;
        let (told, text) = failed(&played);
        assert_eq!(told, code, "{url}: {text}");
        assert!(text.contains(part), "{url}: {text}");
    }
}
