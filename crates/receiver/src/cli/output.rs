//! Where a command's data goes, and how records are shown.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use piopiy_receiver::{Record, Records};

use super::exit::Failure;

/// Records read at a time.
const PAGE: usize = 1000;

/// Stdout or a file; a file appears under its name only once it is whole.
pub(crate) struct Output {
    to: Box<dyn Write>,
    place: String,
    /// The file that is written, and the name that it gets.
    file: Option<(PathBuf, PathBuf)>,
}

impl Output {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path.filter(|path| *path != Path::new("-")) else {
            let stdout = io::stdout();
            let to: Box<dyn Write> = if stdout.is_terminal() {
                Box::new(stdout)
            } else {
                Box::new(BufWriter::with_capacity(1 << 16, stdout))
            };
            return Ok(Self { to, place: "stdout".to_owned(), file: None });
        };
        let mut partial = path.as_os_str().to_owned();
        partial.push(".part");
        let partial = PathBuf::from(partial);
        let place = format!("--output {}", path.display());
        let file = File::create(&partial).map_err(|error| Failure::write(&place, error))?;
        Ok(Self {
            to: Box::new(BufWriter::with_capacity(1 << 16, file)),
            place,
            file: Some((partial, path.to_owned())),
        })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.to.write_all(bytes).map_err(|error| Failure::write(&self.place, error))
    }

    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.to.flush().map_err(|error| Failure::write(&self.place, error))
    }

    /// Writes out what is buffered, and gives a file its name.
    pub(crate) fn finish(mut self) -> Result<(), Failure> {
        self.flush()?;
        match &self.file {
            Some((partial, path)) => {
                std::fs::rename(partial, path).map_err(|error| Failure::write(&self.place, error))
            }
            None => Ok(()),
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
        let page = records.after(since, PAGE).map_err(Failure::environment)?;
        let Some(last) = page.last() else {
            return Ok(since);
        };
        since = last.seq;
        for record in &page {
            visit(record)?;
        }
    }
}

/// A record as one line of JSON: `seq`, `received_at` (microseconds since the epoch), then `kind` and `webhook` as
/// received, or `reason` and `body` as text, and as base 64 where it is no UTF-8.
pub(crate) fn json_line(record: &Record) -> String {
    use base64::Engine as _;
    let Record { seq, received_at, .. } = record;
    let head = format!("{{\"seq\":{seq},\"received_at\":{received_at}");
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
