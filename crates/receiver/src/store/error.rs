use std::path::PathBuf;

use super::postgres::PostgresError;

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or made.
    #[error("cannot open the store {}: check that the folder exists and may be written", path.display())]
    Open {
        /// The store's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file cannot be made, or is a symbolic link that leads nowhere.
    #[error("cannot make the store {}: check that the folder exists and may be written", path.display())]
    Create {
        /// The store's file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not there, and was only to be read.
    #[error("no store at {}: check --store, or start `piopiy-receiver serve` first", path.display())]
    NotFound {
        /// The store's file.
        path: PathBuf,
    },
    /// Another receiver has the file.
    #[error("another receiver uses the store {}: stop it, or give this one another file with --store", path.display())]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// The file has more than one name: its log would stand beside one of them only.
    #[error("the store {} has several hard links: its log belongs to one name; remove the others", path.display())]
    Linked {
        /// The store's file.
        path: PathBuf,
    },
    /// The file system allows no write-ahead log.
    #[error(
        "the store {} cannot have a write-ahead log (journal mode `{mode}`): put it on a local disk",
        path.display()
    )]
    NoLog {
        /// The store's file.
        path: PathBuf,
        /// The journal mode that SQLite chose in its place.
        mode: String,
    },
    /// Another program wrote to the file, so what is known of it is out of date.
    #[error("another program wrote to the store {}", path.display())]
    Changed {
        /// The store's file.
        path: PathBuf,
    },
    /// The lock file beside the store cannot be made.
    #[error("cannot lock {}: check that its folder may be written", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is a database of something else.
    #[error("{} is a database, but not a store of this program: give another file with --store", path.display())]
    Foreign {
        /// The store's file.
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "the store {} has schema version {found}, this program knows versions up to {known}: use a newer program",
        path.display()
    )]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The version in the file.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// The file is no database, or a broken one.
    #[error(
        "{} is damaged or no database: put it aside and start with a new file, or restore it (`sqlite3 FILE .recover`)",
        path.display()
    )]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// An operation failed.
    #[error("the store failed to {operation}")]
    Failed {
        /// What it was doing.
        operation: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The store cannot be copied.
    #[error("cannot write a backup to {}", path.display())]
    Backup {
        /// The file that the copy was to be.
        path: PathBuf,
        /// What SQLite or the system said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file was not made to give room back while it is open.
    #[error(
        "the store {} gives no room back while it is in use: what was forgotten is filled up again; to make it smaller, stop the receiver and run `piopiy-receiver vacuum`, after which it will",
        path.display()
    )]
    Rigid {
        /// The store's file.
        path: PathBuf,
    },
    /// A store of this kind does not do that.
    #[error("this store does not {operation}: see docs/operating.md for which do")]
    Unsupported {
        /// What it was asked to do.
        operation: &'static str,
    },
    /// The receiver that has the store did not do what it was asked to.
    #[error("the receiver that runs on the store says: {text}")]
    Running {
        /// What it said.
        text: String,
    },
    /// A PostgreSQL store failed.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// A store of another crate failed.
    #[error("the store failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl StoreError {
    /// For `map_err`: the operation that a SQLite error broke off.
    pub(crate) fn while_doing(operation: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Failed { operation, source }
    }

    /// Whether the store's server cannot be reached now, and may be later without anybody's changing a setting. A file never is so.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Postgres(error) if error.is_unreachable())
    }

    /// The error with its causes, in one line.
    #[must_use]
    pub fn chain(&self) -> String {
        chain(self)
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
