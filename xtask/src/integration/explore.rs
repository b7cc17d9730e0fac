//! `piopiy-mock check --explore`, as programs: nothing is found in `piopiy-receiver`, and in a receiver that asks before it
//! inserts the two deliveries that it takes.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::judge::check::Verdict;
use piopiy_mock_platform::judge::report::{CheckReport, Exploration};
use tokio::process::Command;

use super::World;
use super::check::{self, Observation};
use crate::{traffic, workspace};

/// How long new schedules are tried.
const TIME: &str = "5s";

/// Random schedules find nothing, however effects are seen.
///
/// # Errors
/// Where they find something, or none was tried.
pub(super) async fn clean(world: &World) -> anyhow::Result<String> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let seed = world.seed.to_string();
    let mut told = Vec::new();
    for observation in [Observation::Answers, Observation::Count, Observation::Url] {
        let more = ["--explore", TIME, "--seed", &seed];
        let report = check::run(&mock, &world.durable, observation, &more).await?.report;
        let exploration = explored(&report)?;
        let found: Vec<&str> = exploration.findings.iter().map(|find| find.title.as_str()).collect();
        ensure!(found.is_empty(), "{}: {}", observation.name(), found.join("; "));
        told.push(format!("{} {} deliveries", observation.name(), exploration.deliveries));
    }
    Ok(told.join(", "))
}

/// A race between asking and inserting is found, and shrunk to two deliveries of one webhook.
///
/// # Errors
/// Where that does not come out.
pub(super) async fn race(world: &World) -> anyhow::Result<String> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", workspace::Profile::Dev)?;
    let gallery = workspace::build("piopiy-gallery", "piopiy-gallery", workspace::Profile::Dev)?;
    let address = check::free_address().await?;
    let mut suite = Command::new(mock);
    suite.arg("check").arg(format!("http://{address}{}", traffic::PATH));
    suite.args(["--explore", TIME, "--report", "json=-", "--seed", &world.seed.to_string()]);
    suite.args(["--observe-url", &format!("http://{address}/__observe"), "--settle", "100ms", "--"]);
    suite.arg(gallery).args(["--flaw", "asks-then-inserts", "--listen", &address]);
    let output = suite.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let said = || String::from_utf8_lossy(&output.stderr).into_owned();
    let report: CheckReport = serde_json::from_slice(&output.stdout).with_context(said)?;
    ensure!(output.status.code() == Some(1), "it ended with {}: {}", output.status, said());
    let finds = &explored(&report)?.findings;
    let find = finds.iter().find(|find| find.kind == "duplicated").with_context(said)?;
    ensure!(find.verdict == Verdict::Fail, "{}", find.title);
    let is_race = find.schedule.starts_with("two deliveries of the same ")
        && (find.schedule.ends_with("at the same time") || find.schedule.ends_with("ms apart"));
    ensure!(is_race, "this is not the smallest: {}", find.title);
    Ok(find.title.clone())
}

fn explored(report: &CheckReport) -> anyhow::Result<&Exploration> {
    let exploration = report.exploration.as_ref().context("nothing was explored")?;
    ensure!(exploration.schedules > 0 && exploration.error.is_none(), "{:?}", exploration.error);
    Ok(exploration)
}
