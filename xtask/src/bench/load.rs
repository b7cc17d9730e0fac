//! `piopiy-mock load` beside other generators, against a sink that is faster than any of them; and how exactly it keeps a rate.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::rounds::{Section, Series};
use super::{Effort, RECEIVER_CORE};
use crate::process::Process;
use crate::workspace::{self, Profile};

const CONNECTIONS: &str = "64";
/// As `stream_connected` in the documentation; wrk puts another id in each.
const BODY: &str = include_str!("../../../fixtures/wire/global/live-stream-connected--leg-b.json");

/// A generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generator {
    Ours,
    Wrk,
    Oha,
    Hey,
    Autocannon,
}

impl Generator {
    const ALL: [Self; 5] = [Self::Ours, Self::Wrk, Self::Oha, Self::Hey, Self::Autocannon];

    fn name(self) -> &'static str {
        match self {
            Self::Ours => "`piopiy-mock load --rate max`, each webhook simulated",
            Self::Wrk => "wrk, an id of its own in each body (Lua)",
            Self::Oha => "oha, one body",
            Self::Hey => "hey, one body",
            Self::Autocannon => "autocannon, one body",
        }
    }

    fn is_here(self) -> bool {
        let program = match self {
            Self::Ours => return true,
            Self::Wrk => "wrk",
            Self::Oha => "oha",
            Self::Hey => "hey",
            Self::Autocannon => "autocannon",
        };
        // wrk, asked for its version, ends as if it had failed.
        workspace::works("sh", &["-c", &format!("command -v {program}")])
    }

    fn command(self, mock: &Path, script: &Path, url: &str, seconds: u64) -> Command {
        let duration = format!("{seconds}s");
        let post = ["-m", "POST", "-T", "application/json"];
        let mut command = workspace::command(match self {
            Self::Ours => mock.as_os_str(),
            Self::Wrk => "wrk".as_ref(),
            Self::Oha => "oha".as_ref(),
            Self::Hey => "hey".as_ref(),
            Self::Autocannon => "autocannon".as_ref(),
        });
        match self {
            Self::Ours => command
                .args(["load", url, "--rate", "max", "--threads", "1", "--report", "json=-"])
                .args(["--connections", CONNECTIONS, "--duration", &duration]),
            Self::Wrk => command.args(["-t1", "-c", CONNECTIONS, "-d", &duration, "-s"]).arg(script).arg(url),
            Self::Oha => command
                .args(["--no-tui", "--output-format", "json", "-c", CONNECTIONS, "-z", &duration])
                .args(post)
                .args(["-d", BODY.trim(), url]),
            Self::Hey => {
                command.args(["-c", CONNECTIONS, "-z", &duration]).args(post).args(["-d", BODY.trim(), url])
            }
            Self::Autocannon => command
                .args(["-c", CONNECTIONS, "-d", &seconds.to_string(), "-j", "-m", "POST"])
                .args(["-H", "content-type=application/json", "-b", BODY.trim(), url]),
        };
        command
    }

    /// Requests in all, from what it says.
    fn requests(self, said: &str, seconds: f64) -> anyhow::Result<f64> {
        let of_text = || {
            let line = said.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
            Ok(line.context("no line `Requests/sec:`")?.trim().parse::<f64>()? * seconds)
        };
        let of_json = |pointer: &str| {
            let document: Value = serde_json::from_str(said)?;
            document.pointer(pointer).and_then(Value::as_f64).with_context(|| format!("no {pointer}"))
        };
        match self {
            Self::Ours => of_json("/summary/acknowledged"),
            Self::Wrk | Self::Hey => of_text(),
            Self::Oha => Ok(of_json("/summary/requestsPerSec")? * seconds),
            Self::Autocannon => of_json("/requests/total"),
        }
    }
}

#[derive(Debug, Default, Clone)]
struct Measured {
    rate: Series,
    cpu: Series,
    memory: Series,
}

