use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::validity::Validity;
use super::{CaError, LocalCa, since_epoch};
use crate::platform::exchange::lock;

/// So long before its end a certificate is made anew: nobody restarts a platform for it.
const EARLY: Duration = Duration::from_secs(30 * 24 * 3_600);

/// The certificate that a platform shows: another one where time has gone on, for a platform may be up for years.
pub(super) struct Shown {
    ca: Arc<LocalCa>,
    clock: fn() -> SystemTime,
    leaf: Mutex<Leaf>,
}

struct Leaf {
    key: Arc<CertifiedKey>,
    validity: Validity,
}

impl Shown {
    /// With a certificate that is valid now.
    pub(super) fn new(ca: Arc<LocalCa>, clock: fn() -> SystemTime) -> Result<Self, CaError> {
        let leaf = Mutex::new(Leaf::new(&ca, clock())?);
        Ok(Self { ca, clock, leaf })
    }

    /// How it is shown.
    pub(super) fn server_config(self) -> Result<ServerConfig, CaError> {
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self));
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }

    fn now(&self) -> Arc<CertifiedKey> {
        let now = (self.clock)();
        let mut leaf = lock(&self.leaf);
        if leaf.validity.is_to_be_renewed(since_epoch(now), since_epoch(self.ca.end_of_leaf(now))) {
            match Leaf::new(&self.ca, now) {
                Ok(new) => *leaf = new,
                // The one that is there may be of use for some days.
                Err(error) => tracing::warn!("the certificate stays as it is: {error}"),
            }
        }
        Arc::clone(&leaf.key)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.now())
    }
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("ca", &self.ca).finish_non_exhaustive()
    }
}

impl Leaf {
    fn new(ca: &LocalCa, now: SystemTime) -> Result<Self, CaError> {
        let (certificate, key) = ca.vouched(now)?;
        let broken = || CaError::Broken { path: ca.path.clone() };
        let validity = Validity::of(&certificate).ok_or_else(broken)?;
        let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_| broken())?;
        let key = CertifiedKey::from_der(vec![certificate], key, &default_provider())?;
        Ok(Self { key: Arc::new(key), validity })
    }
}

impl Validity {
    /// Whether it ends soon, or has not begun because the clock was wrong; and whether a new one would last longer.
    fn is_to_be_renewed(self, now: Duration, end_of_new: Duration) -> bool {
        now < self.from || (self.to < now + EARLY && self.to.as_secs() < end_of_new.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustls::client::{ClientConnection, Resumption};
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, UnixTime};
    use rustls::time_provider::TimeProvider;
    use rustls::{CertificateError, ClientConfig, Error, RootCertStore, ServerConnection};

    use super::super::DAY;
    use super::*;

    /// Seconds since 1970, for whoever looks at the clock in this test.
    static NOW: AtomicU64 = AtomicU64::new(0);

    fn clock() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(NOW.load(Ordering::Relaxed))
    }

    #[derive(Debug)]
    struct Clock;

    impl TimeProvider for Clock {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(since_epoch(clock())))
        }
    }

    /// What a client that trusts the authority says of a connection, and the end of the certificate that it was shown.
    fn connected(server: &Arc<ServerConfig>, ca: &LocalCa) -> Result<u64, Error> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.certificate().as_bytes()).unwrap()).unwrap();
        let mut trusting = ClientConfig::builder_with_details(Arc::new(default_provider()), Arc::new(Clock))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        trusting.resumption = Resumption::disabled();
        let mut client = ClientConnection::new(Arc::new(trusting), "rest.piopiy.com".try_into().unwrap())?;
        let mut server = ServerConnection::new(Arc::clone(server))?;
        while client.is_handshaking() || server.is_handshaking() {
            let mut sent = Vec::new();
            client.write_tls(&mut sent).unwrap();
            server.read_tls(&mut &sent[..]).unwrap();
            server.process_new_packets()?;
            let mut sent = Vec::new();
            server.write_tls(&mut sent).unwrap();
            client.read_tls(&mut &sent[..]).unwrap();
            client.process_new_packets()?;
        }
        Ok(Validity::of(&client.peer_certificates().unwrap()[0]).unwrap().to.as_secs())
    }

    #[test]
    fn a_platform_that_is_up_for_years_shows_a_certificate_that_is_valid() {
        let folder = tempfile::tempdir().unwrap();
        let ca = Arc::new(LocalCa::open(folder.path()).unwrap());
        let began = since_epoch(SystemTime::now()).as_secs();
        let at = |days: u64| NOW.store(began + days * DAY.as_secs(), Ordering::Relaxed);
        at(0);
        let server = Shown::new(Arc::clone(&ca), clock).unwrap().server_config().unwrap();
        let server = Arc::new(server);
        let end = ca.validity.to.as_secs();
        let in_days = |days: u64| began + days * DAY.as_secs();
        for (day, shown_until) in [
            (0, in_days(397)),
            (366, in_days(397)),
            (368, in_days(368 + 397)),
            // Up for longer than any certificate of its is valid.
            (2_000, in_days(2_000 + 397)),
            (3_649, end),
            // The clock was put back.
            (0, in_days(397)),
        ] {
            at(day);
            assert_eq!(connected(&server, &ca), Ok(shown_until), "day {day}");
        }
        at(3_640);
        let first = connected(&server, &ca).unwrap();
        assert_eq!(first, end, "never longer than whoever vouches for it");
        at(3_651);
        let refused = connected(&server, &ca).unwrap_err();
        assert!(
            matches!(refused, Error::InvalidCertificate(CertificateError::ExpiredContext { .. })),
            "{refused}"
        );
    }

    #[test]
    fn what_cannot_last_longer_is_not_made_anew_for_each_connection() {
        let day = |days: u64| Duration::from_secs(days * 24 * 3_600);
        let leaf = Validity { from: day(10), to: day(400) };
        assert!(!leaf.is_to_be_renewed(day(369), day(700)));
        assert!(leaf.is_to_be_renewed(day(371), day(700)));
        assert!(!leaf.is_to_be_renewed(day(371), day(400)), "the authority ends then, too");
        assert!(leaf.is_to_be_renewed(day(9), day(400)));
    }
}
