//! What a load takes up: memory, and the time to plan it.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use piopiy_events::Profile as Wire;
use piopiy_mock_platform::load::{LoadOptions, LoadPlan, Rate};
use piopiy_mock_platform::plan::CallBuffer;

use super::{CONNECTIONS, Effort, Goal, Row, Section, Series, measure, mock, sink};
use crate::traffic::{LONG_CALLS, LONG_CALLS_BEGUN, LONG_CALLS_PER_SECOND, LONG_CALLS_SCENARIO};
use crate::{traffic, workspace};

const FEW: u64 = 100_000;
const MANY: u64 = 10_000_000;

/// Peak memory at full speed with few webhooks and with many, and with very many calls in progress.
///
/// # Errors
/// Where the generator does not run.
pub(in crate::bench) fn memory(effort: Effort) -> anyhow::Result<Section> {
    let many = if effort.is_quick { FEW * 10 } else { MANY };
    let folder = tempfile::tempdir()?;
    let scenario = folder.path().join("long.toml");
    std::fs::write(&scenario, LONG_CALLS_SCENARIO)?;
    let scenario = scenario.to_str().context("the temporary folder has no name")?;
    let (calls, per_second) = (LONG_CALLS_BEGUN.to_string(), LONG_CALLS_PER_SECOND.to_string());
    let at_full_speed = |webhooks| peak_mib(&["--rate", "max", "--calls", &calls_with(webhooks).to_string()]);
    let [mut of_few, mut of_many, mut growth, mut busy] = [(); 4].map(|()| Series::default());
    for _ in 0..effort.rounds {
        let (few, many) = (at_full_speed(FEW)?, at_full_speed(many)?);
        of_few.push(few);
        of_many.push(many);
        growth.push(many - few);
        busy.push(peak_mib(&["--scenario", scenario, "--cps", &per_second, "--calls", &calls])?);
    }
    let mib = |it: f64| format!("{it:.1} MiB");
    let rows = vec![
        Row::new(format!("at full speed, {FEW} webhooks"), &of_few, mib),
        Row::with_goal(format!("at full speed, {many} webhooks"), &of_many, mib, Goal::AtMost(32.0)),
        Row::with_goal("growth between them", &growth, mib, Goal::LessThan(2.0)),
        Row::with_goal(format!("{LONG_CALLS} calls in progress"), &busy, mib, Goal::LessThan(200.0)),
    ];
    Ok(Section {
        title: format!("Memory of a load: {CONNECTIONS} connections, with a ledger, at its peak"),
        note: format!("{} rounds", effort.rounds),
        rows,
    })
}

/// So many calls have about so many webhooks.
fn calls_with(webhooks: u64) -> u64 {
    const SAMPLE: u64 = 10_000;
    let simulator = traffic::simulator(Wire::Global, 0);
    let mut buffer = CallBuffer::default();
    let counted: usize = (0..SAMPLE).map(|call| simulator.count_webhooks(call, &mut buffer)).sum();
    webhooks * SAMPLE / counted as u64
}

fn peak_mib(pace: &[&str]) -> anyhow::Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let sink = runtime.block_on(sink(&[]))?;
    let folder = tempfile::tempdir()?;
    let mut command = workspace::command(mock()?);
    command.args(["load", sink.url(), "--threads", "1", "--connections", CONNECTIONS]).args(pace);
    command.args(["--report", "json=-", "--ledger"]).arg(folder.path().join("ledger.jsonl"));
    let run = measure(command)?;
    let report: serde_json::Value = serde_json::from_str(&run.said)?;
    let count = |figure: &str| report["summary"][figure].as_u64().context("no summary");
    ensure!(count("acknowledged")? == count("planned")?, "not all was acknowledged: {report:#}");
    Ok(run.peak_kib / 1024.0)
}

/// Ten million webhooks planned, on one core.
///
/// # Errors
/// Where options are not taken that always are.
pub(in crate::bench) fn planning(effort: Effort) -> anyhow::Result<Section> {
    let webhooks = if effort.is_quick { MANY / 100 } else { MANY };
    let paces = [
        ("--rate 10000", Rate::Webhooks(10_000.0)),
        ("--rate max", Rate::Max),
        ("--erlangs 100000", Rate::Erlangs(LONG_CALLS as f64)),
    ];
    let [instants, payloads] = [("", false), (", and its payload written", true)];
    let ways = paces.into_iter().flat_map(|(name, rate)| [instants, payloads].map(|way| (name, rate, way)));
    let mut all: Vec<_> = ways.map(|(name, rate, way)| (name, rate, way, Series::default())).collect();
    for round in 0..effort.rounds {
        for (_, rate, (_, has_payload), series) in &mut all {
            let simulator = traffic::simulator(Wire::Global, round as u64);
            let mut options = LoadOptions::new(*rate);
            (options.duration, options.calls) = (None, Some(webhooks));
            let mut plan = LoadPlan::new(&simulator, &options)?;
            let began = Instant::now();
            for _ in 0..webhooks {
                black_box(plan.next_webhook()).context("the plan has an end")?;
                if *has_payload {
                    black_box(plan.body());
                }
            }
            series.push(began.elapsed().as_secs_f64());
        }
    }
    let rows = all.iter().map(|(name, _, (way, _), series)| {
        Row::with_goal(format!("`{name}`{way}"), series, |it| format!("{it:.2} s"), Goal::AtMost(5.0))
    });
    Ok(Section {
        title: format!("Planning of a load: {webhooks} webhooks on one core"),
        note: format!("{} rounds", effort.rounds),
        rows: rows.collect(),
    })
}
