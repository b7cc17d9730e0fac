use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context as _;
use piopiy_mock_platform::plan::file::{self, PlanHeader};
use piopiy_mock_platform::plan::{PlanOptions, Scenario, Simulator};

use super::exit::{Exit, Failure, OrExit};
use super::target::{PlanArgs, scenario, scenario_help};

/// Write a plan, and deliver nothing: JSON Lines, a header and then a line for each webhook
#[derive(Debug, clap::Args)]
pub(crate) struct PlanCommandArgs {
    #[arg(default_value = "default", value_name = "SCENARIO", help = scenario_help())]
    scenario: String,
    #[command(flatten)]
    plan: PlanArgs,
    /// How many calls
    #[arg(long, value_name = "N", default_value_t = 10, help_heading = "Plan")]
    calls: u64,
    /// The index of the first call
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Plan")]
    first_call: u64,
    /// Only one part of the calls: `0/4` is the first of four
    #[arg(long, value_name = "I/N", help_heading = "Plan")]
    shard: Option<Shard>,
    /// Where the plan is written to; - is standard output
    #[arg(long, short, value_name = "FILE|-", default_value = "-", help_heading = "Output")]
    output: PathBuf,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Shard {
    pub(crate) part: u64,
    pub(crate) parts: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(part, parts)| Some(Self { part: part.parse().ok()?, parts: parts.parse().ok()? }));
        parsed.filter(|shard| shard.part < shard.parts).ok_or_else(|| "write i/n with i below n".to_owned())
    }
}

pub(crate) fn run(args: &PlanCommandArgs) -> Result<Exit, Failure> {
    let scenario = scenario(&args.scenario)?;
    // Without an epoch the same seed and nonce give the same bytes, whenever that is.
    let mut options = args.plan.options_from(PlanOptions::default().epoch_ms);
    options.first_call = args.first_call;
    options.calls = Some(args.calls);
    options.shard = args.shard.map(|shard| (shard.part, shard.parts));
    let (seed, nonce) = (options.seed, options.nonce);
    if args.output == Path::new("-") {
        write(&mut io::stdout().lock(), &scenario, options)?;
    } else {
        write_file(&args.output, &scenario, options)
            .with_context(|| format!("cannot write the plan to {}", args.output.display()))
            .or_exit(Exit::Environment)?;
    }
    writeln!(io::stderr().lock(), "seed {seed}, nonce {nonce}")?;
    Ok(Exit::Fine)
}

/// Written beside the file and then renamed, so that half a plan never has its name.
fn write_file(path: &Path, scenario: &Scenario, options: PlanOptions) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".part");
    write(&mut std::fs::File::create(&unfinished)?, scenario, options)?;
    std::fs::rename(&unfinished, path)
}

fn write(out: &mut impl Write, scenario: &Scenario, options: PlanOptions) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    file::write_header(&mut out, &PlanHeader::new(scenario, &options))?;
    for call in Simulator::new(scenario, options).calls() {
        file::write_call(&mut out, &call)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_that_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/plan.jsonl");
        let scenario = Scenario::builtin("inbound-bridged").unwrap();
        let mut options = PlanOptions::default();
        options.calls = Some(3);
        write_file(&path, &scenario, options.clone()).unwrap();
        let text = std::fs::read(&path).unwrap();
        let reader = file::PlanReader::new("plan.jsonl", &*text).unwrap();
        assert_eq!(reader.header().scenario, "inbound-bridged");
        let webhooks: Vec<_> = reader.flat_map(|call| call.unwrap().webhooks).collect();
        let planned = Simulator::new(&scenario, options);
        assert_eq!(webhooks, planned.calls().flat_map(|call| call.webhooks).collect::<Vec<_>>());
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1,
            "nothing unfinished is left"
        );
    }

    #[test]
    fn values_that_mean_nothing_are_refused() {
        for text in ["", "1", "1/1", "2/1", "a/b", "-1/2"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }
}
