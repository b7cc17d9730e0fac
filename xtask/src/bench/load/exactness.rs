//! How exactly a rate is kept, and what is said of a receiver that stalls.

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::{CONNECTIONS, Effort, Section, Series, arrivals, measure, mock, sink};
use crate::workspace;

/// Constant arrivals: what the sink saw, beside the instants of the ledger. A sink that is awake sees what comes when it comes; one that
/// sleeps sees it when its core has woken up, which is added to what is the generator's.
///
/// # Errors
/// Where the generator does not run, or the sink did not get all.
pub(in crate::bench) fn pace(effort: Effort) -> anyhow::Result<Section> {
    let mut rows = Vec::new();
    for rate in [2_000, 10_000] {
        for (sink, arguments, goals) in [
            ("a sink that is awake", &["--awake"][..], [" (goal: at most 20 µs)", " (goal: at most 150 µs)"]),
            ("a sink that sleeps", &[], ["", ""]),
        ] {
            let mut paces = Vec::new();
            for _ in 0..effort.rounds {
                paces.push(Pace::measure(rate, arguments, effort.seconds)?);
            }
            let told = |figure: fn(&Pace) -> f64, form: fn(f64) -> String| {
                let mut series = Series::default();
                paces.iter().for_each(|pace| series.push(figure(pace)));
                series.told(form)
            };
            let us = |it: f64| format!("{it:.0} µs");
            let [p50, p99] = goals;
            rows.push((format!("{rate}/s, {sink}: deviation, p50{p50}"), told(|pace| pace.p50_us, us)));
            rows.push((format!("{rate}/s, {sink}: deviation, p99{p99}"), told(|pace| pace.p99_us, us)));
            rows.push((
                format!("{rate}/s, {sink}: the rate is off by (goal: at most 0.1 %)"),
                told(|pace| pace.off_percent, |it| format!("{it:.4} %")),
            ));
        }
    }
    Ok(Section {
        title: format!(
            "Load at a rate: constant arrivals, {} s, arrivals at the sink against planned instants",
            effort.seconds
        ),
        rows,
    })
}

/// How exactly a rate was kept.
struct Pace {
    p50_us: f64,
    p99_us: f64,
    off_percent: f64,
}

impl Pace {
    fn measure(rate: u64, arguments: &[&str], seconds: u64) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let sink = runtime.block_on(sink(arguments))?;
        let folder = tempfile::tempdir()?;
        let ledger = folder.path().join("ledger.jsonl");
        let mut command = workspace::command(mock()?);
        command.args(["load", sink.url(), "--rate", &rate.to_string(), "--arrivals", "constant"]);
        command.args(["--threads", "1", "--connections", CONNECTIONS]);
        command.args(["--duration", &format!("{seconds}s"), "--ledger"]).arg(&ledger);
        measure(command)?;
        let planned = planned(&std::fs::read_to_string(&ledger)?)?;
        let came = runtime.block_on(arrivals(&sink))?;
        ensure!(came.len() == planned.len(), "{} of {} webhooks came", came.len(), planned.len());
        let mut deviations: Vec<u64> =
            planned.iter().zip(&came).map(|(planned, came)| came.abs_diff(*planned)).collect();
        deviations.sort_unstable();
        let us = |at: usize| deviations.get(at).map_or(f64::NAN, |ns| *ns as f64 / 1e3);
        let took = came.last().zip(came.first()).map_or(f64::NAN, |(last, first)| (last - first) as f64);
        let got = (came.len() - 1) as f64 * 1e9 / took;
        Ok(Self {
            p50_us: us(deviations.len() / 2),
            p99_us: us(deviations.len() * 99 / 100),
            off_percent: (got / rate as f64 - 1.0).abs() * 100.0,
        })
    }
}

/// The planned instants of a ledger, by the monotonic clock, in order.
fn planned(ledger: &str) -> anyhow::Result<Vec<u64>> {
    let mut lines = ledger.lines().map(serde_json::from_str::<Value>);
    let head = lines.next().context("the ledger is empty")??;
    let start = head["started_at_monotonic_ns"].as_u64().context("no start")?;
    let instant =
        |line: Result<Value, _>| anyhow::Ok(start + line?["planned_ns"].as_u64().context("no instant")?);
    let mut planned = lines.map(instant).collect::<Result<Vec<u64>, _>>()?;
    planned.sort_unstable();
    Ok(planned)
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
            let row =
                format!("{connections} connections: {name} (by arithmetic {truth} ms, goal: within 5 %)");
            rows.push((row, series.told(shown)));
        }
        rows.push((
            format!("{connections} connections: p99 of the service time alone"),
            uncorrected.told(shown),
        ));
    }
    Ok(Section {
        title: "Load at 2000/s on a receiver that stalls for 200 ms of every second".to_owned(),
        rows,
    })
}
