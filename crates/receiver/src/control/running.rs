use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{MOST, Reply, Request, Sent, socket_of};
use crate::{Append, Entry, Forget, Forgotten, Store, StoreError};

/// The store of a receiver that runs: what is asked of it is carried out by that process, between two of its batches.
#[derive(Debug)]
pub struct RunningStore {
    path: PathBuf,
    /// What is written to it; answers are read through the buffer.
    stream: BufReader<UnixStream>,
}

impl RunningStore {
    /// Connects to the receiver that runs on the store in this file; `None` where none does, or none that hears.
    ///
    /// # Errors
    /// Where one runs and does not let us.
    pub fn connect(path: impl Into<PathBuf>) -> Result<Option<Self>, StoreError> {
        let path = path.into();
        match UnixStream::connect(socket_of(&path)) {
            Ok(stream) => Ok(Some(Self { path, stream: BufReader::new(stream) })),
            Err(error) => match error.kind() {
                // The last of a process that was killed, or a path that no socket can have.
                std::io::ErrorKind::NotFound
                | std::io::ErrorKind::ConnectionRefused
                | std::io::ErrorKind::InvalidInput => Ok(None),
                _ => Err(StoreError::Other(Box::new(error))),
            },
        }
    }

    /// The store's file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn ask(&mut self, request: &Request) -> Result<Reply, StoreError> {
        let reply = self.exchange(request).map_err(|error| StoreError::Other(error.into()))?;
        match reply {
            Reply::Failed(text) => Err(StoreError::Running { text }),
            reply => Ok(reply),
        }
    }

    fn exchange(&mut self, request: &Request) -> std::io::Result<Reply> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        if line.len() as u64 > MOST {
            let text =
                "a body is too large for the store of a receiver that runs: stop that, and it is taken";
            return Ok(Reply::Failed(text.to_owned()));
        }
        self.stream.get_mut().write_all(&line)?;
        let mut answer = Vec::new();
        self.stream.read_until(b'\n', &mut answer)?;
        if answer.is_empty() {
            let text = "the receiver went away before it answered";
            return Err(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, text));
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    fn unexpected() -> StoreError {
        StoreError::Running { text: "an answer to another question, as of another version".to_owned() }
    }
}

impl Store for RunningStore {
    fn append(&mut self, batch: &[Entry]) -> Result<Vec<Append>, StoreError> {
        match self.ask(&Request::Append(batch.iter().map(Sent::of).collect()))? {
            Reply::Appended(pairs) if pairs.len() == batch.len() => {
                let outcome = |(is_new, seq)| {
                    if is_new { Append::Appended { seq } } else { Append::Duplicate { of: seq } }
                };
                Ok(pairs.into_iter().map(outcome).collect())
            }
            _ => Err(Self::unexpected()),
        }
    }

    fn forget(&mut self, what: &Forget) -> Result<Forgotten, StoreError> {
        match self.ask(&Request::Forget(*what))? {
            Reply::Forgotten(forgotten) => Ok(forgotten),
            _ => Err(Self::unexpected()),
        }
    }

    fn give_back(&mut self, pages: u32) -> Result<u64, StoreError> {
        match self.ask(&Request::GiveBack { pages })? {
            Reply::Left(pages) => Ok(pages),
            _ => Err(Self::unexpected()),
        }
    }
}
