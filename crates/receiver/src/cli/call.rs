use std::collections::BTreeSet;

use clap::Args;
use piopiy_events::{Calls, Kind, Webhook};
use piopiy_receiver::{Record, Records};

use super::StoreArg;
use super::exit::Failure;
use super::instant::shown;
use super::output::{self, Output, printable};

/// Show one call: its webhooks as a ladder, a rung for each, a lane for each leg
///
/// In the order in which they were stored. Times are UTC, those of later rungs since the first.
#[derive(Debug, Args)]
pub(crate) struct Call {
    /// The call: its conversation_uuid, or the cmiuuid of a leg
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    store: StoreArg,
    /// The webhooks as received, as JSON Lines
    #[arg(long)]
    json: bool,
}

/// A webhook, and its record.
type Rung = (Record, Webhook);

impl Call {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let records = self.store.open()?;
        let rungs = rungs(&*records, &self.id)?;
        if rungs.is_empty() {
            return Err(Failure::Negative(format!(
                "no call `{}` in {}: `piopiy-receiver calls` lists those that there are",
                printable(&self.id),
                self.store.store
            )));
        }
        let mut output = Output::open(None)?;
        if self.json {
            for (record, _) in &rungs {
                output.write(output::json_line(record).as_bytes())?;
            }
        } else {
            output.write(ladder(&self.id, &rungs).as_bytes())?;
        }
        output.finish()
    }
}

/// Where the webhooks of a call are in the store. Its legs share a `conversation_uuid`, and stream events have a `cmiuuid`
/// alone, so names lead to more names: the store is read until there are no new ones.
pub(super) fn seqs_of_call(records: &dyn Records, id: &str) -> Result<BTreeSet<u64>, Failure> {
    let mut names = BTreeSet::from([id.to_owned()]);
    loop {
        let known = names.len();
        let mut seqs = BTreeSet::new();
        output::each(records, 0, |record| {
            let Some(webhook) = record.webhook() else { return Ok(()) };
            let of_this: Vec<String> = names_of(&webhook);
            if of_this.iter().any(|name| names.contains(name)) {
                names.extend(of_this);
                seqs.insert(record.seq);
            }
            Ok(())
        })?;
        if names.len() == known {
            return Ok(seqs);
        }
    }
}

/// The webhooks of a call.
fn rungs(records: &dyn Records, id: &str) -> Result<Vec<Rung>, Failure> {
    let mut rungs = Vec::new();
    for seq in seqs_of_call(records, id)? {
        let page = records.page(seq.saturating_sub(1), 1, 0).map_err(Failure::environment)?;
        // One that was forgotten meanwhile has another in its place.
        let found = page.into_iter().find(|record| record.seq == seq);
        rungs.extend(found.and_then(|record| record.webhook().map(|webhook| (record, webhook))));
    }
    Ok(rungs)
}

fn names_of(webhook: &Webhook) -> Vec<String> {
    let text = |key| webhook.text(key).filter(|text| !text.is_empty()).map(std::borrow::Cow::into_owned);
    ["cmiuuid", "conversation_uuid"].into_iter().filter_map(text).collect()
}

const EVENT: &str = "●";
const CDR: &str = "■";
const LANE: &str = "│";

/// ```text
/// call two: ended_answered, outbound, 3 events, 1 CDR
///                            seq  leg a             leg b
/// 2023-11-14 22:13:20.000      2  ● out_started     │
///                  +0.000      4  │                 ● out_bridged
/// ```
fn ladder(id: &str, rungs: &[Rung]) -> String {
    let mut calls = Calls::default();
    let mut lanes: Vec<String> = Vec::new();
    for (_, webhook) in rungs {
        calls.apply(webhook);
        let lane = lane_of(webhook);
        if !lanes.contains(&lane) {
            lanes.push(lane);
        }
    }
    lanes.sort();
    let labels: Vec<String> = rungs.iter().map(|(_, webhook)| label(webhook)).collect();
    let width = |lane: &String| {
        let own = rungs.iter().zip(&labels).filter(|((_, webhook), _)| lane_of(webhook) == *lane);
        own.map(|(_, label)| label.chars().count()).chain([lane.chars().count()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = lanes.iter().map(width).collect();

    let mut text = title(id, &calls, rungs);
    let heads: Vec<String> =
        lanes.iter().zip(&widths).map(|(lane, &width)| format!("{lane:<width$}")).collect();
    text.push_str(format!("{:<23}  {:>8}  {}", "received", "seq", heads.join("  ")).trim_end());
    text.push('\n');
    let began = rungs.first().map_or(0, |(record, _)| record.received_at);
    for (index, ((record, webhook), label)) in rungs.iter().zip(&labels).enumerate() {
        let at = if index == 0 { shown(began) } else { since(record.received_at.saturating_sub(began)) };
        let own = lane_of(webhook);
        let cells: Vec<String> = lanes
            .iter()
            .zip(&widths)
            .map(|(lane, &width)| format!("{:<width$}", if *lane == own { label.as_str() } else { LANE }))
            .collect();
        text.push_str(format!("{at:>23}  {:>8}  {}", record.seq, cells.join("  ")).trim_end());
        text.push('\n');
    }
    text
}

fn title(id: &str, calls: &Calls, rungs: &[Rung]) -> String {
    let key = rungs.iter().find_map(|(_, webhook)| calls.call_of(webhook));
    let key = key.unwrap_or_else(|| id.to_owned());
    let mut parts = Vec::new();
    parts.extend(calls.phase(&key).map(|phase| phase.as_str().to_owned()));
    parts
        .extend(rungs.iter().find_map(|(_, webhook)| webhook.text("direction")).map(|text| printable(&text)));
    let cdrs = rungs.iter().filter(|(_, webhook)| webhook.kind() == Some(Kind::Cdr)).count();
    let count = |number: usize, of: &str| format!("{number} {of}{}", if number == 1 { "" } else { "s" });
    parts.push(count(rungs.len() - cdrs, "event"));
    parts.push(count(cdrs, "CDR"));
    format!("call {}: {}\n", printable(&key), parts.join(", "))
}

fn lane_of(webhook: &Webhook) -> String {
    webhook.text("leg").map_or_else(|| "no leg".to_owned(), |leg| format!("leg {}", printable(&leg)))
}

/// What a rung says: the status, and of a CDR how long the call was.
fn label(webhook: &Webhook) -> String {
    let status = webhook.text("status").map(|status| printable(&status)).unwrap_or_default();
    if webhook.kind() != Some(Kind::Cdr) {
        return format!("{EVENT} {status}");
    }
    let duration = webhook.text("duration").map(|seconds| format!(", {} s", printable(&seconds)));
    format!("{CDR} CDR {status}{}", duration.unwrap_or_default())
}

/// `+63.100`; a clock may have been set back.
fn since(micros: i64) -> String {
    let sign = if micros < 0 { '-' } else { '+' };
    let millis = micros.unsigned_abs() / 1000;
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}
