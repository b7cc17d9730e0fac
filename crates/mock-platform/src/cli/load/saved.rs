use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use piopiy_mock_platform::load::{LoadComparison, LoadReport, Threshold, Tolerance, Tolerances, merge};

use super::actions;
use super::sinks::{SinkArgs, print};
use crate::cli::check::sinks::{unwritable, write_whole};
use crate::cli::duration;
use crate::cli::exit::{Exit, Failure, OrExit};

pub(crate) const COMPARE: &str = "\
Examples:
  # What a change did to p99; exit code 1 where it is worse by more than a tenth, and not by chance
  piopiy-mock load compare before.json after.json
  # Three runs a side, for runs differ among each other; and other bounds
  piopiy-mock load compare b1.json,b2.json,b3.json a1.json,a2.json,a3.json --tolerate p99=25% --tolerate p999=50%

Exit codes:
    0  nothing is worse by more than is tolerated, as far as can be told from chance
    1  a figure is worse
    2  the command line, or a file that it names, is wrong, or the loads are not alike
    4  inconclusive: a run was so itself, was stopped, or is too short";

pub(crate) const MERGE: &str = "\
Examples:
  # Four processes sent a quarter each
  piopiy-mock load merge shard-0.json shard-1.json shard-2.json shard-3.json --report html=load.html --assert 'p99<500ms'

Exit codes are those of `load`.";

/// Compare two loads, or several of each: what is worse, and whether that may be chance
///
/// A figure is worse where it is so by more than is tolerated, and in 97 of 100 samples of the runs' own seconds, too. One machine
/// on one day tells of itself: keep what you compare with from the same kind of machine.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The reports from before (`load --report json=FILE`), several with commas between them
    #[arg(required = true, value_name = "BEFORE", value_delimiter = ',', num_args = 1)]
    before: Vec<PathBuf>,
    /// The reports from after
    #[arg(required = true, value_name = "AFTER", value_delimiter = ',', num_args = 1)]
    after: Vec<PathBuf>,
    /// How much worse a figure may be, such as p99=25%; may be given several times [default: p50, p90 and p99 10%,
    /// rate 5%, errors 0.1%, lost and duplicated 0%]
    #[arg(long, value_name = "FIGURE=PERCENT")]
    tolerate: Vec<Tolerance>,
    /// Times that differ by no more than this are the same
    #[arg(long, value_name = "DURATION", default_value = "0.2ms", value_parser = duration::parse)]
    floor: std::time::Duration,
    /// Write what has changed, as KIND=PATH, `-` for stdout; may be given several times. Kinds: json, markdown, text
    #[arg(long, value_name = "KIND=PATH", value_parser = sink)]
    report: Vec<Sink>,
}

/// Join the reports of all shards of one load: counts are summed up, histograms bucket by bucket
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// The reports of the shards (`load --shard i/n --report json=FILE`)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// What has to hold of the whole, such as 'p99<500ms'; may be given several times
    #[arg(long, value_name = "THRESHOLD", help_heading = "Verdict")]
    assert: Vec<Threshold>,
    #[command(flatten)]
    sinks: SinkArgs,
}

#[derive(Debug, Clone)]
struct Sink {
    render: fn(&LoadComparison) -> String,
    path: Option<PathBuf>,
}

impl Sink {
    fn write(&self, comparison: &LoadComparison) -> Result<(), Failure> {
        let text = (self.render)(comparison);
        match &self.path {
            None => print(&text),
            Some(path) => {
                write_whole(path, &text).map_err(|error| unwritable(&path.display().to_string(), &error))
            }
        }
    }
}

pub(super) fn compare(args: &CompareArgs) -> Result<Exit, Failure> {
    let read = |paths: &[PathBuf]| paths.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>();
    let mut tolerances = Tolerances::default();
    tolerances.set_floor(args.floor);
    args.tolerate.iter().for_each(|tolerance| tolerances.tolerate(tolerance));
    let comparison = LoadComparison::of(&read(&args.before)?, &read(&args.after)?, &tolerances);
    let comparison = comparison.or_exit(Exit::Usage)?;
    let written = args.report.iter().map(|sink| sink.write(&comparison)).fold(Ok(()), Result::and);
    if !args.report.iter().any(|sink| sink.path.is_none()) {
        print(&comparison.text())?;
    }
    written?;
    actions::tell(&comparison.annotations(), &comparison.markdown(), &comparison.outputs());
    Ok(match () {
        () if comparison.inconclusive.is_some() => Exit::Inconclusive,
        () if comparison.regressions().next().is_some() => Exit::Failed,
        () => Exit::Fine,
    })
}

pub(super) fn join(args: &MergeArgs) -> Result<Exit, Failure> {
    args.sinks.check_saved()?;
    args.sinks.begin()?;
    let reports = args.files.iter().map(|path| read(path)).collect::<Result<Vec<_>, _>>()?;
    let mut report = merge(&reports).or_exit(Exit::Usage)?;
    report.judge(&args.assert);
    super::outcome::finish(&report, &args.sinks)
}

fn read(path: &Path) -> Result<LoadReport, Failure> {
    let place = path.display();
    let text =
        std::fs::read_to_string(path).map_err(|error| anyhow!("the report {place} cannot be read: {error}"));
    let report = LoadReport::parse(&text.or_exit(Exit::Usage)?);
    report
        .map_err(|error| anyhow::Error::new(error).context(format!("{place} cannot be used")))
        .or_exit(Exit::Usage)
}

fn sink(text: &str) -> Result<Sink, String> {
    let (kind, path) = text
        .split_once('=')
        .filter(|(_, path)| !path.is_empty())
        .ok_or_else(|| "write it like markdown=changes.md; kinds: json, markdown, text".to_owned())?;
    let render = match kind {
        "json" => json,
        "markdown" => LoadComparison::markdown,
        "text" => LoadComparison::text,
        _ => return Err(format!("there is no kind {kind:?}; kinds: json, markdown, text")),
    };
    Ok(Sink { render, path: (path != "-").then(|| path.into()) })
}

fn json(comparison: &LoadComparison) -> String {
    // Numbers and texts: nothing that could not be written.
    serde_json::to_string_pretty(comparison).unwrap_or_default() + "\n"
}
