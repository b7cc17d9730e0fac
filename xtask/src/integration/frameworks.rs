//! `piopiy-mock check` on the receivers of `docs/receivers`, one for each framework, as their readers start them: nothing is found but what is known.

use std::process::Stdio;

use anyhow::{Context as _, ensure};
use piopiy_mock_platform::judge::check::Verdict;
use piopiy_mock_platform::judge::report::CheckReport;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::examples::Example;
use super::measured::{PATIENCE, check_command};
use crate::tally::Missing;
use crate::workspace;

/// What the receiver of a framework needs that this machine has not.
pub(super) fn missing(framework: Example) -> Option<Missing> {
    let php = framework == Example::Php && workspace::works("php", &["--version"]);
    if php
        && !workspace::works(
            "php",
            &["-r", "exit(class_exists('PDO') && in_array('sqlite', PDO::getAvailableDrivers()) ? 0 : 1);"],
        )
    {
        return Some(Missing("php with pdo_sqlite"));
    }
    framework.missing()
}

/// Checks it with all that is selected unless something else is said: seen, killed and started again.
///
/// # Errors
/// Where something is found that its list does not name, or the list names what is not found.
pub(super) async fn run(framework: Example) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    let store = folder.path().join("webhooks");
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await?.local_addr()?.port();
    let root = format!("http://127.0.0.1:{port}");
    let listed = framework.folder().join("known-failures.toml");

    let mut suite = check_command(&format!("{root}{}", crate::traffic::PATH))?;
    suite.args([
        "--observe-url",
        &format!("{root}/__observe"),
        "--fail-on",
        "should",
        "--wait-for",
        "20s",
        "--no-failures",
    ]);
    if listed.exists() {
        suite.arg("--known-failures").arg(&listed);
    }
    suite.env("PORT", port.to_string()).env("STORE", &store);
    suite.arg("--").args(framework.receiver(port)?);
    let report = report(suite).await?;

    let told =
        report.checks.iter().filter(|check| matches!(check.outcome.verdict, Verdict::Fail | Verdict::Error));
    let told: Vec<String> = told
        .map(|check| format!("{} {}: {}", check.id, check.outcome.verdict, check.outcome.detail))
        .collect();
    ensure!(told.is_empty(), "found: {}", told.join("; "));
    let count = |verdict| report.checks.iter().filter(|check| check.outcome.verdict == verdict).count();
    let (passed, known, unclear) =
        (count(Verdict::Pass), count(Verdict::KnownFailure), count(Verdict::Inconclusive));
    ensure!(passed > 80, "{passed} checks passed only");
    let listed =
        if listed.exists() { std::fs::read_to_string(&listed)?.matches("[[known]]").count() } else { 0 };
    ensure!(known == listed, "{listed} failures are known, and {known} of them were found");
    Ok(format!("{passed} checks passed, {known} known failures, {unclear} inconclusive"))
}

/// Runs the suite in a process group of its own: what a receiver leaves behind, workers too, ends with it, also where the run is given up.
async fn report(mut suite: Command) -> anyhow::Result<CheckReport> {
    suite.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let child = suite.process_group(0).spawn().context("cannot start piopiy-mock")?;
    let group = Group::of(&child)?;
    let output = timeout(PATIENCE, child.wait_with_output()).await;
    drop(group);
    let output = output.with_context(|| format!("it was not over within {PATIENCE:?}"))??;
    serde_json::from_slice(&output.stdout)
        .with_context(|| format!("no report; it said: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The processes of a group; killed when this is dropped.
struct Group(Pid);

impl Group {
    fn of(leader: &Child) -> anyhow::Result<Self> {
        let pid = leader.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        Ok(Self(pid.context("it has ended already")?))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Where nobody is left, there is nothing to end.
        let _ = kill_process_group(self.0, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_the_leader_leaves_behind_ends_with_the_group() {
        let mut shell = Command::new("sh");
        shell.args(["-c", "sleep 600 & echo $!"]).stdout(Stdio::piped()).process_group(0);
        let mut leader = shell.spawn().unwrap();
        let group = Group::of(&leader).unwrap();
        leader.wait().await.unwrap();
        let told = leader.stdout.take().unwrap();
        let mut line = String::new();
        tokio::io::AsyncBufReadExt::read_line(&mut tokio::io::BufReader::new(told), &mut line).await.unwrap();
        let left = Pid::from_raw(line.trim().parse().unwrap()).unwrap();
        rustix::process::test_kill_process(left).expect("the leader is over, and what it started is not");
        drop(group);
        for _ in 0..200 {
            // A zombie is there until its new parent asks for it, and runs no more.
            let state = std::fs::read_to_string(format!("/proc/{}/stat", left.as_raw_nonzero()));
            if state.map_or(true, |state| state.contains(") Z ")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{left:?} still runs");
    }
}
