//! Which servers are to be trusted, where this side is the client: PostgreSQL's, and destinations'.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

pub(crate) type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Who a server may be.
pub(crate) enum Trust {
    /// Whoever has the key of the certificate that it shows: what `sslmode=prefer` and `require` mean to every client of
    /// PostgreSQL.
    Anyone,
    /// Whom the authorities know that all trust.
    Public,
    /// Who shows one of these, or whom one of them signed.
    Given(Vec<CertificateDer<'static>>),
}

impl Trust {
    /// The certificates in a file, at least one.
    pub(crate) fn file(path: impl AsRef<Path>) -> Result<Self, Fault> {
        let certificates =
            CertificateDer::pem_slice_iter(&std::fs::read(path)?).collect::<Result<Vec<_>, _>>()?;
        if certificates.is_empty() {
            return Err("it has no certificate (`-----BEGIN CERTIFICATE-----`)".into());
        }
        Ok(Self::Given(certificates))
    }

    /// For a client that shows no certificate of its own.
    pub(crate) fn client_config(self) -> Result<ClientConfig, Fault> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        let given = match self {
            Self::Anyone => None,
            Self::Public => {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
                Some(Vec::new())
            }
            Self::Given(given) => {
                for certificate in &given {
                    roots.add(certificate.clone())?;
                }
                Some(given)
            }
        };
        let trusted = match given {
            None => None,
            Some(given) => {
                let chains =
                    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
                Some((given, chains.build()?))
            }
        };
        let verifier = Verifier { provider: Arc::clone(&provider), trusted };
        Ok(ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }
}

/// Asks who the server is where that is wanted, and else takes any certificate whose key it has.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// The certificates that were given, and the chains that end in them or in the public roots.
    trusted: Option<(Vec<CertificateDer<'static>>, Arc<WebPkiServerVerifier>)>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some((given, chains)) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        // The server's own, which `openssl req -x509` makes an authority as well: no chain may begin with one.
        if given.iter().any(|given| given.as_ref() == own.as_ref()) {
            verify_server_name(&ParsedCertificate::try_from(own)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        chains.verify_server_cert(own, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
