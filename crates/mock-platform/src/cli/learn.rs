use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use piopiy_mock_platform::judge::learn::{Capture, Learned, learn};

use super::exit::{Exit, Failure, OrExit};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # What a receiver has kept of the real platform
  piopiy-receiver export | piopiy-mock learn -
  # What a browser or a proxy has recorded
  piopiy-mock learn capture.har

Exit codes:
    0  nothing is new
    1  something is
    2  a file is nothing that is known, with its line
    3  a file cannot be read";

/// Say what captured webhooks have that the model has never produced, with all numbers masked
#[derive(Debug, Args)]
pub(crate) struct LearnArgs {
    /// JSON Lines of bodies, a HAR, or an export of piopiy-receiver; - is stdin
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &LearnArgs) -> Result<Exit, Failure> {
    let mut captures = Vec::with_capacity(args.files.len());
    for file in &args.files {
        let place = if file.as_os_str() == "-" { "stdin".to_owned() } else { file.display().to_string() };
        let text = if file.as_os_str() == "-" {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(file)
        };
        let text = text
            .map_err(|error| anyhow::anyhow!("{place} cannot be read: {error}"))
            .or_exit(Exit::Environment)?;
        captures.push(Capture::parse(&place, &text).or_exit(Exit::Usage)?);
    }
    let learned = learn(&captures);
    let text =
        if args.json { format!("{}\n", serde_json::to_string_pretty(&learned)?) } else { told(&learned) };
    std::io::stdout().lock().write_all(text.as_bytes())?;
    Ok(if learned.new.is_empty() { Exit::Fine } else { Exit::Failed })
}

fn told(learned: &Learned) -> String {
    let mut text = String::new();
    for counted in &learned.new {
        let novelty = &counted.novelty;
        let field = novelty.field.as_ref().map(|field| format!(" `{field}`:")).unwrap_or_default();
        text.push_str(&format!(
            "{:<8} {:<24}{field} {} ({} times, first at {})\n",
            novelty.what, novelty.within, novelty.found, counted.count, counted.first
        ));
    }
    let new = learned.new.len();
    text.push_str(&format!(
        "{} webhooks, {new} things that the model has never produced\n",
        learned.webhooks
    ));
    text
}