/// Full speed over 64 connections: the generators take turns in each round.
///
/// # Errors
/// Where one of them does not run, or says nothing that is understood.
pub(super) fn full_speed(effort: Effort) -> anyhow::Result<Section> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", Profile::Release)?;
    let folder = tempfile::tempdir()?;
    let script = folder.path().join("unique.lua");
    std::fs::write(&script, lua()?)?;
    let generators: Vec<Generator> = Generator::ALL.into_iter().filter(|it| it.is_here()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut all = vec![Measured::default(); generators.len()];
    for round in 0..effort.rounds {
        for turn in 0..generators.len() {
            let which = (turn + round) % generators.len();
            let sink = runtime.block_on(sink(&[]))?;
            let command = generators[which].command(&mock, &script, sink.url(), effort.seconds);
            let run = measure(command).with_context(|| generators[which].name())?;
            let requests = generators[which].requests(&run.said, effort.seconds as f64)?;
            all[which].rate.push(requests / effort.seconds as f64);
            all[which].cpu.push(run.cpu.as_secs_f64() * 1e6 / requests);
            all[which].memory.push(run.peak_kib / 1024.0);
        }
    }
    let mut rows = Vec::new();
    for (generator, measured) in generators.iter().zip(&all) {
        rows.push((format!("{}: rate", generator.name()), measured.rate.told(|it| format!("{it:.0}/s"))));
        rows.push((format!("{}: CPU", generator.name()), measured.cpu.told(|it| format!("{it:.2} µs"))));
        rows.push((
            format!("{}: memory", generator.name()),
            measured.memory.told(|it| format!("{it:.0} MiB")),
        ));
        if *generator != Generator::Ours {
            let ratio = all[0].rate.over(&measured.rate);
            rows.push((
                format!("our rate over that of {}", generator.name()),
                ratio.told(|it| format!("{it:.2}")),
            ));
        }
    }
    Ok(Section {
        title: format!("Load at full speed: {CONNECTIONS} connections, generator and sink on a core each"),
        rows,
    })
}

/// Constant arrivals: what the sink saw, beside the instants that were planned.
///
/// # Errors
/// Where the generator does not run, or the sink did not get all.
pub(super) fn pace(effort: Effort) -> anyhow::Result<Section> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", Profile::Release)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut rows = Vec::new();
    for rate in [2_000_u64, 10_000] {
        let (mut p50, mut p99, mut off) = (Series::default(), Series::default(), Series::default());
        for _ in 0..effort.rounds {
            let sink = runtime.block_on(sink(&[]))?;
            let mut command = workspace::command(&mock);
            command.args(["load", sink.url(), "--rate", &rate.to_string(), "--arrivals", "constant"]);
            command.args(["--threads", "1", "--report", "json=-"]);
            command.args(["--connections", CONNECTIONS, "--duration", &format!("{}s", effort.seconds)]);
            let run = measure(command)?;
            let report: Value = serde_json::from_str(&run.said)?;
            let start = report["started_at_monotonic_ns"].as_u64().context("no start")?;
            let listed = runtime.block_on(arrivals(&sink))?;
            ensure!(Some(listed.len() as u64) == report["summary"]["planned"].as_u64(), "{report:#}");
            let mut deviations: Vec<u64> = (0..)
                .zip(&listed)
                .map(|(n, at)| at.abs_diff(start + n * 1_000_000_000 / rate) / 1_000)
                .collect();
            deviations.sort_unstable();
            p50.push(deviations[deviations.len() / 2] as f64);
            p99.push(deviations[deviations.len() * 99 / 100] as f64);
            let (first, last) = (listed[0], listed[listed.len() - 1]);
            let got = (listed.len() - 1) as f64 * 1e9 / (last - first) as f64;
            off.push((got / rate as f64 - 1.0).abs() * 100.0);
        }
        let us = |it: f64| format!("{it:.0} µs");
        rows.push((format!("{rate}/s: deviation, p50 (goal: at most 20 µs)"), p50.told(us)));
        rows.push((format!("{rate}/s: deviation, p99 (goal: at most 150 µs)"), p99.told(us)));
        rows.push((
            format!("{rate}/s: the rate is off by (goal: at most 0.1 %)"),
            off.told(|it| format!("{it:.4} %")),
        ));
    }
    Ok(Section {
        title: format!(
            "Load at a rate, constant arrivals, {} s: arrivals at the sink against planned instants",
            effort.seconds
        ),
        rows,
    })
}

