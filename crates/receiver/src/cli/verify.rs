use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;

use clap::Args;
use piopiy_events::{Limits, Webhook};
use piopiy_receiver::{
    DestinationStatus, ForwardError, ForwardState, Record, Records, SqliteRecords, StoreError, StoreFault,
    StoreLocation,
};

use super::StoreArg;
use super::exit::Failure;
use super::forward_state::ForwardStateArg;
use super::output::{self, Output};

/// Look whether a store is whole
///
/// Every record is read: whether one is missing, whether its body is what it is stored as, whether one webhook is there
/// twice. Of an SQLite store the file itself and the index that knows repeats are looked at, too, and of a forwarder's
/// state, beside it or where --forward-state says, whether it is of this store and the store still has what each
/// destination has had last. Exit code 1 says that something is wrong; each fault is a line.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    store: StoreArg,
    #[command(flatten)]
    state: ForwardStateArg,
    /// Each fault as a line of JSON, with the record's `seq` where it is about one
    #[arg(long)]
    json: bool,
}

/// Where the faults go.
struct Findings {
    output: Output,
    json: bool,
    count: u64,
    failure: Option<Failure>,
}

impl Verify {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut findings = Findings { output: Output::open(None)?, json: self.json, count: 0, failure: None };
        // Before all records are read: a file that was named and is not there is told at once.
        let forwarding = match self.forwarding() {
            Err(failure @ Failure::Usage(_)) => return Err(failure),
            found => found,
        };
        let seen = match &self.store.store {
            StoreLocation::Sqlite(path) => look_at_file(path, &mut findings)?,
            _ => Some(look(&*self.store.open()?, &mut findings)?),
        };
        if seen.is_some()
            && let Some(state) = forwarding?
        {
            let records = self.store.open()?;
            match state.check_store(&*records) {
                Err(ForwardError::OtherStore { .. }) => {
                    let text = "the forwarder's state is of another store";
                    findings.tell(&StoreFault::new(None, text.to_owned()));
                }
                checked => {
                    checked.map_err(Failure::environment)?;
                    look_at_forwarding(&state, &*records, &mut findings)?;
                }
            }
        }
        let count = findings.finish()?;
        if count > 0 {
            let faults = if count == 1 { "fault" } else { "faults" };
            return Err(Failure::Negative(format!(
                "{count} {faults} in {}: docs/operating.md says what to do about them",
                self.store.store
            )));
        }
        let seen = seen.unwrap_or_default();
        super::logging::say(&format!(
            "{} is whole: {} webhooks and {} quarantined bodies, records {} to {}",
            self.store.store, seen.webhooks, seen.quarantined, seen.first, seen.last
        ));
        Ok(())
    }

    /// The forwarder's state, where there is one.
    fn forwarding(&self) -> Result<Option<ForwardState>, Failure> {
        let Some(path) = self.state.found(&self.store.store)? else {
            return Ok(None);
        };
        ForwardState::open_to_read(path).map(Some).map_err(Failure::environment)
    }
}

/// Whether the store still has what each destination has had last. How far each is has to be read first: a forwarder that
/// runs has had nothing then that the store is without.
fn look_at_forwarding(
    state: &ForwardState,
    records: &dyn Records,
    findings: &mut Findings,
) -> Result<(), Failure> {
    for DestinationStatus { name, read_through, .. } in state.status().map_err(Failure::environment)? {
        match state.has_store_gone_back(&name, records) {
            Ok(true) => {}
            // Somebody removed it just now.
            Ok(false) | Err(ForwardError::NoDestination { .. }) => continue,
            Err(error) => return Err(Failure::environment(error)),
        }
        let last_seq = records.last_seq().map_err(Failure::environment)?;
        let has = if last_seq < read_through {
            format!("the store ends at {last_seq}")
        } else {
            "the store has another there".to_owned()
        };
        let text = format!(
            "destination `{name}` has had record {read_through}, and {has}: it is older than the forwarder's state"
        );
        findings.tell(&StoreFault::new(None, text));
    }
    Ok(())
}

impl Findings {
    fn tell(&mut self, fault: &StoreFault) {
        self.count += 1;
        let line = if self.json {
            format!("{}\n", serde_json::json!({ "seq": fault.seq, "fault": fault.text }))
        } else {
            format!("{}\n", output::printable(&fault.to_string()))
        };
        if let Err(failure) = self.output.write(line.as_bytes()) {
            self.failure.get_or_insert(failure);
        }
    }

    fn finish(self) -> Result<u64, Failure> {
        match self.failure {
            Some(failure) => Err(failure),
            None => self.output.finish().map(|()| self.count),
        }
    }
}

/// What was looked at.
#[derive(Debug, Default)]
struct Seen {
    first: u64,
    last: u64,
    webhooks: u64,
    quarantined: u64,
}

/// Looks at an SQLite store; what was seen of its records, unless the file is damaged.
fn look_at_file(path: &Path, findings: &mut Findings) -> Result<Option<Seen>, Failure> {
    let records = match SqliteRecords::open(path) {
        Err(error @ StoreError::Damaged { .. }) => {
            findings.tell(&StoreFault::new(None, error.chain()));
            return Ok(None);
        }
        opened => opened.map_err(Failure::environment)?,
    };
    // A receiver may write, and forget, meanwhile.
    records.freeze().map_err(Failure::environment)?;
    let is_sound = records.verify(&mut |fault| findings.tell(&fault)).map_err(Failure::environment)?;
    if is_sound { look(&records, findings).map(Some) } else { Ok(None) }
}

/// Reads every record.
fn look(records: &dyn Records, findings: &mut Findings) -> Result<Seen, Failure> {
    let mut seen = Seen::default();
    // 16 bytes for each webhook; the records themselves are read again where two hashes are the same.
    let hashes = RandomState::new();
    let mut index: Vec<(u64, u64)> = Vec::new();
    output::each(records, 0, |record| {
        let expected = seen.last + 1;
        // Those before the first may have been forgotten.
        if seen.last > 0 && record.seq != expected {
            let text = format!("the records from {expected} to {} are missing", record.seq - 1);
            findings.tell(&StoreFault::new(Some(record.seq), text));
        }
        if seen.first == 0 {
            seen.first = record.seq;
        }
        seen.last = record.seq;
        if record.reason.is_some() {
            seen.quarantined += 1;
            return Ok(());
        }
        seen.webhooks += 1;
        match identity(record) {
            Ok(key) => index.push((hashes.hash_one(&key), record.seq)),
            Err(reason) => {
                let text = format!("it is stored as a webhook, and is none: {reason}");
                findings.tell(&StoreFault::new(Some(record.seq), text));
            }
        }
        Ok(())
    })?;
    index.sort_unstable();
    for pair in index.windows(2) {
        let [(first, earlier), (second, later)] = [pair[0], pair[1]];
        if first == second && key_of(records, earlier)? == key_of(records, later)? {
            let text = format!("the same webhook as record {earlier}");
            findings.tell(&StoreFault::new(Some(later), text));
        }
    }
    Ok(seen)
}

fn identity(record: &Record) -> Result<String, String> {
    let webhook = Webhook::parse_within(&record.body, &Limits::NONE).map_err(|error| error.to_string())?;
    webhook
        .identity()
        .map(|identity| identity.key())
        .ok_or_else(|| "neither a live event nor a CDR".to_owned())
}

fn key_of(records: &dyn Records, seq: u64) -> Result<Option<String>, Failure> {
    let page = records.page(seq - 1, 1, 0).map_err(Failure::environment)?;
    Ok(page.first().and_then(|record| identity(record).ok()))
}
