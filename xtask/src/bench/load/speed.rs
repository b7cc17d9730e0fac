//! Full speed, beside other generators.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use super::{CONNECTIONS, Effort, Goal, Row, Section, Series, measure, mock, sink};
use crate::workspace;

/// As `stream_connected` in the documentation; wrk puts another id in each.
const BODY: &str = include_str!("../../../../fixtures/wire/global/live-stream-connected--leg-b.json");

/// What makes each request of wrk another.
const SCRIPT: &str = "unique.lua";

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
            Self::Ours => "`piopiy-mock load --rate max --ledger FILE`, each webhook simulated",
            Self::Wrk => "wrk, an id of its own in each body (Lua)",
            Self::Oha => "oha, one body",
            Self::Hey => "hey, one body",
            Self::Autocannon => "autocannon, one body",
        }
    }

    /// What our rate over its is to be at least.
    fn goal(self) -> Option<f64> {
        match self {
            Self::Wrk => Some(1.1),
            Self::Oha => Some(1.35),
            Self::Ours | Self::Hey | Self::Autocannon => None,
        }
    }

    fn program(self) -> Option<&'static str> {
        match self {
            Self::Ours => None,
            Self::Wrk => Some("wrk"),
            Self::Oha => Some("oha"),
            Self::Hey => Some("hey"),
            Self::Autocannon => Some("autocannon"),
        }
    }

    fn is_here(self) -> bool {
        // wrk, asked for its version, ends as if it had failed.
        self.program().is_none_or(|program| workspace::works("sh", &["-c", &format!("command -v {program}")]))
    }

    /// Its name and version, where it says which it is: hey does not.
    fn version(self) -> Option<String> {
        let program = self.program()?;
        let output = Command::new(program).arg("--version").output().ok()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let is_version =
            |word: &&str| word.starts_with(|first: char| first.is_ascii_digit()) && word.contains('.');
        // As `1.16.0`, `v9.0.0` or `debian/4.1.0-3`.
        let words = said.lines().next().unwrap_or_default().split_whitespace();
        let version = words
            .map(|word| word.rsplit('/').next().unwrap_or_default().trim_start_matches('v'))
            .find(is_version);
        Some(format!("{program} {}", version.unwrap_or("of unknown version")))
    }

    fn command(self, mock: &Path, folder: &Path, url: &str, seconds: u64) -> Command {
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
                .args(["--connections", CONNECTIONS, "--duration", &duration, "--ledger"])
                .arg(folder.join("ledger.jsonl")),
            Self::Wrk => command
                .args(["-t1", "-c", CONNECTIONS, "-d", &duration, "-s"])
                .arg(folder.join(SCRIPT))
                .arg(url),
            Self::Oha => command
                .args(["--no-tui", "--output-format", "json", "-c", CONNECTIONS, "-z", &duration])
                // One for each core of the machine would take turns on the one that it has.
                .args(["--worker-threads", "1"])
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
pub(in crate::bench) fn full_speed(effort: Effort) -> anyhow::Result<Section> {
    let mock = mock()?;
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join(SCRIPT), lua()?)?;
    let generators: Vec<Generator> = Generator::ALL.into_iter().filter(|it| it.is_here()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut all = vec![Measured::default(); generators.len()];
    for round in 0..effort.rounds {
        for turn in 0..generators.len() {
            let which = (turn + round) % generators.len();
            let sink = runtime.block_on(sink(&[]))?;
            let command = generators[which].command(&mock, folder.path(), sink.url(), effort.seconds);
            let run = measure(command).with_context(|| generators[which].name())?;
            let requests = generators[which].requests(&run.said, effort.seconds as f64)?;
            all[which].rate.push(requests / effort.seconds as f64);
            all[which].cpu.push(run.cpu.as_secs_f64() * 1e6 / requests);
            all[which].memory.push(run.peak_kib / 1024.0);
        }
    }
    let mut rows = Vec::new();
    for (generator, measured) in generators.iter().zip(&all) {
        let (name, us) = (generator.name(), |it| format!("{it:.2} µs"));
        rows.push(Row::new(format!("{name}: rate"), &measured.rate, |it| format!("{it:.0}/s")));
        let cpu = format!("{name}: CPU for each");
        rows.push(match generator {
            Generator::Ours => Row::with_goal(cpu, &measured.cpu, us, Goal::AtMost(6.5)),
            _ => Row::new(cpu, &measured.cpu, us),
        });
        rows.push(Row::new(format!("{name}: memory"), &measured.memory, |it| format!("{it:.0} MiB")));
        if *generator != Generator::Ours {
            let (over, times) = (all[0].rate.over(&measured.rate), |it| format!("{it:.2}"));
            rows.push(Row::new(
                format!("our CPU for each over that of {name}"),
                &all[0].cpu.over(&measured.cpu),
                times,
            ));
            let name = format!("our rate over that of {name}");
            rows.push(match generator.goal() {
                Some(least) => Row::with_goal(name, &over, times, Goal::AtLeast(least)),
                None => Row::new(name, &over, times),
            });
        }
    }
    let versions: Vec<String> = generators.iter().filter_map(|generator| generator.version()).collect();
    let beside = if versions.is_empty() { String::new() } else { format!("; {}", versions.join(", ")) };
    Ok(Section {
        title: format!("Load at full speed: {CONNECTIONS} connections, generator and sink on a core each"),
        note: format!("{} rounds of {} s{beside}", effort.rounds, effort.seconds),
        rows,
    })
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
