//! What `piopiy-mock load` writes, read by the tools of others.

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::load::LoadReport;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{load, sink};
use crate::integration::python::python;
use crate::process::Process;
use crate::receivers::venv;
use crate::workspace::{self, Profile};

/// Where the tools are named: HdrHistogram and Prometheus's parser in Python.
fn folder() -> std::path::PathBuf {
    workspace::root().join("fixtures/sdk/load-tools")
}

/// Installs them.
pub(in crate::integration) fn set_up() -> anyhow::Result<()> {
    venv(&folder())
}

/// A log, a histogram and a scrape say the same as the report.
///
/// # Errors
/// Where a tool reads anything else, or cannot read it.
pub(in crate::integration) async fn run() -> anyhow::Result<String> {
    let receiver = Process::start(sink()?).await?;
    let reports = tempfile::tempdir()?;
    let log = reports.path().join("load.hlog");
    let sinks = format!("hlog={}", log.display());
    let arguments = ["--rate", "500", "--duration", "4s", "--threads", "2", "--report", &sinks];
    let mut child = load(
        Profile::Dev,
        receiver.url(),
        &[&arguments[..], &["--report", "prometheus=127.0.0.1:0"]].concat(),
    )?
    .spawn()?;
    let mut said = BufReader::new(child.stderr.take().context("no stderr")?).lines();
    let url = loop {
        let line = said.next_line().await?.context("it says nothing of its metrics")?;
        if let Some(rest) = line.strip_prefix("metrics at ") {
            break rest.split(',').next().unwrap_or_default().to_owned();
        }
    };
    let scraped = python(&folder(), &["scrape.py", &url]).await?;
    let reading = tokio::spawn(async move { while let Ok(Some(_)) = said.next_line().await {} });
    let output = child.wait_with_output().await?;
    reading.await?;
    ensure!(super::has_sent(output.status), "it ended with {}", output.status);
    let report = LoadReport::parse(std::str::from_utf8(&output.stdout)?)?;
    let file = reports.path().join("load.json");
    std::fs::write(&file, &output.stdout)?;
    let read = python(&folder(), &["histograms.py", &log.display().to_string(), &file.display().to_string()])
        .await?;
    let summary = &report.summary;
    let latency = &summary.latency_us;
    let expected = format!("{} {} {}\n", summary.attempts, latency.p50, latency.p99);
    ensure!(read == expected.repeat(2), "log and report say {expected:?}, and HdrHistogram reads {read:?}");
    Ok(format!("{} in the log and the report, {scraped}", summary.attempts))
}
