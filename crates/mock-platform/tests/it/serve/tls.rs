use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;

use piopiy_mock_platform::deliver::Trust;
use piopiy_mock_platform::platform::LocalCa;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::process::Process;
use crate::cli::{command, stdout};

/// What somebody gets from a URL by this name who trusts the certificates of a file, and nobody else.
fn asked(url: &str, name: &str, ca: &str) -> Option<String> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let known_as = ServerName::try_from(name.to_owned()).unwrap();
    let client = ClientConnection::new(Arc::new(config), known_as).unwrap();
    let socket = TcpStream::connect(url.trim_start_matches("https://")).unwrap();
    let mut stream = StreamOwned::new(client, socket);
    // The handshake goes with what is written first.
    write!(stream, "GET /openapi.json HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

#[test]
fn the_platform_has_its_own_names_and_no_others() {
    let data = tempfile::tempdir().unwrap();
    let home = data.path().to_str().unwrap();
    let out = data.path().join("ca.pem");
    let out = out.to_str().unwrap();
    let printed = command(&["ca"]).env("XDG_DATA_HOME", home).output().unwrap();
    let written = command(&["ca", "--out", out]).env("XDG_DATA_HOME", home).output().unwrap();
    assert!(written.status.success());
    assert_eq!(stdout(&printed), std::fs::read_to_string(out).unwrap(), "the same authority");
    assert!(!stdout(&printed).contains("PRIVATE"));
    let kept = std::path::Path::new(home).join("piopiy-mock/local-ca.pem");
    let mut over_the_key = command(&["ca", "--out", kept.to_str().unwrap()]);
    let refused = over_the_key.env("XDG_DATA_HOME", home).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(std::fs::read_to_string(&kept).unwrap().contains("PRIVATE"), "the key is still there");
    assert!(Trust::certificates(stdout(&printed).as_bytes()).is_ok());

    let platform = Process::start_with(&["--tls", "127.0.0.1:0"], &[("XDG_DATA_HOME", home)]);
    let url = platform.told("rest_tls");
    for name in ["rest.piopiy.com", "rest.telecmi.com", "piopiy.telecmi.com", "localhost"] {
        let answer = asked(url, name, out).unwrap_or_else(|| panic!("{name}"));
        assert!(answer.contains("/v3/voice/pcmo/call"), "{answer}");
    }
    assert_eq!(asked(url, "www.piopiy.com", out), None, "no such name is in the certificate");
    let other = tempfile::tempdir().unwrap();
    let other_ca = other.path().join("other.pem");
    std::fs::write(&other_ca, LocalCa::open(other.path()).unwrap().certificate()).unwrap();
    assert_eq!(asked(url, "rest.piopiy.com", other_ca.to_str().unwrap()), None, "another authority");
}

#[cfg(unix)]
#[test]
fn the_key_is_for_its_owner_alone_and_a_broken_file_is_told() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let ca = LocalCa::open(folder.path()).unwrap();
    assert_eq!(std::fs::metadata(ca.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing unfinished is left");
    assert!(!format!("{ca:?}").contains("PRIVATE"));
    std::fs::set_permissions(ca.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let error = LocalCa::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("local-ca.pem can be read by others"), "{error}");
    std::fs::set_permissions(ca.path(), std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(ca.path(), "nothing").unwrap();
    let error = LocalCa::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("remove it, and a new one is made"), "{error}");
}

/// An authority in a folder, valid from so many days ago for so many days.
#[cfg(unix)]
fn authority(home: &std::path::Path, begins_in_days: i32, days: u32) -> std::path::PathBuf {
    use std::os::unix::fs::OpenOptionsExt as _;
    use std::time::{Duration, SystemTime};

    let day = Duration::from_secs(24 * 3_600);
    let now = SystemTime::now();
    let away = day * begins_in_days.unsigned_abs();
    let begins = if begins_in_days > 0 { now + away } else { now - away };
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    params.distinguished_name.push(rcgen::DnType::CommonName, "piopiy-mock local CA");
    (params.not_before, params.not_after) = (begins.into(), (begins + day * days).into());
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = format!("{}{}", params.self_signed(&key).unwrap().pem(), key.serialize_pem());
    let folder = home.join("piopiy-mock");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("local-ca.pem");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
    std::io::Write::write_all(&mut file, pem.as_bytes()).unwrap();
    path
}

#[cfg(unix)]
#[test]
fn an_authority_that_has_ended_is_refused_and_one_that_ends_soon_is_told() {
    const SERVE: [&str; 7] =
        ["serve", "--listen", "127.0.0.1:0", "--control", "127.0.0.1:0", "--tls", "127.0.0.1:0"];
    let data = tempfile::tempdir().unwrap();
    let home = [("XDG_DATA_HOME", data.path())];
    for (begins_in_days, days, expected) in [
        (-400, 399, "expired on 20"),
        (-10_000, 1, "`piopiy-mock ca` makes and prints"),
        (3, 400, "is the clock of this machine right?"),
    ] {
        let path = authority(data.path(), begins_in_days, days);
        for args in [&["ca"][..], &SERVE] {
            let refused = command(args).envs(home).output().unwrap();
            let told = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(3), "{told}");
            assert!(told.contains(expected) && told.contains(path.to_str().unwrap()), "{told}");
            assert!(stdout(&refused).is_empty(), "nobody is to trust it");
        }
    }
    for (days, is_told) in [(431, false), (429, true)] {
        authority(data.path(), -400, days);
        let printed = command(&["ca"]).envs(home).output().unwrap();
        let told = String::from_utf8_lossy(&printed.stderr).into_owned();
        assert!(printed.status.success() && stdout(&printed).contains("CERTIFICATE"), "{told}");
        assert_eq!(told.starts_with("warning: the certificate authority in "), is_told, "{days}: {told}");
        let says_when = told.contains(" expires on 20") && told.contains("`piopiy-mock ca`");
        assert_eq!(says_when, is_told, "{days}: {told}");
    }
    // It is of use until then.
    let out = data.path().join("ca.pem");
    let out = out.to_str().unwrap();
    assert!(command(&["ca", "--out", out]).envs(home).output().unwrap().status.success());
    let home = [("XDG_DATA_HOME", data.path().to_str().unwrap())];
    let platform = Process::start_with(&["--tls", "127.0.0.1:0"], &home);
    assert!(asked(platform.told("rest_tls"), "rest.piopiy.com", out).is_some());
}
