//! A certificate authority of one's own: for SDKs that know the platform by its https addresses alone.

mod shown;
mod validity;

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use shown::Shown;
use validity::Validity;

/// The file of certificate and key.
const FILE: &str = "local-ca.pem";
/// The names that the platform has, and this machine.
const NAMES: [&str; 4] = ["rest.piopiy.com", "rest.telecmi.com", "piopiy.telecmi.com", "localhost"];
/// What the authority may vouch for, and nothing else: a key that is lost is no key to the web.
const PERMITTED: [&str; 3] = ["piopiy.com", "telecmi.com", "localhost"];
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// So long before its end an authority is spoken of.
const SOON: Duration = Duration::from_secs(30 * 24 * 3_600);

/// A certificate authority of this machine, kept in a file that only its owner can read.
pub struct LocalCa {
    certificate: String,
    key: KeyPair,
    path: PathBuf,
    validity: Validity,
}

/// Why there is no [`LocalCa`], or no certificate of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaError {
    /// The file cannot be read or written.
    #[error("the local certificate authority cannot be kept in {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not what was written to it.
    #[error("{path} holds no certificate authority: remove it, and a new one is made")]
    Broken {
        /// The file.
        path: PathBuf,
    },
    /// Others can read its key, and vouch with it.
    #[error(
        "{path} can be read by others, and so its key is no secret: remove it, and have what trusts it trust the new one"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// It is of no use any more.
    #[error(
        "the certificate authority in {path} expired on {day}: remove the file, and have what trusts it trust the new \
         one, which `piopiy-mock ca` makes and prints"
    )]
    Expired {
        /// The file.
        path: PathBuf,
        /// When: year, month, day.
        day: String,
    },
    /// It is of no use yet.
    #[error(
        "the certificate authority in {path} is valid from {day} on: is the clock of this machine right?"
    )]
    NotYet {
        /// The file.
        path: PathBuf,
        /// When: year, month, day.
        day: String,
    },
    /// A certificate cannot be made.
    #[error("the certificate cannot be made")]
    Make(#[from] rcgen::Error),
    /// It cannot be used.
    #[error("the certificate cannot be used")]
    Use(#[from] rustls::Error),
}

impl LocalCa {
    /// The authority that a folder holds; a new one, for ten years, where it holds none.
    ///
    /// # Errors
    /// If the file cannot be read or written, is none, or can be read by others; if what it holds has expired, or is not
    /// valid yet.
    ///
    /// # Examples
    /// ```
    /// use piopiy_mock_platform::platform::LocalCa;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let ca = LocalCa::open(folder.path())?;
    /// assert!(ca.certificate().starts_with("-----BEGIN CERTIFICATE-----"));
    /// assert_eq!(LocalCa::open(folder.path())?.certificate(), ca.certificate());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(folder: &Path) -> Result<Self, CaError> {
        let path = folder.join(FILE);
        let failed = |source| CaError::File { path: path.clone(), source };
        match std::fs::read_to_string(&path) {
            Ok(_) if is_exposed(&path).map_err(failed)? => Err(CaError::Exposed { path }),
            Ok(text) => Self::read(&text, &path),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = made()?;
                std::fs::create_dir_all(folder).map_err(failed)?;
                match kept(&path, &made) {
                    // Another process was faster: one is enough.
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                        Self::read(&std::fs::read_to_string(&path).map_err(failed)?, &path)
                    }
                    outcome => {
                        outcome.map_err(failed)?;
                        Self::read(&made, &path)
                    }
                }
            }
            Err(error) => Err(failed(error)),
        }
    }

    /// Its certificate, as PEM: what clients are to trust.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// The file that it is kept in.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What there is to be said of it while it is still of use: that it ends soon, and what to do.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let ends_soon = self.validity.to < since_epoch(SystemTime::now()) + SOON;
        ends_soon.then(|| {
            format!(
                "the certificate authority in {} expires on {}: before that day remove the file, and have what trusts \
                 it trust the new one, which `piopiy-mock ca` makes and prints",
                self.path.display(),
                validity::day(self.validity.to)
            )
        })
    }

    /// A certificate for the platform's names and this machine, which is another before it ends, and how it is shown.
    pub(super) fn server_config(self: &Arc<Self>) -> Result<Arc<ServerConfig>, CaError> {
        Shown::new(Arc::clone(self), SystemTime::now)?.server_config().map(Arc::new)
    }

    /// A new certificate with its key.
    fn vouched(&self, now: SystemTime) -> Result<(CertificateDer<'static>, KeyPair), CaError> {
        let issuer = Issuer::new(params(), &self.key);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(NAMES.map(str::to_owned).to_vec())?;
        params.subject_alt_names.push(SanType::IpAddress(Ipv4Addr::LOCALHOST.into()));
        params.distinguished_name = named("piopiy-mock");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = ((now - DAY).into(), self.end_of_leaf(now).into());
        Ok((params.signed_by(&key, &issuer)?.into(), key))
    }

    /// As late as every client takes for reasonable, and no later than the end of whoever vouches for it.
    fn end_of_leaf(&self, now: SystemTime) -> SystemTime {
        (now + 397 * DAY).min(SystemTime::UNIX_EPOCH + self.validity.to)
    }

    fn read(text: &str, path: &Path) -> Result<Self, CaError> {
        let broken = || CaError::Broken { path: path.to_owned() };
        let at = text.find("-----BEGIN PRIVATE KEY-----").ok_or_else(broken)?;
        let (certificate, key) = text.split_at(at);
        let own = CertificateDer::from_pem_slice(certificate.as_bytes()).map_err(|_| broken())?;
        let key = KeyPair::from_pem(key).map_err(|_| broken())?;
        let validity = Validity::of(&own).ok_or_else(broken)?;
        let (path, now) = (path.to_owned(), since_epoch(SystemTime::now()));
        if now > validity.to {
            return Err(CaError::Expired { path, day: validity::day(validity.to) });
        }
        if now < validity.from {
            return Err(CaError::NotYet { path, day: validity::day(validity.from) });
        }
        Ok(Self { certificate: certificate.to_owned(), key, path, validity })
    }
}

