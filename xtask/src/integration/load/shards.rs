//! One load from four processes, as the example of a Kubernetes job has it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::load::LoadReport;
use serde_json::Value;
use tokio::process::Command;

use super::{load, sink};
use crate::process::Process;
use crate::workspace::{self, Profile};

const MANIFEST: &str = "examples/load/kubernetes.yaml";
const SHARDS: usize = 4;
/// How long the processes have to come up.
const AHEAD: Duration = Duration::from_secs(4);
/// What the example asks for is too much for one machine's development build.
const SMALLER: [(&str, &str); 2] = [("4000", "400"), ("60s", "5s")];

/// The command of the example in four processes sends the plan of one, and their reports join to one.
///
/// # Errors
/// Where anything is sent twice or not at all, at another instant, or counted otherwise.
pub(in crate::integration) async fn run() -> anyhow::Result<String> {
    // First, for that may take longer than the processes have to come up.
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", Profile::Dev)?;
    let receiver = Process::start(sink()?).await?;
    let folder = tempfile::tempdir()?;
    let ledger = |name: &str| folder.path().join(format!("{name}.jsonl"));
    let start = (SystemTime::now() + AHEAD).duration_since(UNIX_EPOCH)?.as_millis().to_string();
    let arguments = arguments(&std::fs::read_to_string(workspace::root().join(MANIFEST))?, &start)?;
    let shards = (0..SHARDS).map(|shard| {
        let own: Vec<String> = arguments
            .iter()
            .map(|argument| argument.replace("$(JOB_COMPLETION_INDEX)", &shard.to_string()))
            .collect();
        send(receiver.url(), own, ledger(&shard.to_string()))
    });
    let shards = futures_util::future::try_join_all(shards).await?;
    let mut files = Vec::new();
    for (shard, output) in shards.iter().enumerate() {
        let file = folder.path().join(format!("shard-{shard}.json"));
        std::fs::write(&file, &output.stdout)?;
        files.push(file);
    }
    let joined = joined(&mock, &files).await?;

    let start = (SystemTime::now() + AHEAD).duration_since(UNIX_EPOCH)?.as_millis().to_string();
    let at = arguments.iter().position(|it| it == "--shard").context("the example has no --shard")?;
    let mut whole = [&arguments[..at], &arguments[at + 2..]].concat();
    let at = whole.iter().position(|it| it == "--start-at").context("the example has no --start-at")?;
    whole[at + 1] = start;
    let output = send(receiver.url(), whole, ledger("whole")).await?;
    let whole = LoadReport::parse(std::str::from_utf8(&output.stdout)?)?;

    let planned = whole.summary.planned;
    let counts = (joined.summary.planned, joined.summary.attempts, joined.summary.acknowledged);
    ensure!(
        counts == (planned, planned, planned),
        "one process plans {planned}, and of four are planned, sent and acknowledged: {counts:?}"
    );
    let mut sent = Vec::new();
    for shard in 0..SHARDS {
        sent.extend(lines(&ledger(&shard.to_string()))?);
    }
    let of_whole: BTreeSet<_> = lines(&ledger("whole"))?.into_iter().collect();
    let of_shards: BTreeSet<_> = sent.iter().copied().collect();
    ensure!(of_shards.len() == sent.len(), "{} webhooks were sent twice", sent.len() - of_shards.len());
    ensure!(of_shards == of_whole, "four processes have sent something else than one");
    Ok(format!("{planned} webhooks of four processes are those of one, at the same instants"))
}

/// What the container of the example is started with, smaller, and without the command and the URL.
fn arguments(manifest: &str, start: &str) -> anyhow::Result<Vec<String>> {
    let mut lines = manifest.lines().skip_while(|line| line.trim() != "args:").skip(1);
    let mut arguments = Vec::new();
    while let Some(argument) = lines.next().and_then(|line| line.trim().strip_prefix("- ")) {
        let mut argument = argument.trim_matches('"').replace("START_AT", start).replace("NONCE", "1");
        if let Some((_, smaller)) = SMALLER.iter().find(|(in_the_example, _)| *in_the_example == argument) {
            argument = (*smaller).to_owned();
        }
        arguments.push(argument);
    }
    ensure!(arguments.first().is_some_and(|it| it == "load"), "{MANIFEST}: the command is no load");
    Ok(arguments.into_iter().skip(2).filter(|it| it != "--report" && it != "json=-").collect())
}

async fn send(url: &str, arguments: Vec<String>, ledger: std::path::PathBuf) -> anyhow::Result<Output> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut command = load(Profile::Dev, url, &arguments)?;
    let output = command.arg("--ledger").arg(ledger).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(super::has_sent(output.status), "it ended with {}: {said}", output.status);
    Ok(output)
}

async fn joined(mock: &Path, files: &[std::path::PathBuf]) -> anyhow::Result<LoadReport> {
    let mut command = Command::new(mock);
    command.args(["load", "merge"]).args(files).args(["--report", "json=-"]).stdin(Stdio::null());
    let output = command.output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(super::has_sent(output.status), "`load merge` ended with {}: {said}", output.status);
    Ok(LoadReport::parse(std::str::from_utf8(&output.stdout)?)?)
}

/// Which webhook was due when, of a ledger.
fn lines(ledger: &Path) -> anyhow::Result<Vec<(u64, u64, u64)>> {
    let text = std::fs::read_to_string(ledger)?;
    let number = |line: &Value, key: &str| line[key].as_u64().with_context(|| format!("{line} has no {key}"));
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line)?;
        Ok((number(&line, "call")?, number(&line, "webhook")?, number(&line, "planned_ns")?))
    };
    text.lines().skip(1).map(line).collect()
}
