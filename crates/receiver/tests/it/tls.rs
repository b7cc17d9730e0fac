//! TLS: what clients are shown, and when.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use piopiy_receiver::{MemoryStore, Page, Server, ServerOptions, Tls, listen};
use rustix::process::Signal;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::cli::run;
use crate::serve::Serving;
use crate::support::{PATIENCE, cdr, raw_post};

/// Puts a certificate of its own making, and its key, into the folder.
fn put_certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    made.cert.der().clone()
}

/// The answer of a server that shows this certificate.
async fn ask(
    address: SocketAddr,
    trusted: &CertificateDer<'static>,
    request: String,
) -> std::io::Result<String> {
    ask_over(TcpStream::connect(address).await?, trusted, request).await
}

/// The same over a connection that is there.
async fn ask_over(
    socket: TcpStream,
    trusted: &CertificateDer<'static>,
    request: String,
) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

fn post(call: &str) -> String {
    raw_post(&cdr(call), "Connection: close\r\n")
}

async fn serve(folder: &Path, options: ServerOptions) -> (Server, Tls) {
    let tls = Tls::open(folder.join("cert.pem"), folder.join("key.pem")).unwrap();
    let server = Server::builder(MemoryStore::new()).options(options).tls(tls.clone());
    (server.bind("127.0.0.1:0").await.unwrap(), tls)
}

#[tokio::test]
async fn who_waits_to_be_accepted_at_a_stop_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = put_certificate(folder.path());
    let (server, _tls) = serve(folder.path(), ServerOptions::default()).await;
    let mut asked = tokio::task::JoinSet::new();
    for n in 0..5 {
        // On the one thread there is: nobody accepts before the stop.
        let socket = std::net::TcpStream::connect(server.local_addr()).unwrap();
        socket.set_nonblocking(true).unwrap();
        let (socket, certificate) = (TcpStream::from_std(socket).unwrap(), certificate.clone());
        asked.spawn(async move { ask_over(socket, &certificate, post(&format!("waiting {n}"))).await });
    }
    server.shutdown().await;
    for answer in asked.join_all().await {
        let answer = answer.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    }
}

#[tokio::test]
async fn the_page_speaks_tls_where_webhooks_do() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = put_certificate(folder.path());
    let tls = Tls::open(folder.path().join("cert.pem"), folder.path().join("key.pem")).unwrap();
    let page = Page::on(listen("127.0.0.1:0").await.unwrap());
    let server = Server::builder(MemoryStore::new()).tls(tls).page(page).bind("127.0.0.1:0").await.unwrap();
    let url = server.page_url().unwrap();
    let address = url.strip_prefix("https://").unwrap().trim_end_matches('/').parse().unwrap();
    let get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = ask(address, &certificate, get.to_owned()).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("No webhook yet."), "{answer}");
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(get.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // It may be reset, for what came was not all read.
    let _ = plain.read_to_end(&mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP/1.1 2"), "{bytes:?}");
    server.shutdown().await;
}

#[tokio::test]
async fn webhooks_come_by_tls_and_no_other_way() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = put_certificate(folder.path());
    let (server, _) = serve(folder.path(), ServerOptions::default()).await;
    assert_eq!(server.url(), format!("https://{}/webhook/cdr", server.local_addr()));
    let answer = ask(server.local_addr(), &certificate, post("x")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("got it"), "{answer}");

    let mut plain = TcpStream::connect(server.local_addr()).await.unwrap();
    plain.write_all(post("y").as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // It may be reset, for what came was not all read.
    let _ = plain.read_to_end(&mut bytes).await;
    assert!(!bytes.starts_with(b"HTTP/1.1 2"), "{bytes:?}");
    let get = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned();
    let metrics = ask(server.local_addr(), &certificate, get).await.unwrap();
    assert!(metrics.contains("piopiy_receiver_appended_total 1\n"), "{metrics}");
    assert!(metrics.contains("piopiy_receiver_refused_total{reason=\"handshake\"} 1\n"), "{metrics}");
    server.shutdown().await;
}

#[tokio::test]
async fn a_handshake_that_never_ends_holds_nothing() {
    let folder = tempfile::tempdir().unwrap();
    put_certificate(folder.path());
    let options = ServerOptions { header_deadline: Duration::from_millis(200), ..ServerOptions::default() };
    let (server, _) = serve(folder.path(), options).await;
    let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
    // The begin of a record, and no more.
    silent.write_all(b"\x16\x03\x01").await.unwrap();
    let closed = tokio::time::timeout(PATIENCE, silent.read(&mut [0; 16])).await;
    assert!(matches!(closed, Ok(Ok(0) | Err(_))), "{closed:?}");
    // Nor does one hold up the end.
    let (server, _) =
        serve(folder.path(), ServerOptions { header_deadline: PATIENCE * 10, ..ServerOptions::default() })
            .await;
    let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
    silent.write_all(b"\x16\x03\x01").await.unwrap();
    tokio::time::timeout(PATIENCE, server.shutdown()).await.unwrap();
}

#[tokio::test]
async fn an_answer_in_flight_is_given_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = put_certificate(folder.path());
    let (server, _) = serve(folder.path(), ServerOptions::default()).await;
    for call in 0..20 {
        let answer = ask(server.local_addr(), &certificate, post(&call.to_string())).await.unwrap();
        assert!(answer.ends_with("got it"), "{answer}");
    }
    let started = Instant::now();
    server.shutdown().await;
    assert!(started.elapsed() < Duration::from_secs(5), "nobody is waited for");
}

