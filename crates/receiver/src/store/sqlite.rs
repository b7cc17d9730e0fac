//! The embedded store: one SQLite file, append-only, with a log-structured index of what was seen.
//!
//! * `webhook` and `quarantine` share one sequence and are only ever appended to.
//! * No index with random keys is written on the way of a request: [`seen`] says how a repeat is found.
//! * Every batch is one transaction under WAL and `synchronous=FULL`: it is synced to disk before `append` returns.

mod backup;
mod bloom;
mod checkpoint;
mod entries;
mod forget;
mod read;
mod runs;
mod schema;
mod seen;
mod verify;

use std::fs::File;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};

pub use read::SqliteRecords;
pub use verify::StoreFault;

use self::checkpoint::Checkpoints;
use self::seen::Seen;
use super::{Append, Forget, Forgotten, Store, StoreError};
use crate::file_lock::FileLock;
use crate::{Entry, Records};

/// How a [`SqliteStore`] uses memory and disk.
#[derive(Debug, Clone)]
#[expect(clippy::exhaustive_structs, reason = "made with struct update syntax")]
pub struct SqliteOptions {
    /// Webhooks whose index entries are held in memory before they are written as one sorted run; default 65,536.
    pub run_rows: usize,
    /// Bytes that the filter which tells fresh webhooks from possible repeats may take; default 64 MiB, enough for
    /// 33 million webhooks. Beyond that it becomes less sure, and appends slower, never wrong.
    pub filter_bytes: usize,
    /// Pages (of 4 KiB) in the write-ahead log that set off a checkpoint; default 4,096.
    pub checkpoint_pages: u32,
    /// Pages (of 4 KiB) that the file may have; what comes beyond fails as on a full disk. Default `None`: as many as
    /// the disk takes.
    pub max_pages: Option<u32>,
    /// Whether a file that is made gives room back while it is open ([`Store::give_back`]), which costs each append a
    /// little; default false. A file that is there stays as it was made.
    pub gives_back: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            run_rows: 1 << 16,
            filter_bytes: 64 << 20,
            checkpoint_pages: 4096,
            max_pages: None,
            gives_back: false,
        }
    }
}

/// Keeps webhooks in one SQLite file.
///
/// While it lives it holds a lock on `FILE.lock`, so that no second receiver appends to the same file. Others may
/// read ([`SqliteRecords`]). A symbolic link is the file that it leads to; a file with several hard links is refused.
/// Files that it makes can be read by their owner only, for bodies hold phone numbers.
///
/// # Examples
/// ```
/// use piopiy_receiver::{SqliteStore, Store};
///
/// let folder = tempfile::tempdir()?;
/// let mut store = SqliteStore::open(folder.path().join("calls.sqlite"))?;
/// store.append(&[])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    options: SqliteOptions,
    /// `None` after a failure that it cannot go on from, until what is asked for next opens the file again.
    writer: Option<Writer>,
    /// Declared last, for it is to be let go last.
    _lock: FileLock,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    seen: Seen,
    checkpoints: Checkpoints,
    /// Of the oldest record that is left; 1 where there is none.
    first_seq: i64,
    last_seq: i64,
    /// Whether what it holds in memory is what the file has: not while records are forgotten.
    is_in_step: bool,
    /// Whether it was told that the filter is too small.
    is_crowded: bool,
}

impl SqliteStore {
    /// Opens the store in this file, or makes it.
    ///
    /// # Errors
    /// Where the file cannot be opened or made, is damaged, something else's or of a newer version, or where
    /// another receiver uses it.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        Self::open_with(path, SqliteOptions::default())
    }

    /// Opens with options of one's own.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(path: impl Into<PathBuf>, options: SqliteOptions) -> Result<Self, StoreError> {
        let path = resolve(path.into())?;
        let lock = lock(&path)?;
        create_private(&path)?;
        let writer = Writer::open(&path, &options)?;
        Ok(Self { path, options, writer: Some(writer), _lock: lock })
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many records it holds.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.writer.as_ref().map_or(0, |writer| (writer.last_seq + 1 - writer.first_seq).unsigned_abs())
    }

    /// Whether it holds no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn try_append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        let mut writer = self.take_writer()?;
        let outcomes = writer.append(&self.path, batch);
        self.keep_writer(writer, outcomes.as_ref().err());
        outcomes
    }

    fn take_writer(&mut self) -> Result<Writer, StoreError> {
        match self.writer.take() {
            Some(writer) => Ok(writer),
            None => Writer::open(&self.path, &self.options),
        }
    }

    /// Keeps a writer, after a failure too if it can go on: to read what a large store has seen takes longer than anybody
    /// waits for, and a disk that is full, or another program that writes, fails time after time.
    fn keep_writer(&mut self, mut writer: Writer, error: Option<&StoreError>) {
        if error.is_some_and(|error| !writer.can_go_on(error)) {
            return;
        }
        if let Some(StoreError::Failed { .. }) = error {
            // A log that was moved into the file starts over, which may be all the room that there is.
            writer.checkpoints.begin();
            writer.checkpoints.after_commit(&writer.connection);
        }
        self.writer = Some(writer);
    }
}

impl Store for SqliteStore {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        match self.try_append(batch) {
            // Read again what it holds: the batch itself may be good.
            Err(StoreError::Changed { .. }) => self.try_append(batch),
            outcome => outcome,
        }
    }

    fn record_count(&self) -> u64 {
        self.len()
    }

    fn reader(&mut self) -> Option<Arc<dyn Records>> {
        let records = SqliteRecords::open(&self.path);
        records.map(|records| Arc::new(records) as Arc<dyn Records>).ok()
    }

    fn forget(&mut self, what: &Forget) -> Result<Forgotten, StoreError> {
        self.try_forget(what)
    }

    fn give_back(&mut self, pages: u32) -> Result<u64, StoreError> {
        self.try_give_back(pages)
    }
}

