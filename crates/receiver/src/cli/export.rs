use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use piopiy_receiver::Record;

use super::StoreArg;
use super::exit::Failure;
use super::output::{self, Output};

/// Write the webhooks of a store as JSON Lines or CSV
///
/// JSON Lines hold each webhook as received, every digit of it. CSV has a column for each documented field and one,
/// `webhook`, for the whole. A cell that a spreadsheet would take for a formula (it begins with = + - @ or a tab) gets
/// a ' in front, except where it is a plain number. What was quarantined may be no text: CSV has it as text, for people,
/// and byte for byte in `body_base64`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    store: StoreArg,
    /// The format
    #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
    format: ExportFormat,
    /// Where to write; - is stdout. A file appears once it is whole
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Write what was quarantined, in place of webhooks
    #[arg(long)]
    quarantine: bool,
    /// Only what came after this sequence number
    #[arg(long, value_name = "N", default_value_t = 0)]
    since: u64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExportFormat {
    Jsonl,
    Csv,
}

/// The fields that have a column, in the order of the documentation.
const FIELDS: &[&str] = &[
    "type",
    "status",
    "direction",
    "leg",
    "cmiuuid",
    "conversation_uuid",
    "request_id",
    "appid",
    "from",
    "to",
    "callerid",
    "time",
    "start_time",
    "answer_time",
    "end_time",
    "duration",
    "call_rate",
    "balance",
    "extra_params",
    "ws_status",
];

impl Export {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let records = self.store.open()?;
        let mut output = Output::open(Some(&self.output))?;
        if matches!(self.format, ExportFormat::Csv) {
            output.write(&csv_row(self.header())?)?;
        }
        output::each(&*records, self.since, |record| {
            if record.reason.is_some() != self.quarantine {
                return Ok(());
            }
            match self.format {
                ExportFormat::Jsonl => output.write(output::json_line(record).as_bytes()),
                ExportFormat::Csv => output.write(&csv_row(self.cells(record))?),
            }
        })?;
        output.finish()
    }

    fn header(&self) -> Vec<String> {
        let own = ["seq", "received_at"];
        let rest: &[&str] = if self.quarantine { &["reason", "body", "body_base64"] } else { FIELDS };
        let whole = (!self.quarantine).then_some("webhook");
        own.iter().chain(rest).copied().chain(whole).map(str::to_owned).collect()
    }

    fn cells(&self, record: &Record) -> Vec<String> {
        let mut cells = vec![record.seq.to_string(), record.received_at.to_string()];
        match record.webhook() {
            Some(webhook) => {
                let fields = FIELDS.iter().map(|key| webhook.text(key).unwrap_or_default().into_owned());
                cells.extend(fields);
                cells.push(webhook.to_json());
            }
            None => {
                cells.push(record.reason.clone().unwrap_or_default());
                cells.push(String::from_utf8_lossy(&record.body).into_owned());
                cells.push(STANDARD.encode(&record.body));
            }
        }
        cells
    }
}

fn csv_row(cells: Vec<String>) -> Result<Vec<u8>, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(cells.into_iter().map(disarm)).map_err(Failure::internal)?;
    writer.into_inner().map_err(|error| Failure::internal(error.into_error()))
}

/// Keeps a spreadsheet from running a cell.
fn disarm(cell: String) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let is_number =
        || cell.strip_prefix('-').is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'.'));
    if is_formula && !is_number() { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_disarmed() {
        let check = |cell: &str, expected: &str| assert_eq!(disarm(cell.to_owned()), expected);
        check("=HYPERLINK(\"http://x\")", "'=HYPERLINK(\"http://x\")");
        check("+447700900123", "'+447700900123");
        check("@SUM(A1)", "'@SUM(A1)");
        check("-1+1", "'-1+1");
        check("\t=1", "'\t=1");
        check("-12.5", "-12.5");
        check("447700900123", "447700900123");
        check("", "");
    }
}