/// The key is not for logs.
impl std::fmt::Debug for LocalCa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalCa").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A clock before 1970 is taken to stand there.
fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Certificate and key of a new authority.
fn made() -> Result<String, CaError> {
    let key = KeyPair::generate()?;
    let mut params = params();
    let now = SystemTime::now();
    (params.not_before, params.not_after) = ((now - DAY).into(), (now + 3_650 * DAY).into());
    let certificate = params.self_signed(&key)?;
    Ok(format!("{}{}", certificate.pem(), key.serialize_pem()))
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named("piopiy-mock local CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let mut permitted: Vec<_> =
        PERMITTED.iter().map(|&name| GeneralSubtree::DnsName(name.to_owned())).collect();
    permitted.push(GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8)));
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: permitted, excluded_subtrees: Vec::new() });
    params
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// Whether others may read a file, or write to it.
fn is_exposed(path: &Path) -> io::Result<bool> {
    #[cfg(unix)]
    {
        let metadata = std::fs::metadata(path)?;
        Ok(std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        std::fs::metadata(path).map(|_| false)
    }
}

/// Writes it to a file that nobody else may read, whole or not at all, unless there is one already.
fn kept(path: &Path, text: &str) -> io::Result<()> {
    let unfinished = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&unfinished).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        // Unlike a rename it leaves alone what is there.
        std::fs::hard_link(&unfinished, path)
    });
    // It is there under its own name, or of no use.
    let _ = std::fs::remove_file(&unfinished);
    written
}

#[cfg(test)]
mod tests {
    use super::{DAY, LocalCa, Validity, since_epoch};
    use std::time::SystemTime;

    #[test]
    fn a_certificate_is_for_397_days_and_ends_with_whoever_vouches_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut ca = LocalCa::open(folder.path()).unwrap();
        let days_left = |validity: Validity| {
            let now = since_epoch(SystemTime::now()) - DAY / 2;
            (validity.to - now).as_secs() / DAY.as_secs()
        };
        assert_eq!(days_left(ca.validity), 3_650);
        assert_eq!(ca.warning(), None);
        let vouched = |ca: &LocalCa| Validity::of(&ca.vouched(SystemTime::now()).unwrap().0).unwrap();
        assert_eq!(days_left(vouched(&ca)), 397);
        ca.validity.to = since_epoch(SystemTime::now()) + 9 * DAY;
        assert_eq!(vouched(&ca).to.as_secs(), ca.validity.to.as_secs());
        assert!(ca.warning().unwrap().contains("expires on "));
    }

    #[test]
    fn what_is_no_certificate_has_no_dates() {
        assert_eq!(Validity::of(&vec![0x30, 0x00].into()), None);
        assert_eq!(Validity::of(&Vec::new().into()), None);
    }
}
