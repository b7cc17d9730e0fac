//! `cargo xtask bench`: what it costs, measured in interleaved rounds, ratios taken inside a round.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::ValueEnum;

use crate::workspace::{self, Profile};

mod durable;
mod generate;
mod load;
mod machine;
mod parse;
mod report;
mod rounds;

/// What to measure, and for how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only these; all where none is named
    benches: Vec<Bench>,
    /// Fewer and shorter rounds: says whether it works, not how fast it is
    #[arg(long)]
    quick: bool,
    /// Write the results into docs/performance.md, between its markers
    #[arg(long)]
    write: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bench {
    /// A payload's bytes to its typed form, beside a plain serde derive of the same fields
    Parse,
    /// Whole random calls, generated and serialised on one core
    Generate,
    /// Webhooks with fresh ids received durably: how fast, with how many stored, how long at a rate
    Durable,
    /// Of `durable`, how fast: beside the same receiver with its memory store, and beside Express
    DurableRate,
    /// Of `durable`, how long a webhook takes at a rate, beside what the disk takes
    DurablePace,
    /// Of `durable`, with very many stored: how fast, in how much memory; some three minutes
    DurableSize,
    /// Loads at full speed beside other generators, those that are installed of wrk, oha, hey and autocannon; and how exactly a
    /// rate is kept, in how much memory
    Load,
    /// Of `load`, full speed alone
    LoadSpeed,
    /// Of `load`, how exactly a rate is kept
    LoadPace,
    /// Of `load`, a receiver that stalls
    LoadStall,
    /// Of `load`, memory, and planning
    LoadSize,
}

impl Bench {
    /// What is measured where none is named: the others are parts.
    const ALL: [Self; 4] = [Self::Parse, Self::Generate, Self::Durable, Self::Load];

    /// What is measured one after another.
    fn parts(&self) -> &[Self] {
        match self {
            Self::Durable => &[Self::DurableRate, Self::DurablePace, Self::DurableSize],
            Self::Load => &[Self::LoadSpeed, Self::LoadPace, Self::LoadStall, Self::LoadSize],
            part => std::slice::from_ref(part),
        }
    }

    fn measure(self, effort: Effort) -> anyhow::Result<Vec<rounds::Section>> {
        Ok(match self {
            Self::Parse => vec![parse::stream_connected(effort)?, parse::cdr(effort)?],
            Self::Generate => vec![generate::run(effort)],
            Self::DurableRate => vec![durable::rates(effort)?],
            Self::DurablePace => vec![durable::pace(effort.of_stores())?],
            Self::DurableSize => vec![durable::size(effort.of_stores())?],
            Self::LoadSpeed => vec![load::full_speed(effort.of_speeds())?],
            Self::LoadPace => vec![load::pace(effort.of_paces())?],
            Self::LoadStall => vec![load::stall(effort.of_paces())?],
            Self::LoadSize => vec![load::memory(effort.of_paces())?, load::planning(effort.of_paces())?],
            Self::Durable | Self::Load => anyhow::bail!("only its parts are measured"),
        })
    }
}

/// The core that measures and sends.
const OUR_CORE: &str = "0";
/// The core of the receiver.
const RECEIVER_CORE: &str = "1";

/// How long to measure.
#[derive(Debug, Clone, Copy)]
struct Effort {
    rounds: usize,
    /// Iterations of the in-process benches in each round.
    iterations: u64,
    /// Webhooks posted in each round.
    webhooks: usize,
    /// Seconds of each load in each round.
    seconds: u64,
    is_quick: bool,
}

impl Effort {
    /// For what is compared with four others.
    fn of_speeds(self) -> Self {
        Self { rounds: self.rounds.min(5), seconds: self.seconds.min(6), ..self }
    }

    /// For what a store is filled for, or waits for its checkpoints: rounds that are fewer.
    fn of_stores(self) -> Self {
        Self { rounds: self.rounds.min(5), ..self }
    }

    /// For what takes long: rounds that are fewer, and longer.
    fn of_paces(self) -> Self {
        Self { rounds: self.rounds.min(3), seconds: 3 * self.seconds, ..self }
    }
}

/// Measures.
///
/// # Errors
/// Where something does not build or run, or a receiver does not keep what it acknowledged. What misses its goal is told, and is exit code 1.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    if cfg!(debug_assertions) {
        return again_in_release(options);
    }
    let effort = if options.quick {
        Effort { rounds: 3, iterations: 50_000, webhooks: 10_000, seconds: 2, is_quick: true }
    } else {
        Effort { rounds: 9, iterations: 1_000_000, webhooks: 150_000, seconds: 10, is_quick: false }
    };
    let chosen = if options.benches.is_empty() { &Bench::ALL[..] } else { &options.benches };
    let mut report = report::Report::new(&machine::describe());
    let mut missed = Vec::new();
    for part in chosen.iter().flat_map(Bench::parts) {
        for section in part.measure(effort)? {
            println!("{section}");
            report.add(&section);
            missed.extend(section.missed());
        }
        // What was measured stays, whatever becomes of the next.
        if options.write {
            println!("written: {}", report.write()?);
        }
    }
    for goal in &missed {
        println!("missed: {goal}");
    }
    // What was measured so quickly says nothing of goals.
    Ok(if missed.is_empty() || options.quick { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// This very program, built for speed and pinned to one core.
fn again_in_release(options: &Options) -> anyhow::Result<ExitCode> {
    println!("building the release binaries");
    let xtask = workspace::build("xtask", "xtask", Profile::Release)?;
    let mut command = if workspace::works("taskset", &["-c", OUR_CORE, "true"]) {
        let mut taskset = workspace::command("taskset");
        taskset.args(["-c", OUR_CORE]).arg(xtask);
        taskset
    } else {
        println!("not pinned to a core (taskset not found): expect more noise");
        workspace::command(xtask)
    };
    command.arg("bench");
    command.args(
        options.benches.iter().filter_map(|bench| Some(bench.to_possible_value()?.get_name().to_owned())),
    );
    command.args(options.quick.then_some("--quick")).args(options.write.then_some("--write"));
    let status = command.status().context("cannot start the release build of xtask")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
