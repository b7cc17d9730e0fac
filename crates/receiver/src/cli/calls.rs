use std::collections::BTreeMap;

use clap::{Args, ValueEnum};
use piopiy_events::{Calls as CallsFold, Kind, Webhook};
use piopiy_receiver::Record;

use super::StoreArg;
use super::exit::Failure;
use super::output::{self, Output};

/// Show the calls of a store, and where each stands
///
/// The webhooks of a call are folded into its state, whatever the order they came in.
#[derive(Debug, Args)]
pub(crate) struct Calls {
    #[command(flatten)]
    store: StoreArg,
    /// A table for people, or JSON Lines
    #[arg(long, value_enum, default_value_t = CallsFormat::Table)]
    format: CallsFormat,
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
    direction: Option<String>,
    /// Talk time of leg a, in seconds, from its CDR.
    duration: Option<String>,
}

impl Calls {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let records = self.store.open()?;
        let mut fold = CallsFold::default();
        let mut legs: BTreeMap<String, Summary> = BTreeMap::new();
        output::each(&records, 0, |record| {
            if let Some(webhook) = record.webhook() {
                fold.apply(&webhook);
                note_leg(&mut legs, record, &webhook);
            }
            Ok(())
        })?;
        let mut rows: Vec<Row> =
            fold.states().iter().map(|(key, state)| Row::of(key, state, &legs)).collect();
        rows.sort_by_key(|row| row.first_seq);
        let mut output = Output::open(None)?;
        match self.format {
            CallsFormat::Table => output.write(table(&rows).as_bytes())?,
            CallsFormat::Json => {
                for row in &rows {
                    output.write(row.json().as_bytes())?;
                }
            }
        }
        output.finish()
    }
}

/// Notes what the webhook says about its leg.
fn note_leg(legs: &mut BTreeMap<String, Summary>, record: &Record, webhook: &Webhook) {
    let Some(identity) = webhook.identity() else {
        return;
    };
    let summary = legs.entry(identity.cmiuuid().to_owned()).or_insert_with(|| Summary {
        first_seq: record.seq,
        direction: None,
        duration: None,
    });
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
        }
    }

    fn json(&self) -> String {
        let row = serde_json::json!({
            "call": self.call, "state": self.phase, "direction": self.direction, "duration": self.duration,
            "events": self.events, "cdrs": self.cdrs, "first_seq": self.first_seq,
        });
        format!("{row}\n")
    }
}

/// The calls in columns. Texts that came over the network are shown without control characters.
fn table(rows: &[Row]) -> String {
    let mut cells = vec![["CALL", "STATE", "DIRECTION", "DURATION", "EVENTS", "CDRS"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| {
        [
            printable(&row.call),
            row.phase.to_owned(),
            row.direction.as_deref().map_or("-".to_owned(), printable),
            row.duration.as_deref().map_or("-".to_owned(), |seconds| format!("{} s", printable(seconds))),
            row.events.to_string(),
            row.cdrs.to_string(),
        ]
    }));
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or_default();
    let widths: Vec<usize> = (0..6).map(width).collect();
    let line = |row: &[String; 6]| {
        let padded: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut text: String = cells.iter().map(line).collect();
    text.push_str(&format!("{} calls\n", rows.len()));
    text
}

fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}
