//! TLS to the server, and passwords that nobody sees.

use piopiy_postgres::{PASSWORD, Postgres, write_private};
use piopiy_receiver::{Append, PostgresStore, PostgresUrl, Store as _, StoreError};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use super::{entries, refused};
use crate::support::postgres::{shared, start};

/// A server that speaks TLS, with the certificate in `server.crt` of its folder.
fn secure(params: &CertificateParams) -> Option<Postgres> {
    let mut server = start()?;
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    for (name, text) in [("server.crt", certificate.pem()), ("server.key", key.serialize_pem())] {
        write_private(&server.folder().join(name), &text).unwrap();
    }
    let folder = server.folder().display().to_string();
    for setting in [
        format!("ssl_cert_file = '{folder}/server.crt'"),
        format!("ssl_key_file = '{folder}/server.key'"),
        "ssl = on".to_owned(),
    ] {
        server.psql("postgres", &format!("ALTER SYSTEM SET {setting}")).unwrap();
    }
    server.stop_at_once();
    server.start_again().unwrap();
    Some(server)
}

fn is_secure(url: &str) -> bool {
    let mut store = PostgresStore::open(&url.parse().unwrap()).unwrap();
    assert!(matches!(
        store.append(&entries(0..1)).unwrap()[..],
        [Append::Appended { .. } | Append::Duplicate { .. }]
    ));
    assert_eq!(store.reader().unwrap().last_seq().unwrap(), 1);
    true
}

#[test]
fn tls_where_the_url_asks_for_it() {
    let names = || CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    // As PostgreSQL's manual has one make it.
    let mut authority = names();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    for params in [names(), authority] {
        let Some(server) = secure(&params) else { return };
        server.psql("postgres", "ALTER SYSTEM SET log_connections = on").unwrap();
        server.psql("postgres", "SELECT pg_reload_conf()").unwrap();
        let plain = server.database().unwrap();
        let root = server.folder().join("server.crt").display().to_string();
        let elsewhere = server.folder().join("other.crt").display().to_string();
        let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        std::fs::write(&elsewhere, other.cert.pem()).unwrap();
        let secured = || server.log().matches("application_name=piopiy-receiver SSL enabled").count();
        let mut before = secured();
        for options in [
            String::new(),
            "?sslmode=require".to_owned(),
            format!("?sslmode=require&sslrootcert={root}"),
            format!("?sslmode=verify-full&sslrootcert={root}"),
        ] {
            assert!(is_secure(&format!("{plain}{options}")));
            assert!(secured() > before, "{options} is not secured: {}", server.log());
            before = secured();
        }
        assert!(is_secure(&format!("{plain}?sslmode=disable")));
        assert_eq!(secured(), before);
        for options in [
            format!("?sslmode=verify-full&sslrootcert={elsewhere}"),
            format!("?sslmode=require&sslrootcert={elsewhere}"),
            "?sslmode=verify-full".to_owned(),
            format!("?sslmode=verify-full&sslrootcert={root}").replace("?", "?options=&"),
        ] {
            let at = if options.contains("options=") {
                plain.replace("127.0.0.1", "localhost")
            } else {
                plain.clone()
            };
            let error = StoreError::Postgres(refused(&format!("{at}{options}").parse().unwrap())).chain();
            assert!(error.contains("certificate") && error.contains("sslmode"), "{options}: {error}");
        }
        let error = refused(&format!("{plain}?sslmode=verify-full&sslrootcert=/no/file").parse().unwrap());
        assert!(error.to_string().contains("/no/file"), "{error}");
    }
}

#[test]
fn no_tls_no_connection_where_the_url_asks_for_it() {
    let Some(server) = shared() else { return };
    let url: PostgresUrl = format!("{}?sslmode=require", server.database().unwrap()).parse().unwrap();
    let error = StoreError::Postgres(refused(&url)).chain();
    assert!(error.contains("server does not support TLS"), "{error}");
}

#[test]
fn a_password_is_in_no_error() {
    let Some(server) = shared() else { return };
    let right = server.database().unwrap();
    let closed = piopiy_closed_port();
    for url in [
        right.replace(PASSWORD, "pass-w0rd-that-is-wrong"),
        right.replace(&format!(":{}/", server.port()), &format!(":{closed}/")),
        format!("{right}_of_nobody"),
        format!("{right}?sslmode=require"),
    ] {
        let error = StoreError::Postgres(refused(&url.parse().unwrap()));
        let told = format!("{} {error:?}", error.chain());
        assert!(!told.contains("pass-w0rd"), "{told}");
    }
}

pub(super) fn piopiy_closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
