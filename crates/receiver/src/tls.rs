//! The certificate that the server shows, which may change while it runs.

use std::fmt;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::store::chain;

/// A certificate and its key, in two PEM files. Connections that come after [`Tls::reload`] are shown what is in them then.
///
/// TLS 1.2 and 1.3, HTTP/1.1. Clients are not asked for certificates.
#[derive(Clone)]
pub struct Tls(Arc<Files>);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    /// Of the files when they were read last, whether they could be used or not.
    stamps: Mutex<Stamps>,
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

/// What clients are shown now.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Why two files are no certificate and its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is no PEM, or has nothing of the kind.
    #[error("{} has no {what} in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// The key is of another certificate, or of a kind that is not known.
    #[error("the key in {} is none for the certificate in {}", key.display(), certificate.display())]
    Unfit {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why.
        source: rustls::Error,
    },
}

/// How often it is looked whether a file has changed.
const EVERY: Duration = Duration::from_secs(2);

impl Tls {
    /// Reads the files: the certificate with those that lead to its authority behind it, and its key.
    ///
    /// # Errors
    /// Where one cannot be read, or they do not belong together.
    pub fn open(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.into(), key.into());
        // Before they are read: what changes meanwhile is read again.
        let stamps = Mutex::new(stamps(&certificate, &key));
        let shown = read(&certificate, &key)?;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(shown))));
        let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
        let builder = builder.with_safe_default_protocol_versions().map_err(|source| TlsError::Unfit {
            certificate: certificate.clone(),
            key: key.clone(),
            source,
        })?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::clone(&shown) as Arc<_>);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(Files { certificate, key, stamps, shown, config: Arc::new(config) })))
    }

    /// Reads the files again. What was shown before is shown on where that fails.
    ///
    /// # Errors
    /// As [`Tls::open`].
    pub fn reload(&self) -> Result<(), TlsError> {
        let stamps = stamps(&self.0.certificate, &self.0.key);
        *self.0.stamps.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        let read = Arc::new(read(&self.0.certificate, &self.0.key)?);
        *self.0.shown.0.write().unwrap_or_else(PoisonError::into_inner) = read;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0.config))
    }

    /// Reads the files again whenever one has changed, until told to stop.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        let mut is_told = false;
        while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
            let stamps = stamps(&self.0.certificate, &self.0.key);
            let is_known = stamps == *self.0.stamps.lock().unwrap_or_else(PoisonError::into_inner);
            // One that is not there is being put in place.
            if is_known || stamps.iter().any(Option::is_none) {
                continue;
            }
            let tls = self.clone();
            match tokio::task::spawn_blocking(move || tls.reload()).await {
                Ok(Ok(())) => {
                    is_told = false;
                    tracing::info!("the certificate's files have changed: new connections get the new one");
                }
                // The second of the two may be yet to change.
                Ok(Err(error)) => {
                    let may_pass = matches!(error, TlsError::Read { .. });
                    if may_pass {
                        // As where no more files can be opened: it is tried again, and told once.
                        *self.0.stamps.lock().unwrap_or_else(PoisonError::into_inner) = [None, None];
                    }
                    if !(may_pass && is_told) {
                        let error = chain(&error);
                        tracing::warn!(
                            error,
                            "the certificate's files have changed, and cannot be used; the one before is shown on"
                        );
                    }
                    is_told = may_pass;
                }
                Err(error) => tracing::error!(%error, "a bug: reading the certificate panicked"),
            }
        }
    }
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Files { certificate, key, .. } = &*self.0;
        f.debug_struct("Tls").field("certificate", certificate).field("key", key).finish_non_exhaustive()
    }
}

/// Tells a file that was written from the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
    /// Which nobody sets: a copy that keeps its time, over the one before, changes this alone.
    changed: (i64, i64),
}

/// The certificate's and the key's.
type Stamps = [Option<Stamp>; 2];

fn stamps(certificate: &Path, key: &Path) -> Stamps {
    [certificate, key].map(|path| std::fs::metadata(path).ok().map(|found| Stamp::of(&found)))
}

impl Stamp {
    fn of(found: &Metadata) -> Self {
        Self {
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        }
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let bytes =
        |path: &Path| std::fs::read(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
    let none = |path: &Path, what| {
        let path = path.to_owned();
        move |source| TlsError::Pem { path, what, source }
    };
    let read = CertificateDer::pem_slice_iter(&bytes(certificate)?).collect::<Result<Vec<_>, _>>();
    let chain =
        read.and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) });
    let chain = chain.map_err(none(certificate, "certificate"))?;
    let private = PrivateKeyDer::from_pem_slice(&bytes(key)?).map_err(none(key, "private key"))?;
    CertifiedKey::from_der(chain, private, &default_provider()).map_err(|source| TlsError::Unfit {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_written_over_in_the_same_size_with_its_old_time_is_another() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cert.pem");
        std::fs::write(&path, "first").unwrap();
        let before = std::fs::metadata(&path).unwrap();
        let stamp = Stamp::of(&before);
        assert_eq!(Stamp::of(&std::fs::metadata(&path).unwrap()), stamp);
        // The system's clock for files goes in steps of some milliseconds.
        std::thread::sleep(Duration::from_millis(50));
        std::fs::write(&path, "other").unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(before.modified().unwrap()).unwrap();
        let after = std::fs::metadata(&path).unwrap();
        assert_eq!((after.ino(), after.modified().unwrap()), (before.ino(), before.modified().unwrap()));
        assert_ne!(Stamp::of(&after), stamp);
    }
}
