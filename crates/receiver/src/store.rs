//! Where webhooks are kept. [`Store`] is the one thing that a store must do; how requests become batches is
//! [`GroupCommit`](crate::GroupCommit)'s business, the same for all stores.

use std::path::{Path, PathBuf};
use std::sync::Arc;

mod error;
mod forget;
mod memory;
mod postgres;
mod sqlite;

pub use error::StoreError;
pub(crate) use error::chain;
pub use forget::{Forget, Forgotten};
pub use memory::MemoryStore;
pub use postgres::{PostgresError, PostgresFailure, PostgresOptions, PostgresRecords, PostgresStore};
pub use sqlite::{SqliteOptions, SqliteRecords, SqliteStore, StoreFault};

use crate::{Entry, Records};

/// A file beside that of a store: beside the one that a link leads to, as the store's lock is.
pub(crate) fn beside(store: &Path, suffix: &str) -> PathBuf {
    let resolved = if store.is_symlink() { store.canonicalize().ok() } else { None };
    let mut path = resolved.unwrap_or_else(|| store.to_owned()).into_os_string();
    path.push(suffix);
    path.into()
}

/// Keeps webhooks, each once.
///
/// # Examples
/// ```
/// use piopiy_events::Webhook;
/// use piopiy_receiver::{Append, Entry, MemoryStore, Store};
///
/// let body = br#"{"cmiuuid":"x","leg":"a","status":"missed","duration":0}"#;
/// let identity = Webhook::parse(body).unwrap().identity().unwrap();
/// let entry = Entry::webhook(&identity, body.as_slice().into(), 0);
/// let outcomes = MemoryStore::new().append(&[entry.clone(), entry])?;
/// assert_eq!(outcomes, [Append::Appended { seq: 1 }, Append::Duplicate { of: 1 }]);
/// # Ok::<(), piopiy_receiver::StoreError>(())
/// ```
pub trait Store: Send + 'static {
    /// Appends what is new in the batch, all of it or nothing; when it returns, that is as durable as the store
    /// can make it. The outcomes stand in the order of the batch.
    ///
    /// A webhook is new unless one with the same identity is in the store, or earlier in the batch. A quarantined
    /// body is always new. An empty batch changes nothing and fails where the store does not work: it is how a
    /// store that failed is found to be well again.
    ///
    /// # Errors
    /// Where nothing of the batch was kept, as far as is known: a store that is lost while it commits may have kept it, and
    /// then finds a repeat to be a duplicate. The next call may succeed: a store mends itself if it can.
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError>;

    /// Whether it works, as far as it knows when it is opened; default true. One that does not is probed until it does, and
    /// `/readyz` says so from the start.
    fn is_ready(&self) -> bool {
        true
    }

    /// How many records it holds, where it knows; `/metrics` counts on from there.
    fn record_count(&self) -> u64 {
        0
    }

    /// What reads the records, those of now or at least those to come; `None` where they cannot be read. `/__observe`
    /// asks for it where [`OpenStore::records`](crate::OpenStore::records) is empty.
    fn reader(&mut self) -> Option<Arc<dyn Records>> {
        None
    }

    /// Forgets some of the oldest records, and with them what makes their repeats repeats. Those that stay keep their `seq`.
    ///
    /// # Errors
    /// Where the store fails, or keeps what it has for ever, as is the default.
    fn forget(&mut self, _what: &Forget) -> Result<Forgotten, StoreError> {
        Err(StoreError::Unsupported { operation: "forget records" })
    }

    /// Gives back some of the room on the disk that forgotten records had, `pages` of 4 KiB at most; how many are left.
    ///
    /// # Errors
    /// Where the store fails, or gives nothing back while it is open, as is the default.
    fn give_back(&mut self, _pages: u32) -> Result<u64, StoreError> {
        Err(StoreError::Unsupported { operation: "give room back" })
    }
}

/// What became of an [`Entry`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "an entry is new or it is not")]
pub enum Append {
    /// It was new.
    Appended {
        /// Its place in the order of effects, from 1, without gaps. Where several receivers share a store it is their
        /// common order: whoever sees a place sees all before it.
        seq: u64,
    },
    /// The same webhook was appended before.
    Duplicate {
        /// The place of the first one.
        of: u64,
    },
}

impl<S: Store + ?Sized> Store for Box<S> {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        (**self).append(batch)
    }

    fn is_ready(&self) -> bool {
        (**self).is_ready()
    }

    fn record_count(&self) -> u64 {
        (**self).record_count()
    }

    fn reader(&mut self) -> Option<Arc<dyn Records>> {
        (**self).reader()
    }

    fn forget(&mut self, what: &Forget) -> Result<Forgotten, StoreError> {
        (**self).forget(what)
    }

    fn give_back(&mut self, pages: u32) -> Result<u64, StoreError> {
        (**self).give_back(pages)
    }
}
