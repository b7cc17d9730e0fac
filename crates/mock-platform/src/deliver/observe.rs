//! What a receiver tells of its effects, line by line, and why it cannot be read.

mod file;
mod salvage;
mod secure;
mod url;

use std::path::PathBuf;
use std::time::Duration;

pub use self::file::{EffectsFile, effects_from_file};
pub(crate) use self::url::{capabilities_at_url, each_from_url};
pub use self::url::{effects_from_url, last_effect_at_url};
use crate::judge::Effect;

/// Why a receiver's effects could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObserveError {
    /// There was no answer.
    #[error("{url} could not be asked for effects")]
    Request {
        /// What was asked.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// There was no answer by TLS.
    #[error("{url} could not be asked for effects")]
    Secure {
        /// What was asked.
        url: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The answer was not 200.
    #[error(
        "{url} answered {status} when asked for effects (is the receiver started with its observe endpoint?)"
    )]
    Status {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
    },
    /// The file could not be read.
    #[error("the effects file {path} could not be read")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no effect record.
    #[error("{place}:{line}: this line is no effect record")]
    Line {
        /// The URL or file.
        place: String,
        /// Which line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// A record does not have a higher `seq` than the one before it.
    #[error("{place}:{line}: `seq` must rise from record to record; here it is {seq}")]
    Order {
        /// The URL or file.
        place: String,
        /// Which line, from 1.
        line: usize,
        /// The `seq` of that line.
        seq: u64,
    },
}

/// How long a receiver may take to go on with its answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Effect records that come in pieces.
#[derive(Debug)]
struct Lines {
    /// The URL or file.
    place: String,
    line: usize,
    last: u64,
    /// What came of the line whose end did not come yet.
    rest: Vec<u8>,
}

impl Lines {
    fn new(place: String, since: u64) -> Self {
        Self { place, line: 0, last: since, rest: Vec::new() }
    }

    fn read(&mut self, piece: &[u8], see: &mut impl FnMut(Effect)) -> Result<(), ObserveError> {
        let mut pieces = piece.split(|&byte| byte == b'\n').peekable();
        while let Some(piece) = pieces.next() {
            self.rest.extend_from_slice(piece);
            if pieces.peek().is_some() {
                self.end(see)?;
            }
        }
        Ok(())
    }

    /// The line is whole.
    fn end(&mut self, see: &mut impl FnMut(Effect)) -> Result<(), ObserveError> {
        let line = std::mem::take(&mut self.rest);
        self.line += 1;
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let place = || self.place.clone();
        // What was stored may be nested deeper than it can be read, or worse: the effect is there all the same.
        let effect: Effect = serde_json::from_slice(&line).or_else(|source| {
            salvage::effect(&line).ok_or_else(|| ObserveError::Line {
                place: place(),
                line: self.line,
                source,
            })
        })?;
        if effect.seq <= self.last {
            return Err(ObserveError::Order { place: place(), line: self.line, seq: effect.seq });
        }
        self.last = effect.seq;
        see(effect);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, place: &str, since: u64) -> Result<Vec<Effect>, ObserveError> {
        let mut whole = Vec::new();
        let mut lines = Lines::new(place.to_owned(), since);
        for byte in text.as_bytes().chunks(1) {
            lines.read(byte, &mut |effect| whole.push(effect))?;
        }
        lines.end(&mut |effect| whole.push(effect))?;
        Ok(whole)
    }

    #[test]
    fn lines_are_read_and_bad_ones_are_told() {
        let fine =
            parse("{\"seq\":3,\"cmiuuid\":\"x\",\"new\":1}\n\n{\"seq\":4,\"quarantined\":true}\n", "f", 2)
                .unwrap();
        assert_eq!(fine.iter().map(|effect| effect.seq).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(
            parse("{\"seq\":2}", "f", 2).unwrap_err().to_string(),
            "f:1: `seq` must rise from record to record; here it is 2"
        );
        assert_eq!(
            parse("{\"seq\":1}\nnonsense", "f", 0).unwrap_err().to_string(),
            "f:2: this line is no effect record"
        );
    }

    #[test]
    fn a_long_file_is_read_in_pieces() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("effects.jsonl");
        let lines = (1..=4_000).map(|seq| format!("{{\"seq\":{seq},\"cmiuuid\":\"{seq:0>30}\"}}\n"));
        std::fs::write(&path, lines.collect::<String>()).unwrap();
        let mut file = EffectsFile::new(&path);
        let (mut seen, mut pieces) = (0, 0);
        while file.some(|_| seen += 1).unwrap() {
            pieces += 1;
            assert!(seen <= pieces * 1_500, "{seen} effects in {pieces} pieces");
        }
        assert!(seen == 4_000 && pieces > 2, "{seen} effects in {pieces} pieces");
    }

    #[test]
    fn fields_that_cannot_be_read_are_left_out() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        let line = format!("{{\"seq\":1,\"cmiuuid\":\"x\",\"fields\":{{\"deep\":{deep}}}}}");
        let effects = parse(&line, "f", 0).unwrap();
        assert_eq!((effects[0].cmiuuid.as_deref(), effects[0].fields.is_none()), (Some("x"), true));
    }

    #[test]
    fn what_was_received_in_place_of_a_text_is_taken_as_it_came() {
        let line = r#"{"seq":1,"cmiuuid":"x","leg":{"is":1},"status":7,"state":null,"quarantined":0}"#;
        let effect = parse(line, "f", 0).unwrap().remove(0);
        assert_eq!((effect.leg.as_deref(), effect.status.as_deref()), (Some(r#"{"is":1}"#), Some("7")));
        assert_eq!((effect.state, effect.quarantined), (None, false));
        assert!(parse(r#"{"seq":1,"quarantined":1}"#, "f", 0).unwrap()[0].quarantined);
        assert!(parse(r#"{"seq":1,"quarantined":"maybe"}"#, "f", 0).is_err());
    }

    #[test]
    fn a_line_that_is_being_written_is_passed_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("effects.jsonl");
        std::fs::write(&path, "{\"seq\":1}\n{\"seq\":2}\n{\"se").unwrap();
        let effects = effects_from_file(&path, 1).unwrap();
        assert_eq!(effects.len(), 1);
        assert_eq!(effects[0].seq, 2);
    }

    #[test]
    fn a_file_is_read_on_from_where_it_was_read_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("effects.jsonl");
        let mut file = EffectsFile::new(&path);
        assert!(matches!(file.more(), Err(ObserveError::File { .. })));
        let mut more = |appended: &str| {
            use std::io::Write;
            let mut out = std::fs::OpenOptions::new().create(true).append(true).open(&path).unwrap();
            out.write_all(appended.as_bytes()).unwrap();
            file.more().map(|effects| effects.iter().map(|effect| effect.seq).collect::<Vec<_>>())
        };
        assert_eq!(more("{\"seq\":1}\n{\"se").unwrap(), [1]);
        assert_eq!(more("q\":2}\n{\"seq\":3}\n").unwrap(), [2, 3]);
        assert!(matches!(more("{\"seq\":3}\n"), Err(ObserveError::Order { line: 4, .. })));
    }
}
