//! Webhooks received durably, beside the same receiver with its memory store.

use std::time::Instant;

use anyhow::{Context as _, ensure};
use piopiy_events::Profile as Wire;
use piopiy_postgres::Postgres;
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

/// Where webhooks are kept, and what came of it.
struct Measurement {
    store: Store,
    rates: Series,
    per_commit: Series,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Store {
    Memory,
    Sqlite,
    Postgres,
}

/// Closed loop over keep-alive connections, every id fresh; the stores take turns inside each round.
///
/// # Errors
/// Where a webhook is not acknowledged, or what is stored is not what was acknowledged.
pub(super) fn run(effort: Effort) -> anyhow::Result<Section> {
    let durable = Durable::build(Profile::Release)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Not on the receiver's core alone, and not on ours.
    let server = match piopiy_postgres::programs() {
        Some(_) => Some(Postgres::start_anywhere(&[])?),
        None => None,
    };
    let stores = [Store::Sqlite, Store::Memory].into_iter().chain(server.as_ref().map(|_| Store::Postgres));
    let mut measurements: Vec<_> = stores
        .map(|store| Measurement { store, rates: Series::default(), per_commit: Series::default() })
        .collect();
    for _ in 0..effort.rounds {
        let bodies: Vec<_> =
            traffic::bodies(Wire::Global, traffic::fresh_nonce()).take(effort.webhooks).collect();
        for measurement in &mut measurements {
            let measured =
                runtime.block_on(measure(&durable, measurement.store, server.as_ref(), &bodies))?;
            measurement.rates.push(measured.rate);
            measurement.per_commit.push(measured.per_commit);
        }
        // Who goes first changes, so that none always has the warmer machine.
        measurements.rotate_left(1);
    }
    let of = |store| measurements.iter().find(|measurement| measurement.store == store);
    let memory = of(Store::Memory).context("memory was not measured")?;
    let rate = |value: f64| format!("{value:.0} webhooks/s");
    let mut rows = vec![("`--store memory`".to_owned(), memory.rates.told(rate))];
    for (store, shown, name, goal) in [
        (Store::Sqlite, "`--store sqlite:FILE`", "SQLite", 45),
        (Store::Postgres, "`--store postgres://…`, the server on the same machine", "PostgreSQL", 35),
    ] {
        let Some(measurement) = of(store) else { continue };
        let ratio = measurement.rates.over(&memory.rates);
        rows.extend([
            (shown.to_owned(), measurement.rates.told(rate)),
            (
                format!("{name} over memory (goal: at least {goal} %)"),
                ratio.told(|ratio| format!("{:.0} %", ratio * 100.0)),
            ),
            (
                format!("webhooks per commit, {name}"),
                measurement.per_commit.told(|count| format!("{count:.1}")),
            ),
        ]);
    }
    Ok(Section {
        title: format!(
            "Durable receive: {} webhooks with fresh ids over {CONNECTIONS} connections, receiver on one core",
            effort.webhooks
        ),
        rows,
    })
}

struct Measured {
    /// Webhooks acknowledged per second.
    rate: f64,
    /// Webhooks per transaction.
    per_commit: f64,
}

async fn measure(
    durable: &Durable,
    store: Store,
    server: Option<&Postgres>,
    bodies: &[Vec<u8>],
) -> anyhow::Result<Measured> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("store.sqlite");
    let url = match (store, server) {
        (Store::Postgres, Some(server)) => server.database()?,
        _ => String::new(),
    };
    let kept = match store {
        Store::Memory => Kept::Memory,
        Store::Sqlite => Kept::Sqlite(&file),
        Store::Postgres => Kept::Postgres(&url),
    };
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
    if store != Store::Memory {
        let rows = rows(durable, kept)?;
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

/// How many webhooks the store holds, as the receiver exports them.
fn rows(durable: &Durable, kept: Kept<'_>) -> anyhow::Result<usize> {
    let output =
        workspace::command(durable.binary()).args(["export", "--store"]).arg(kept.store()).output()?;
    ensure!(output.status.success(), "export: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).context("export is not UTF-8")?;
    Ok(text.lines().count())
}
