//! Destinations by TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use piopiy_receiver::{Destination, ForwardError, Forwarder};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::{App, call, state_in, store, until};

/// Speaks TLS for an app that does not, with a certificate that is in `app.pem` of the folder.
async fn secured(app: &App, folder: &tempfile::TempDir) -> (SocketAddr, JoinHandle<()>) {
    let mut made = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    // As `openssl req -x509` makes it.
    made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let certificate = made.self_signed(&key).unwrap();
    std::fs::write(folder.path().join("app.pem"), certificate.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, behind) = (listener.local_addr().unwrap(), app.address);
    let task = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // Whoever does not trust it goes away.
                if let Ok(mut stream) = acceptor.accept(socket).await {
                    let mut plain = TcpStream::connect(behind).await.unwrap();
                    drop(tokio::io::copy_bidirectional(&mut stream, &mut plain).await);
                }
            });
        }
    });
    (address, task)
}

fn destination(address: SocketAddr) -> Destination {
    let mut destination = Destination::new("app", &format!("https://me:s3cret@{address}/hook")).unwrap();
    destination.first_backoff = Duration::from_millis(5);
    destination.max_attempts = 1;
    destination.from_start = true;
    destination
}

#[tokio::test]
async fn a_destination_by_tls_gets_what_any_gets_from_those_who_trust_it() {
    let folder = tempfile::tempdir().unwrap();
    let app = App::start(|_, _| StatusCode::OK).await;
    let (address, front) = secured(&app, &folder).await;
    let (_store, records) = store(&call("x"));

    // Nobody has signed its certificate whom all trust.
    let forwarder = Forwarder::start(&records, state_in(&folder), vec![destination(address)]).unwrap();
    let state = state_in(&folder);
    until(|| state.status().unwrap()[0].unsettled == 3, || "what was read to be kept".to_owned()).await;
    forwarder.shutdown().await;
    assert_eq!(app.seqs(), [0; 0]);
    assert_eq!(state.status().unwrap()[0].dead, 0, "no connection, and so no attempt");

    let mut trusted = destination(address);
    trusted.ca_file = Some(folder.path().join("app.pem"));
    let forwarder = super::again::start_again(&records, &folder, &trusted).await;
    app.has(3).await;
    forwarder.shutdown().await;
    assert_eq!(app.seqs(), [1, 2, 3]);
    let headers = &app.deliveries()[0].headers;
    assert_eq!(headers["authorization"], "Basic bWU6czNjcmV0", "as whom the URL says");
    assert_eq!(headers["host"], address.to_string().as_str());
    front.abort();
}

#[tokio::test]
async fn certificates_that_cannot_be_read_are_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, records) = store(&call("x"));
    let mut destination = destination("127.0.0.1:9".parse().unwrap());
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "nothing").unwrap();
    for file in [empty, folder.path().join("no.pem")] {
        destination.ca_file = Some(file);
        let fresh = tempfile::tempdir().unwrap();
        let error = Forwarder::start(&records, state_in(&fresh), vec![destination.clone()]).unwrap_err();
        assert!(matches!(error, ForwardError::Certificates { .. }), "{error}");
    }
}
