//! `piopiy-mock load` against a receiver in a process of its own.

use std::process::Stdio;
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

fn load(url: &str, arguments: &[&str]) -> anyhow::Result<Command> {
    let mut command = Command::new(workspace::build("piopiy-mock-platform", "piopiy-mock", Profile::Dev)?);
    command.args(["load", url, "--report", "json=-"]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// For how long the generator runs, and for how long it does not.
const RUNS: Duration = Duration::from_millis(10);
const RESTS: Duration = Duration::from_millis(90);

/// A generator that gets a tenth of a core says so, and nothing of the receiver.
///
/// # Errors
/// Where it says anything else.
pub(super) async fn starved() -> anyhow::Result<String> {
    let receiver = Process::start(sink()?).await?;
    let arguments = ["--rate", "2000", "--duration", "5s", "--threads", "1"];
    let child = load(receiver.url(), &arguments)?.spawn()?;
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
    ensure!(saturation.contains("it would have been fine"), "it names no rate: {report:#}");
    Ok(format!("exit code 4: {saturation}"))
}
