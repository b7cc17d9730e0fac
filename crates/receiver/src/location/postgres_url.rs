use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// Which PostgreSQL database a store is in: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`.
///
/// Shown, it is without the password and the options.
///
/// | `sslmode` | meaning |
/// |---|---|
/// | `disable` | never TLS |
/// | `prefer`, or none | TLS where the server offers it, whoever that is |
/// | `require` | TLS or nothing, whoever the server is; with `sslrootcert`, as `verify-full` |
/// | `verify-full` | TLS with a server of that name, by the certificates in the file `sslrootcert`, or the public roots |
///
/// A socket of this machine is named by its folder: `postgres://USER@/DATABASE?host=/var/run/postgresql`.
///
/// # Examples
/// ```
/// use piopiy_receiver::PostgresUrl;
///
/// let url: PostgresUrl = "postgres://piopiy:s3cret@db.example:5433/calls?sslmode=verify-full".parse()?;
/// assert_eq!(url.to_string(), "postgres://piopiy@db.example:5433/calls");
/// assert!("postgres://piopiy@db.example/calls?sslmode=verify-ca".parse::<PostgresUrl>().is_err());
/// # Ok::<(), piopiy_receiver::InvalidPostgresUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl(Arc<Parts>);

/// Shared, for every error names its store.
#[derive(PartialEq, Eq)]
struct Parts {
    config: Config,
    is_verified: bool,
    root_certificates: Option<String>,
}

/// Why a text is no [`PostgresUrl`]. What was given is not repeated: there may be a password in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a PostgreSQL store: {reason}; expected postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full"
)]
#[non_exhaustive]
pub struct InvalidPostgresUrl {
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The options that reach the connection as they are.
const OPTIONS: [&str; 14] = [
    "application_name",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "port",
    "target_session_attrs",
    "tcp_user_timeout",
];

impl PostgresUrl {
    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    /// Whether the server is to show who it is.
    pub(crate) fn is_verified(&self) -> bool {
        self.0.is_verified
    }

    /// The file of those whose word is taken for it; `None` for the public roots.
    pub(crate) fn root_certificates(&self) -> Option<&str> {
        self.0.root_certificates.as_deref()
    }

    pub(crate) fn user(&self) -> &str {
        self.0.config.get_user().unwrap_or_default()
    }

    /// Named like the user, where no other is.
    pub(crate) fn database(&self) -> &str {
        self.0.config.get_dbname().unwrap_or_else(|| self.user())
    }
}

impl FromStr for PostgresUrl {
    type Err = InvalidPostgresUrl;

    fn from_str(text: &str) -> Result<Self, InvalidPostgresUrl> {
        let invalid = |reason| InvalidPostgresUrl { reason };
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme));
        let rest = rest.ok_or(invalid("it does not begin with postgres://"))?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        // A password with one of these in it would be taken for a host or a database, and shown as such.
        if authority.matches('@').count() > 1 || path.contains(['@', '/']) || query.contains('@') {
            return Err(invalid("in user, password and database, write @ as %40, / as %2F, ? as %3F"));
        }
        if authority.split_once('@').is_none_or(|(user, _)| user.is_empty()) {
            return Err(invalid("it names no user"));
        }
        let (mut mode, mut root_certificates, mut others) = ("prefer", None, Vec::new());
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslmode", value)) => mode = value,
                Some(("sslrootcert", value)) => root_certificates = Some(value.to_owned()),
                Some((name, _)) if OPTIONS.contains(&name) => others.push(option),
                _ => return Err(invalid("an option after the ? is not known")),
            }
        }
        let (ssl_mode, is_verified) = match mode {
            "disable" => (SslMode::Disable, false),
            "prefer" => (SslMode::Prefer, false),
            "require" => (SslMode::Require, root_certificates.is_some()),
            "verify-full" => (SslMode::Require, true),
            _ => return Err(invalid("sslmode is none of disable, prefer, require, verify-full")),
        };
        if root_certificates.is_some() && !is_verified {
            return Err(invalid("sslrootcert needs sslmode=require or verify-full"));
        }
        // libpq's name for the public roots.
        let root_certificates = root_certificates.filter(|path| path != "system");
        let text = format!("postgres://{place}?{}", others.join("&"));
        let parsed = text.parse::<Config>();
        let mut config = parsed.map_err(|_| invalid("the host, the port or an option has no such value"))?;
        config.ssl_mode(ssl_mode);
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(invalid("it names no host"));
        }
        if config.get_application_name().is_none() {
            config.application_name("piopiy-receiver");
        }
        let is_socket = |host: &Host| !matches!(host, Host::Tcp(_));
        if ssl_mode == SslMode::Require && config.get_hosts().iter().any(is_socket) {
            return Err(invalid("a socket of this machine has no TLS: leave sslmode out"));
        }
        Ok(Self(Arc::new(Parts { config, is_verified, root_certificates })))
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "postgres://{}@", self.user())?;
        let hosts = self.0.config.get_hosts();
        let ports = self.0.config.get_ports();
        for (index, host) in hosts.iter().enumerate() {
            f.write_str(if index > 0 { "," } else { "" })?;
            match host {
                Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]")?,
                Host::Tcp(name) => f.write_str(name)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
            if let Some(port) = ports.get(index).or(ports.first()).filter(|port| **port != 5432) {
                write!(f, ":{port}")?;
            }
        }
        if hosts.is_empty() {
            let addresses: Vec<String> =
                self.0.config.get_hostaddrs().iter().map(ToString::to_string).collect();
            f.write_str(&addresses.join(","))?;
        }
        write!(f, "/{}", self.database())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_without_the_password() {
        let check = |text: &str, expected: &str| {
            let url: PostgresUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), expected, "{text}");
            let debug = format!("{url:?} {:?}", crate::StoreLocation::Postgres(url.clone()));
            assert!(!debug.contains("s3cret") && !debug.contains("%40"), "{debug}");
        };
        check("postgres://u:s3cret@h/d", "postgres://u@h/d");
        check("postgresql://u:s3cret%40%2F@h:5433", "postgres://u@h:5433/u");
        check("postgres://u:s3cret@[::1]:5433,h2/d", "postgres://u@[::1]:5433,h2/d");
        check("postgres://u@/d?host=/run/pg&port=6000&sslmode=disable", "postgres://u@/run/pg:6000/d");
        check("postgres://u:s3cret@%2Frun%2Fpg/d?options=-c%20x%3Ds3cret", "postgres://u@/run/pg/d");
    }

    #[test]
    fn mistakes_say_what_is_wrong_and_repeat_nothing() {
        let check = |text: &str, part: &str| {
            let error = text.parse::<crate::StoreLocation>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        };
        check("postgres://u:s3@cret@h/d", "write @ as %40");
        check("postgres://u:s3/cret@h/d", "write @ as %40");
        check("postgres://u:s3cret?x@h/d", "write @ as %40");
        check("postgres://h/d", "names no user");
        check("postgres://u:s3cret@/d", "names no host");
        check("postgres://u:s3cret@h:x/d", "the port");
        check("postgres://u:s3cret@h/d?sslmode=verify-ca", "sslmode is none of");
        check("postgres://u:s3cret@h/d?sslrootcert=x", "sslrootcert needs");
        check("postgres://u:s3cret@h/d?password=s3cret", "an option after the ? is not known");
        check("postgres://u:s3cret@/d?host=/run/pg&sslmode=require", "leave sslmode out");
        check("postgers://u:s3cret@h/d", "`postgers:…` is no store");
    }
}
