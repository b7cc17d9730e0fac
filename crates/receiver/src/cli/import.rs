use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher as _, Hash as _, RandomState};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use piopiy_events::{Limits, Webhook};
use piopiy_receiver::{Append, Entry, Records, Store};
use serde::Deserialize;
use serde_json::value::RawValue;
use siphasher::sip128::{Hasher128 as _, SipHasher13};

use super::StoreArg;
use super::exit::Failure;
use super::output::{self, LINE_SCHEMA, Output};

/// Take webhooks into a store that `export` wrote as JSON Lines
///
/// With --quarantine's lines, too. What the store has is not taken twice, so it can be done again after a failure. They
/// come behind what the store has, with the time at which they were received first. A forwarder delivers them as any others.
///
/// A receiver that runs on the store takes them in by itself, between two batches of its own.
#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    store: StoreArg,
    /// The file; - is stdin
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

/// Entries in one commit.
const BATCH: usize = 500;
/// Bytes of bodies in one commit.
const BATCH_BYTES: usize = 1 << 20;

/// From 1970 to 9999, in microseconds since the epoch: what can be shown and reckoned with.
const RECEIVED: std::ops::Range<i64> = 0..253_402_300_800_000_000;

/// A line of `export` or of `tail --format json`.
#[derive(Debug, Deserialize)]
struct Line<'a> {
    /// Lines of the time before there was one have none, and are the same.
    schema: Option<String>,
    received_at: i64,
    #[serde(borrow)]
    webhook: Option<&'a RawValue>,
    reason: Option<String>,
    body: Option<String>,
    body_base64: Option<String>,
}

impl Import {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (mut lines, place) = open(&self.file)?;
        let mut target = Target::open(&self.store)?;
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let read = lines.read_until(b'\n', &mut line);
            read.with_context(|| format!("cannot read {place}")).map_err(Failure::environment)?;
            if line.is_empty() {
                break;
            }
            if line.trim_ascii().is_empty() {
                continue;
            }
            match entry(&line) {
                Ok(entry) => target.take(entry)?,
                Err(reason) => {
                    target.flush()?;
                    let before = target.new + target.known;
                    return Err(Failure::usage(format!(
                        "{place}, line {number}: {reason}; what stands before it ({before}) is in the store: mend the line and import the file again"
                    )));
                }
            }
        }
        target.flush()?;
        let mut output = Output::open(None)?;
        output.write(format!("{} new, {} known\n", target.new, target.known).as_bytes())?;
        output.finish()
    }
}

fn open(file: &Path) -> Result<(Box<dyn BufRead>, String), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(std::io::stdin().lock()), "stdin".to_owned()));
    }
    let place = file.display().to_string();
    let opened =
        File::open(file).with_context(|| format!("cannot read {place}")).map_err(Failure::environment)?;
    Ok((Box::new(BufReader::new(opened)), place))
}

/// What a line holds, or why it holds nothing.
fn entry(line: &[u8]) -> Result<Entry, String> {
    let line: Line<'_> =
        serde_json::from_slice(line).map_err(|error| format!("no line of an export: {error}"))?;
    if let Some(schema) = line.schema.filter(|schema| schema != LINE_SCHEMA) {
        return Err(format!(
            "`schema` is `{schema}`, and this program reads `{LINE_SCHEMA}`: use a newer program"
        ));
    }
    if !RECEIVED.contains(&line.received_at) {
        return Err(format!(
            "`received_at` is {}, expected microseconds since the epoch, before the year 10000",
            line.received_at
        ));
    }
    if let Some(webhook) = line.webhook {
        // The raw value: another reading of it could cost a digit.
        let body = webhook.get();
        let webhook =
            Webhook::parse_within(body.as_bytes(), &Limits::NONE).map_err(|error| error.to_string())?;
        let identity = webhook.identity().ok_or("`webhook` is neither a live event nor a CDR")?;
        return Ok(Entry::webhook(&identity, body.to_owned().into(), line.received_at));
    }
    let reason = line.reason.ok_or("it has neither a `webhook` nor a `reason`")?;
    let body = match (line.body, line.body_base64) {
        (Some(text), None) => text.into_bytes(),
        (None, Some(text)) => STANDARD.decode(&text).map_err(|error| format!("`body_base64`: {error}"))?,
        _ => return Err("what was quarantined has a `body` or a `body_base64`".to_owned()),
    };
    Ok(Entry::quarantined(reason, body.into(), line.received_at))
}