/// A receiver that does nothing for 200 ms of every second, at 2,000 webhooks a second: a fifth of them wait, for up to 200 ms.
///
/// # Errors
/// Where the generator does not run, or did not send all.
pub(super) fn stall(effort: Effort) -> anyhow::Result<Section> {
    let mock = workspace::build("piopiy-mock-platform", "piopiy-mock", Profile::Release)?;
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

async fn sink(arguments: &[&str]) -> anyhow::Result<Process> {
    let this = std::env::current_exe()?;
    let mut command = if workspace::works("taskset", &["-c", RECEIVER_CORE, "true"]) {
        let mut taskset = tokio::process::Command::new("taskset");
        taskset.args(["-c", RECEIVER_CORE]).arg(this);
        taskset
    } else {
        tokio::process::Command::new(this)
    };
    command.arg("sink").args(arguments);
    Process::start(command).await
}

async fn arrivals(sink: &Process) -> anyhow::Result<Vec<u64>> {
    let text =
        reqwest::Client::builder().no_proxy().build()?.get(sink.at("/arrivals")).send().await?.text().await?;
    let mut listed = text.lines().map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    listed.sort_unstable();
    Ok(listed)
}

struct Ran {
    said: String,
    cpu: Duration,
    peak_kib: f64,
}

/// Runs a command to its end; what it printed, and what it took up.
fn measure(mut command: Command) -> anyhow::Result<Ran> {
    let before = children_cpu()?;
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut stdout = child.stdout.take().context("it has no stdout")?;
    let reading = std::thread::spawn(move || {
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stdout, &mut said).map(|_| said)
    });
    let status_file = format!("/proc/{}/status", child.id());
    let began = Instant::now();
    let mut peak_kib = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        ensure!(began.elapsed() < Duration::from_secs(300), "it does not end");
        let about = std::fs::read_to_string(&status_file).unwrap_or_default();
        let peak = about.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak_kib = peak_kib.max(peak.and_then(|kib| kib.trim().parse().ok()).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(100));
    };
    let said = reading.join().map_err(|_| anyhow::anyhow!("what it printed was not read"))??;
    ensure!(status.success(), "it ended with {status}: {said}");
    Ok(Ran { said, cpu: children_cpu()? - before, peak_kib })
}

/// CPU time of all children that have ended: proc(5).
fn children_cpu() -> anyhow::Result<Duration> {
    // In Linux a tick is a hundredth of a second for whoever reads this file.
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("no name")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).context("no CPU time");
    Ok(TICK * (ticks(13)? + ticks(14)?))
}

/// The script that gives each request of wrk an id of its own.
fn lua() -> anyhow::Result<String> {
    const KEY: &str = "\"cmiuuid\":\"";
    let body: Value = serde_json::from_str(BODY)?;
    let body = body.to_string();
    let (before, id) = body.split_once(KEY).context("the payload has no id")?;
    let (_, after) = id.split_once('"').context("the id has no end")?;
    Ok(format!(
        "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nlocal n = 0\nrequest = function()\n  n = n + 1\n  \
         local id = string.format('%08x-%04x-4%03x-8%03x-%012x', n, n % 65536, n % 4096, n % 4096, n)\n  \
         return wrk.format(nil, nil, nil, [[{before}{KEY}]] .. id .. [[\"{after}]])\nend\n"
    ))
}
