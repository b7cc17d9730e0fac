use std::error::Error as _;
use std::fmt;
use std::io::ErrorKind;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use crate::PostgresUrl;

/// Why a PostgreSQL store cannot be opened, read or written. None of it holds a password, or values of a webhook.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PostgresError {
    /// Nobody answers there, or not as a PostgreSQL server does.
    #[error(
        "cannot connect to the PostgreSQL server of {url}: check that it runs there, and host, port and sslmode"
    )]
    Connect {
        /// Which store.
        url: PostgresUrl,
        /// What went wrong.
        source: PostgresFailure,
    },
    /// The server does not know the user, or the password is another.
    #[error("the PostgreSQL server of {url} does not let `{user}` in: check user and password")]
    Login {
        /// Which store.
        url: PostgresUrl,
        /// Who asked.
        user: String,
        /// What the server said.
        source: PostgresFailure,
    },
    /// The server has no such database.
    #[error("the PostgreSQL server of {url} has no database `{database}`: create it (`createdb {database}`)")]
    NoDatabase {
        /// Which store.
        url: PostgresUrl,
        /// What was asked for.
        database: String,
        /// What the server said.
        source: PostgresFailure,
    },
    /// The certificates to trust cannot be read.
    #[error("cannot use the certificates in {path} (sslrootcert)")]
    RootCertificates {
        /// The file.
        path: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database has no store, and was only to be read.
    #[error("no store in {url}: check --store, or start `piopiy-receiver serve` first")]
    NotFound {
        /// Which store.
        url: PostgresUrl,
    },
    /// Not every text can be kept in the database.
    #[error(
        "the database of {url} has the encoding {encoding}: make one with UTF8 (`createdb --encoding UTF8`)"
    )]
    Encoding {
        /// Which store.
        url: PostgresUrl,
        /// What it has.
        encoding: String,
    },
    /// The tables were made by a newer version.
    #[error(
        "the store in {url} has schema version {found}, this program knows versions up to {known}: use a newer program"
    )]
    Newer {
        /// Which store.
        url: PostgresUrl,
        /// The version in the database.
        found: i32,
        /// The newest version that is known.
        known: i32,
    },
    /// The server took too long, and the connection was given up.
    #[error("the PostgreSQL server took more than {} s to {operation}", limit.as_secs_f64())]
    TimedOut {
        /// What it was to do.
        operation: &'static str,
        /// How long it had.
        limit: Duration,
    },
    /// Connecting failed a moment ago, and it is not time yet to try again.
    #[error("no connection to the PostgreSQL server ({last})")]
    Waiting {
        /// Why the last attempt failed.
        last: String,
    },
    /// The system gives no thread to wait for the server on.
    #[error("cannot start a thread for the PostgreSQL store")]
    Thread(#[source] std::io::Error),
    /// An operation failed.
    #[error("the PostgreSQL store failed to {operation}")]
    Failed {
        /// What it was doing.
        operation: &'static str,
        /// What went wrong.
        source: PostgresFailure,
    },
}

/// What the server, or the way to it, said: message and code, without the details, in which a server repeats values.
pub struct PostgresFailure(tokio_postgres::Error);

impl PostgresFailure {
    /// The five characters that stand for it in PostgreSQL's documentation (SQLSTATE); `None` where it was not the server
    /// that failed.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.0.code().map(SqlState::code)
    }

    /// Whether it may be over by itself.
    fn is_passing(&self) -> bool {
        if let Some(code) = self.code() {
            // Connections, want of resources, an operator's doing (a start and an end included), the system.
            return ["08", "53", "57", "58"].iter().any(|class| code.starts_with(class));
        }
        let Some(source) = self.0.source() else {
            // Closed, or silent: of the rest each has a cause.
            return self.0.is_closed();
        };
        // These are what was said, and not how it came: no certificate that is trusted, no password that is taken.
        let is_said =
            |kind| matches!(kind, ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other);
        source.downcast_ref::<std::io::Error>().is_some_and(|error| !is_said(error.kind()))
    }
}

impl fmt::Display for PostgresFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(said) = self.0.as_db_error() {
            return write!(f, "{}: {} ({})", said.severity(), said.message(), said.code().code());
        }
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresFailure({self})")
    }
}

impl std::error::Error for PostgresFailure {}

impl PostgresError {
    /// For `map_err`: the operation that an error broke off.
    pub(super) fn while_doing(operation: &'static str) -> impl Fn(tokio_postgres::Error) -> Self {
        move |error| Self::Failed { operation, source: PostgresFailure(error) }
    }

    /// Whether the server, or the way to it, is at fault, and may be there again without anybody's changing a setting: it
    /// refuses connections, is silent, starts, ends, or has no connection left.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Waiting { .. } => true,
            Self::Connect { source, .. } | Self::Failed { source, .. } => source.is_passing(),
            _ => false,
        }
    }

    /// Says what a failure to connect means.
    pub(super) fn to_connect(url: &PostgresUrl, error: tokio_postgres::Error) -> Self {
        let code = error.code().cloned();
        let (url, source) = (url.clone(), PostgresFailure(error));
        match code {
            Some(SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                Self::Login { user: url.user().to_owned(), url, source }
            }
            Some(SqlState::INVALID_CATALOG_NAME) => {
                Self::NoDatabase { database: url.database().to_owned(), url, source }
            }
            _ => Self::Connect { url, source },
        }
    }
}
