use std::time::Duration;

use clap::{Args, ValueEnum};
use piopiy_receiver::Record;

use super::StoreArg;
use super::exit::Failure;
use super::output::{self, Output};

/// Show the newest webhooks of a store
///
/// Quarantined bodies are shown too, by their reason.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    store: StoreArg,
    /// How many of the newest to show
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10)]
    lines: u64,
    /// Go on and show new ones as they come, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// One line for people, or JSON Lines with the webhook as received
    #[arg(long, value_enum, default_value_t = TailFormat::Text)]
    format: TailFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum TailFormat {
    Text,
    Json,
}

/// How often a store is asked for news.
const POLL: Duration = Duration::from_millis(200);

impl Tail {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let records = self.store.open()?;
        let mut output = Output::open(None)?;
        let last = records.last_seq().map_err(Failure::environment)?;
        let mut since = last.saturating_sub(self.lines);
        loop {
            since = output::each(&*records, since, |record| {
                let line = match self.format {
                    TailFormat::Text => text_line(record),
                    TailFormat::Json => output::json_line(record),
                };
                output.write(line.as_bytes())
            })?;
            output.flush()?;
            if !self.follow {
                return output.finish();
            }
            std::thread::sleep(POLL);
        }
    }
}

/// `7  event stream_connected  leg b  c4ec9bd2-efad-4296-aa5b-eeafa6aeeea0`. Control characters are escaped, for what
/// is shown came over the network.
fn text_line(record: &Record) -> String {
    let seq = record.seq;
    let line = match record.webhook().and_then(|webhook| webhook.identity()) {
        Some(identity) => format!(
            "{seq:>8}  {:<5}  {:<20}  leg {}  {}",
            identity.kind().as_str(),
            identity.status(),
            identity.leg().unwrap_or("-"),
            identity.cmiuuid()
        ),
        None => {
            let reason = record.reason.as_deref().unwrap_or("unreadable");
            format!("{seq:>8}  quarantined, {} bytes: {reason}", record.body.len())
        }
    };
    let mut shown: String = line
        .chars()
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    shown.push('\n');
    shown
}
