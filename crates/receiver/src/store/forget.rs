use serde::{Deserialize, Serialize};

/// Which records a store may forget: the oldest ones, in the order of the store, for as long as all of this holds.
///
/// # Examples
/// ```
/// use piopiy_receiver::{Entry, Forget, SqliteStore, Store};
///
/// # let folder = tempfile::tempdir()?;
/// let mut store = SqliteStore::open(folder.path().join("calls.sqlite"))?;
/// let at = |micros| Entry::quarantined("not JSON".to_owned(), "hello".into(), micros);
/// store.append(&[at(1), at(2), at(3)])?;
/// let forgotten = store.forget(&Forget { received_before: 3, ..Forget::default() })?;
/// assert_eq!((forgotten.records, forgotten.is_done), (2, true));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct Forget {
    /// Received before this instant, in microseconds since the epoch; default 0, which is none.
    pub received_before: i64,
    /// With a `seq` up to this; default all. The last record of a store stays in any case: its `seq` is never given again.
    pub up_to: u64,
    /// So many at once, for what comes in waits meanwhile; default 500. Fewer where they are large.
    pub limit: usize,
}

impl Default for Forget {
    fn default() -> Self {
        Self { received_before: 0, up_to: u64::MAX, limit: 500 }
    }
}

/// What became of a [`Forget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Forgotten {
    /// How many records were forgotten.
    pub records: u64,
    /// Whether there are no more of the kind.
    pub is_done: bool,
    /// When the oldest of those that are left was received, in microseconds since the epoch, where the store came to it.
    #[serde(default)]
    pub oldest_left: Option<i64>,
}

impl Forgotten {
    /// So many, and whether those were all.
    #[must_use]
    pub fn new(records: u64, is_done: bool) -> Self {
        Self { records, is_done, oldest_left: None }
    }
}
