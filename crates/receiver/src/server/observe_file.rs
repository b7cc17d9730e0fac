//! What the receiver did, appended to a file: one effect record per line, for a suite that reads it meanwhile.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::observe::{Observer, Step};
use crate::StoreError;

/// How often the store is asked for news.
const POLL: Duration = Duration::from_millis(20);

/// A file of effect records that follows a store.
#[derive(Debug)]
pub(super) struct ObserveFile {
    path: PathBuf,
    file: File,
    /// Its length up to the end of its last whole line.
    length: u64,
    /// The `seq` of that line.
    since: u64,
}

impl ObserveFile {
    /// Opens it, or makes it. What is in it of the same store stays, and a line that was not written to its end is
    /// written again.
    pub(super) fn open(path: &Path, last_seq: u64) -> io::Result<Self> {
        let told = |error: io::Error| {
            io::Error::new(error.kind(), format!("the observe file {}: {error}", path.display()))
        };
        // Effects hold phone numbers.
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(told)?;
        let (length, since) = last_line(&mut file).map_err(told)?;
        if since > last_seq {
            let text = format!(
                "it tells of effect {since}, and the store has {last_seq}: it is of another store; remove it"
            );
            return Err(told(io::Error::new(io::ErrorKind::InvalidInput, text)));
        }
        Ok(Self { path: path.to_owned(), file, length, since })
    }

    /// Appends what the store has, again and again, and once more after `stop`.
    pub(super) async fn follow(mut self, observer: Observer, stop: CancellationToken) {
        let mut is_well = true;
        loop {
            let is_last = stop.is_cancelled();
            let observer = observer.clone();
            let written = tokio::task::spawn_blocking(move || {
                let written = self.catch_up(&observer);
                (self, written)
            });
            let Ok((file, written)) = written.await else { return };
            self = file;
            // Once, and not fifty times a second.
            if let Err(error) = &written
                && is_well
            {
                tracing::warn!(path = %self.path.display(), %error, "the observe file cannot be written");
            }
            is_well = written.is_ok();
            if is_last {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    fn catch_up(&mut self, observer: &Observer) -> Result<(), StoreError> {
        loop {
            match observer.step(self.since)? {
                Step::Page(lines, last) => {
                    self.append(&lines).map_err(|error| StoreError::Other(Box::new(error)))?;
                    self.since = last;
                }
                Step::Behind => {}
                Step::End => return Ok(()),
            }
        }
    }

    fn append(&mut self, lines: &str) -> io::Result<()> {
        // What an earlier try wrote of it is written over.
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.write_all(lines.as_bytes())?;
        self.length += lines.len() as u64;
        Ok(())
    }
}

/// Where the last whole line ends, and its `seq`; 0 and 0 for none.
fn last_line(file: &mut File) -> io::Result<(u64, u64)> {
    #[derive(Deserialize)]
    struct Numbered {
        seq: u64,
    }
    let mut reader = BufReader::new(file);
    let (mut length, mut number, mut line, mut last) = (0, 0_u64, Vec::new(), Vec::new());
    while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        length += line.len() as u64;
        number += 1;
        std::mem::swap(&mut line, &mut last);
        line.clear();
    }
    if last.is_empty() {
        return Ok((length, 0));
    }
    let numbered: Numbered = serde_json::from_slice(&last).map_err(|error| {
        let text = format!("line {number} is no effect record ({error}): give another file, or remove it");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    })?;
    Ok((length, numbered.seq))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, last_seq: u64, expected: Result<(u64, u64), &str>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("effects.jsonl");
        std::fs::write(&path, text).unwrap();
        match (ObserveFile::open(&path, last_seq), expected) {
            (Ok(file), Ok(expected)) => assert_eq!((file.length, file.since), expected, "{text:?}"),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{text:?}: {error}"),
            (found, _) => panic!("{text:?}: {found:?}"),
        }
    }

    #[test]
    fn a_file_that_it_makes_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("effects.jsonl");
        ObserveFile::open(&path, 0).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        // What somebody made for it stays as they made it.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        ObserveFile::open(&path, 0).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn a_file_is_gone_on_with_after_its_last_whole_line() {
        check("", 0, Ok((0, 0)));
        check("{\"seq\":1}\n{\"seq\":4,\"x\":[]}\n", 4, Ok((27, 4)));
        check("{\"seq\":1}\n{\"se", 4, Ok((10, 1)));
        check("{\"seq\":5}\n", 4, Err("it tells of effect 5, and the store has 4"));
        check("{\"seq\":1}\nhello\n", 4, Err("line 2 is no effect record"));
    }

    #[test]
    fn what_was_half_written_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("effects.jsonl");
        std::fs::write(&path, "{\"seq\":1}\n{\"seq\":2,\"field").unwrap();
        let mut file = ObserveFile::open(&path, 9).unwrap();
        file.append("{\"seq\":2}\n").unwrap();
        file.append("{\"seq\":3}\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{\"seq\":1}\n{\"seq\":2}\n{\"seq\":3}\n");
    }
}
