use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use crate::judge::day;

/// From when to when a certificate is valid: since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

impl Validity {
    /// What a certificate says; none where it is no certificate.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        use CertificateError::{ExpiredContext, NotValidYetContext};
        let Error::InvalidCertificate(NotValidYetContext { not_before, .. }) = verified_at(certificate, 0)?
        else {
            return None;
        };
        let Error::InvalidCertificate(ExpiredContext { not_after, .. }) =
            verified_at(certificate, FAR_AHEAD)?
        else {
            return None;
        };
        let since = |time: UnixTime| Duration::from_secs(time.as_secs());
        Some(Self { from: since(not_before), to: since(not_after) })
    }
}

/// Behind the end of the year 9999: no certificate is valid then.
const FAR_AHEAD: u64 = 253_402_300_800;

/// What is wrong with a certificate at a time. The verifier looks at the dates first, and reads them as its users do.
fn verified_at(certificate: &CertificateDer<'_>, seconds: u64) -> Option<Error> {
    let certificate = ParsedCertificate::try_from(certificate).ok()?;
    let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    let nobody = RootCertStore::empty();
    verify_server_cert_signed_by_trust_anchor(&certificate, &nobody, &[], now, algorithms.all).err()
}

/// A day, as in 2026-01-31.
pub(super) fn day(since: Duration) -> String {
    let (year, month, day) = day::of(since.as_secs() / (24 * 3_600));
    format!("{year:04}-{month:02}-{day:02}")
}