/// The store, and what waits for it.
struct Target<'a> {
    place: &'a StoreArg,
    store: Box<dyn Store>,
    /// What the store has; it is read for the first line that asks.
    quarantined: Option<Quarantined>,
    batch: Vec<Entry>,
    bytes: usize,
    new: u64,
    known: u64,
}

impl<'a> Target<'a> {
    fn open(place: &'a StoreArg) -> Result<Self, Failure> {
        let store = place.open_to_write()?;
        Ok(Self { place, store, quarantined: None, batch: Vec::new(), bytes: 0, new: 0, known: 0 })
    }

    fn take(&mut self, entry: Entry) -> Result<(), Failure> {
        if let Some(reason) = entry.reason() {
            let known = match &mut self.quarantined {
                Some(known) => known,
                none => none.insert(Quarantined::of(&*self.place.open()?)?),
            };
            if !known.note(entry.received_at(), reason, entry.body()) {
                self.known += 1;
                return Ok(());
            }
        }
        self.bytes += entry.body().len();
        self.batch.push(entry);
        if self.batch.len() >= BATCH || self.bytes >= BATCH_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let outcomes = self.store.append(&self.batch).map_err(Failure::environment)?;
        let new = outcomes.iter().filter(|outcome| matches!(outcome, Append::Appended { .. })).count();
        self.new += new as u64;
        self.known += (outcomes.len() - new) as u64;
        self.batch.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// What was quarantined has no identity: it is told by when it came, why, and what it is, of which a hash is kept, for
/// bodies may be large and many.
struct Quarantined {
    hashes: HashSet<u128>,
    /// Nobody who sends bodies knows it.
    key: (u64, u64),
}

impl Quarantined {
    fn of(records: &dyn Records) -> Result<Self, Failure> {
        let secret = |salt: u8| RandomState::new().hash_one(salt);
        let mut found = Self { hashes: HashSet::new(), key: (secret(0), secret(1)) };
        output::each(records, 0, |record| {
            if let Some(reason) = &record.reason {
                found.note(record.received_at, reason, &record.body);
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Whether it is new.
    fn note(&mut self, received_at: i64, reason: &str, body: &[u8]) -> bool {
        let mut hasher = SipHasher13::new_with_keys(self.key.0, self.key.1);
        (received_at, reason, body).hash(&mut hasher);
        self.hashes.insert(hasher.finish128().as_u128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_webhook_keeps_every_digit() {
        let line = br#"{"seq":1,"received_at":7,"kind":"cdr","webhook":{"cmiuuid":"x","leg":"a","status":"missed","duration":0,"n":9007199254740993.10}}"#;
        let entry = entry(line).unwrap();
        assert_eq!(entry.received_at(), 7);
        assert!(entry.body().ends_with(b"\"n\":9007199254740993.10}"), "{:?}", entry.body());
        assert_eq!(entry.identity(), Some(r#"["cdr","x","a","missed",null]"#));
    }

    #[test]
    fn what_was_quarantined_comes_back_byte_for_byte() {
        let check = |line: &str, body: &[u8]| {
            let entry = entry(line.as_bytes()).unwrap();
            assert_eq!((entry.reason(), &entry.body()[..]), (Some("not JSON"), body), "{line}");
        };
        check(r#"{"seq":1,"received_at":7,"reason":"not JSON","body":"=1+1"}"#, b"=1+1");
        check(r#"{"seq":1,"received_at":7,"reason":"not JSON","body_base64":"/w=="}"#, b"\xFF");
        check(
            r#"{"schema":"piopiy-receiver.record/v1","seq":1,"received_at":7,"reason":"not JSON","body":"x"}"#,
            b"x",
        );
    }

    #[test]
    fn what_is_no_line_is_told() {
        for line in [
            "x",
            "{}",
            r#"{"received_at":7}"#,
            r#"{"received_at":7,"webhook":{"a":1}}"#,
            r#"{"received_at":7,"reason":"not JSON"}"#,
            r#"{"schema":"piopiy-receiver.record/v2","received_at":7,"reason":"not JSON","body":"x"}"#,
            r#"{"received_at":7,"reason":"not JSON","body_base64":"%"}"#,
            r#"{"received_at":-1,"reason":"not JSON","body":"x"}"#,
            r#"{"received_at":253402300800000000,"reason":"not JSON","body":"x"}"#,
            r#"{"received_at":9223372036854775807,"webhook":{"cmiuuid":"x","leg":"a","status":"missed","duration":0}}"#,
            r#"{"received_at":"7","webhook":{"cmiuuid":"x","leg":"a","status":"missed","duration":0}}"#,
        ] {
            assert!(entry(line.as_bytes()).is_err(), "{line}");
        }
    }
}
