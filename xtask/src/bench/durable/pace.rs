//! At a rate: how long a webhook takes from the instant at which it was to be sent until it is acknowledged, beside what the disk takes.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::contender::{Contender, Programs};
use super::disk::Disk;
use super::filled::Filled;
use super::{CONNECTIONS, Effort, Goal, RECEIVER_CORE, Row, Section, Series, load, runtime, us};
use crate::workspace;

const RATE: u64 = 2_000;
/// So many are stored before: in the midst of the load a run of the index is due, which holds 65,536.
const BEFORE: usize = 120_000;

/// Quantiles, round by round, in microseconds.
#[derive(Debug, Default)]
struct Times {
    p50: Series,
    p99: Series,
}

/// What was measured of whom.
#[derive(Debug, Default)]
struct Measured {
    appended: Times,
    overwritten: Times,
    control: Times,
    sqlite: Times,
    memory: Times,
}

impl Times {
    /// A round's times.
    fn push(&mut self, mut took: Vec<f64>) {
        took.sort_by(f64::total_cmp);
        self.p50.push(quantile(&took, 50));
        self.p99.push(quantile(&took, 99));
    }
}

/// Constant arrivals in open loop. The disk is measured before and after each load, on the file system of the store.
///
/// # Errors
/// Where a webhook is not acknowledged, or what is stored is not what was acknowledged.
pub(in crate::bench) fn pace(effort: Effort) -> anyhow::Result<Section> {
    let (programs, mock) = (Programs::receiver()?, load::mock()?);
    let mut measured = Measured::default();
    for round in 0..effort.rounds {
        // Whoever comes first comes last the next time.
        let mut turns = [Contender::Sqlite, Contender::Memory];
        turns.rotate_left(round % 2);
        for contender in turns {
            let is_durable = contender == Contender::Sqlite;
            let times = if is_durable { &mut measured.sqlite } else { &mut measured.memory };
            let disk = at_rate(&programs, &mock, contender, effort, times)?;
            if is_durable {
                measured.appended.push(disk.appended);
                measured.overwritten.push(disk.overwritten);
            }
        }
        measured.control.push(control_at(effort.seconds)?);
    }
    Ok(Section {
        title: format!(
            "Durable receive at {RATE}/s: constant arrivals over {CONNECTIONS} connections, from the planned instant to the answer"
        ),
        note: format!("{} rounds of {} s", effort.rounds, effort.seconds),
        rows: rows(&measured),
    })
}

fn rows(measured: &Measured) -> Vec<Row> {
    let Measured { appended, overwritten, control, sqlite, memory } = measured;
    let ratio = |ratio: f64| format!("{ratio:.2}");
    let mut rows = Vec::new();
    let disks = [("300 bytes behind the end of a file", appended), ("a page that is there", overwritten)];
    for (written, disk) in disks {
        rows.push(Row::new(format!("the disk, fdatasync of {written}: p50"), &disk.p50, us));
        rows.push(Row::new(format!("the disk, fdatasync of {written}: p99"), &disk.p99, us));
    }
    let waiting = "control, a loop that only has a page made safe at each instant";
    for (name, times) in [(waiting, control), ("`--store sqlite:FILE`", sqlite), ("`--store memory`", memory)]
    {
        rows.push(Row::new(format!("{name}: p50"), &times.p50, us));
        rows.push(Row::new(format!("{name}: p99"), &times.p99, us));
    }
    for (written, disk) in disks {
        for (quantile, times, most) in [("p50", &sqlite.p50, 2.5), ("p99", &sqlite.p99, 8.0)] {
            let name = format!("SQLite's {quantile} over the p50 of the disk, {written}");
            rows.push(Row::with_goal(name, &times.over(&disk.p50), ratio, Goal::AtMost(most)));
        }
    }
    rows.push(Row::new("SQLite's p99 over that of the control", &sqlite.p99.over(&control.p99), ratio));
    rows
}

/// The control, on the core of the receiver and the file system of its store.
fn control_at(seconds: u64) -> anyhow::Result<Vec<f64>> {
    let folder = tempfile::tempdir()?;
    let mut command = workspace::pinned(RECEIVER_CORE, std::env::current_exe()?);
    command.arg("disk-pacer").arg(folder.path().join("pages"));
    command.args(["--rate", &RATE.to_string(), "--seconds", &seconds.to_string()]);
    let output = command.output().context("the control does not run")?;
    ensure!(output.status.success(), "the control: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.lines().map(str::parse).collect::<Result<_, _>>()?)
}

/// One load; what the disk took before it and after it.
fn at_rate(
    programs: &Programs,
    mock: &Path,
    contender: Contender,
    effort: Effort,
    times: &mut Times,
) -> anyhow::Result<Disk> {
    let runtime = runtime()?;
    let before = if effort.is_quick { BEFORE / 10 } else { BEFORE };
    let mut filled = runtime.block_on(Filled::with(programs, contender, before))?;
    let started = &filled.started;
    let mut disk = Disk::default();
    disk.measure(started.folder())?;
    let mut command = workspace::command(mock);
    command.args(["load", started.process.url(), "--rate", &RATE.to_string(), "--arrivals", "constant"]);
    command.args(["--threads", "1", "--connections", &CONNECTIONS.to_string()]);
    command.args(["--duration", &format!("{}s", effort.seconds), "--report", "json=-"]);
    let report: Value = serde_json::from_str(&load::measure(command)?.said)?;
    disk.measure(started.folder())?;
    let summary = &report["summary"];
    let count = |figure: &str| summary[figure].as_u64().context("no summary");
    let acknowledged = count("acknowledged")?;
    ensure!(acknowledged == count("planned")?, "not all was acknowledged: {summary:#}");
    filled.stored += usize::try_from(acknowledged)?;
    runtime.block_on(filled.stop(programs))?;
    let latency = |quantile: &str| summary["latency_us"][quantile].as_f64().context("no latency");
    times.p50.push(latency("p50")?);
    times.p99.push(latency("p99")?);
    Ok(disk)
}

/// Of sorted times.
fn quantile(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or(f64::NAN)
}
