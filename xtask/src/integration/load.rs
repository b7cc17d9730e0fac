//! `piopiy-mock load` against a receiver in a process of its own.

pub(super) mod calls;
pub(super) mod exactness;
pub(super) mod shards;
pub(super) mod tools;

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::process::Command;
use tokio::time::sleep;

use crate::process::Process;
use crate::workspace::{self, Profile};

/// The receiver: this very program.
fn sink() -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("this program is nowhere")?);
    command.arg("sink");
    Ok(command)
}

fn load(profile: Profile, url: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(workspace::build("piopiy-mock-platform", "piopiy-mock", profile)?);
    command.args(["load", url, "--report", "json=-"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Whether a load was sent, if late: where its time is not what matters, a busy machine is no failure.
fn has_sent(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 4))
}

/// For how long the generator runs, and for how long it does not.
const RUNS: Duration = Duration::from_millis(10);
const RESTS: Duration = Duration::from_millis(90);

/// A generator that gets a tenth of a core says so, and nothing of the receiver; nor does it name a rate, for at none would it have been in time.
///
/// # Errors
/// Where it says anything else.
pub(super) async fn starved() -> anyhow::Result<String> {
    let receiver = Process::start(sink()?).await?;
    let arguments = ["--rate", "2000", "--duration", "5s", "--threads", "1"];
    let child = load(Profile::Dev, receiver.url(), &arguments)?.spawn()?;
    let id = child.id().context("it has ended")?.to_string();
    let starving = async {
        loop {
            for (signal, time) in [("-STOP", RESTS), ("-CONT", RUNS)] {
                Command::new("kill").args([signal, &id]).stderr(Stdio::null()).status().await?;
                sleep(time).await;
            }
        }
    };
    let output = tokio::select! {
        output = child.wait_with_output() => output?,
        error = starving => { let error: anyhow::Result<()> = error; return Err(error.err().context("it cannot be stopped")?) }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(4), "it ended with {}: {said}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let saturation = report["saturation"].as_str().unwrap_or_default();
    ensure!(saturation.contains("kept the core from it"), "it does not say why: {report:#}");
    ensure!(report["fine_at"].is_null(), "no rate would have been fine: {report:#}");
    Ok(format!("exit code 4: {saturation}"))
}

/// What the receiver takes in a second, and how far the search may be off.
const LIMIT: f64 = 1_000.0;
const OFF: f64 = 0.05;

/// The search finds the largest rate of a receiver that answers one request after another, a thousand in a second.
///
/// # Errors
/// Where it finds another.
pub(super) async fn capacity() -> anyhow::Result<String> {
    let mut command = sink()?;
    command.args(["--per-second", &LIMIT.to_string()]);
    let receiver = Process::start(command).await?;
    let arguments = ["--find-capacity", "--p99", "200ms", "--threads", "1"];
    let output = load(Profile::Release, receiver.url(), &arguments)?.output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "it ended with {}: {said}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let capacity = &report["capacity"];
    let found = capacity["per_second"].as_f64().with_context(|| format!("nothing was found: {report:#}"))?;
    ensure!(
        (found / LIMIT - 1.0).abs() <= OFF,
        "it found {found} a second, and the receiver takes {LIMIT}: {said}"
    );
    let gave_way = capacity["gave_way"].as_str().unwrap_or_default();
    ensure!(!gave_way.is_empty(), "it does not say what gave way: {report:#}");
    let trials = capacity["trials"].as_array().map_or(0, Vec::len);
    Ok(format!("{found:.0} of {LIMIT} a second in {trials} trials; what gave way: {gave_way}"))
}
