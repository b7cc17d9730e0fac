#[cfg(feature = "parquet")]
mod parquet_file;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::{Args, ValueEnum};
use piopiy_receiver::Record;

use super::StoreArg;
use super::exit::Failure;
use super::output::{self, Output};

/// Write the webhooks of a store as JSON Lines, CSV or Parquet
///
/// JSON Lines hold each webhook as received, every digit of it. CSV has a column for each documented field and one,
/// `webhook`, for the whole. A cell that a spreadsheet would take for a formula (it begins with = + - @ or a tab) gets
/// a ' in front, except where it is a plain number. What was quarantined may be no text: CSV has it as text, for people,
/// and byte for byte in `body_base64`. Parquet has the columns of CSV, without the ', and null where a field is not there;
/// it is in programs that were built with the feature `parquet`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    store: StoreArg,
    /// The format; parquet goes to a file alone
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
    Parquet,
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
        if matches!(self.format, ExportFormat::Parquet) {
            return self.parquet();
        }
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
                ExportFormat::Csv => output.write(&csv_row(cells(record))?),
                _ => output.write(output::json_line(record).as_bytes()),
            }
        })?;
        output.finish()
    }

    #[cfg(not(feature = "parquet"))]
    fn parquet(&self) -> Result<(), Failure> {
        Err(Failure::usage(
            "--format parquet: this program was built without it; build it with `--features parquet`, or take one of a release",
        ))
    }

    #[cfg(feature = "parquet")]
    fn parquet(&self) -> Result<(), Failure> {
        if self.output.as_os_str() == "-" {
            return Err(Failure::usage("--format parquet: give a file with --output FILE"));
        }
        let place = format!("--output {}", self.output.display());
        let failed = |error| parquet_file::failure(&place, error);
        let records = self.store.open()?;
        let mut output = Output::open(Some(&self.output))?;
        let mut file = parquet_file::ParquetFile::begin(output.writer(), &self.columns()).map_err(failed)?;
        output::each(&*records, self.since, |record| {
            if record.reason.is_some() != self.quarantine {
                return Ok(());
            }
            file.row(record.seq, record.received_at, texts(record)).map_err(failed)
        })?;
        file.finish().map_err(failed)?;
        output.finish()
    }

    fn header(&self) -> Vec<String> {
        ["seq", "received_at"].into_iter().chain(self.columns()).map(str::to_owned).collect()
    }

    /// The columns of texts.
    fn columns(&self) -> Vec<&'static str> {
        if self.quarantine {
            return vec!["reason", "body", "body_base64"];
        }
        FIELDS.iter().copied().chain(["webhook"]).collect()
    }
}

fn cells(record: &Record) -> Vec<String> {
    let own = [record.seq.to_string(), record.received_at.to_string()];
    own.into_iter().chain(texts(record).into_iter().map(Option::unwrap_or_default)).collect()
}

/// What stands in the columns of texts. A damaged record that is none any more has its text alone.
fn texts(record: &Record) -> Vec<Option<String>> {
    let text = || String::from_utf8_lossy(&record.body).into_owned();
    if record.reason.is_some() {
        return vec![record.reason.clone(), Some(text()), Some(STANDARD.encode(&record.body))];
    }
    let webhook = record.webhook();
    let field = |key: &&str| webhook.as_ref()?.text(key).map(|text| text.into_owned());
    let whole = webhook.as_ref().map_or_else(text, |webhook| webhook.to_json());
    FIELDS.iter().map(field).chain([Some(whole)]).collect()
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
