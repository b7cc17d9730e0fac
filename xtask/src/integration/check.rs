//! `piopiy-mock check` on `piopiy-receiver`, as two programs: nothing is found, on each way to see effects, and in time.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::judge::check::{Severity, Verdict};
use piopiy_mock_platform::judge::report::CheckReport;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::timeout;

use super::World;
use crate::receivers::{Durable, Kept};
use crate::{traffic, workspace};

/// How effects are seen: the rungs of the observe protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observation {
    /// By the answers alone.
    Answers,
    /// By a command that counts.
    Count,
    /// By a file.
    File,
    /// By a URL.
    Url,
    /// By a URL, of a receiver that the suite starts and kills.
    Command,
}

impl Observation {
    pub(super) const ALL: [Self; 5] = [Self::Answers, Self::Count, Self::File, Self::Url, Self::Command];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Count => "verify-cmd",
            Self::File => "observe-file",
            Self::Url => "observe-url",
            Self::Command => "command",
        }
    }
}

/// How many seeds a rung is run with, and where everything is run.
const SEEDS: u64 = 1;
const SOAK_SEEDS: u64 = 20;
/// How long a run may take before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(1_200);
/// What a user waits for at most: the default selection, and `--all`.
const DEFAULT_LIMIT: Duration = Duration::from_secs(20);
const ALL_LIMIT: Duration = Duration::from_secs(120);

/// Runs with several seeds find nothing.
///
/// # Errors
/// Where a check finds something, or breaks.
pub(super) async fn clean(world: &World, observation: Observation) -> anyhow::Result<String> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let seeds = if world.soak { SOAK_SEEDS } else { SEEDS };
    let (mut passed, mut inconclusive) = (0, Vec::new());
    for turn in 0..seeds {
        let seed = world.seed.wrapping_add(turn);
        let report = run(&mock, &world.durable, observation, &["--seed", &seed.to_string()]).await?.report;
        passed = report.summary.passed;
        inconclusive.extend(nothing_found(&report).with_context(|| format!("seed {seed}"))?);
    }
    let doubts = if inconclusive.is_empty() {
        String::new()
    } else {
        format!(", inconclusive: {}", inconclusive.join(" "))
    };
    Ok(format!("{seeds} runs, {passed} checks passed in the last{doubts}"))
}

/// The receiver on PostgreSQL, started and killed by the suite: nothing is found there either.
///
/// # Errors
/// Where a check finds something, or breaks, or the server does not start.
pub(super) async fn on_postgres(world: &World) -> anyhow::Result<String> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let server = piopiy_postgres::Postgres::start(&[])?;
    let store = server.database()?;
    let seed = world.seed.to_string();
    let kept = Kept::Postgres(&store);
    let report = run_on(&mock, &world.durable, kept, Observation::Command, &["--seed", &seed]).await?.report;
    let inconclusive = nothing_found(&report)?;
    Ok(format!("{} checks passed, inconclusive: {}", report.summary.passed, inconclusive.len()))
}

/// The runs that people wait for are over in time, with binaries as people have them.
///
/// # Errors
/// Where one takes longer, or finds something.
pub(super) async fn in_time() -> anyhow::Result<String> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Release)?;
    let durable = Durable::build(workspace::Profile::Release)?;
    let mut told = Vec::new();
    for (observation, more, limit) in [
        (Observation::Answers, &[][..], DEFAULT_LIMIT),
        (Observation::Url, &[], DEFAULT_LIMIT),
        (Observation::Answers, &["--all"], ALL_LIMIT),
        (Observation::Url, &["--all"], ALL_LIMIT),
    ] {
        let Outcome { report, took } = run(&mock, &durable, observation, more).await?;
        nothing_found(&report)?;
        let what = format!("{} {}", observation.name(), more.join(" "));
        let seconds = took.as_secs_f64();
        ensure!(took < limit, "{what} took {seconds:.1} s, and {limit:?} is the limit");
        told.push(format!("{} {seconds:.1} s of {}", what.trim_end(), limit.as_secs()));
    }
    Ok(told.join(", "))
}

