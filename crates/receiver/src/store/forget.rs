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

/// Bytes of bodies that go at once, unless one body alone has more: their pages are written, and webhooks wait meanwhile.
const BYTES: i64 = 4 << 20;

/// Which of the oldest records go at once: they are looked at one by one, in the order of the store.
#[derive(Debug)]
pub(super) struct Oldest {
    what: Forget,
    /// The last that may go at all.
    bound: i64,
    bytes: i64,
    pub(super) records: usize,
    /// The `seq` of the last that goes.
    pub(super) last: Option<i64>,
    pub(super) left: Left,
}

/// What is behind those that go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Some that may go as well.
    More,
    /// One that stays, received at this instant.
    Since(i64),
    Nothing,
}

impl Oldest {
    /// Of a store whose last record is this.
    pub(super) fn of(what: &Forget, last_seq: i64) -> Self {
        let bound = i64::try_from(what.up_to).unwrap_or(i64::MAX).min(last_seq.saturating_sub(1));
        Self { what: *what, bound, bytes: 0, records: 0, last: None, left: Left::Nothing }
    }

    /// How many are to be looked at: one more than may go, to see what is left.
    pub(super) fn limit(&self) -> i64 {
        i64::try_from(self.what.limit).unwrap_or(i64::MAX).saturating_add(1)
    }

    /// Looks at the next, with the length of its body; whether it goes, and there is a next to look at.
    pub(super) fn take(&mut self, seq: i64, received_at: i64, bytes: i64) -> bool {
        if seq > self.bound || received_at >= self.what.received_before {
            self.left = Left::Since(received_at);
            return false;
        }
        self.bytes = self.bytes.saturating_add(bytes);
        if self.records >= self.what.limit || (self.records > 0 && self.bytes > BYTES) {
            self.left = Left::More;
            return false;
        }
        self.records += 1;
        self.last = Some(seq);
        true
    }

    /// What became of it, where the records went.
    pub(super) fn forgotten(&self) -> Forgotten {
        let oldest_left = if let Left::Since(received_at) = self.left { Some(received_at) } else { None };
        Forgotten { oldest_left, ..Forgotten::new(self.records as u64, self.left != Left::More) }
    }
}
