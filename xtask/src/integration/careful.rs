//! `piopiy-mock check` on receivers in other languages: nothing on the correct ones, and every flaw.

use anyhow::{Context as _, ensure};
use futures_util::StreamExt as _;
use piopiy_mock_platform::judge::check::{Need, Severity, Verdict, find};
use piopiy_mock_platform::judge::report::CheckReport;

use super::measured::{check_command, report_of};
use crate::receivers::{Careful, Flaw};

/// Receivers that run at the same time.
const SIDE_BY_SIDE: usize = 3;

/// Runs all checks on the correct one, and each flaw with the checks that have to find it.
///
/// # Errors
/// Where something is found on the correct one, or a flaw is not.
pub(super) async fn run(receiver: Careful) -> anyhow::Result<String> {
    for (rung, is_observed, is_owned) in
        [("answers", false, false), ("observe-url", true, false), ("command", true, true)]
    {
        let report = check(receiver, None, &[], is_observed, is_owned).await.context(rung)?;
        let found: Vec<String> = report
            .checks
            .iter()
            .filter(|check| check.severity != Severity::May)
            .filter(|check| matches!(check.outcome.verdict, Verdict::Fail | Verdict::Warn | Verdict::Error))
            .map(|check| format!("{} {}: {}", check.id, check.outcome.verdict, check.outcome.detail))
            .collect();
        ensure!(found.is_empty(), "{rung}: found on the correct one: {}", found.join("; "));
        ensure!(report.summary.passed > 0, "{rung}: nothing passed");
    }
    let flaws = receiver.flaws()?;
    let count = flaws.len();
    let runs = futures_util::stream::iter(flaws).map(|flaw| survives(receiver, flaw));
    let survivors: Vec<anyhow::Result<Option<String>>> = runs.buffer_unordered(SIDE_BY_SIDE).collect().await;
    let survivors: Vec<Option<String>> = survivors.into_iter().collect::<anyhow::Result<_>>()?;
    let survivors: Vec<String> = survivors.into_iter().flatten().collect();
    ensure!(survivors.is_empty(), "not found: {}", survivors.join("; "));
    Ok(format!("nothing on the correct one, and all of {count} flaws"))
}

/// What the checks of a flaw said, where none of them found it.
async fn survives(receiver: Careful, flaw: Flaw) -> anyhow::Result<Option<String>> {
    let needs_process = |id: &String| find(id).is_some_and(|check| check.needs.contains(&Need::Process));
    let is_owned = flaw.checks.iter().any(needs_process);
    let report = check(receiver, Some(&flaw.name), &flaw.checks, true, is_owned).await;
    let report = report.with_context(|| flaw.name.clone())?;
    let is_found = |verdict| matches!(verdict, Verdict::Fail | Verdict::Warn);
    if report.checks.iter().any(|check| is_found(check.outcome.verdict)) {
        return Ok(None);
    }
    let said = report.checks.iter().map(|check| format!("{} {}", check.id, check.outcome.verdict));
    Ok(Some(format!("{} ({})", flaw.name, said.collect::<Vec<_>>().join(", "))))
}

async fn check(
    receiver: Careful,
    flaw: Option<&str>,
    only: &[String],
    is_observed: bool,
    is_owned: bool,
) -> anyhow::Result<CheckReport> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("store");
    let process = if is_owned { None } else { Some(receiver.start(&store, flaw).await?) };
    let port = free_port().await?;
    let root = match &process {
        Some(process) => format!("http://{}", process.address()),
        None => format!("http://127.0.0.1:{port}"),
    };
    let mut suite = check_command(&format!("{root}{}", crate::traffic::PATH))?;
    suite.args(only.iter().flat_map(|id| ["--only", id.as_str()]));
    if is_observed {
        suite.args(["--observe-url", &format!("{root}/__observe")]);
    }
    if is_owned {
        suite.arg("--").args(receiver.command(port, &store, flaw)?);
    }
    let report = report_of(suite).await?;
    if let Some(process) = process {
        // One with a flaw may not end when it is asked to.
        process.kill().await?;
    }
    Ok(report)
}

async fn free_port() -> anyhow::Result<u16> {
    Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port())
}
