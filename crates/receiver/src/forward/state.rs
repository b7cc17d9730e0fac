//! What each destination has had, in a small SQLite file: read by `piopiy-receiver forward` while a receiver writes it.
//!
//! A destination has been through all records up to `read_through`, but for those in `unsettled`. What was delivered since
//! the last save is delivered again after a crash: at least once, never less.

mod back;
mod dead;
mod owner;
mod removed;
mod schema;
mod settled;
mod tried;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

pub use settled::Settled;
pub(super) use tried::Tried;

use super::ForwardError;
use crate::file_lock::FileLock;
use crate::store::beside;

/// What SQLite calls a database that is in no file.
const IN_MEMORY: &str = ":memory:";

/// How many orders of a command are written at once.
const CHUNK: usize = 2000;

/// The state of all destinations of a [`Forwarder`](super::Forwarder).
///
/// # Examples
/// ```
/// use piopiy_receiver::ForwardState;
///
/// let folder = tempfile::tempdir()?;
/// let mut state = ForwardState::open(folder.path().join("calls.forward"))?;
/// state.add_destination("app", 0)?;
/// state.set_paused("app", true)?;
/// assert!(state.status()?[0].is_paused);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ForwardState {
    path: PathBuf,
    connection: Connection,
    /// Of its tables.
    version: usize,
    /// Keeps a second forwarder away.
    _lock: Option<FileLock>,
}

/// How far a destination is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DestinationStatus {
    /// Its name.
    pub name: String,
    /// Whether it gets nothing until it is resumed.
    pub is_paused: bool,
    /// The `seq` of the last record that was looked at.
    pub read_through: u64,
    /// Webhooks up to there that are yet to be delivered, or delivered once more.
    pub unsettled: u64,
    /// Webhooks that were given up.
    pub dead: u64,
    /// Whether the forwarder that started last delivers to it; where that is not known, as if it did.
    pub is_wanted: bool,
    /// The `seq` behind which it is to go on once its forwarder has seen that, where somebody asked for it.
    pub rewind_to: Option<u64>,
}

/// A webhook that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadLetter {
    /// Its record's `seq`.
    pub seq: u64,
    /// How often it was tried.
    pub attempts: u32,
    /// How the last attempt failed.
    pub error: String,
    /// When it was given up, in microseconds since the epoch.
    pub died_at: i64,
}

/// What is to be written at once.
#[derive(Debug, Clone, Default)]
pub(super) struct Changes {
    pub(super) read_through: u64,
    /// What tells that record from another, where that is known.
    pub(super) mark: Option<i64>,
    /// The same of some that were read, by `seq`.
    pub(super) marks: Vec<(u64, i64)>,
    /// Yet to be delivered, by `seq`: how often it was tried, and how that failed last.
    pub(super) unsettled: BTreeMap<u64, (Tried, String)>,
    /// Delivered, or given up.
    pub(super) settled: Vec<u64>,
    pub(super) dead: Vec<DeadLetter>,
    /// Taken from what was asked to be delivered again, and whether it is: what is not stays a dead letter.
    pub(super) replayed: BTreeMap<u64, bool>,
}

/// What a destination starts with.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) is_paused: bool,
    pub(super) read_through: u64,
    /// What tells that record from another, where that is known.
    pub(super) mark: Option<i64>,
    pub(super) unsettled: BTreeMap<u64, Tried>,
}

/// What somebody asks for.
#[derive(Debug)]
pub(super) struct Orders {
    pub(super) is_paused: bool,
    /// The `seq` behind which it is to go on.
    pub(super) rewind_to: Option<u64>,
    /// What is to be delivered again.
    pub(super) replay: Vec<u64>,
}