impl Writer {
    fn open(path: &Path, options: &SqliteOptions) -> Result<Self, StoreError> {
        let mut connection = schema::open(path, options.gives_back)?;
        if let Some(pages) = options.max_pages {
            let fail = StoreError::while_doing("limit its size");
            connection.pragma_update(None, "max_page_count", pages).map_err(fail)?;
        }
        let checkpoints = Checkpoints::start(path, &mut connection, options.checkpoint_pages)?;
        let fail = StoreError::while_doing("read what it has seen");
        let seen = Seen::load(&connection, options).map_err(fail)?;
        let fail = StoreError::while_doing("find its end");
        let (first_seq, last_seq) =
            (schema::first_seq(&connection).map_err(&fail)?, schema::last_seq(&connection).map_err(&fail)?);
        Ok(Self { connection, seen, checkpoints, first_seq, last_seq, is_in_step: true, is_crowded: false })
    }

    fn append(&mut self, path: &Path, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        let fail = StoreError::while_doing("append");
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&fail)?;
        // The lock keeps receivers apart, not other programs.
        if schema::last_seq(&transaction).map_err(&fail)? != self.last_seq {
            return Err(StoreError::Changed { path: path.to_owned() });
        }
        let mut last_seq = self.last_seq;
        let outcomes = append_all(&transaction, &mut self.seen, batch, &mut last_seq).map_err(&fail);
        let committed = outcomes.and_then(|outcomes| {
            if batch.is_empty() {
                schema::probe(&transaction).map_err(&fail)?;
            }
            transaction.commit().map_err(StoreError::while_doing("commit"))?;
            Ok(outcomes)
        });
        if committed.is_err() {
            self.seen.rolled_back();
            return committed;
        }
        self.seen.committed();
        self.last_seq = last_seq;
        self.checkpoints.after_commit(&self.connection);
        self.warn_if_crowded();
        committed
    }

    /// Says once that new webhooks take longer to be told from repeats than they need.
    fn warn_if_crowded(&mut self) {
        if !self.is_crowded
            && let Some(wanted) = self.seen.wanted_filter_bytes()
        {
            self.is_crowded = true;
            tracing::warn!(
                filter_bytes = self.seen.filter_bytes(),
                wanted,
                "the filter is of more webhooks than it has room for, and each new one takes longer: see --filter-bytes and --keep"
            );
        }
    }

    /// Whether it can go on after a failure: what it holds in memory is what the file has, and nothing is half done.
    fn can_go_on(&self, error: &StoreError) -> bool {
        let passes = match error {
            StoreError::Failed { source, .. } => {
                matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DiskFull))
            }
            // Nothing was done.
            StoreError::Rigid { .. } => true,
            _ => false,
        };
        passes && self.is_in_step && self.connection.is_autocommit()
    }
}

fn append_all(
    connection: &Connection,
    seen: &mut Seen,
    batch: &[Entry],
    last_seq: &mut i64,
) -> rusqlite::Result<Vec<Append>> {
    let mut insert_webhook = connection
        .prepare_cached("INSERT INTO webhook (seq, received_at, identity, body) VALUES (?1, ?2, ?3, ?4)")?;
    let mut outcomes = Vec::with_capacity(batch.len());
    let committed = *last_seq;
    for entry in batch {
        let (at, body) = (entry.received_at(), &entry.body()[..]);
        if let Some(identity) = entry.identity() {
            let hash = seen.hash(identity);
            if let Some(of) = seen.find(connection, hash, identity)? {
                outcomes.push(Append::Duplicate { of: of.unsigned_abs() });
                continue;
            }
            *last_seq += 1;
            insert_webhook.execute(params![*last_seq, at, identity, body])?;
            seen.add(hash, *last_seq);
        } else {
            *last_seq += 1;
            connection
                .prepare_cached(
                    "INSERT INTO quarantine (seq, received_at, reason, body) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![*last_seq, at, entry.reason(), body])?;
        }
        outcomes.push(Append::Appended { seq: last_seq.unsigned_abs() });
    }
    seen.write_some(connection, batch.len(), committed)?;
    Ok(outcomes)
}

/// The file that a symbolic link leads to, so that each file has one lock, whatever it is called by.
fn resolve(path: PathBuf) -> Result<PathBuf, StoreError> {
    let unresolved = |source| StoreError::Create { path: path.clone(), source };
    let path = if path.is_symlink() { path.canonicalize().map_err(unresolved)? } else { path };
    match std::fs::metadata(&path) {
        Ok(found) if found.is_file() && found.nlink() > 1 => Err(StoreError::Linked { path }),
        _ => Ok(path),
    }
}

/// Makes the file where there is none; the files that SQLite puts beside it get the same rights.
fn create_private(path: &Path) -> Result<(), StoreError> {
    match File::options().write(true).create_new(true).mode(OWNER_ONLY).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::Create { path: path.to_owned(), source }),
    }
}

const OWNER_ONLY: u32 = 0o600;

/// Takes the lock that keeps a second receiver away.
fn lock(store: &Path) -> Result<FileLock, StoreError> {
    let mut path = store.as_os_str().to_owned();
    path.push(".lock");
    let path = PathBuf::from(path);
    let taken = FileLock::take(&path).map_err(|source| StoreError::Lock { path, source })?;
    taken.ok_or_else(|| StoreError::InUse { path: store.to_owned() })
}
