//! How exactly a load keeps a rate, and what it says of a receiver that stalls.

use std::process::Stdio;

use anyhow::ensure;
use serde_json::Value;
use tokio::process::Command;

use crate::load_ledger::LoadLedger;
use crate::pace::{Pace, arrivals};
use crate::process::Process;
use crate::workspace::{self, Profile};

/// What half of the webhooks, and 99 of 100, may be off, in microseconds.
const P50_US: f64 = 20.0;
const P99_US: f64 = 150.0;
/// Where other programs run, a sender that only waits is off by more, and ours may be by so much of that.
const OF_CONTROL: f64 = 2.0;
const ROUNDS: usize = 3;
/// The core of the generator, and of the receiver, which is always awake.
const CORES: [&str; 2] = ["0", "1"];

/// Constant arrivals: the receiver sees the rate that was asked for, and each webhook when the ledger says that it was planned, or
/// about as late as what a sender sends that does nothing but wait.
///
/// # Errors
/// Where the rate is off, webhooks come later than that, or do not come.
pub(in crate::integration) async fn pace() -> anyhow::Result<String> {
    let mut told = Vec::new();
    for (rate, way) in [(2_000, ""), (2_000, " --awake"), (10_000, ""), (10_000, " --awake")] {
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            rounds.push((ours(rate, way.trim()).await?, control(rate).await?));
        }
        let ours = |figure: fn(&Pace) -> f64| median(rounds.iter().map(|(ours, _)| figure(ours)));
        let control = |figure: fn(&Pace) -> f64| median(rounds.iter().map(|(_, control)| figure(control)));
        let off = ours(|pace| pace.off_percent);
        ensure!(off <= 0.1, "{rate}/s{way}: the rate that came is off by {off:.3} %");
        for (name, figure, goal) in [
            ("p50", (|pace: &Pace| pace.p50_us) as fn(&Pace) -> f64, P50_US),
            ("p99", |pace| pace.p99_us, P99_US),
        ] {
            let (ours, control) = (ours(figure), control(figure));
            let bound = if control <= goal { goal } else { control * OF_CONTROL };
            ensure!(
                ours <= bound,
                "{rate}/s{way}: {name} of what webhooks came late is {ours:.0} µs, more than {bound:.0} µs; {control:.0} µs where a sender only waits"
            );
            let missed = match () {
                () if control > goal => {
                    format!(", itself beyond the goal of {goal:.0} µs, which cannot be measured here now")
                }
                () if ours > goal => format!(", the goal of {goal:.0} µs is missed"),
                () => String::new(),
            };
            told.push(format!("{rate}/s{way}: {name} {ours:.0} µs (control {control:.0} µs{missed})"));
        }
    }
    Ok(told.join(", "))
}

async fn ours(rate: u64, way: &str) -> anyhow::Result<Pace> {
    let receiver = receiver().await?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("ledger.jsonl");
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", Profile::Release)?;
    let mut command: Command = workspace::pinned(CORES[0], mock).into();
    command.args(["load", receiver.url(), "--rate", &rate.to_string(), "--arrivals", "constant"]);
    command.args(["--duration", "5s", "--threads", "1", "--ledger"]).arg(&file);
    command.args(way.split_whitespace());
    said(command).await?;
    Pace::of(&LoadLedger::read(&file)?.planned_ns(), &arrivals(&receiver).await?, rate as f64)
}

async fn control(rate: u64) -> anyhow::Result<Pace> {
    let receiver = receiver().await?;
    let mut command: Command = workspace::pinned(CORES[0], std::env::current_exe()?).into();
    command.args(["pacer", receiver.url(), "--rate", &rate.to_string(), "--seconds", "5"]);
    let planned = said(command).await?.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    Pace::of(&planned, &arrivals(&receiver).await?, rate as f64)
}

async fn receiver() -> anyhow::Result<Process> {
    let mut command = workspace::pinned(CORES[1], std::env::current_exe()?);
    command.args(["sink", "--awake"]);
    Process::start(command.into()).await
}

async fn said(mut command: Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(super::has_sent(output.status), "it ended with {}: {said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Of an even load a fifth meets the 200 ms of each second in which the receiver does nothing, and waits for what is left of them:
/// 100 ms are the 90th percentile, 190 ms the 99th. Whoever counts from when a webhook was sent sees nothing of it with few connections.
///
/// # Errors
/// Where something else is reported, or not all is sent.
pub(in crate::integration) async fn stall() -> anyhow::Result<String> {
    let mut told = Vec::new();
    for connections in ["8", "64", "512"] {
        // What is left of the 200 ms is lengthened by the drain of what waited, which two on one core would share.
        let mut command = workspace::pinned(CORES[1], std::env::current_exe()?);
        command.args(["sink", "--stall-ms", "200"]);
        let receiver = Process::start(command.into()).await?;
        let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", Profile::Release)?;
        let mut command: Command = workspace::pinned(CORES[0], mock).into();
        command.args(["load", receiver.url(), "--rate", "2000", "--duration", "10s", "--threads", "1"]);
        command.args(["--connections", connections, "--report", "json=-"]);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
        ensure!(super::has_sent(output.status), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout)?;
        let summary = &report["summary"];
        ensure!(summary["planned"] == summary["acknowledged"], "not all came: {summary:#}");
        ensure!(summary["dropped_by_generator"] == 0, "some were dropped: {summary:#}");
        let ms = |figure: &str, quantile: &str| summary[figure][quantile].as_f64().unwrap_or(f64::NAN) / 1e3;
        let seen = ["p90", "p99", "p999"].map(|quantile| ms("latency_us", quantile));
        for (seen, truth) in seen.iter().zip([100.0, 190.0, 199.0]) {
            ensure!((seen / truth - 1.0).abs() <= 0.05, "{seen} ms are told for {truth}: {summary:#}");
        }
        if connections == "8" {
            let uncorrected = ms("service_us", "p90");
            ensure!(uncorrected < 50.0, "the service time is no other: {summary:#}");
        }
        told.push(format!("{connections} connections {seen:?}"));
    }
    Ok(format!("p90, p99, p99.9 in ms: {}", told.join("; ")))
}
