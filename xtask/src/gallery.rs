//! `cargo xtask gallery`: every check against every flaw of the gallery, and the correct receivers.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use futures_util::StreamExt as _;
use globset::{GlobBuilder, GlobMatcher};
use piopiy_gallery::{CORRECT, flaws};
use piopiy_mock_platform::judge::check::{Check, all};

use self::matrix::{Matrix, Row};
use self::suite::{Part, Suite};

mod matrix;
mod page;
mod suite;

/// What to run, and whether to write.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only the flaws and correct receivers whose name fits
    #[arg(long, value_name = "FLAW-GLOB")]
    only: Option<String>,
    /// Only the checks whose id fits; what others said stays as it is
    #[arg(long, value_name = "CHECK-GLOB")]
    against: Option<String>,
    /// Write nothing: compare what is killed with what is committed
    #[arg(long)]
    check: bool,
    /// Measure every flaw, and not only those that have to do with time, and those that a measuring check has to kill
    #[arg(long)]
    measure_all: bool,
    /// Receivers that are run side by side; what is measured is run alone
    #[arg(long, value_name = "N", default_value_t = 4)]
    jobs: usize,
}

/// Runs the matrix. A receiver that cannot be checked is told at the end: what the others take is not thrown away for it.
///
/// # Errors
/// Where a receiver or the suite does not run, a flaw survives, a correct receiver is found fault with, or, with `--check`,
/// the committed matrix says otherwise.
pub(crate) fn run(options: &Options) -> anyhow::Result<ExitCode> {
    ensure!(options.jobs > 0, "--jobs 0 runs nothing");
    let (flaw_glob, check_glob) = (glob(options.only.as_deref())?, glob(options.against.as_deref())?);
    let names: Vec<&'static str> = names().filter(|name| flaw_glob.is_match(name)).collect();
    let checks: Vec<&'static Check> =
        all().into_iter().filter(|check| check_glob.is_match(check.id)).collect();
    ensure!(!names.is_empty(), "no flaw fits {:?}", options.only);
    ensure!(!checks.is_empty(), "no check fits {:?}", options.against);
    let runtime = tokio::runtime::Runtime::new().context("no runtime can be started")?;
    let (rows, unchecked) = runtime.block_on(rows(&names, &checks, options))?;
    let committed = Matrix::read()?;
    let faults = faults(&rows, &checks);
    let differences = committed.differences(&rows, &checks);
    if options.check {
        tell("differs from what is committed", &differences);
    } else if unchecked.is_empty() {
        let is_whole = options.only.is_none();
        committed.with(rows, &checks, is_whole).write()?;
        println!("{} and {} written", matrix::PATH, page::PATH);
    }
    tell("wrong", &faults);
    tell("not checked to the end (nothing is written; `--only NAME` runs one alone)", &unchecked);
    let is_fine = faults.is_empty() && unchecked.is_empty() && (!options.check || differences.is_empty());
    Ok(if is_fine { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The generated page: its path, and its text.
///
/// # Errors
/// Where the committed matrix cannot be read.
pub(crate) fn page() -> anyhow::Result<(String, String)> {
    Ok((page::PATH.to_owned(), page::text(&Matrix::read()?)))
}

/// Compares the committed matrix with the tables of flaws and checks, without running anything.
///
/// # Errors
/// Where a flaw or a check is not in it, or one that must be killed is not.
pub(crate) fn drift() -> anyhow::Result<String> {
    let matrix = Matrix::read()?;
    let gaps = matrix.gaps();
    if !gaps.is_empty() {
        bail!("{} is behind; run `cargo xtask gallery` and commit:\n  {}", matrix::PATH, gaps.join("\n  "));
    }
    Ok(format!("{} flaws by {} checks in the gallery's matrix", flaws().count(), matrix.checks.len()))
}

/// The correct receivers, and the flaws.
fn names() -> impl Iterator<Item = &'static str> {
    CORRECT.into_iter().chain(flaws().map(|flaw| flaw.name))
}

fn glob(text: Option<&str>) -> anyhow::Result<GlobMatcher> {
    let glob = GlobBuilder::new(text.unwrap_or("*")).case_insensitive(true).build();
    Ok(glob.context("no pattern of names")?.compile_matcher())
}

async fn rows(
    names: &[&'static str],
    checks: &[&'static Check],
    options: &Options,
) -> anyhow::Result<(Vec<Row>, Vec<String>)> {
    let suite = Arc::new(Suite::build(options.measure_all)?);
    let checks: Arc<[&'static Check]> = checks.into();
    let run = |part: Part, at_once: usize| {
        let (suite, checks) = (Arc::clone(&suite), Arc::clone(&checks));
        let runs = names.iter().map(move |&name| {
            let (suite, checks) = (Arc::clone(&suite), Arc::clone(&checks));
            async move {
                let ran = tokio::spawn(async move { suite.run(name, &checks, part).await }).await;
                (name, ran.unwrap_or_else(|panic| Err(panic.into())))
            }
        });
        futures_util::stream::iter(runs).buffer_unordered(at_once).collect::<Vec<_>>()
    };
    let unmeasured = run(Part::Unmeasured, options.jobs).await;
    println!("now what is measured, one receiver at a time");
    let (mut rows, mut unchecked) = (BTreeMap::new(), BTreeMap::new());
    for (name, ran) in unmeasured.into_iter().chain(run(Part::Measured, 1).await) {
        match ran {
            Ok(row) => {
                let row = match rows.remove(name) {
                    Some(other) => Row::and(other, row),
                    None => row,
                };
                rows.insert(name, row);
            }
            Err(error) => {
                unchecked.insert(name, format!("{error:#}"));
            }
        }
    }
    // Of half a row it is not known what survives.
    rows.retain(|name, _| !unchecked.contains_key(name));
    Ok((rows.into_values().collect(), unchecked.into_values().collect()))
}

/// Flaws that survive a check that has to kill them, and correct receivers that are found fault with.
fn faults(rows: &[Row], checks: &[&'static Check]) -> Vec<String> {
    let is_run = |id: &str| checks.iter().any(|check| check.id == id);
    let mut faults = Vec::new();
    for row in rows {
        if let Some(flaw) = flaws().find(|flaw| flaw.name == row.name) {
            let survived = flaw.kills.iter().filter(|id| is_run(id) && !row.is_killed_by(id));
            faults.extend(survived.map(|id| format!("{} survives {id}", flaw.name)));
        } else {
            let found = row.found();
            faults.extend(found.map(|id| format!("{id} finds fault with {}, which is correct", row.name)));
        }
    }
    faults
}

fn tell(what: &str, lines: &[String]) {
    if !lines.is_empty() {
        println!("{what}:\n  {}", lines.join("\n  "));
    }
}
