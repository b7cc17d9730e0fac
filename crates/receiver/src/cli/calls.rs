use std::collections::{BTreeMap, BTreeSet};

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use piopiy_events::{Calls as CallsFold, Kind, Phase, Webhook};
use piopiy_receiver::Record;

use super::StoreArg;
use super::exit::Failure;
use super::instant::{instant, shown};
use super::output::{self, Output, printable};

/// Show the calls of a store, and where each stands
///
/// The webhooks of a call are folded into its state, whatever the order they came in. All conditions must hold. Times are UTC.
#[derive(Debug, Args)]
pub(crate) struct Calls {
    #[command(flatten)]
    store: StoreArg,
    /// A table for people, or JSON Lines
    #[arg(long, value_enum, default_value_t = CallsFormat::Table)]
    format: CallsFormat,
    /// As --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Calls of which the first webhook was received since: 2026-11-28, 2026-11-28T12:00:00Z, seconds since the epoch, or 24h
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<i64>,
    /// Calls of which the first webhook was received before
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<i64>,
    /// Calls that have a webhook of this status, such as answered or stream_connected (may be repeated: of any of them)
    #[arg(long, value_name = "STATUS")]
    status: Vec<String>,
    /// Calls that are in this state (may be repeated: in any of them)
    #[arg(long, value_name = "STATE", value_parser = states())]
    state: Vec<String>,
    /// The last so many
    #[arg(short = 'n', long, value_name = "N")]
    last: Option<usize>,
}

fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(Phase::ALL.map(Phase::as_str))
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum CallsFormat {
    Table,
    Json,
}

/// What is shown of a call besides its state.
#[derive(Debug, Clone)]
struct Summary {
    first_seq: u64,
    /// When its first webhook was received, and its last, in microseconds since the epoch.
    received: (i64, i64),
    direction: Option<String>,
    /// Talk time of leg a, in seconds, from its CDR.
    duration: Option<String>,
}

impl Calls {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let records = self.store.open()?;
        let mut fold = CallsFold::default();
        let mut legs: BTreeMap<String, Summary> = BTreeMap::new();
        output::each(&*records, 0, |record| {
            if let Some(webhook) = record.webhook() {
                fold.apply(&webhook);
                note_leg(&mut legs, record, &webhook);
            }
            Ok(())
        })?;
        let mut rows: Vec<Row> =
            fold.states().iter().map(|(key, state)| Row::of(key, state, &legs)).collect();
        rows.retain(|row| self.fits(row));
        rows.sort_by_key(|row| row.first_seq);
        if let Some(last) = self.last {
            rows.drain(..rows.len().saturating_sub(last));
        }
        let mut output = Output::open(None)?;
        let format = if self.json { CallsFormat::Json } else { self.format };
        match format {
            CallsFormat::Table => output.write(table(&rows).as_bytes())?,
            CallsFormat::Json => {
                for row in &rows {
                    output.write(row.json().as_bytes())?;
                }
            }
        }
        output.finish()
    }

    fn fits(&self, row: &Row) -> bool {
        let began = row.received.0;
        let is_any = |wanted: &[String], has: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|wanted| has(wanted))
        };
        self.since.is_none_or(|since| began >= since)
            && self.until.is_none_or(|until| began < until)
            && is_any(&self.status, &|status| row.statuses.contains(status))
            && is_any(&self.state, &|state| row.phase == state)
    }
}

/// Notes what the webhook says about its leg.
fn note_leg(legs: &mut BTreeMap<String, Summary>, record: &Record, webhook: &Webhook) {
    let Some(identity) = webhook.identity() else {
        return;
    };
    let summary = legs.entry(identity.cmiuuid().to_owned()).or_insert_with(|| Summary {
        first_seq: record.seq,
        received: (record.received_at, record.received_at),
        direction: None,
        duration: None,
    });
    let (first, last) = summary.received;
    summary.received = (first.min(record.received_at), last.max(record.received_at));
    if identity.leg() == Some("b") {
        return;
    }
    let text = |key| webhook.text(key).map(std::borrow::Cow::into_owned);
    summary.direction = summary.direction.take().or_else(|| text("direction"));
    if identity.kind() == Kind::Cdr {
        summary.duration = summary.duration.take().or_else(|| text("duration"));
    }
}

/// A call as it is shown.
struct Row {
    first_seq: u64,
    call: String,
    phase: &'static str,
    direction: Option<String>,
    duration: Option<String>,
    events: usize,
    cdrs: usize,
    received: (i64, i64),
    statuses: BTreeSet<String>,
}

impl Row {
    fn of(key: &str, state: &piopiy_events::CallState, legs: &BTreeMap<String, Summary>) -> Self {
        let summaries = || state.seen().filter_map(|identity| legs.get(identity.cmiuuid()));
        let cdrs = state.seen().filter(|identity| identity.kind() == Kind::Cdr).count();
        Self {
            first_seq: summaries().map(|leg| leg.first_seq).min().unwrap_or_default(),
            call: key.to_owned(),
            phase: state.phase().as_str(),
            direction: summaries().find_map(|leg| leg.direction.clone()),
            duration: summaries().find_map(|leg| leg.duration.clone()),
            events: state.seen().len() - cdrs,
            cdrs,
            received: (
                summaries().map(|leg| leg.received.0).min().unwrap_or_default(),
                summaries().map(|leg| leg.received.1).max().unwrap_or_default(),
            ),
            statuses: state.seen().map(|identity| identity.status().to_owned()).collect(),
        }
    }

    fn json(&self) -> String {
        let row = serde_json::json!({
            "call": self.call, "state": self.phase, "direction": self.direction, "duration": self.duration,
            "events": self.events, "cdrs": self.cdrs, "first_seq": self.first_seq,
            "first_received_at": self.received.0, "last_received_at": self.received.1, "statuses": self.statuses,
        });
        format!("{row}\n")
    }
}

/// The calls in columns. Texts that came over the network are shown without control characters.
fn table(rows: &[Row]) -> String {
    let mut cells = vec![
        ["CALL", "STATE", "DIRECTION", "DURATION", "EVENTS", "CDRS", "FIRST RECEIVED"].map(str::to_owned),
    ];
    cells.extend(rows.iter().map(|row| {
        [
            printable(&row.call),
            row.phase.to_owned(),
            row.direction.as_deref().map_or("-".to_owned(), printable),
            row.duration.as_deref().map_or("-".to_owned(), |seconds| format!("{} s", printable(seconds))),
            row.events.to_string(),
            row.cdrs.to_string(),
            shown(row.received.0),
        ]
    }));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..7).map(width).collect();
    let line = |row: &[String; 7]| {
        let padded: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut text: String = cells.iter().map(line).collect();
    text.push_str(&format!("{} calls\n", rows.len()));
    text
}
