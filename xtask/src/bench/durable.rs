//! Webhooks received durably, beside the same receiver with its memory store.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use piopiy_events::Profile as Wire;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::rounds::{Section, Series};
use super::{Effort, RECEIVER_CORE};
use crate::http1::{Connection, post};
use crate::process::Process;
use crate::receivers::{Durable, Kept};
use crate::workspace::{self, Profile};
use crate::{observe, traffic};

const CONNECTIONS: usize = 64;
/// What the receiver counts, in `/metrics`.
const STORED: &str = "piopiy_receiver_appended_total";
const COMMITS: &str = "piopiy_receiver_commit_seconds_count";

/// Closed loop over keep-alive connections, every id fresh; the stores take turns inside each round.
///
/// # Errors
/// Where a webhook is not acknowledged, or what is stored is not what was acknowledged.
pub(super) fn run(effort: Effort) -> anyhow::Result<Section> {
    let durable = Durable::build(Profile::Release)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut sqlite, mut memory, mut per_commit) = (Series::default(), Series::default(), Series::default());
    for round in 0..effort.rounds {
        let bodies: Vec<_> =
            traffic::bodies(Wire::Global, traffic::fresh_nonce()).take(effort.webhooks).collect();
        // Who goes first changes, so that neither always has the warmer machine.
        for on_disk in [round % 2 == 0, round % 2 != 0] {
            let measured = runtime.block_on(measure(&durable, on_disk, &bodies))?;
            if on_disk {
                sqlite.push(measured.rate);
                per_commit.push(measured.per_commit);
            } else {
                memory.push(measured.rate);
            }
        }
    }
    let rate = |value: f64| format!("{value:.0} webhooks/s");
    Ok(Section {
        title: format!(
            "Durable receive: {} webhooks with fresh ids over {CONNECTIONS} connections, receiver on one core",
            effort.webhooks
        ),
        rows: vec![
            ("`--store sqlite:FILE`".to_owned(), sqlite.told(rate)),
            ("`--store memory`".to_owned(), memory.told(rate)),
            (
                "ratio (goal: at least 45 %)".to_owned(),
                sqlite.over(&memory).told(|ratio| format!("{:.0} %", ratio * 100.0)),
            ),
            ("webhooks per commit, SQLite".to_owned(), per_commit.told(|count| format!("{count:.1}"))),
        ],
    })
}

struct Measured {
    /// Webhooks acknowledged per second.
    rate: f64,
    /// Webhooks per transaction.
    per_commit: f64,
}

async fn measure(durable: &Durable, on_disk: bool, bodies: &[Vec<u8>]) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("store.sqlite");
    let kept = if on_disk { Kept::Sqlite(&file) } else { Kept::Memory };
    let arguments = Durable::arguments("127.0.0.1:0", kept, &[]);
    let receiver = Process::start(pinned(durable, arguments)).await?;
    let address = receiver.address().to_owned();

    let mut parts: Vec<Vec<Vec<u8>>> = vec![Vec::new(); CONNECTIONS];
    for (index, body) in bodies.iter().enumerate() {
        parts[index % CONNECTIONS].push(post(&address, traffic::PATH, body));
    }
    let mut open = Vec::new();
    for part in parts {
        open.push((Connection::open(&address).await?, part));
    }
    let began = Instant::now();
    let mut clients = JoinSet::new();
    for (mut connection, requests) in open {
        clients.spawn(async move {
            for request in &requests {
                let status = connection.send(request).await?;
                ensure!(status == 200, "a webhook was answered {status}");
            }
            Ok(requests.len())
        });
    }
    let mut acknowledged = 0;
    while let Some(client) = clients.join_next().await {
        acknowledged += client??;
    }
    let seconds = began.elapsed().as_secs_f64();

    let stored = observe::metric(&receiver, STORED).await?;
    let commits = observe::metric(&receiver, COMMITS).await?;
    receiver.stop().await?;
    ensure!(stored == acknowledged as f64, "{acknowledged} webhooks were acknowledged and {stored} stored");
    if on_disk {
        let rows = rows(durable, &file)?;
        ensure!(rows == acknowledged, "{acknowledged} webhooks were acknowledged and {rows} rows written");
    }
    Ok(Measured { rate: acknowledged as f64 / seconds, per_commit: acknowledged as f64 / commits })
}

/// The receiver on its own core, where this machine can do that.
fn pinned(durable: &Durable, arguments: Vec<std::ffi::OsString>) -> Command {
    let mut command = if workspace::works("taskset", &["-c", RECEIVER_CORE, "true"]) {
        let mut taskset = Command::new("taskset");
        taskset.args(["-c", RECEIVER_CORE]).arg(durable.binary());
        taskset
    } else {
        Command::new(durable.binary())
    };
    command.args(arguments);
    command
}

/// How many webhooks the file holds, as the receiver exports them.
fn rows(durable: &Durable, file: &std::path::Path) -> anyhow::Result<usize> {
    let mut store = std::ffi::OsString::from("sqlite:");
    store.push(file);
    let output = workspace::command(durable.binary()).args(["export", "--store"]).arg(store).output()?;
    ensure!(output.status.success(), "export: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).context("export is not UTF-8")?;
    Ok(text.lines().count())
}
