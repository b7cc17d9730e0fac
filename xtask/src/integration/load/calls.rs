//! Very many calls in progress at once.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;
use tokio::time::sleep;

use super::{load, sink};
use crate::load_ledger::LoadLedger;
use crate::process::{Process, peak_kib};
use crate::traffic::{LONG_CALLS, LONG_CALLS_BEGUN, LONG_CALLS_PER_SECOND, LONG_CALLS_SCENARIO};
use crate::workspace::Profile;

/// The most memory of the generator, in KiB.
const MOST_KIB: f64 = 200.0 * 1024.0;

/// All webhooks of 100,000 calls at once are sent and acknowledged, in bounded memory.
///
/// # Errors
/// Where they are fewer, some are lost, or it takes more.
pub(in crate::integration) async fn run() -> anyhow::Result<String> {
    let receiver = Process::start(sink()?).await?;
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("long.toml");
    std::fs::write(&scenario, LONG_CALLS_SCENARIO)?;
    let file = folder.path().join("ledger.jsonl");
    let (calls, per_second) = (LONG_CALLS_BEGUN.to_string(), LONG_CALLS_PER_SECOND.to_string());
    let arguments = ["--cps", &per_second, "--calls", &calls, "--threads", "1"];
    let mut command = load(Profile::Release, receiver.url(), &arguments)?;
    let child = command.arg("--scenario").arg(&scenario).arg("--ledger").arg(&file).spawn()?;
    let id = child.id().context("it has ended")?;
    let mut most_kib = 0.0_f64;
    let watching = async {
        loop {
            most_kib = most_kib.max(peak_kib(id));
            sleep(Duration::from_millis(200)).await;
        }
    };
    let output = tokio::select! {
        output = child.wait_with_output() => output?,
        () = watching => unreachable!("it has no end"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(super::has_sent(output.status), "it ended with {}: {said}", output.status);
    let report: Value = serde_json::from_slice(&output.stdout)?;
    let summary = &report["summary"];
    ensure!(summary["planned"] == summary["acknowledged"], "not all came: {summary:#}");
    let most = LoadLedger::read(&file)?.most_in_progress();
    ensure!(most >= LONG_CALLS, "only {most} calls were in progress at once: {said}");
    ensure!(most_kib > 0.0 && most_kib < MOST_KIB, "it took {most_kib} KiB");
    Ok(format!("{most} calls in progress, {} webhooks, {:.0} MiB", summary["planned"], most_kib / 1024.0))
}