#[tokio::test]
async fn what_is_read_again_is_shown_and_what_cannot_be_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let first = put_certificate(folder.path());
    let (server, tls) = serve(folder.path(), ServerOptions::default()).await;
    let address = server.local_addr();
    let second = put_certificate(folder.path());
    tls.reload().unwrap();
    assert!(ask(address, &second, post("a")).await.is_ok());
    assert!(ask(address, &first, post("b")).await.is_err(), "nobody is shown the first any more");

    let key = std::fs::read(folder.path().join("key.pem")).unwrap();
    put_certificate(folder.path());
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    let told = tls.reload().unwrap_err().to_string();
    assert!(told.contains("key.pem is none for the certificate in"), "{told}");
    assert!(ask(address, &second, post("c")).await.is_ok(), "the one before");
    server.shutdown().await;
}

#[tokio::test]
async fn what_changes_between_the_reading_and_the_begin_is_shown_too() {
    let folder = tempfile::tempdir().unwrap();
    put_certificate(folder.path());
    let tls = Tls::open(folder.path().join("cert.pem"), folder.path().join("key.pem")).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let changed = put_certificate(folder.path());
    let server = Server::builder(MemoryStore::new()).tls(tls).bind("127.0.0.1:0").await.unwrap();
    let until = Instant::now() + PATIENCE;
    while let Err(error) = ask(server.local_addr(), &changed, post("x")).await {
        assert!(Instant::now() < until, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.shutdown().await;
}

#[test]
fn the_process_reads_the_files_again_on_a_signal_and_when_they_change() {
    let folder = tempfile::tempdir().unwrap();
    put_certificate(folder.path());
    let serving = Serving::start(folder.path(), &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
    let address: SocketAddr = serving.address.parse().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let until_shown = |certificate: &CertificateDer<'static>| {
        let until = Instant::now() + PATIENCE;
        while let Err(error) = runtime.block_on(ask(address, certificate, post("x"))) {
            assert!(Instant::now() < until, "{error}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let changed = put_certificate(folder.path());
    until_shown(&changed);
    let signalled = put_certificate(folder.path());
    serving.signal(Signal::HUP);
    until_shown(&signalled);
    serving.signal(Signal::TERM);
    let (code, logs) = serving.end();
    assert_eq!(code, Some(0), "{logs}");
    assert!(logs.contains("the certificate's files have changed"), "{logs}");
    assert!(logs.contains("the certificate was read again"), "{logs}");
}

#[test]
fn what_is_no_certificate_is_told_before_it_listens() {
    let folder = tempfile::tempdir().unwrap();
    put_certificate(folder.path());
    std::fs::rename(folder.path().join("key.pem"), folder.path().join("other.pem")).unwrap();
    put_certificate(folder.path());
    std::fs::write(folder.path().join("empty.pem"), "").unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--store", "memory"];
    let commands: [&[&str]; 5] = [
        &["--tls-cert", "cert.pem"],
        &["--tls-cert", "nofile.pem", "--tls-key", "key.pem"],
        &["--tls-cert", "empty.pem", "--tls-key", "key.pem"],
        &["--tls-cert", "cert.pem", "--tls-key", "empty.pem"],
        &["--tls-cert", "cert.pem", "--tls-key", "other.pem"],
    ];
    let text: Vec<String> =
        commands.iter().map(|more| run(folder.path(), &[&serve[..], more].concat())).collect();
    insta::assert_snapshot!(text.join("\n"));
}
