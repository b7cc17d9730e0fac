//! One receiver of the gallery, a process, and the suite against it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use piopiy_gallery::{
    ACK_LIMIT, AUTHORIZATION, CORRECT, Flawed, SETTLE, SIGNING_KEY, SLOW_LIMIT, START_LIMIT, UNIQUE_IDS,
    flaws,
};
use piopiy_mock_platform::deliver::check_run::{CheckOptions, Observation, run_checks};
use piopiy_mock_platform::deliver::{Target, Trust};
use piopiy_mock_platform::judge::check::{Check, Hook, SigningKey, Tag, Verdict, find};
use piopiy_mock_platform::judge::report::CheckReport;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::matrix::{Row, is_measured};
use crate::workspace::{self, Profile};

/// How long a receiver may take until it listens.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long one receiver is checked at most.
const LIMIT: Duration = Duration::from_secs(600);

/// Some of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Those that may run while others do.
    Unmeasured,
    /// Those that measure or load the machine, and those that wait, where they have to kill the flaw.
    Measured,
}

/// The program that serves the gallery.
pub(super) struct Suite {
    binary: PathBuf,
    measures_all: bool,
}

/// What the program says when it listens.
#[derive(Deserialize)]
struct Ready {
    url: String,
    observe_url: String,
    second_url: Option<String>,
    hooks: std::collections::BTreeMap<String, String>,
    capabilities: Vec<String>,
    /// The certificate to trust, where it speaks TLS.
    cacert: Option<PathBuf>,
    /// What its name stands for; empty where it is to be looked up.
    addresses: Vec<std::net::IpAddr>,
}

impl Ready {
    /// A URL of the receiver's.
    fn target(&self, url: &str) -> anyhow::Result<Target> {
        let trust = match &self.cacert {
            Some(file) => Trust::certificates(&std::fs::read(file)?)?,
            None => Trust::default(),
        };
        Ok(Target::parse(url, &[])?.trusting(trust))
    }
}

impl Suite {
    /// Builds the program.
    pub(super) fn build(measures_all: bool) -> anyhow::Result<Self> {
        let binary = workspace::build("piopiy-gallery", "piopiy-gallery", Profile::Dev)?;
        Ok(Self { binary, measures_all })
    }

    /// Runs a part of the checks against a receiver of its own.
    pub(super) async fn run(
        &self,
        name: &'static str,
        checks: &[&'static Check],
        part: Part,
    ) -> anyhow::Result<Row> {
        let began = Instant::now();
        let flaw = flaws().find(|flaw| flaw.name == name);
        let kills = flaw.map_or(&[][..], |flaw| flaw.kills);
        // Its delays and loads are what measuring is about; of the other flaws, measuring takes long and says little.
        let is_about_time = flaw.is_none_or(|flaw| matches!(flaw.group, "LAT" | "CON"));
        let is_wanted = |check: &&&Check| {
            let waits = check.tags.iter().any(|tag| matches!(tag, Tag::Slow | Tag::Soak));
            let is_meant = match part {
                Part::Unmeasured => !is_measured(check),
                Part::Measured => is_measured(check) && !waits && (is_about_time || self.measures_all),
            };
            is_meant || kills.contains(&check.id) && is_measured(check) == (part == Part::Measured)
        };
        let chosen: Vec<&'static Check> = checks.iter().filter(is_wanted).copied().collect();
        if chosen.is_empty() {
            return Ok(Row::of(name));
        }
        let row = self.row(name, &chosen).await.with_context(|| format!("{name} cannot be checked"))?;
        println!("{name}: {} found, {:.1} s", row.found().count(), began.elapsed().as_secs_f64());
        Ok(row)
    }

    async fn row(&self, name: &'static str, checks: &[&'static Check]) -> anyhow::Result<Row> {
        let is_restarted = flaws().any(|flaw| flaw.name == name && flaw.is_restarted);
        let mut options = options();
        let mut row = Row::of(name);
        // Of the correct receivers, the one that is durable shows that it survives being killed.
        if is_restarted || name == "receiver-sqlite" {
            let receiver = Flawed::restarted(&self.binary, name);
            options.command.clone_from(&receiver.command);
            let report = checked(
                &Target::parse(&receiver.url, &[])?,
                Target::parse(&receiver.observe_url, &[])?,
                checks,
                options,
            )
            .await?;
            fill(&mut row, &report);
            return Ok(row);
        }
        let (mut child, ready) = self.start(name).await?;
        options.second = ready.second_url.as_deref().map(|url| ready.target(url)).transpose()?;
        options.hooks = Hook::ALL
            .into_iter()
            .filter_map(|hook| Some((hook, ready.hooks.get(hook.option())?.clone())))
            .collect();
        if ready.capabilities.iter().any(|claim| claim == "signature") {
            options.signing_key = Some(SigningKey::parse(SIGNING_KEY)?);
        }
        options.capabilities = ready.capabilities.iter().cloned().collect();
        let target = ready.target(&ready.url)?.resolved_to(&ready.addresses);
        let report = checked(&target, ready.target(&ready.observe_url)?, checks, options).await?;
        fill(&mut row, &report);
        let address = Target::parse(&ready.url, &[])?.authority();
        row.died = tokio::net::TcpStream::connect(&address).await.is_err();
        child.kill().await.context("it cannot be ended")?;
        Ok(row)
    }

    async fn start(&self, name: &str) -> anyhow::Result<(Child, Ready)> {
        let mut child = Command::new(&self.binary)
            .args(["--flaw", name])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context("it cannot be started")?;
        let stdout = child.stdout.take().context("it has no stdout")?;
        let line = timeout(READY_WITHIN, BufReader::new(stdout).lines().next_line()).await;
        let line = line.context("it does not listen")??.context("it ended before it listened")?;
        Ok((child, serde_json::from_str(&line).context("it does not say where it listens")?))
    }
}

/// With the limits that the gallery's delays are made for.
fn options() -> CheckOptions {
    let mut options = CheckOptions::default();
    options.ack_limit = ACK_LIMIT;
    options.slow_limit = SLOW_LIMIT;
    options.start_limit = START_LIMIT;
    options.unique_ids = UNIQUE_IDS;
    options.settle = SETTLE;
    options.headers = vec![(AUTHORIZATION.0.to_owned(), AUTHORIZATION.1.to_owned())];
    options
}

async fn checked(
    target: &Target,
    observe: Target,
    checks: &[&'static Check],
    mut options: CheckOptions,
) -> anyhow::Result<CheckReport> {
    options.observation = Some(Observation::Url(observe));
    let report = run_checks(target, checks, &options, &(), sleep(LIMIT)).await?;
    ensure!(!report.interrupted, "it was not over after {LIMIT:?}");
    Ok(report)
}

fn fill(row: &mut Row, report: &CheckReport) {
    for result in &report.checks {
        let id = result.id.to_string();
        let is_measured = find(&id).is_none_or(is_measured);
        if CORRECT.contains(&row.name.as_str())
            && matches!(result.outcome.verdict, Verdict::Fail | Verdict::Warn)
        {
            println!("{} by {id}: {}", row.name, result.outcome.detail);
        }
        if matches!(result.outcome.verdict, Verdict::Fail | Verdict::Warn) {
            row.details.insert(id.clone(), result.outcome.detail.clone());
        }
        match result.outcome.verdict {
            Verdict::Fail if is_measured || result.outcome.is_timing => row.slow.insert(id),
            Verdict::Fail => row.fails.insert(id),
            Verdict::Warn => row.warns.insert(id),
            Verdict::Inconclusive => row.undecided.insert(id),
            _ => false,
        };
    }
}
