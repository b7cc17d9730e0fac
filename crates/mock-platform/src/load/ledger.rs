//! What became of each webhook of a load: a line of JSON each, behind one that says of what run.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::Value;

use super::source::{COPY, Due};
use super::tally::End;

/// What a thread writes at once.
const BLOCK: usize = 64 * 1024;
/// So many blocks may wait for the disk, over all threads; then threads wait for it too, and are seen to be late.
const BLOCKS: usize = 64;
/// No line is longer.
const LINE: usize = 256;

/// The file, and who writes it: a thread of its own, since a disk may take its time.
pub(super) struct Ledger {
    file: File,
    blocks: Receiver<Vec<u8>>,
    sender: SyncSender<Vec<u8>>,
}

/// The side of a thread that sends. Lines are in the order in which its webhooks ended.
pub(super) struct LedgerPart {
    block: Vec<u8>,
    sender: SyncSender<Vec<u8>>,
}

impl Ledger {
    /// Begins a file with what there is to say of the run.
    pub(super) fn create(path: &Path, run: &Value) -> io::Result<Self> {
        let mut file = File::create(path)?;
        writeln!(file, "{run}")?;
        let (sender, blocks) = sync_channel(BLOCKS);
        Ok(Self { file, blocks, sender })
    }

    pub(super) fn part(&self) -> LedgerPart {
        LedgerPart { block: Vec::with_capacity(BLOCK), sender: self.sender.clone() }
    }

    /// Writes what the parts have, until they are gone.
    pub(super) fn write(self) -> io::Result<()> {
        let Self { mut file, blocks, sender } = self;
        drop(sender);
        blocks.iter().try_for_each(|block| file.write_all(&block))
    }
}

impl LedgerPart {
    /// A webhook has ended.
    pub(super) fn ended(&mut self, due: Due, sent_ns: Option<u64>, ended_ns: u64, end: End) {
        self.begin(due);
        if let Some(sent_ns) = sent_ns {
            self.number(",\"sent_ns\":", sent_ns);
        }
        self.number(",\"ended_ns\":", ended_ns);
        match end {
            End::Answered(answer) => self.number(",\"status\":", u64::from(answer.status)),
            End::NoConnection => self.text(",\"error\":\"no_connection\""),
            End::TimedOut => self.text(",\"error\":\"timeout\""),
            End::Reset => self.text(",\"error\":\"reset\""),
            End::NoHttp => self.text(",\"error\":\"protocol_error\""),
        }
        self.end();
    }

    /// A webhook was never sent.
    pub(super) fn dropped(&mut self, due: Due) {
        self.begin(due);
        self.text(",\"error\":\"dropped\"");
        self.end();
    }

    fn begin(&mut self, due: Due) {
        self.number("{\"call\":", due.call);
        self.number(",\"webhook\":", u64::from(due.webhook));
        self.number(",\"planned_ns\":", due.at_ns);
        match due.attempt {
            0 => {}
            COPY => self.text(",\"copy\":true"),
            attempt => self.number(",\"attempt\":", u64::from(attempt)),
        }
    }

    fn end(&mut self) {
        self.text("}\n");
        if self.block.len() > BLOCK - LINE {
            let block = std::mem::replace(&mut self.block, Vec::with_capacity(BLOCK));
            // Where nobody writes any more, that is told as the error that it was.
            let _ = self.sender.send(block);
        }
    }

    fn number(&mut self, name: &str, number: u64) {
        self.text(name);
        self.text(itoa::Buffer::new().format(number));
    }

    fn text(&mut self, text: &str) {
        self.block.extend_from_slice(text.as_bytes());
    }
}

impl Drop for LedgerPart {
    fn drop(&mut self) {
        let _ = self.sender.send(std::mem::take(&mut self.block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::answer::Answer;

    const DUE: Due = Due { at_ns: 500, call: 7, webhook: 1, starts_at_ms: 0, attempt: 0, marks: 0 };

    #[test]
    fn a_line_has_what_there_is_to_tell() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.jsonl");
        let ledger = Ledger::create(&path, &Value::from("head")).unwrap();
        let mut part = ledger.part();
        part.ended(DUE, Some(600), 900, End::Answered(Answer { status: 204, keeps: true }));
        part.ended(DUE, None, 900, End::NoConnection);
        part.dropped(DUE);
        part.dropped(Due { attempt: 2, ..DUE });
        part.dropped(Due { attempt: COPY, ..DUE });
        drop(part);
        ledger.write().unwrap();
        let expected = "\"head\"\n\
            {\"call\":7,\"webhook\":1,\"planned_ns\":500,\"sent_ns\":600,\"ended_ns\":900,\"status\":204}\n\
            {\"call\":7,\"webhook\":1,\"planned_ns\":500,\"ended_ns\":900,\"error\":\"no_connection\"}\n\
            {\"call\":7,\"webhook\":1,\"planned_ns\":500,\"error\":\"dropped\"}\n\
            {\"call\":7,\"webhook\":1,\"planned_ns\":500,\"attempt\":2,\"error\":\"dropped\"}\n\
            {\"call\":7,\"webhook\":1,\"planned_ns\":500,\"copy\":true,\"error\":\"dropped\"}\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
    }

    #[test]
    fn nobody_waits_for_a_disk_that_takes_no_more() {
        let (sender, blocks) = sync_channel(BLOCKS);
        // What was opened to be read cannot be written.
        let file = File::open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).unwrap();
        let ledger = Ledger { file, blocks, sender };
        let mut part = ledger.part();
        let sending = std::thread::spawn(move || {
            (0..3 * BLOCKS * BLOCK / 60).for_each(|_| part.dropped(DUE));
        });
        assert!(ledger.write().is_err());
        sending.join().unwrap();
    }
}