/// What a run came to.
pub(super) struct Outcome {
    pub(super) report: CheckReport,
    took: Duration,
}

/// Runs the suite once, on a receiver with a store of its own.
pub(super) async fn run(
    mock: &Path,
    durable: &Durable,
    observation: Observation,
    more: &[&str],
) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store.sqlite");
    run_on(mock, durable, Kept::Sqlite(&store), observation, more).await
}

/// Runs it once on a receiver with this store.
async fn run_on(
    mock: &Path,
    durable: &Durable,
    kept: Kept<'_>,
    observation: Observation,
    more: &[&str],
) -> anyhow::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    let effects = folder.path().join("effects.jsonl");
    let mut suite = Command::new(mock);
    suite.arg("check");
    let receiver = match observation {
        Observation::Command => None,
        Observation::File => {
            let file = effects.to_str().context("a folder whose name is no text")?;
            let options = ["--observe-file", file, "--log", "error"];
            Some(durable.serve("127.0.0.1:0", kept, &options).await?)
        }
        _ => {
            let options = ["--observe", "--log", "error"];
            Some(durable.serve("127.0.0.1:0", kept, &options).await?)
        }
    };
    let address = match &receiver {
        Some(receiver) => receiver.address().to_owned(),
        None => free_address().await?,
    };
    suite.arg(format!("http://{address}{}", traffic::PATH)).args(more).args(["--report", "json=-"]);
    let observe_url = format!("http://{address}/__observe");
    match observation {
        Observation::Answers => {}
        Observation::Count => {
            let store = kept.store();
            let count = format!("{} count --store {}", quoted(durable.binary())?, quoted(Path::new(&store))?);
            suite.args(["--verify-cmd", &count, "--settle", "100ms"]);
        }
        Observation::File => {
            suite.arg("--observe-file").arg(&effects);
        }
        Observation::Url => {
            suite.args(["--observe-url", &observe_url]);
        }
        Observation::Command => {
            let options = ["--observe", "--log", "error"];
            suite.args(["--observe-url", &observe_url, "--"]).arg(durable.binary());
            suite.args(Durable::arguments(&address, kept, &options));
        }
    }
    let began = Instant::now();
    let output = timeout(PATIENCE, suite.kill_on_drop(true).output()).await;
    let output = output.with_context(|| format!("it was not over within {PATIENCE:?}"))??;
    let took = began.elapsed();
    if let Some(receiver) = receiver {
        receiver.stop().await?;
    }
    let report = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no report; it said: {}", String::from_utf8_lossy(&output.stderr)))?;
    Ok(Outcome { report, took })
}

/// That no check failed, warned or broke; the ids of those that a busy machine kept from a verdict.
fn nothing_found(report: &CheckReport) -> anyhow::Result<Vec<String>> {
    let is_found = |verdict| matches!(verdict, Verdict::Fail | Verdict::Warn | Verdict::Error);
    let found: Vec<String> = report
        .checks
        .iter()
        .filter(|check| is_found(check.outcome.verdict) && check.severity != Severity::May)
        .map(|check| format!("{} {}: {}", check.id, check.outcome.verdict, check.outcome.detail))
        .collect();
    ensure!(found.is_empty(), "{}", found.join("; "));
    ensure!(report.summary.passed > 0 && !report.interrupted, "the run was not whole");
    let open = report.checks.iter().filter(|check| check.outcome.verdict == Verdict::Inconclusive);
    Ok(open.map(|check| format!("{} ({})", check.id, check.outcome.detail)).collect())
}

/// `host:port` where nobody listens.
pub(super) async fn free_address() -> anyhow::Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?.to_string())
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> anyhow::Result<String> {
    let text = path.to_str().context("a folder whose name is no text")?;
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}
