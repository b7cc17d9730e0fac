use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Entry, Record, SCHEMA};

/// Why a ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The file could not be opened, read or written.
    #[error("the ledger {path} cannot be read or written")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is no record.
    #[error("{path}:{line}: this line is no ledger record")]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// The last line has no end: whoever wrote it was killed.
    #[error(
        "{path}:{line}: the last line is cut off (was the run killed while it wrote?): remove it to read the rest"
    )]
    CutOff {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
    },
    /// The first line does not say that this is a ledger of this version.
    #[error("{path}:1: this is no {SCHEMA} file: {found}")]
    NotALedger {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
}

/// Reads a ledger line by line; kinds and keys that it does not know are passed over.
#[derive(Debug)]
pub struct LedgerReader<R> {
    input: R,
    path: PathBuf,
    line: u64,
    text: String,
}

/// Opens a ledger file.
///
/// # Errors
/// If the file cannot be opened. What is wrong inside it is told line by line.
///
/// # Examples
/// ```no_run
/// use piopiy_mock_platform::deliver::ledger;
///
/// for record in ledger::read("run.jsonl".as_ref())? {
///     println!("{}", record?.entry.kind());
/// }
/// # Ok::<(), ledger::LedgerError>(())
/// ```
pub fn read(path: &Path) -> Result<LedgerReader<BufReader<File>>, LedgerError> {
    let file = File::open(path).map_err(|source| LedgerError::Io { path: path.to_owned(), source })?;
    Ok(LedgerReader::new(BufReader::new(file), path))
}

impl<R: BufRead> LedgerReader<R> {
    /// Reads from anything; `path` is what errors call it.
    pub fn new(input: R, path: &Path) -> Self {
        Self { input, path: path.to_owned(), line: 0, text: String::new() }
    }

    /// The next record of a known kind.
    fn next_record(&mut self) -> Result<Option<Record>, LedgerError> {
        loop {
            self.text.clear();
            let path = || self.path.clone();
            let read = self.input.read_line(&mut self.text);
            if read.map_err(|source| LedgerError::Io { path: path(), source })? == 0 {
                return Ok(None);
            }
            self.line += 1;
            if self.text.trim().is_empty() {
                continue;
            }
            match parse_line(&self.text) {
                Ok(Some(record)) => {
                    if self.line == 1 {
                        check_header(&record, &self.path)?;
                    }
                    return Ok(Some(record));
                }
                Ok(None) => {}
                Err(_) if !self.text.ends_with('\n') => {
                    return Err(LedgerError::CutOff { path: path(), line: self.line });
                }
                Err(source) => return Err(LedgerError::Line { path: path(), line: self.line, source }),
            }
        }
    }
}

impl<R: BufRead> Iterator for LedgerReader<R> {
    type Item = Result<Record, LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_record().transpose()
    }
}

fn check_header(record: &Record, path: &Path) -> Result<(), LedgerError> {
    let found = match &record.entry {
        Entry::Run(run) if run.schema == SCHEMA => return Ok(()),
        Entry::Run(run) => format!("its schema is {:?}", run.schema),
        other => format!("it begins with a `{}` record, not with `run`", other.kind()),
    };
    Err(LedgerError::NotALedger { path: path.to_owned(), found })
}

/// One line; `None` for a kind that is not known.
fn parse_line(line: &str) -> Result<Option<Record>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Head {
        seq: u64,
        t_ns: u64,
        kind: String,
    }

    fn read<T: DeserializeOwned>(line: &str) -> Result<T, serde_json::Error> {
        serde_json::from_str(line)
    }

    let head: Head = read(line)?;
    let entry = match head.kind.as_str() {
        "run" => Entry::Run(read(line)?),
        "plan" => Entry::Plan(read(line)?),
        "attempt" => Entry::Attempt(read(line)?),
        "fault" => Entry::Fault(read(line)?),
        "outcome" => Entry::Outcome(read(line)?),
        "observe" => Entry::Observe(read(line)?),
        "call" => Entry::Call(read(line)?),
        "over" => Entry::Over(read(line)?),
        "message" => Entry::Message(read(line)?),
        "summary" => Entry::Summary(read(line)?),
        _ => return Ok(None),
    };
    Ok(Some(Record::new(head.seq, head.t_ns, entry)))
}
