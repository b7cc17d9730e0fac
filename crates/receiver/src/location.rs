mod postgres_url;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

pub use postgres_url::{InvalidPostgresUrl, PostgresUrl};

use crate::{
    MemoryStore, PostgresRecords, PostgresStore, Records, SqliteOptions, SqliteRecords, SqliteStore, Store,
    StoreError,
};

/// Where a store is: `sqlite:FILE`, `postgres://…` or `memory`.
///
/// # Examples
/// ```
/// use piopiy_receiver::StoreLocation;
///
/// assert_eq!("sqlite:calls.sqlite".parse(), Ok(StoreLocation::Sqlite("calls.sqlite".into())));
/// assert_eq!("memory".parse(), Ok(StoreLocation::Memory));
/// let shared: StoreLocation = "postgres://piopiy:s3cret@db.example/calls".parse().unwrap();
/// assert_eq!(shared.to_string(), "postgres://piopiy@db.example/calls", "no password is shown");
/// assert!("sqlite::memory:".parse::<StoreLocation>().is_err());
/// assert!("sqlite:file:calls.sqlite?mode=ro".parse::<StoreLocation>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreLocation {
    /// In this SQLite file.
    Sqlite(PathBuf),
    /// In this PostgreSQL database, which several receivers may share.
    Postgres(PostgresUrl),
    /// In memory, gone with the process.
    Memory,
}

/// Why a text is no [`StoreLocation`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidStoreLocation {
    /// It is none of the kinds that there are.
    #[error(
        "`{text}` is no store, expected sqlite:FILE (a path, no URI), postgres://USER:PASSWORD@HOST/DATABASE or memory"
    )]
    Unknown {
        /// What was given; of a URL its scheme alone, for there may be a password in it.
        text: String,
    },
    /// It names no PostgreSQL database.
    #[error(transparent)]
    Postgres(#[from] InvalidPostgresUrl),
}

impl FromStr for StoreLocation {
    type Err = InvalidStoreLocation;

    fn from_str(text: &str) -> Result<Self, InvalidStoreLocation> {
        match text.split_once(':') {
            // SQLite would take these for something else than a file's name.
            Some(("sqlite", file))
                if !file.is_empty() && !file.starts_with(':') && !file.starts_with("file:") =>
            {
                Ok(Self::Sqlite(file.into()))
            }
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.parse()?)),
            Some((scheme, rest)) if rest.contains('@') => {
                Err(InvalidStoreLocation::Unknown { text: format!("{scheme}:…") })
            }
            None if text == "memory" => Ok(Self::Memory),
            _ => Err(InvalidStoreLocation::Unknown { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
            Self::Memory => f.write_str("memory"),
        }
    }
}

impl StoreLocation {
    /// Opens the store. A memory store keeps bodies only where `keep_records` says so.
    ///
    /// # Errors
    /// As [`SqliteStore::open`] and [`PostgresStore::open`].
    pub fn open(&self, keep_records: bool) -> Result<OpenStore, StoreError> {
        self.open_with(keep_records, SqliteOptions::default())
    }

    /// Opens the store, with options of one's own where it is an SQLite file.
    ///
    /// # Errors
    /// As [`StoreLocation::open`].
    pub fn open_with(&self, keep_records: bool, sqlite: SqliteOptions) -> Result<OpenStore, StoreError> {
        match self {
            Self::Sqlite(path) => {
                let store = SqliteStore::open_with(path, sqlite)?;
                let records = SqliteRecords::open(path)?;
                Ok(OpenStore::new(store, Some(Arc::new(records))))
            }
            Self::Postgres(url) => {
                let mut store = PostgresStore::open(url)?;
                let records = store.reader();
                Ok(OpenStore::new(store, records))
            }
            Self::Memory => {
                let mut store = MemoryStore::new();
                let records = keep_records.then(|| store.records());
                Ok(OpenStore::new(store, records))
            }
        }
    }

    /// Opens what a store holds, to read it and nothing else; `None` for memory, which is gone with its process.
    ///
    /// # Errors
    /// As [`SqliteRecords::open`] and [`PostgresRecords::open`].
    pub fn open_to_read(&self) -> Result<Option<Arc<dyn Records>>, StoreError> {
        Ok(match self {
            Self::Sqlite(path) => Some(Arc::new(SqliteRecords::open(path)?)),
            Self::Postgres(url) => Some(Arc::new(PostgresRecords::open(url)?)),
            Self::Memory => None,
        })
    }
}

/// A store for a [`Server`](crate::Server), and what is needed to look into it.
#[non_exhaustive]
pub struct OpenStore {
    /// The store.
    pub store: Box<dyn Store>,
    /// Reads what it keeps; without it, `/__observe` asks the store for a reader.
    pub records: Option<Arc<dyn Records>>,
}

impl OpenStore {
    /// A store, and what reads it.
    #[must_use]
    pub fn new(store: impl Store, records: Option<Arc<dyn Records>>) -> Self {
        Self { store: Box::new(store), records }
    }
}

impl<S: Store> From<S> for OpenStore {
    fn from(store: S) -> Self {
        Self::new(store, None)
    }
}

impl fmt::Debug for OpenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStore").field("has_records", &self.records.is_some()).finish_non_exhaustive()
    }
}
