//! Loads by TLS.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use piopiy_gallery as gallery;
use piopiy_mock_platform::deliver::{Target, Trust};
use piopiy_mock_platform::load::{LoadError, LoadReport, Progress, Rate, run_load};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;

use crate::cli::{check_refused, mock, stderr, stdout};
use crate::load::{accepting, simulator, some};

#[tokio::test(flavor = "multi_thread")]
async fn a_load_by_tls_is_the_same_load() {
    // A receiver that has TLS, and nothing else to find fault with here.
    let place = gallery::Place::of("speaks-no-http2").unwrap();
    let receiver = gallery::serve(&place).await.unwrap();
    let cacert = receiver.cacert.as_ref().unwrap().display().to_string();
    let (url, observe) = (receiver.url.clone(), receiver.observe_url.clone());
    let run = move || {
        check_refused(&["load", &url, "--calls", "3"], 3, "is its certificate one that is trusted?");
        let nowhere = ["load", &url, "--calls", "3", "--cacert", "/nowhere/ca.pem"];
        check_refused(&nowhere, 2, "the certificates /nowhere/ca.pem cannot be read");
        let args =
            ["load", &url, "--calls", "60", "--connections", "8", "--threads", "2", "--report", "json=-"];
        let load = |more: &[&str]| {
            let output = mock(&[&args[..], more].concat());
            LoadReport::parse(&stdout(&output)).unwrap_or_else(|_| panic!("{}", stderr(&output)))
        };
        let report = load(&["--rate", "500", "--cacert", &cacert, "--observe-url", &observe]);
        let summary = &report.summary;
        assert!(summary.planned > 150 && summary.acknowledged == summary.planned, "{report}");
        assert_eq!((summary.lost, summary.duplicated, summary.errors), (Some(0), Some(0), 0), "{report}");
        assert!(summary.connections_opened <= 8, "{report}");
        let report = load(&["--rate", "max", "--insecure"]);
        assert!(
            report.summary.acknowledged == report.summary.planned && report.summary.planned > 150,
            "{report}"
        );
    };
    tokio::task::spawn_blocking(run).await.unwrap();
}

#[test]
fn a_receiver_that_says_farewell_after_each_answer_is_called_anew_each_time() {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(certified.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/webhook/cdr", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let tls = rustls::ServerConnection::new(config).unwrap();
                let mut stream = rustls::StreamOwned::new(tls, stream);
                let mut read = [0; 8192];
                // A request comes whole, and nobody has sent one where the certificate alone is looked at.
                if !matches!(stream.read(&mut read), Ok(1..)) {
                    return;
                }
                // In one write: a webhook that is sent between the answer and the farewell would be met by a reset.
                let _ = stream.conn.writer().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                stream.conn.send_close_notify();
                let _ = stream.flush();
            });
        }
    });
    let trust = Trust::certificates(certified.cert.pem().as_bytes()).unwrap();
    let target = Target::parse(&url, &[]).unwrap().trusting(trust);
    let progress = Arc::new(Progress::default());
    let report = run_load(&simulator(), &target, &some(Rate::Webhooks(200.0), 10), &progress).unwrap();
    let summary = &report.summary;
    assert_eq!(summary.acknowledged, summary.planned, "{report}");
    assert!(summary.connections_opened >= summary.attempts, "{report}");
}

#[test]
fn who_speaks_no_tls_is_told_before_anything_is_sent() {
    let (url, bodies) = accepting();
    let secure = url.replace("http://", "https://");
    let target = Target::parse(&secure, &[]).unwrap().trusting(Trust::anyone());
    let mut options = some(Rate::Webhooks(200.0), 10);
    options.timeout = Duration::from_millis(500);
    let error = run_load(&simulator(), &target, &options, &Arc::new(Progress::default())).unwrap_err();
    assert!(matches!(error, LoadError::Tls { .. }), "{error}");
    assert_eq!(bodies.lock().unwrap().len(), 0);
}
