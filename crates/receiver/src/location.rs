use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::{MemoryStore, Records, SqliteOptions, SqliteRecords, SqliteStore, Store, StoreError};

/// Where a store is: `sqlite:FILE` or `memory`.
///
/// # Examples
/// ```
/// use piopiy_receiver::StoreLocation;
///
/// assert_eq!("sqlite:calls.sqlite".parse(), Ok(StoreLocation::Sqlite("calls.sqlite".into())));
/// assert_eq!("memory".parse(), Ok(StoreLocation::Memory));
/// assert!("postgres://db".parse::<StoreLocation>().is_err());
/// assert!("sqlite::memory:".parse::<StoreLocation>().is_err());
/// assert!("sqlite:file:calls.sqlite?mode=ro".parse::<StoreLocation>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreLocation {
    /// In this SQLite file.
    Sqlite(PathBuf),
    /// In memory, gone with the process.
    Memory,
}

/// Why a text is no [`StoreLocation`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no store, expected sqlite:FILE (a path, no URI) or memory")]
#[non_exhaustive]
pub struct InvalidStoreLocation {
    /// What was given.
    pub text: String,
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
            None if text == "memory" => Ok(Self::Memory),
            _ => Err(InvalidStoreLocation { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Memory => f.write_str("memory"),
        }
    }
}

impl StoreLocation {
    /// Opens the store. A memory store keeps bodies only where `keep_records` says so.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open(&self, keep_records: bool) -> Result<OpenStore, StoreError> {
        self.open_with(keep_records, SqliteOptions::default())
    }

    /// Opens the store, with options of one's own where it is an SQLite file.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(&self, keep_records: bool, sqlite: SqliteOptions) -> Result<OpenStore, StoreError> {
        match self {
            Self::Sqlite(path) => {
                let store = SqliteStore::open_with(path, sqlite)?;
                let records = SqliteRecords::open(path)?;
                Ok(OpenStore::new(store, Some(Arc::new(records))))
            }
            Self::Memory => {
                let mut store = MemoryStore::new();
                let records = keep_records.then(|| store.records());
                Ok(OpenStore::new(store, records))
            }
        }
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
