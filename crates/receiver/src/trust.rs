//! Certificates that somebody says are to be trusted.

use std::path::Path;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// The certificates in a file, at least one.
pub(crate) fn certificates(
    path: impl AsRef<Path>,
) -> Result<Vec<CertificateDer<'static>>, Box<dyn std::error::Error + Send + Sync>> {
    let certificates =
        CertificateDer::pem_slice_iter(&std::fs::read(path)?).collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() {
        return Err("it has no certificate (`-----BEGIN CERTIFICATE-----`)".into());
    }
    Ok(certificates)
}
