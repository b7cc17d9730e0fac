use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use serde::Serialize;
use tokio::time::Instant;

use super::{Entry, LedgerError, ObserveEntry, Record, SummaryEntry};
use crate::deliver::wall_ms;
use crate::judge::{Effect, Judge};

/// How many records may wait for the disk before the run waits for it too.
const WAITING: usize = 16 * 1024;

type Reader = Box<dyn FnMut(&Record) + Send>;

/// A ledger that is being written: to a file, to memory, to readers, or to several of them.
///
/// Cheap to clone; all clones are one ledger.
///
/// # Examples
/// ```
/// use piopiy_mock_platform::deliver::Ledger;
///
/// let ledger = Ledger::builder().in_memory().open()?;
/// assert!(ledger.records().is_empty());
/// ledger.close()?;
/// # Ok::<(), piopiy_mock_platform::deliver::ledger::LedgerError>(())
/// ```
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    origin: Instant,
    state: Mutex<State>,
}

struct State {
    seq: u64,
    memory: Option<Vec<Arc<Record>>>,
    readers: Vec<Reader>,
    file: Option<FileSink>,
}

struct FileSink {
    path: PathBuf,
    records: SyncSender<Arc<Record>>,
    thread: JoinHandle<io::Result<()>>,
}

/// Says where a [`Ledger`] is written to.
#[derive(Default)]
#[must_use = "nothing is opened before `open`"]
pub struct LedgerBuilder {
    path: Option<PathBuf>,
    memory: bool,
    readers: Vec<Reader>,
}

impl LedgerBuilder {
    /// Writes it to a file, as JSON Lines; an existing file is replaced.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Keeps all records in memory, for [`Ledger::records`].
    pub fn in_memory(mut self) -> Self {
        self.memory = true;
        self
    }

    /// Shows every record to `reader`, in order, as it is written. It is called while the ledger is locked: it should
    /// be quick and must not write to the ledger.
    pub fn reader(mut self, reader: impl FnMut(&Record) + Send + 'static) -> Self {
        self.readers.push(Box::new(reader));
        self
    }

    /// Opens it.
    ///
    /// # Errors
    /// If the file, or the directory it is in, cannot be created.
    pub fn open(self) -> Result<Ledger, LedgerError> {
        let file = self.path.map(FileSink::open).transpose()?;
        Ok(Ledger {
            inner: Arc::new(Inner {
                origin: Instant::now(),
                state: Mutex::new(State {
                    seq: 0,
                    memory: self.memory.then(Vec::new),
                    readers: self.readers,
                    file,
                }),
            }),
        })
    }
}

impl Ledger {
    /// Says where a ledger is written to.
    pub fn builder() -> LedgerBuilder {
        LedgerBuilder::default()
    }

    /// Writes one record.
    pub fn append(&self, entry: Entry) {
        let t_ns = self.ns_of(Instant::now());
        let mut guard = self.state();
        let state = &mut *guard;
        let record = Arc::new(Record::new(state.seq, t_ns, entry));
        state.seq += 1;
        for reader in &mut state.readers {
            reader(&record);
        }
        if let Some(memory) = &mut state.memory {
            memory.push(Arc::clone(&record));
        }
        if let Some(file) = &state.file {
            // Waits when the disk is far behind. A failed writer has hung up; `close` tells why.
            let _ = file.records.send(record);
        }
    }

    /// Writes that the receiver was looked at, and all the effects that were seen.
    pub fn observe(&self, effects: impl IntoIterator<Item = Effect>) {
        for effect in effects {
            self.append(Entry::Observe(Box::new(ObserveEntry::effect(effect))));
        }
        self.append(Entry::Observe(Box::new(ObserveEntry::end())));
    }

    /// Writes what came of the run, as a judge that read it says.
    pub fn summarise(&self, judge: &Judge, interrupted: bool) {
        self.append(Entry::Summary(Box::new(SummaryEntry {
            ts_ms: wall_ms(),
            interrupted,
            summary: judge.summary(),
            records: judge.records().clone(),
        })));
    }

    /// All records so far, if they are kept in memory; else none.
    #[must_use]
    pub fn records(&self) -> Vec<Arc<Record>> {
        self.state().memory.clone().unwrap_or_default()
    }

    /// Writes out what is buffered and closes the file. Records that are appended later reach memory and readers only.
    ///
    /// # Errors
    /// If any record could not be written to the file.
    pub fn close(&self) -> Result<(), LedgerError> {
        let file = self.state().file.take();
        file.map_or(Ok(()), FileSink::close)
    }

    /// Monotonic nanoseconds from the opening to `instant`.
    pub(crate) fn ns_of(&self, instant: Instant) -> u64 {
        let since = instant.saturating_duration_since(self.inner.origin);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A reader that panicked has not broken the ledger.
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Ledger")
            .field("records", &state.seq)
            .field("path", &state.file.as_ref().map(|file| &file.path))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for LedgerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerBuilder")
            .field("path", &self.path)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

impl FileSink {
    fn open(path: PathBuf) -> Result<Self, LedgerError> {
        let io = |source| LedgerError::Io { path: path.clone(), source };
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
            std::fs::create_dir_all(parent).map_err(io)?;
        }
        let file = File::create(&path).map_err(io)?;
        let (records, waiting) = sync_channel(WAITING);
        let thread = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || write_all(file, &waiting))
            .map_err(io)?;
        Ok(Self { path, records, thread })
    }

    fn close(self) -> Result<(), LedgerError> {
        drop(self.records);
        let written = self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the writer panicked")));
        written.map_err(|source| LedgerError::Io { path: self.path, source })
    }
}

/// Writes records until all senders are gone; flushes whenever none is waiting, so that the file can be followed.
fn write_all(file: File, records: &Receiver<Arc<Record>>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 * 1024, file);
    loop {
        let record = match records.try_recv() {
            Ok(record) => record,
            Err(TryRecvError::Empty) => {
                out.flush()?;
                match records.recv() {
                    Ok(record) => record,
                    Err(_) => return Ok(()),
                }
            }
            Err(TryRecvError::Disconnected) => return out.flush(),
        };
        record.write_to(&mut out)?;
    }
}

impl Record {
    /// Writes it as one line.
    ///
    /// # Errors
    /// If `out` fails.
    pub fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        fn fields(out: &mut impl Write, entry: &impl Serialize) -> io::Result<()> {
            // The head has opened the object already. No entry is without fields, so the comma is right.
            let mut rest = AfterFirstByte { out, skipped: false };
            serde_json::to_writer(&mut rest, entry).map_err(io::Error::from)
        }

        write!(out, r#"{{"seq":{},"t_ns":{},"kind":"{}","#, self.seq, self.t_ns, self.entry.kind())?;
        match &self.entry {
            Entry::Run(entry) => fields(out, entry),
            Entry::Plan(entry) => fields(out, entry),
            Entry::Attempt(entry) => fields(out, entry),
            Entry::Fault(entry) => fields(out, entry),
            Entry::Outcome(entry) => fields(out, entry),
            Entry::Observe(entry) => fields(out, entry),
            Entry::Call(entry) => fields(out, entry),
            Entry::Message(entry) => fields(out, entry),
            Entry::Over(entry) => fields(out, entry),
            Entry::Summary(entry) => fields(out, entry),
        }?;
        out.write_all(b"\n")
    }
}

struct AfterFirstByte<'a, W> {
    out: &'a mut W,
    skipped: bool,
}

impl<W: Write> Write for AfterFirstByte<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let skip = usize::from(!self.skipped && !bytes.is_empty());
        self.skipped |= skip == 1;
        self.out.write_all(&bytes[skip..])?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
