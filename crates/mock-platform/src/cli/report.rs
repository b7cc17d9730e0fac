//! `report`: saved reports in other forms, or several side by side.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use piopiy_mock_platform::judge::report::{CheckReport, Comparison, Human, Reporter, SCHEMA};

use super::check::screen::ScreenArgs;
use super::check::sinks::SinkArgs;
use super::exit::{Exit, Failure, OrExit};

pub(crate) const EXAMPLES: &str = "\
Examples:
  # A page from a saved report
  piopiy-mock report check.json --report html=check.html
  # What has changed between two runs
  piopiy-mock report before.json after.json
  piopiy-mock report before.json after.json --report html=changes.html";

/// Show reports that `check --report json=FILE` has saved; several are compared
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// The saved reports
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    sinks: SinkArgs,
    #[command(flatten)]
    screen: ScreenArgs,
}

pub(crate) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    args.sinks.check()?;
    let labels = labels(&args.files);
    let mut reports = Vec::new();
    for (path, label) in args.files.iter().zip(labels) {
        reports.push((label, read(path).or_exit(Exit::Usage)?));
    }
    let stdout = std::io::stdout();
    match reports.as_slice() {
        [(_, report)] if args.sinks.is_empty() => {
            let text = Human.render_styled(report, &args.screen.style(&stdout));
            stdout.lock().write_all(text.as_bytes())?;
        }
        [(_, report)] => args.sinks.write(report)?,
        several => {
            let comparison = Comparison::of(several);
            if args.sinks.is_empty() {
                let text = Human.compare(&comparison).unwrap_or_default();
                stdout.lock().write_all(text.as_bytes())?;
            } else {
                args.sinks.write_comparison(&comparison)?;
            }
        }
    }
    Ok(Exit::Fine)
}

fn read(path: &Path) -> anyhow::Result<CheckReport> {
    let place = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| anyhow!("the report {place} cannot be read: {error}"))?;
    let document: serde_json::Value = serde_json::from_str(&text)
        .map_err(|error| anyhow!("{place}:{}: this is no JSON: {error}", error.line()))?;
    match document["schema"].as_str() {
        Some(SCHEMA) => {}
        Some(other) => return Err(anyhow!("{place}: /schema is {other:?}, and not {SCHEMA:?}")),
        None => return Err(anyhow!("{place}: this is no report of `piopiy-mock check --report json=FILE`")),
    }
    serde_json::from_str(&text).map_err(|error| anyhow!("{place}:{}: {error}", error.line()))
}

/// What the runs are called: the names of their files where those differ, else their paths.
fn labels(files: &[PathBuf]) -> Vec<String> {
    let names: Vec<String> = files
        .iter()
        .map(|path| path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned())
        .collect();
    if names.iter().collect::<BTreeSet<_>>().len() == names.len() {
        names
    } else {
        files.iter().map(|path| path.display().to_string()).collect()
    }
}
