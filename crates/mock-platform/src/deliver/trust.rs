use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Whose word is taken for who a server is, where TLS is spoken.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::{Target, Trust};
///
/// let target = Target::parse("https://127.0.0.1:5443/webhook/cdr", &[])?.trusting(Trust::anyone());
/// assert!(target.is_tls());
/// assert!(Trust::certificates(b"no PEM").is_err());
/// # Ok::<(), piopiy_mock_platform::deliver::TargetError>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Trust(Roots);

#[derive(Clone, Default, PartialEq, Eq)]
enum Roots {
    /// Those of Mozilla's programme.
    #[default]
    Public,
    /// These, and whoever has one of them.
    Given(Arc<[CertificateDer<'static>]>),
    /// Nobody's word is asked for.
    Anyone,
}

/// Why a file names nobody to trust.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// It is no PEM.
    #[error("it is no PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// It has no certificate.
    #[error("it has no certificate (`-----BEGIN CERTIFICATE-----`)")]
    Empty,
    /// A certificate in it cannot be used.
    #[error("its certificate {number} cannot be used")]
    Certificate {
        /// Which, from 1.
        number: usize,
        /// Why.
        source: Error,
    },
}

impl Trust {
    /// In the certificates of a PEM file, and no other: authorities, or a server's own.
    ///
    /// # Errors
    /// If there is none, or one cannot be read.
    pub fn certificates(pem: &[u8]) -> Result<Self, TrustError> {
        let read = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let certificates = read.map_err(TrustError::Pem)?;
        if certificates.is_empty() {
            return Err(TrustError::Empty);
        }
        let mut roots = RootCertStore::empty();
        for (at, certificate) in certificates.iter().enumerate() {
            let unusable = |source| TrustError::Certificate { number: at + 1, source };
            roots.add(certificate.clone()).map_err(unusable)?;
        }
        Ok(Self(Roots::Given(certificates.into())))
    }

    /// In whoever answers: for a receiver whose certificate nobody has signed.
    #[must_use]
    pub fn anyone() -> Self {
        Self(Roots::Anyone)
    }

    /// In nobody blindly: the public roots, where anyone was trusted.
    pub(crate) fn verifying(&self) -> Self {
        match self.0 {
            Roots::Anyone => Self::default(),
            _ => self.clone(),
        }
    }

    /// How connections are made with it; `protocols` are offered by ALPN.
    pub(crate) fn config(&self, protocols: &[&str]) -> Result<ClientConfig, Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider));
        let config = config.with_safe_default_protocol_versions()?;
        let mut config = match &self.0 {
            Roots::Public => config.with_root_certificates(RootCertStore::from_iter(
                webpki_roots::TLS_SERVER_ROOTS.iter().cloned(),
            )),
            Roots::Given(certificates) => {
                let verifier = Given::new(Arc::clone(certificates), provider)?;
                config.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
            }
            Roots::Anyone => config.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider))),
        }
        .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(config)
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Roots::Public => "Trust::default()",
            Roots::Given(_) => "Trust::certificates(..)",
            Roots::Anyone => "Trust::anyone()",
        })
    }
}

/// Trusts authorities, and servers whose own certificate was given: what `openssl req -x509` makes is both at once, and
/// the chain of authorities alone would not take it.
#[derive(Debug)]
struct Given {
    certificates: Arc<[CertificateDer<'static>]>,
    chains: Arc<WebPkiServerVerifier>,
}

impl Given {
    fn new(
        certificates: Arc<[CertificateDer<'static>]>,
        provider: Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        for certificate in certificates.iter() {
            roots.add(certificate.clone())?;
        }
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self { certificates, chains: chains.map_err(|error| Error::General(error.to_string()))? })
    }
}

impl ServerCertVerifier for Given {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.certificates.iter().any(|given| given.as_ref() == own.as_ref()) {
            verify_server_name(&ParsedCertificate::try_from(own)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.chains.verify_server_cert(own, intermediates, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Takes any certificate whose key the server has.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _own: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