impl ForwardState {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Where it cannot be opened or made, or is something else's or of a newer version.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, ForwardError> {
        let path = path.into();
        // Read by its owner only, as the store is.
        match File::options().write(true).create_new(true).mode(0o600).open(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(ForwardError::Create { path, source })
            }
            _ => Self::connect(path),
        }
    }

    /// A state that is gone with the process, as a memory store is.
    ///
    /// # Errors
    /// Where SQLite fails.
    pub fn in_memory() -> Result<Self, ForwardError> {
        Self::connect(IN_MEMORY.into())
    }

    /// Opens the file, which must be there.
    ///
    /// # Errors
    /// As [`ForwardState::open`], and where it is not there, or that cannot be told.
    pub fn open_existing(path: impl Into<PathBuf>) -> Result<Self, ForwardError> {
        Self::connect(existing(path.into())?)
    }

    /// Opens the file to look at it, and changes nothing: not even one of an older version becomes one of this.
    ///
    /// # Errors
    /// As [`ForwardState::open_existing`].
    pub fn open_to_read(path: impl Into<PathBuf>) -> Result<Self, ForwardError> {
        let path = existing(path.into())?;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let fail = |source| ForwardError::Open { path: path.clone(), source };
        let connection = Connection::open_with_flags(&path, flags).map_err(fail)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(fail)?;
        let version = schema::check(&connection, &path)?;
        Ok(Self { path, connection, version, _lock: None })
    }

    fn connect(path: PathBuf) -> Result<Self, ForwardError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let fail = |source| ForwardError::Open { path: path.clone(), source };
        let mut connection = Connection::open_with_flags(&path, flags).map_err(fail)?;
        connection.busy_timeout(Duration::from_secs(5)).map_err(fail)?;
        schema::bring_up(&mut connection, &path)?;
        // A crash of the system may undo the last saves, never break the file: what they were about is delivered again.
        connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;").map_err(fail)?;
        Ok(Self { path, connection, version: schema::VERSION, _lock: None })
    }

    /// Where the state for a store in this file is, unless somebody says otherwise.
    #[must_use]
    pub fn beside(store: &Path) -> PathBuf {
        beside(store, ".forward")
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it outlives the process.
    pub(crate) fn is_in_file(&self) -> bool {
        self.path != Path::new(IN_MEMORY)
    }

    /// Adds a destination that gets what comes after this `seq`; false where there is one, which stays as it is.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn add_destination(&mut self, name: &str, after: u64) -> Result<bool, ForwardError> {
        let sql = "INSERT INTO destination (name, read_through) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
        let added = self.connection.execute(sql, params![name, signed(after)]);
        added.map(|rows| rows > 0).map_err(failed("add a destination"))
    }

    /// Holds a destination's webhooks back, or lets them go.
    ///
    /// # Errors
    /// Where there is no such destination, or the file cannot be written.
    pub fn set_paused(&mut self, name: &str, is_paused: bool) -> Result<(), ForwardError> {
        let sql = "UPDATE destination SET is_paused = ?2 WHERE name = ?1";
        let changed = self.connection.execute(sql, params![name, is_paused]).map_err(failed("pause"))?;
        if changed == 0 { Err(self.no_destination(name)) } else { Ok(()) }
    }

    /// Asks that these be delivered to a destination again; what was given up is so until the forwarder has seen it. Returns how many that
    /// are; records that it has not come to yet are not among them.
    ///
    /// # Errors
    /// Where there is no such destination, or the file cannot be written.
    pub fn replay(&mut self, name: &str, seqs: impl IntoIterator<Item = u64>) -> Result<u64, ForwardError> {
        let read_through = signed(self.read_through(name)?.ok_or_else(|| self.no_destination(name))?);
        let fail = failed("replay");
        let mut seqs = seqs.into_iter().map(signed).filter(|seq| *seq <= read_through).peekable();
        let mut count = 0;
        // A receiver that runs saves between the chunks.
        while seqs.peek().is_some() {
            let transaction = self.connection.transaction().map_err(&fail)?;
            for seq in seqs.by_ref().take(CHUNK) {
                let sql = "INSERT INTO replay VALUES (?1, ?2) ON CONFLICT DO NOTHING";
                transaction.execute(sql, params![name, seq]).map_err(&fail)?;
                count += 1;
            }
            transaction.commit().map_err(&fail)?;
        }
        Ok(count)
    }

    /// How far all destinations are, by name.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn status(&self) -> Result<Vec<DestinationStatus>, ForwardError> {
        let is_old = self.version < schema::WITH_MARKS;
        let (is_wanted, rewind_to) = if is_old { ("1", "NULL") } else { ("is_wanted", "rewind_to") };
        let sql = format!(
            "SELECT name, is_paused, read_through, \
            (SELECT count(*) FROM unsettled WHERE destination = name) + (SELECT count(*) FROM replay WHERE destination = name), \
            (SELECT count(*) FROM dead WHERE destination = name), {is_wanted}, {rewind_to} \
            FROM destination ORDER BY name"
        );
        let fail = failed("read the destinations");
        let mut statement = self.connection.prepare_cached(&sql).map_err(&fail)?;
        let rows = statement.query_map([], |row| {
            Ok(DestinationStatus {
                name: row.get(0)?,
                is_paused: row.get(1)?,
                read_through: row.get::<_, i64>(2)?.unsigned_abs(),
                unsettled: row.get::<_, i64>(3)?.unsigned_abs(),
                dead: row.get::<_, i64>(4)?.unsigned_abs(),
                is_wanted: row.get(5)?,
                rewind_to: row.get::<_, Option<i64>>(6)?.map(i64::unsigned_abs),
            })
        });
        rows.and_then(Iterator::collect).map_err(fail)
    }

    fn read_through(&self, name: &str) -> Result<Option<u64>, ForwardError> {
        let sql = "SELECT read_through FROM destination WHERE name = ?1";
        let found: rusqlite::Result<Option<i64>> =
            self.connection.query_row(sql, [name], |row| row.get(0)).optional();
        found.map(|seq| seq.map(i64::unsigned_abs)).map_err(failed("read a destination"))
    }

    fn no_destination(&self, name: &str) -> ForwardError {
        let known = self.status().unwrap_or_default().into_iter().map(|status| status.name).collect();
        ForwardError::NoDestination { path: self.path.clone(), name: name.to_owned(), known }
    }

    pub(super) fn start(&self, name: &str) -> Result<Start, ForwardError> {
        let (read_through, mark) = self.place(name)?;
        let fail = failed("read what is unsettled");
        let sql = "SELECT seq, attempts, due, wait FROM unsettled WHERE destination = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(&fail)?;
        let rows = statement.query_map([name], |row| {
            let tried = Tried { attempts: row.get(1)?, due: row.get(2)?, wait: row.get(3)? };
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), tried))
        });
        let unsettled = rows.and_then(Iterator::collect).map_err(fail)?;
        let is_paused = self.orders(name, 0, 0)?.is_paused;
        Ok(Start { is_paused, read_through, mark, unsettled })
    }

    /// What is asked for, with up to `limit` webhooks after a `seq` that are to be delivered again.
    pub(super) fn orders(&self, name: &str, after: u64, limit: usize) -> Result<Orders, ForwardError> {
        let fail = failed("read what is asked for");
        let sql = "SELECT is_paused, rewind_to FROM destination WHERE name = ?1";
        let mut statement = self.connection.prepare_cached(sql).map_err(&fail)?;
        let row = statement.query_row([name], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)));
        let (is_paused, rewind_to) = row.map_err(&fail)?;
        let sql = "SELECT seq FROM replay WHERE destination = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
        let mut statement = self.connection.prepare_cached(sql).map_err(&fail)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement
            .query_map(params![name, signed(after), limit], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()));
        let replay = rows.and_then(Iterator::collect).map_err(fail)?;
        Ok(Orders { is_paused, rewind_to: rewind_to.map(i64::unsigned_abs), replay })
    }

    pub(super) fn save(&mut self, name: &str, changes: &Changes) -> Result<(), ForwardError> {
        self.try_save(name, changes).map_err(failed("save how far it is"))
    }

    fn try_save(&mut self, name: &str, changes: &Changes) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let sql =
                "UPDATE destination SET read_through = ?2, mark = ?3 WHERE name = ?1 AND read_through <= ?2";
            let read_through = signed(changes.read_through);
            transaction.prepare_cached(sql)?.execute(params![name, read_through, changes.mark])?;
            back::save(&transaction, name, changes)?;
            let mut delete =
                transaction.prepare_cached("DELETE FROM unsettled WHERE destination = ?1 AND seq = ?2")?;
            for &seq in &changes.settled {
                delete.execute(params![name, signed(seq)])?;
            }
            let mut insert = transaction.prepare_cached(
                "INSERT OR REPLACE INTO unsettled (destination, seq, attempts, error, due, wait) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?;
            for (&seq, (tried, error)) in &changes.unsettled {
                let Tried { attempts, due, wait } = tried;
                insert.execute(params![name, signed(seq), attempts, error, due, wait])?;
            }
            let mut taken =
                transaction.prepare_cached("DELETE FROM replay WHERE destination = ?1 AND seq = ?2")?;
            let mut raised =
                transaction.prepare_cached("DELETE FROM dead WHERE destination = ?1 AND seq = ?2")?;
            for (&seq, &is_delivered) in &changes.replayed {
                taken.execute(params![name, signed(seq)])?;
                if is_delivered {
                    raised.execute(params![name, signed(seq)])?;
                }
            }
            // After those that were raised: one may have died again.
            let mut bury = transaction.prepare_cached(
                "INSERT OR REPLACE INTO dead (destination, seq, attempts, error, died_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?;
            for dead in &changes.dead {
                bury.execute(params![name, signed(dead.seq), dead.attempts, dead.error, dead.died_at])?;
            }
        }
        transaction.commit()
    }
}

/// The path of a file that is there. One that cannot be looked at may be, too.
fn existing(path: PathBuf) -> Result<PathBuf, ForwardError> {
    match path.try_exists() {
        Ok(true) => Ok(path),
        Ok(false) => Err(ForwardError::NotFound { path }),
        Err(source) => Err(ForwardError::Find { path, source }),
    }
}

fn failed(operation: &'static str) -> impl Fn(rusqlite::Error) -> ForwardError {
    move |source| ForwardError::Failed { operation, source }
}

fn signed(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
