use std::io::{self, BufRead};

use piopiy_events::{Evidence, Kind, Profile};

use super::{PlanHeader, Record, SCHEMA, profile_of};
use crate::plan::{PlannedCall, PlannedWebhook};

/// Why a plan file cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanFileError {
    /// Reading failed.
    #[error("{name}:{line}: cannot read the plan file")]
    Io {
        /// The file.
        name: String,
        /// The line, from 1.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// The first line is not the header of a plan.
    #[error("{name}:1: not a plan file of version {SCHEMA}: {reason}")]
    Header {
        /// The file.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A line is not the record of a webhook.
    #[error("{name}:{line}: not the record of a webhook: {reason}")]
    Record {
        /// The file.
        name: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// Reads a plan file, call by call: the lines of one call follow each other. The calls come in the order of the file,
/// which need not be that of their first webhooks: [`Replay`](crate::deliver::Replay) puts them into that order.
#[derive(Debug)]
pub struct PlanReader<R> {
    name: String,
    input: R,
    line: u64,
    text: String,
    header: PlanHeader,
    profile: Profile,
    /// The first webhook of the next call, with its story.
    pending: Option<(PlannedWebhook, String)>,
    failed: bool,
}

impl<R: BufRead> PlanReader<R> {
    /// Reads the header. The name is what errors call the file.
    ///
    /// # Errors
    /// Where the input cannot be read, or does not begin with the header of a plan.
    pub fn new(name: &str, mut input: R) -> Result<Self, PlanFileError> {
        let mut text = String::new();
        let name = name.to_owned();
        if let Err(source) = input.read_line(&mut text) {
            return Err(PlanFileError::Io { name, line: 1, source });
        }
        let header: PlanHeader = match serde_json::from_str(&text) {
            Ok(header) => header,
            Err(source) => return Err(PlanFileError::Header { name, reason: source.to_string() }),
        };
        if header.schema != SCHEMA {
            let reason = format!("its schema is {:?}", header.schema);
            return Err(PlanFileError::Header { name, reason });
        }
        let profile = match profile_of(&header) {
            Ok(profile) => profile,
            Err(reason) => return Err(PlanFileError::Header { name, reason }),
        };
        Ok(Self { name, input, line: 1, text, header, profile, pending: None, failed: false })
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> &PlanHeader {
        &self.header
    }

    /// The next webhook, and the story of its call.
    fn webhook(&mut self) -> Result<Option<(PlannedWebhook, String)>, PlanFileError> {
        loop {
            self.text.clear();
            self.line += 1;
            match self.input.read_line(&mut self.text) {
                Ok(0) => return Ok(None),
                Ok(_) if self.text.trim().is_empty() => {}
                Ok(_) => break,
                Err(source) => {
                    return Err(PlanFileError::Io { name: self.name.clone(), line: self.line, source });
                }
            }
        }
        let webhook = serde_json::from_str(&self.text).map_err(|source| source.to_string()).and_then(planned);
        webhook.map(Some).map_err(|reason| PlanFileError::Record {
            name: self.name.clone(),
            line: self.line,
            reason,
        })
    }

    fn next_call(&mut self) -> Result<Option<PlannedCall>, PlanFileError> {
        let first = match self.pending.take() {
            Some(first) => Some(first),
            None => self.webhook()?,
        };
        let Some((first, story)) = first else { return Ok(None) };
        let index = first.call;
        let mut webhooks = vec![first];
        while let Some((webhook, story)) = self.webhook()? {
            if webhook.call != index {
                self.pending = Some((webhook, story));
                break;
            }
            webhooks.push(webhook);
        }
        Ok(Some(PlannedCall::new(index, self.profile, story.into(), webhooks)))
    }
}

impl<R: BufRead> Iterator for PlanReader<R> {
    type Item = Result<PlannedCall, PlanFileError>;

    /// The next call; nothing follows an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.next_call();
        self.failed = next.is_err();
        next.transpose()
    }
}

fn planned(record: Record) -> Result<(PlannedWebhook, String), String> {
    let kinds = [Kind::LiveEvent, Kind::Cdr];
    let kind = match &record.kind {
        None => None,
        Some(word) => match kinds.into_iter().find(|kind| kind.as_str() == word) {
            Some(kind) => Some(kind),
            None => return Err(format!("kind is {word:?}, neither \"event\" nor \"cdr\"")),
        },
    };
    let levels = [Evidence::Documented, Evidence::Partial, Evidence::Guess];
    let evidence = levels
        .into_iter()
        .find(|level| level.as_str() == record.evidence)
        .ok_or_else(|| format!("evidence is {:?}: not documented, partial or guess", record.evidence))?;
    let body = match (record.body, record.body_hex) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(hex)) => bytes_of(&hex).ok_or("body_hex is not hexadecimal")?,
        _ => return Err("it needs one of body and body_hex".to_owned()),
    };
    let webhook =
        PlannedWebhook::new(record.call, record.seq, record.at_ms, record.name.into(), kind, evidence, body);
    Ok((webhook, record.story))
}

/// Two digits for each byte.
pub(crate) fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.bytes().map(|byte| char::from(byte).to_digit(16)).collect::<Option<Vec<u32>>>()?;
    let pairs = digits.chunks(2).map(|pair| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    });
    pairs.collect()
}
