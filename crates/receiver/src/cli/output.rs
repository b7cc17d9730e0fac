//! Where a command's data goes, and how records are shown.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use piopiy_receiver::{Record, Records};

use super::exit::Failure;

/// Records read at a time.
const PAGE: usize = 1000;
/// Bytes of bodies read at a time.
const PAGE_BYTES: usize = 1 << 20;

/// Records hold phone numbers.
const OWNER_ONLY: u32 = 0o600;

/// Stdout or a file; a file appears under its name only once it is whole. What is no regular file (a pipe, a device) is
/// written to as it is, and stays.
pub(crate) struct Output {
    to: Box<dyn Write + Send>,
    place: String,
    partial: Option<Partial>,
}

/// A file that is not whole yet. Dropped, it is removed.
struct Partial {
    path: PathBuf,
    /// Whoever deletes what was written down here wants it to be on the disk.
    file: File,
    /// The name that it gets.
    name: PathBuf,
    is_whole: bool,
}

impl Output {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            let stdout = io::stdout();
            let to: Box<dyn Write + Send> = if stdout.is_terminal() {
                Box::new(stdout)
            } else {
                Box::new(BufWriter::with_capacity(1 << 16, stdout))
            };
            return Ok(Self { to, place: "stdout".to_owned(), partial: None });
        };
        let place = format!("--output {}", path.display());
        let (file, partial) = open_file(path).map_err(|error| Failure::write(&place, error))?;
        Ok(Self { to: Box::new(BufWriter::with_capacity(1 << 16, file)), place, partial })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes).map_err(|error| Failure::write(&self.place, error))
    }

    /// For what writes by itself. Its failures do not name the place.
    #[cfg(feature = "parquet")]
    pub(crate) fn writer(&mut self) -> &mut (dyn Write + Send) {
        &mut *self.to
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|error| Failure::write(&self.place, error))
    }

    /// Writes out what is buffered, and gives a file its name.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush()?;
        match self.partial.take() {
            Some(partial) => partial.finish().map_err(|error| Failure::write(&self.place, error)),
            None => Ok(()),
        }
    }
}

/// The file to write to, and, where it is not the one that was named, what is to become of it.
fn open_file(path: &Path) -> io::Result<(File, Option<Partial>)> {
    match std::fs::metadata(path) {
        // A link stays, and the file that it leads to is replaced.
        Ok(found) if found.is_file() => Partial::create(path.canonicalize()?, Some(found.permissions())),
        // A pipe or a device.
        Ok(_) => Ok((File::options().write(true).open(path)?, None)),
        // A link that leads to where no file is yet.
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_symlink() => {
            Ok((File::options().write(true).create(true).truncate(true).mode(OWNER_ONLY).open(path)?, None))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Partial::create(path.to_owned(), None),
        Err(error) => Err(error),
    }
}

impl Partial {
    fn create(name: PathBuf, permissions: Option<Permissions>) -> io::Result<(File, Option<Self>)> {
        let mut path = name.as_os_str().to_owned();
        path.push(".part");
        let path = PathBuf::from(path);
        // One that a killed run left behind, or that someone put there.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = File::options().write(true).create_new(true).mode(OWNER_ONLY).open(&path)?;
        let partial = Self { path, file: file.try_clone()?, name, is_whole: false };
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        Ok((file, Some(partial)))
    }

    fn finish(mut self) -> io::Result<()> {
        self.file.sync_all()?;
        std::fs::rename(&self.path, &self.name)?;
        self.is_whole = true;
        let folder = self.name.parent().filter(|folder| !folder.as_os_str().is_empty());
        match File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()) {
            // Not every folder may be read, and not every file system writes one down when asked.
            Err(error)
                if !matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidInput) =>
            {
                Err(error)
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.is_whole {
            // The failure that led here is what is told.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Visits every record after `since`; returns the `seq` of the last.
pub(crate) fn each(
    records: &dyn Records,
    mut since: u64,
    mut visit: impl FnMut(&Record) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    loop {
        let page = records.page(since, PAGE, PAGE_BYTES).map_err(Failure::environment)?;
        let Some(last) = page.last() else {
            return Ok(since);
        };
        since = last.seq;
        for record in &page {
            visit(record)?;
        }
    }
}

/// What a line says of itself, so that whoever reads it later knows what it is.
pub(crate) const LINE_SCHEMA: &str = "piopiy-receiver.record/v1";

/// A record as one line of JSON: `schema`, `seq`, `received_at` (microseconds since the epoch), then `kind` and `webhook` as
/// received, or `reason` and `body` as text, and as base 64 where it is no UTF-8.
pub(crate) fn json_line(record: &Record) -> String {
    use base64::Engine as _;
    let Record { seq, received_at, .. } = record;
    let head = format!("{{\"schema\":\"{LINE_SCHEMA}\",\"seq\":{seq},\"received_at\":{received_at}");
    if let Some(webhook) = record.webhook() {
        let kind = webhook.kind().map_or("unknown", piopiy_events::Kind::as_str);
        // White space between tokens may hold line breaks; inside strings JSON allows none.
        let json = webhook.to_json().replace(['\n', '\r'], " ");
        return format!("{head},\"kind\":\"{kind}\",\"webhook\":{json}}}\n");
    }
    let reason = serde_json::Value::from(record.reason.as_deref().unwrap_or("unreadable"));
    match std::str::from_utf8(&record.body) {
        Ok(text) => format!("{head},\"reason\":{reason},\"body\":{}}}\n", serde_json::Value::from(text)),
        Err(_) => {
            let body = base64::engine::general_purpose::STANDARD.encode(&record.body);
            format!("{head},\"reason\":{reason},\"body_base64\":\"{body}\"}}\n")
        }
    }
}

/// A text that came over the network, without control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
