//! How exactly a rate is kept, and what is said of a receiver that stalls.

use std::process::Command;

use anyhow::ensure;
use serde_json::Value;

use super::{CONNECTIONS, Effort, Goal, Row, Section, Series, measure, mock, sink};
use crate::load_ledger::LoadLedger;
use crate::pace::{Pace, arrivals, quantile_us};
use crate::workspace;

/// Constant arrivals: what the sink saw, beside the planned instants. A sink that is awake sees what comes when it comes; one that
/// sleeps sees it when its core has woken up, which is added to what is the generator's. The control is a sender that does nothing but
/// wait, awake, and write: what it is off, the machine is.
///
/// # Errors
/// Where a generator does not run, or the sink did not get all.
pub(in crate::bench) fn pace(effort: Effort) -> anyhow::Result<Section> {
    let mut rows = Vec::new();
    for rate in [2_000, 10_000] {
        let [mut ours, mut control, mut sleeping, mut asleep] = [(); 4].map(|()| Paces::default());
        for round in 0..effort.rounds {
            // Whoever comes first comes last the next time.
            let mut turns = [true, false];
            turns.rotate_left(round % 2);
            for is_ours in turns {
                if is_ours {
                    ours.push(&ours_at(rate, &["--awake"], &[], effort.seconds)?);
                } else {
                    control.push(&control_at(rate, effort.seconds)?);
                }
            }
            if round == 0 {
                sleeping.push(&ours_at(rate, &["--awake"], &["--awake=never"], effort.seconds)?);
                asleep.push(&ours_at(rate, &[], &[], effort.seconds)?);
            }
        }
        let us = |it: f64| format!("{it:.0} µs");
        let (off, over) = (|it| format!("{it:.4} %"), |it| format!("{it:.2}"));
        let named = |name: &str| format!("{rate}/s: {name}");
        rows.extend([
            Row::with_goal(named("deviation, p50"), &ours.p50, us, Goal::AtMost(20.0)),
            Row::with_goal(named("deviation, p99"), &ours.p99, us, Goal::AtMost(150.0)),
            Row::new(named("of it the generator's, sent late: p50"), &ours.late_p50, us),
            Row::new(named("of it the generator's, sent late: p99"), &ours.late_p99, us),
            Row::with_goal(named("the rate is off by"), &ours.off, off, Goal::AtMost(0.1)),
            Row::new(named("control, a sender that only waits: deviation, p50"), &control.p50, us),
            Row::new(named("control, a sender that only waits: deviation, p99"), &control.p99, us),
            Row::new(named("deviation p99 over that of the control"), &ours.p99.over(&control.p99), over),
            Row::new(named("with `--awake=never`, once: deviation, p50"), &sleeping.p50, us),
            Row::new(named("with `--awake=never`, once: deviation, p99"), &sleeping.p99, us),
            Row::new(named("and a sink that sleeps, once: deviation, p50"), &asleep.p50, us),
            Row::new(named("and a sink that sleeps, once: deviation, p99"), &asleep.p99, us),
        ]);
    }
    Ok(Section {
        title: "Load at a rate: constant arrivals, arrivals at a sink that is awake against planned instants"
            .to_owned(),
        note: format!("{} rounds of {} s", effort.rounds, effort.seconds),
        rows,
    })
}

/// How exactly a rate was kept, round by round.
#[derive(Debug, Default)]
struct Paces {
    p50: Series,
    p99: Series,
    off: Series,
    late_p50: Series,
    late_p99: Series,
}

impl Paces {
    fn push(&mut self, (pace, late_ns): &(Pace, Vec<u64>)) {
        self.p50.push(pace.p50_us);
        self.p99.push(pace.p99_us);
        self.off.push(pace.off_percent);
        self.late_p50.push(quantile_us(late_ns, 50));
        self.late_p99.push(quantile_us(late_ns, 99));
    }
}

/// What a sink saw of ours, and how late each webhook was sent.
fn ours_at(
    rate: u64,
    sink_arguments: &[&str],
    arguments: &[&str],
    seconds: u64,
) -> anyhow::Result<(Pace, Vec<u64>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sink = runtime.block_on(sink(sink_arguments))?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("ledger.jsonl");
    let mut command = workspace::command(mock()?);
    command.args(["load", sink.url(), "--rate", &rate.to_string(), "--arrivals", "constant"]);
    command.args(["--threads", "1", "--connections", CONNECTIONS]).args(arguments);
    command.args(["--duration", &format!("{seconds}s"), "--ledger"]).arg(&file);
    measure(command)?;
    let ledger = LoadLedger::read(&file)?;
    let came = runtime.block_on(arrivals(&sink))?;
    Ok((Pace::of(&ledger.planned_ns(), &came, rate as f64)?, ledger.late_ns()))
}

/// What it saw of the control.
fn control_at(rate: u64, seconds: u64) -> anyhow::Result<(Pace, Vec<u64>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sink = runtime.block_on(sink(&["--awake"]))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["pacer", sink.url(), "--connections", CONNECTIONS]);
    command.args(["--rate", &rate.to_string(), "--seconds", &seconds.to_string()]);
    let said = measure(command)?.said;
    let planned = said.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let came = runtime.block_on(arrivals(&sink))?;
    Ok((Pace::of(&planned, &came, rate as f64)?, Vec::new()))
}

/// A receiver that does nothing for 200 ms of every second, at 2,000 webhooks a second: a fifth of them wait, for up to 200 ms.
///
/// # Errors
/// Where the generator does not run, or did not send all.
pub(in crate::bench) fn stall(effort: Effort) -> anyhow::Result<Section> {
    let mock = mock()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for connections in ["8", "64", "512"] {
        let mut quantiles = [("p90", 100), ("p99", 190), ("p999", 199)].map(|it| (it, Series::default()));
        let mut uncorrected = Series::default();
        for _ in 0..effort.rounds {
            let sink = runtime.block_on(sink(&["--stall-ms", "200"]))?;
            let mut command = workspace::command(&mock);
            command.args(["load", sink.url(), "--rate", "2000", "--threads", "1", "--report", "json=-"]);
            command.args(["--connections", connections, "--duration", &format!("{}s", effort.seconds)]);
            let report: Value = serde_json::from_str(&measure(command)?.said)?;
            let summary = &report["summary"];
            ensure!(summary["planned"] == summary["acknowledged"], "some were not acknowledged: {summary:#}");
            let ms =
                |figure: &str, quantile: &str| summary[figure][quantile].as_f64().unwrap_or(f64::NAN) / 1e3;
            quantiles.iter_mut().for_each(|((name, _), series)| series.push(ms("latency_us", name)));
            uncorrected.push(ms("service_us", "p99"));
        }
        let shown = |it: f64| format!("{it:.1} ms");
        for ((name, truth), series) in &quantiles {
            let truth = f64::from(*truth);
            let goal = Goal::Within(0.95 * truth, 1.05 * truth);
            let row = format!("{connections} connections: {name}, by arithmetic {truth} ms");
            rows.push(Row::with_goal(row, series, shown, goal));
        }
        let alone = format!("{connections} connections: p99 of the service time alone");
        rows.push(Row::new(alone, &uncorrected, shown));
    }
    Ok(Section {
        title: "Load at 2000/s on a receiver that stalls for 200 ms of every second".to_owned(),
        note: format!(
            "{} rounds of {} s; every planned webhook was sent and acknowledged",
            effort.rounds, effort.seconds
        ),
        rows,
    })
}
